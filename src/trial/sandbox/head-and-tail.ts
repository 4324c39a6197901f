/** The beginning and the end of a flood: a usage text stands at its head, the last words at its end. */
export class HeadAndTail {
  readonly #limit: number
  readonly #head: Buffer[] = []
  #headBytes = 0
  #tail: Buffer[] = []
  #tailBytes = 0
  #isCut = false

  /** @param limit bytes of each of them, about */
  constructor(limit: number) {
    this.#limit = limit
  }

  push(chunk: Buffer): void {
    const room = Math.max(0, this.#limit - this.#headBytes)
    if (room > 0) {
      this.#head.push(chunk.subarray(0, room))
      this.#headBytes += Math.min(room, chunk.length)
    }
    if (chunk.length <= room) return
    this.#tail.push(chunk.subarray(room))
    this.#tailBytes += chunk.length - room
    while (this.#tail.length > 1 && this.#tailBytes - (this.#tail[0]?.length ?? 0) >= this.#limit) {
      this.#tailBytes -= this.#tail.shift()?.length ?? 0
      this.#isCut = true
    }
  }

  text(): string {
    const parts = [...this.#head, ...(this.#isCut ? [Buffer.from('\n…\n')] : []), ...this.#tail]
    return Buffer.concat(parts).toString('utf8')
  }
}
