import type { Clock } from '../../base/clock.ts'
import type { Report } from '../../base/event.ts'

/** How long the files may lag behind what the socket was told (managed.ts says why they may). */
const lagMs = 100

/** Files that follow what memory holds: soon, and together for all changes of that time. */
export class LaggingFiles implements AsyncDisposable {
  readonly #write: () => Promise<void>
  readonly #clock: Clock
  readonly #report: Report
  readonly #disposed = new AbortController()
  #writing: Promise<void> | undefined
  #isBehind = false

  constructor(write: () => Promise<void>, { clock, report }: { clock: Clock; report: Report }) {
    this.#write = write
    this.#clock = clock
    this.#report = report
  }

  follow(): void {
    this.#isBehind = true
    this.#writing ??= this.#catchUp()
      .catch((error: unknown) => {
        const message = error instanceof Error ? error.message : String(error)
        this.#report({ kind: 'warning', message: `The gateway's files could not be written: ${message}` })
      })
      .finally(() => (this.#writing = undefined))
  }

  async #catchUp(): Promise<void> {
    while (this.#isBehind) {
      await this.#clock.sleep(lagMs, { signal: this.#disposed.signal }).catch(() => {})
      this.#isBehind = false
      await this.#write()
    }
  }

  /** What they lack is written at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed.abort()
    await this.#writing
  }
}
