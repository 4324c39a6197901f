import { randomUUID } from 'node:crypto'
import { systemClock } from '../base/clock.ts'
import { errnoOf, errorCatalogue, FairwayError } from '../base/error.ts'
import type { ResultEvent } from '../base/event.ts'
import { outcomeExit } from '../base/outcome.ts'
import type { OperationFrame } from '../server/api.ts'
import { type Client, isHung } from './client.ts'
import type { CommandContext } from './context.ts'
import type { Reporter } from './report/reporter.ts'

/** How long a control plane may be away, in the middle of an operation, before we stop following it. */
const awayMs = 30_000

interface FollowOptions {
  readonly client: Client
  readonly context: CommandContext
  readonly reporter: Reporter
  readonly onOutput?: (line: { stream: 'out' | 'err'; text: string }) => void
}

/**
 * Asks for a changing operation and shows it to its end. The first Ctrl-C aborts it and shows the way back, a second one
 * leaves while the control plane finishes; a cut line aborts nothing: it is taken up again where it broke, and a control
 * plane of our own that died is started again.
 */
export async function followOperation(
  name: string,
  body: object,
  { client, context, reporter, onOutput }: FollowOptions,
): Promise<ResultEvent> {
  const call = randomUUID()
  const leave = new AbortController()
  const seen: { operation?: number; lastSeq: number; result?: ResultEvent } = { lastSeq: 0 }
  let interrupts = 0
  /** By its number, once it has one: whoever took the operation over does not know the call. */
  const askToAbort = async () => {
    while (seen.result === undefined && !leave.signal.aborted) {
      const path = seen.operation === undefined ? `/v1/calls/${call}/abort` : `/v1/running/${seen.operation}/abort`
      try {
        await client.json('POST', path, { body: {} })
        return
      } catch {
        await systemClock.sleep(100) // not begun yet, or the control plane is away: as long as we follow, we ask again
      }
    }
  }
  const onInterrupt = () => {
    interrupts += 1
    if (interrupts === 1) {
      const what = name === 'run' ? 'ending the job' : 'aborting: going back to what served before'
      const message = `${what} (Ctrl-C once more leaves it to finish by itself)`
      reporter.event({ kind: 'waiting', message })
      void askToAbort()
    } else leave.abort()
  }
  const take = (frame: OperationFrame) => {
    switch (frame.kind) {
      case 'operation':
        seen.operation = frame.operation
        return
      case 'output':
        onOutput?.(frame)
        return
      case 'result':
        seen.result = frame
        return
      default:
        if ('seq' in frame) seen.lastSeq = Math.max(seen.lastSeq, frame.seq)
        reporter.event(frame)
    }
  }
  process.on('SIGINT', onInterrupt)
  try {
    try {
      const headers = { 'x-fairway-call': call }
      const path = `/v1/operations/${name}`
      for await (const frame of client.frames<OperationFrame>('POST', path, { body, headers, signal: leave.signal })) {
        take(frame)
      }
    } catch (error) {
      if (!leave.signal.aborted && (seen.operation === undefined || !isUnreachable(error))) throw error
    }
    let until = systemClock.monotonicMs() + awayMs
    while (seen.result === undefined && seen.operation !== undefined && !leave.signal.aborted) {
      if (systemClock.monotonicMs() > until) return lost(seen.operation)
      await systemClock.sleep(100)
      try {
        const path = `/v1/running/${seen.operation}?after=${seen.lastSeq}`
        for await (const frame of client.frames<OperationFrame>('GET', path, { signal: leave.signal })) {
          take(frame)
          until = systemClock.monotonicMs() + awayMs
        }
      } catch (error) {
        if (!leave.signal.aborted && !isUnreachable(error)) throw error
        // Our own home's: what it had begun is gone on with as soon as it runs again. One that was stopped on purpose took
        // its socket away, and stays stopped.
        if (client.address.kind !== 'socket' || !(hasDied(error) || isHung(error))) continue
        const isStarted = await startAgain(context)
        if (isStarted && isHung(error)) until = systemClock.monotonicMs() + awayMs // the silence took its time
      }
    }
    if (seen.result !== undefined) return seen.result
    if (seen.operation !== undefined || leave.signal.aborted) return { kind: 'result', outcome: 'detached' }
    throw new FairwayError('SERVER_UNREACHABLE', 'The control plane went away before it said how this ended', {
      hint: '`fairway status` shows what stands; a job that had begun goes on.',
    })
  } finally {
    process.off('SIGINT', onInterrupt)
  }
}

async function startAgain(context: CommandContext): Promise<boolean> {
  try {
    await (await import('./start-server.ts')).startServer(context)
    return true
  } catch (error) {
    if (!(error instanceof FairwayError)) throw error
    return false // what stands in its way may pass: it is tried until we give up
  }
}

function isUnreachable(error: unknown): boolean {
  return error instanceof FairwayError && error.code === 'SERVER_UNREACHABLE'
}

function hasDied(error: unknown): boolean {
  return error instanceof FairwayError && errnoOf(error.cause) === 'ECONNREFUSED'
}

function lost(operation: number): ResultEvent {
  const message = `The control plane went away while operation ${operation} was under way, and did not come back`
  const hint = 'Its log is HOME/logs/server.log. Once it runs again it finishes or reverts what it had begun.'
  return { kind: 'result', outcome: 'failed', error: { code: 'SERVER_UNREACHABLE', message, hint } }
}

/** The exit status of a result: a refusal takes its error's. */
export function exitOf({ outcome, error }: ResultEvent): number {
  if (outcome !== 'refused') return outcomeExit[outcome]
  return error === undefined || error.code === 'INTERNAL' ? 70 : errorCatalogue[error.code].exit
}
