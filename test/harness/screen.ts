import { Writable } from 'node:stream'

/** A terminal of fixed size, as far as the live view uses one: lines, cursor up, erase below; colours are passed over. */
export class Screen {
  readonly stream: NodeJS.WriteStream
  /** Lines that left by the top, and cannot be taken back. */
  scrolled = 0
  writes = 0
  readonly #rows: number
  readonly #columns: number
  #cells: string[] = ['']
  #row = 0

  constructor({ columns, rows }: { columns: number; rows: number }) {
    this.#columns = columns
    this.#rows = rows
    const stream = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        if (chunk.length > 0) this.writes += 1
        this.#take(chunk.toString())
        done()
      },
    })
    this.stream = Object.assign(stream, { columns, rows, isTTY: true }) as unknown as NodeJS.WriteStream
  }

  /** What stands there, with what scrolled away. */
  lines(): string[] {
    return this.#cells.slice(0, -1)
  }

  #take(text: string): void {
    // eslint-disable-next-line no-control-regex -- that is what a terminal is told by
    for (const [part] of text.matchAll(/\u001b\[\d*[A-Zm]|\n|[^\u001b\n]+/g)) {
      const up = /^\u001b\[(\d+)A$/.exec(part)
      if (up !== null) this.#up(Number(up[1]))
      else if (part === '\u001b[J') this.#cells = [...this.#cells.slice(0, this.#row), '']
      else if (part === '\n') this.#next()
      else if (!part.startsWith('\u001b')) this.#print(part)
    }
  }

  #up(count: number): void {
    this.#row -= count
    if (this.#row < this.scrolled) throw new Error('the cursor went over the top of the screen')
  }

  #print(text: string): void {
    let rest = (this.#cells[this.#row] ?? '') + text
    while (rest.length > this.#columns) {
      this.#cells[this.#row] = rest.slice(0, this.#columns)
      rest = rest.slice(this.#columns)
      this.#next()
    }
    this.#cells[this.#row] = rest
  }

  #next(): void {
    this.#row += 1
    this.#cells[this.#row] ??= ''
    this.scrolled = Math.max(this.scrolled, this.#cells.length - this.#rows)
  }
}
