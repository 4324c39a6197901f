/** One job at a time, in the order they came; a job that fails does not hold up the next. */
export class SerialQueue {
  #tail: Promise<unknown> = Promise.resolve()

  run<T>(job: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(job)
    this.#tail = result.catch(() => {})
    return result
  }

  /** All that was given so far has ended. */
  async idle(): Promise<void> {
    await this.#tail
  }
}
