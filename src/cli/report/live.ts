import type { FairwayEvent, FairwayEventBody, ResultEvent } from '../../base/event.ts'
import { describeEvent, describeFailure, formatBytes, formatMs, service } from './describe.ts'
import { outcomeText, type RolloutBegun } from './outcome.ts'
import type { Reporter, ReportStyle } from './reporter.ts'
import { visibleLine, visibleText } from './visible.ts'

const redrawMs = 100
const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']

/** What is under way at the bottom, redrawn in place; what is finished stays above as plain lines. */
export function liveReporter(
  stdout: NodeJS.WritableStream,
  stderr: NodeJS.WriteStream,
  { err: paint, ...style }: ReportStyle,
): Reporter {
  const rollouts: RolloutBegun[] = []
  const running = new Map<string, { label: string; since: number }>()
  let drawn = 0
  let tick = 0
  const clear = () => {
    const text = drawn > 0 ? `\u001b[${drawn}A\u001b[J` : ''
    drawn = 0
    return text
  }
  const draw = () => {
    const room = Math.max(1, (stderr.rows ?? 24) - 2)
    const width = Math.max(1, (stderr.columns ?? 80) - 1) // a line that wraps could not be taken back
    const frame = frames[tick % frames.length] ?? ''
    const all = [...running.values()]
    const lines = all
      .slice(0, room)
      .map(({ label, since }) => visibleLine(`${frame} ${label} ${formatMs(Date.now() - since)}`).slice(0, width))
    if (all.length > room) lines[room - 1] = `  and ${all.length - room + 1} more`.slice(0, width)
    drawn = lines.length
    return lines.map((line) => `${paint.dim(line)}\n`).join('')
  }
  // One write each time: what was taken away and not yet drawn again is never seen.
  const say = (text: string) => void stderr.write(`${clear()}${text}\n${draw()}`)
  const timer = setInterval(() => {
    tick += 1
    if (running.size > 0) stderr.write(clear() + draw())
  }, redrawMs)
  timer.unref()
  const follow = (event: FairwayEvent | FairwayEventBody) => {
    switch (event.kind) {
      case 'build-begun':
        running.set(`build ${event.service} ${event.target ?? ''}`, {
          label: `${event.service}: building ${event.mainPackage}${event.target === undefined ? '' : ` for ${event.target}`}`,
          since: Date.now(),
        })
        return
      case 'build-done':
        running.delete(`build ${event.service} ${event.target ?? ''}`)
        return
      case 'toolchain-fetching': {
        const key = `toolchain ${event.version}`
        const of = event.total === undefined ? '' : ` of ${formatBytes(event.total)}`
        const label = `go${event.version}: fetching the toolchain, ${formatBytes(event.bytes)}${of}`
        running.set(key, { label, since: running.get(key)?.since ?? Date.now() })
        return
      }
      case 'toolchain-installed':
        running.delete(`toolchain ${event.version}`)
        return
      case 'module-fetching': {
        const key = `module ${event.module}`
        const of = event.total === undefined ? '' : ` of ${formatBytes(event.total)}`
        const label = `${event.module}@${event.version}: fetching the module, ${formatBytes(event.bytes)}${of}`
        running.set(key, { label, since: running.get(key)?.since ?? Date.now() })
        return
      }
      case 'module-fetched':
        running.delete(`module ${event.module}`)
        return
      case 'push-progress':
        running.set(`push ${event.service}`, { label: describeEvent(event) ?? '', since: Date.now() })
        return
      case 'push-done':
        running.delete(`push ${event.service}`)
        return
      case 'trial-begun':
        running.set(`trial ${event.service}`, { label: `${event.service}: trying it out`, since: Date.now() })
        return
      case 'trial-done':
        running.delete(`trial ${event.service}`)
        return
      case 'package-begun':
        running.set(`test ${event.package}`, { label: `${event.package}: testing`, since: Date.now() })
        return
      case 'package-done':
        running.delete(`test ${event.package}`)
        return
      case 'stage-begun':
        for (const step of event.steps) {
          const key = `${event.scope} ${step.kind} ${step.instance}`
          const place = `[${event.stage}/${event.stages}]`
          running.set(key, {
            label: `${place} ${service(event.scope)}: ${step.instance} ${underWay(step.kind)}`,
            since: Date.now(),
          })
        }
        return
      case 'step-done':
        running.delete(`${event.scope} ${event.step} ${event.instance}`)
        return
      case 'rollout-failed':
      case 'rollout-reverting':
      case 'rollout-ended':
        for (const key of running.keys()) if (key.startsWith(`${event.scope} `)) running.delete(key)
        return
      default:
    }
  }
  return {
    event(event) {
      if (event.kind === 'rollout-begun') rollouts.push(event)
      follow(event)
      const text = describeEvent(event)
      if (text !== undefined && isAchievement(event)) say(`${paint.good('✓')} ${text}`)
      else if (event.kind === 'package-done' && text !== undefined) say(`${paint.bad('✗')} ${text}`)
      else if (event.kind === 'check-finding' && text !== undefined) {
        const [head = '', ...rest] = text.split('\n')
        say([(event.finding.severity === 'block' ? paint.bad : paint.warn)(head), ...rest].join('\n'))
      } else if (event.kind === 'rollout-failed') {
        say(`${paint.bad('✗')} ${paint.bad(text ?? '')}`)
        const evidence =
          event.failure === undefined ? (event.error.details ?? []) : describeFailure(event.failure).slice(1)
        for (const line of evidence) say(visibleText(`  ${line}`))
        if (event.failure === undefined && event.error.hint !== undefined) say(visibleText(`  → ${event.error.hint}`))
      } else if (event.kind === 'warning') say(paint.warn(text ?? ''))
      else if (!isProgress(event) && text !== undefined) say(text)
    },
    result(result: ResultEvent) {
      running.clear()
      stderr.write(clear())
      const text = outcomeText(result, { ...style, rollouts })
      stderr.write(text.err)
      stdout.write(text.out)
    },
    close() {
      clearInterval(timer)
      stderr.write(clear())
    },
  }
}

function underWay(step: string): string {
  return (
    {
      before: 'the job before it runs',
      start: 'starting',
      'await-healthy': 'waiting until healthy',
      admit: 'being given traffic',
      drain: 'finishing its requests',
      stop: 'stopping',
      'keep-warm': 'put aside, warm',
    }[step] ?? step
  )
}

/** Shown in the line that is drawn anew, and in none of its own. */
function isProgress({ kind }: FairwayEventBody): boolean {
  return ['build-begun', 'toolchain-fetching', 'module-fetching', 'push-progress'].includes(kind)
}

function isAchievement(event: FairwayEventBody): boolean {
  if (event.kind === 'package-done') return event.outcome === 'pass' || event.outcome === 'flaky'
  return event.kind === 'step-done' || event.kind === 'build-done' || event.kind === 'push-done'
}
