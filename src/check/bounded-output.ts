/** Of a test that prints without end, the beginning and the end are kept, and what is between is counted. */
export class BoundedOutput {
  readonly #limit: number
  #head = ''
  #tail = ''
  #cut = 0

  /** @param limit in characters, of each of both ends */
  constructor(limit = 256 * 1024) {
    this.#limit = limit
  }

  push(text: string): void {
    const room = this.#limit - this.#head.length
    this.#head += room > 0 ? text.slice(0, room) : ''
    this.#tail += room > 0 ? text.slice(room) : text
    if (this.#tail.length > 2 * this.#limit) this.#trim()
  }

  #trim(): void {
    const over = this.#tail.length - this.#limit
    if (over <= 0) return
    this.#cut += over
    this.#tail = this.#tail.slice(over)
  }

  clear(): void {
    this.#head = ''
    this.#tail = ''
    this.#cut = 0
  }

  lines(): string[] {
    this.#trim()
    const text =
      this.#cut === 0 ? this.#head + this.#tail : `${this.#head}\n… ${this.#cut} characters left out …\n${this.#tail}`
    const lines = text.split('\n')
    if (lines.at(-1) === '') lines.pop()
    return lines
  }
}
