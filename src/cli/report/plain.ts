import type { ResultEvent } from '../../base/event.ts'
import { describeEvent, describeFailure } from './describe.ts'
import { outcomeText, type RolloutBegun } from './outcome.ts'
import type { Reporter, ReportStyle } from './reporter.ts'
import { visibleText } from './visible.ts'

/** A silent minute in a CI log looks like a hang. */
const heartbeatMs = 30_000

/** Append-only lines, unwrapped, one per change of state. */
export function plainReporter(
  stdout: NodeJS.WritableStream,
  stderr: NodeJS.WritableStream,
  { err: paint, ...style }: ReportStyle,
): Reporter {
  const rollouts: RolloutBegun[] = []
  const begin = Date.now()
  const say = (text: string) => {
    stderr.write(`${text}\n`)
    heartbeat.refresh()
  }
  const heartbeat = setInterval(() => {
    stderr.write(`still at work after ${Math.round((Date.now() - begin) / 1000)} s\n`)
  }, heartbeatMs)
  heartbeat.unref()
  return {
    event(event) {
      if (event.kind === 'rollout-begun') rollouts.push(event)
      const text = describeEvent(event)
      if (text !== undefined) say(event.kind === 'rollout-failed' ? paint.bad(text) : text)
      if (event.kind === 'rollout-failed') {
        const evidence =
          event.failure === undefined
            ? (event.error.details ?? []).map((line) => `  ${line}`)
            : describeFailure(event.failure).slice(1)
        for (const line of evidence) say(visibleText(line))
        if (event.failure === undefined && event.error.hint !== undefined) say(visibleText(`  → ${event.error.hint}`))
      }
    },
    result(result: ResultEvent) {
      const text = outcomeText(result, { ...style, rollouts })
      stderr.write(text.err)
      stdout.write(text.out)
    },
    close: () => clearInterval(heartbeat),
  }
}
