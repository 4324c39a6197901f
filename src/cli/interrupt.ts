import { FairwayError } from '../base/error.ts'
import type { ResultEvent } from '../base/event.ts'
import { outcomeExit } from '../base/outcome.ts'
import type { Reporter } from './report/reporter.ts'

/** Programs it started are in groups of their own: nobody but we ends them. */
const endings = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Ctrl-C, SIGTERM or a terminal that is closed abort what this command does by itself; what a control plane does for it is
 * none of theirs.
 * @param message what became of it
 */
export class Interrupt implements Disposable {
  readonly #abort = new AbortController()
  readonly #onEnding: () => void

  constructor(message: string) {
    this.#onEnding = () => this.#abort.abort(new FairwayError('ABORTED', message))
    for (const name of endings) process.on(name, this.#onEnding)
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** From here on nobody listens. */
  [Symbol.dispose](): void {
    for (const name of endings) process.off(name, this.#onEnding)
  }
}

/**
 * Work of this command alone: interrupted, what it had begun is taken back, and the result says so.
 * @returns the exit status
 */
export async function interruptible(
  reporter: Reporter,
  message: string,
  work: (signal: AbortSignal) => Promise<number>,
): Promise<number> {
  using interrupt = new Interrupt(message)
  try {
    return await work(interrupt.signal)
  } catch (error) {
    if (!interrupt.signal.aborted) throw error
    const result: ResultEvent = { kind: 'result', outcome: 'aborted' }
    reporter.result(result)
    return outcomeExit.aborted
  } finally {
    reporter.close()
  }
}
