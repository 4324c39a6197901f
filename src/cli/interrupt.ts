import { FairwayError } from '../base/error.ts'
import type { ResultEvent } from '../base/event.ts'
import { outcomeExit } from '../base/outcome.ts'
import type { Reporter } from './report/reporter.ts'

/**
 * Work of this command alone, ended by Ctrl-C or SIGTERM: what it had begun is taken back, and the result says so.
 * @returns the exit status
 */
export async function interruptible(
  reporter: Reporter,
  message: string,
  work: (signal: AbortSignal) => Promise<number>,
): Promise<number> {
  const abort = new AbortController()
  const onInterrupt = () => abort.abort(new FairwayError('ABORTED', message))
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, onInterrupt)
  try {
    return await work(abort.signal)
  } catch (error) {
    if (!abort.signal.aborted) throw error
    const result: ResultEvent = { kind: 'result', outcome: 'aborted' }
    reporter.result(result)
    return outcomeExit.aborted
  } finally {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, onInterrupt)
    reporter.close()
  }
}
