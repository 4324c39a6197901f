import { type Palette, palette } from '../../src/cli/report/colour.ts'

const redrawMs = 100
const plainEveryMs = 1000
// eslint-disable-next-line no-control-regex
const colours = /\u001b\[\d+m/g

/** What the demo prints: finished lines above, one line that lives below them on a terminal, and once a second in a pipe. */
export class Screen implements Disposable {
  readonly paint: Palette
  readonly #isTerminal: boolean
  readonly #stdout: NodeJS.WriteStream
  #live: (() => string) | undefined
  #timer: NodeJS.Timeout | undefined
  #drawn = false

  constructor(stdout: NodeJS.WriteStream, environment: Readonly<Record<string, string | undefined>>) {
    const isDumb = environment['TERM'] === 'dumb' || (environment['CI'] ?? '') !== ''
    this.#stdout = stdout
    this.#isTerminal = stdout.isTTY && !isDumb
    this.paint = palette(this.#isTerminal && (environment['NO_COLOR'] ?? '') === '')
  }

  line(text = ''): void {
    this.#clear()
    this.#stdout.write(`${text}\n`)
    this.#draw()
  }

  heading(text: string): void {
    this.line()
    this.line(this.paint.strong(text))
  }

  /** @param text drawn again and again until `rest` */
  live(text: () => string): void {
    this.#live = text
    this.#timer = setInterval(() => this.#tick(), this.#isTerminal ? redrawMs : plainEveryMs)
    this.#timer.unref()
  }

  /** On a terminal only: how long it has taken so far, until `rest`. */
  clock(since: number): void {
    if (this.#isTerminal) this.live(() => this.paint.dim(`   … ${((performance.now() - since) / 1000).toFixed(1)} s`))
  }

  /** Takes the live line away. */
  still(): void {
    this.#stop()
  }

  /** The live line stays as it is now. */
  rest(): void {
    const text = this.#live
    this.#stop()
    if (text !== undefined) this.line(text())
  }

  [Symbol.dispose](): void {
    this.#stop()
  }

  #stop(): void {
    clearInterval(this.#timer)
    this.#clear()
    this.#live = undefined
  }

  #tick(): void {
    if (this.#live === undefined) return
    if (!this.#isTerminal) {
      this.#stdout.write(`${this.#live()}\n`)
      return
    }
    this.#clear()
    this.#draw()
  }

  #draw(): void {
    if (!this.#isTerminal || this.#live === undefined) return
    const width = (this.#stdout.columns || 80) - 1
    const text = this.#live()
    const bare = text.replaceAll(colours, '') // cut only where it must be: a colour cut in two would stay on
    this.#stdout.write(`${bare.length > width ? bare.slice(0, width) : text}\n`)
    this.#drawn = true
  }

  #clear(): void {
    if (this.#drawn) this.#stdout.write('\u001b[1A\u001b[J')
    this.#drawn = false
  }
}
