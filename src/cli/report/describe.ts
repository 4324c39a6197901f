import { counted } from '../../base/counted.ts'
import type { CheckFinding, FairwayEvent, FairwayEventBody, RolloutFailure } from '../../base/event.ts'
import { visibleLine, visibleText } from './visible.ts'

/** One line for one event, or none where the next event says it better. Pure: live, plain and replay print the same words. */
export function describeEvent(event: FairwayEventBody | FairwayEvent): string | undefined {
  const words = wordsOf(event)
  return words === undefined ? undefined : visibleText(words)
}

function wordsOf(event: FairwayEventBody | FairwayEvent): string | undefined {
  switch (event.kind) {
    case 'build-begun':
      return `${event.service}: building ${event.mainPackage}${event.target === undefined ? '' : ` for ${event.target}`} with ${event.goVersion}`
    case 'build-done':
      return `${event.service}: built ${event.target === undefined ? '' : `${event.target}, `}${formatBytes(event.bytes)} in ${formatMs(event.tookMs)} (${event.artifact.slice(0, 12)})`
    case 'trial-begun':
      return undefined
    case 'trial-done':
      return `${event.service}: tried it out ${event.tries === 1 ? 'once' : `${event.tries} times`} in ${formatMs(event.tookMs)}: ${event.found}`
    case 'generate-begun':
      return `${event.service}: ${event.command.join(' ')}${event.in === '.' ? '' : ` in ${event.in}`}: ${event.why}`
    case 'generate-output':
      return `${event.service}: | ${event.line}`
    case 'generate-done':
      return `${event.service}: ${event.command.join(' ')} done in ${formatMs(event.tookMs)}`
    case 'toolchain-fetching':
      return event.bytes === 0 ? `go${event.version}: fetching the toolchain` : undefined
    case 'toolchain-installed':
      return `go${event.version}: fetched and verified, ${formatBytes(event.bytes)} in ${formatMs(event.tookMs)}`
    case 'module-fetching':
      return event.bytes === 0 ? `${event.module}@${event.version}: fetching the module` : undefined
    case 'module-fetched':
      return `${event.module}@${event.version}: fetched and verified, ${formatBytes(event.bytes)} in ${formatMs(event.tookMs)}`
    case 'check-begun':
      return `${event.module}: checking ${counted(event.packages, 'package')} with ${event.goVersion}`
    case 'package-begun':
      return undefined
    case 'package-done':
      return describePackage(event)
    case 'tests-retried':
      return `${event.package}: trying again: ${event.tests.join(', ')}`
    case 'check-finding':
      return describeFinding(event.finding).join('\n')
    case 'upload-done':
      return event.bytes === 0
        ? undefined
        : `${event.service}: sent ${formatBytes(event.bytes)} in ${formatMs(event.tookMs)}`
    case 'image-written':
      return `${event.service}: image of ${formatBytes(event.bytes)} written to ${event.file === '-' ? 'the standard output' : event.file} in ${formatMs(event.tookMs)}`
    case 'push-progress':
      return `${event.service}: ${formatBytes(event.bytes)} of ${formatBytes(event.totalBytes)} at ${event.repository}`
    case 'push-done':
      return `${event.service}: pushed to ${event.repository} in ${formatMs(event.tookMs)}: ${describeSent(event)}`
    case 'rollout-begun':
      return `${service(event.scope)}: ${describeChange(event)}, by ${event.who}`
    case 'stage-begun':
      return undefined
    case 'step-done':
      if (event.held === true) return undefined
      return `${service(event.scope)}: ${event.step === 'before' ? 'the job before it' : event.instance} ${stepDone(event.step)} ${formatMs(event.tookMs)}`
    case 'stage-done':
      return undefined
    case 'job-begun':
      return `${service(event.scope)}: running ${event.command.join(' ')}`
    case 'job-done':
      return `${service(event.scope)}: ${event.command.join(' ')} ended with ${event.exit ?? 'an unknown status'} after ${formatMs(event.tookMs ?? 0)}`
    case 'rollout-failed':
      return event.failure === undefined
        ? `${service(event.scope)}: failed: ${event.error.message}`
        : `${service(event.scope)}: failed: ${event.failure.instance} ${event.failure.what}  [${event.failure.cause}]`
    case 'rollout-reverting':
      return `${service(event.scope)}: going back to ${event.to === null ? 'nothing' : `release ${event.to}`}`
    case 'gap-begun':
      return `${service(event.scope)}: nobody serves for a moment (recreate): users get 503 with Retry-After`
    case 'gap-ended':
      return `${service(event.scope)}: served again after ${formatMs(event.tookMs)}; ${event.refused === 1 ? '1 request was' : `${event.refused ?? 'an unknown number of'} requests were`} answered 503 meanwhile`
    case 'rollout-ended':
      return `${service(event.scope)}: ${event.outcome} after ${formatMs(event.tookMs)}${event.switchedMs === undefined ? '' : `, traffic switched after ${formatMs(event.switchedMs)}`}; ${event.serving === null ? 'nothing serves' : `release ${event.serving} serves`}`
    case 'instance-exited':
      return `${service(event.scope)}: ${event.instance} ended by itself: ${event.status}`
    case 'instance-restarted':
      return `${service(event.scope)}: ${event.instance} started again${event.attempt > 1 ? ` (${event.attempt}. time lately)` : ''}`
    case 'instance-crash-loop':
      return `${service(event.scope)}: ${event.instance} ended ${counted(event.exits, 'time')} lately: a crash loop; next start in ${formatMs(event.nextInMs)}`
    case 'instance-removed':
      return `${service(event.scope)}: ${event.instance} removed: ${event.why}`
    case 'gateway-restarted':
      return `gateway: started again: ${event.why}`
    case 'server-started':
      return `control plane ${event.version} started (pid ${event.pid}), adopted ${counted(event.adopted, 'instance')}`
    case 'warning':
      return `warning: ${event.scope === undefined ? '' : `${service(event.scope)}: `}${event.message}${event.hint === undefined ? '' : ` → ${event.hint}`}`
    case 'waiting':
      return event.message
  }
}

function describeSent({
  bytes,
  mountedBytes,
  heldBytes,
}: {
  bytes: number
  mountedBytes: number
  heldBytes: number
}): string {
  const parts = [
    ...(bytes > 0 ? [`${formatBytes(bytes)} sent`] : []),
    ...(mountedBytes > 0 ? [`${formatBytes(mountedBytes)} taken from another repository there`] : []),
    ...(heldBytes > 0 ? [`${formatBytes(heldBytes)} there already`] : []),
  ]
  return parts.join(', ')
}

/** '✗ cart/cart_test.go:12: example.com/shop/cart TestCart: got 3', what was printed, and what to do. */
function describeFinding({ severity, place, what, message, lines = [], hint }: CheckFinding): string[] {
  return [
    `${severity === 'block' ? '✗' : '!'} ${place === undefined ? '' : `${place}: `}${what}: ${message}`,
    ...lines.map((line) => `    ${line}`),
    ...(hint === undefined ? [] : [`  → ${hint}`]),
  ]
}

function describePackage(event: Extract<FairwayEventBody, { kind: 'package-done' }>): string | undefined {
  if (event.outcome === 'no-tests') return undefined
  if (event.outcome === 'flaky') return `${event.package}: passed when tried again`
  if (event.outcome === 'none-ran') return `${event.package}: none of its tests ran`
  if (event.outcome === 'build-failed') return `${event.package}: does not build`
  const counts = [`${event.passed} passed`, `${event.failed} failed`, `${event.skipped} skipped`]
  const said = counts.filter((text) => !text.startsWith('0 ')).join(', ')
  const took = event.isCached ? 'unchanged since it passed' : formatMs(event.tookMs)
  return `${event.package}: ${said === '' ? event.outcome : said} (${took})`
}

/** What a failure looks like in full: the evidence. */
export function describeFailure(failure: RolloutFailure): string[] {
  return [
    `${failure.instance} ${failure.what}  [${failure.cause}]`,
    ...(failure.exit === undefined ? [] : [`  ended: ${failure.exit}`]),
    ...failure.answers.slice(-3).map((answer) => `  probe: ${answer}`),
    ...(failure.lines.length === 0 ? ['  it printed nothing'] : [`  its last lines:`]),
    ...failure.lines.slice(-20).map((line) => `    ${line}`),
    `  → ${failure.hint}`,
  ].map((line) => visibleLine(line))
}

export function describeChange({ verb, from, to }: { verb: string; from: number | null; to: number | null }): string {
  if (to === null) return `taking release ${from ?? '-'} down`
  if (verb === 'scale') return `scaling release ${to}`
  if (from === null) return `release ${to}, the first to serve`
  if (from === to) return `release ${to} again`
  return verb === 'rollback' ? `rolling back from release ${from} to ${to}` : `release ${to} replaces ${from}`
}

function stepDone(step: string): string {
  return (
    {
      before: 'is done after',
      start: 'started in',
      'await-healthy': 'is healthy after',
      admit: 'gets traffic after',
      drain: 'drained in',
      stop: 'stopped in',
      'keep-warm': 'kept warm after',
    }[step] ?? `${step} in`
  )
}

/** 'shop/dev/web' → 'web' */
export function service(scope: string): string {
  return scope.split('/').at(-1) ?? scope
}

/** Three significant digits: '7 ms', '1.25 s', '12.5 s', '3 min 20 s'. */
export function formatMs(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`
  if (ms < 9995) return `${(ms / 1000).toFixed(2)} s`
  if (ms < 99_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB']
  let value = bytes
  let unit = 0
  // What would round to 1000 of a unit is 1 of the next, but for whole bytes.
  while (value >= (unit === 0 ? 1000 : 999.5) && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`
}

/** '2026-11-22 14:03:07', local. */
export function formatTime(at: number): string {
  const date = new Date(at)
  const two = (value: number) => String(value).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}
