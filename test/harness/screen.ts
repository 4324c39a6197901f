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
    const [printed = '', ...told] = text.split('\u001b[')
    this.#printLines(printed)
    for (const order of told) {
      const [whole = '', count, verb] = /^(\d*)([A-Za-z])/.exec(order) ?? []
      if (verb === 'A') this.#up(Number(count))
      else if (verb === 'J') this.#cells = [...this.#cells.slice(0, this.#row), '']
      else if (verb !== 'm') throw new Error(`a terminal is told ${JSON.stringify(whole)}`)
      this.#printLines(order.slice(whole.length))
    }
  }

  #printLines(text: string): void {
    const [first = '', ...others] = text.split('\n')
    this.#print(first)
    for (const line of others) {
      this.#next()
      this.#print(line)
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
