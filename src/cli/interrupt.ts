import { FairwayError } from '../base/error.ts'
import type { ResultEvent } from '../base/event.ts'
import { outcomeExit } from '../base/outcome.ts'
import type { Reporter } from './report/reporter.ts'

/** Programs it started are in groups of their own: nobody but we ends them. */
const endings = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Work of this command alone, ended by Ctrl-C, SIGTERM or a terminal that is closed: what it had begun is taken back, and
 * the result says so.
 * @returns the exit status
 */
export async function interruptible(
  reporter: Reporter,
  message: string,
  work: (signal: AbortSignal) => Promise<number>,
): Promise<number> {
  const abort = new AbortController()
  const onInterrupt = () => abort.abort(new FairwayError('ABORTED', message))
  for (const name of endings) process.on(name, onInterrupt)
  try {
    return await work(abort.signal)
  } catch (error) {
    if (!abort.signal.aborted) throw error
    const result: ResultEvent = { kind: 'result', outcome: 'aborted' }
    reporter.result(result)
    return outcomeExit.aborted
  } finally {
    for (const name of endings) process.off(name, onInterrupt)
    reporter.close()
  }
}
