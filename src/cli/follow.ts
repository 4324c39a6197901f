import { randomUUID } from 'node:crypto'
import { systemClock } from '../base/clock.ts'
import { errorCatalogue, FairwayError } from '../base/error.ts'
import type { ResultEvent } from '../base/event.ts'
import { outcomeExit } from '../base/operation.ts'
import type { OperationFrame } from '../server/api.ts'
import type { Client } from './client.ts'
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
 * leaves while the control plane finishes; a cut line aborts nothing: it is taken up again where it broke.
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
  const onInterrupt = () => {
    interrupts += 1
    if (interrupts === 1) {
      context.stderr.write('\naborting: going back to what served before (once more leaves it to finish by itself)\n')
      client.json('POST', `/v1/calls/${call}/abort`, { body: {} }).catch(() => leave.abort())
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
      if (!leave.signal.aborted && (seen.operation === undefined || !(error instanceof FairwayError))) throw error
    }
    const until = systemClock.monotonicMs() + awayMs
    while (seen.result === undefined && seen.operation !== undefined && !leave.signal.aborted) {
      if (systemClock.monotonicMs() > until) break
      await systemClock.sleep(100)
      try {
        const path = `/v1/running/${seen.operation}?after=${seen.lastSeq}`
        for await (const frame of client.frames<OperationFrame>('GET', path, { signal: leave.signal })) take(frame)
      } catch (error) {
        if (!(error instanceof FairwayError) || error.code !== 'SERVER_UNREACHABLE') throw error
      }
    }
    return seen.result ?? { kind: 'result', outcome: 'detached' }
  } finally {
    process.off('SIGINT', onInterrupt)
  }
}

/** The exit status of a result: a refusal takes its error's. */
export function exitOf({ outcome, error }: ResultEvent): number {
  if (outcome !== 'refused') return outcomeExit[outcome]
  return error === undefined || error.code === 'INTERNAL' ? 70 : errorCatalogue[error.code].exit
}
