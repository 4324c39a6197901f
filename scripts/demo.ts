import { describeEvent, describeFailure, formatMs } from '../src/cli/report/describe.ts'
import { curlLine } from '../src/cli/report/outcome.ts'
import type { FairwayEvent } from '../src/base/event.ts'
import type { Outcome } from '../src/base/outcome.ts'
import type { ServiceStatus } from '../src/server/api.ts'
import { type CommandEnd, runFairway } from './demo/fairway.ts'
import { clear, demoPlace, edit, prepare } from './demo/place.ts'
import { Screen } from './demo/screen.ts'
import { Traffic } from './demo/traffic.ts'

/** `make demo`: the main job, on a real service under a real load. Ends with 1 when anything was not as it should be. */
const place = demoPlace(process.env)
const interrupted = new AbortController()
using screen = new Screen(process.stdout, process.env)
const { paint } = screen

process.on('SIGINT', () => {
  if (interrupted.signal.aborted) process.exit(130)
  interrupted.abort()
})
process.on('SIGTERM', () => interrupted.abort())

try {
  process.exitCode = (await demo()) ? 0 : 1
} catch (error) {
  screen.rest()
  if (interrupted.signal.aborted) {
    screen.line(paint.warn('\ninterrupted: taking everything down again (Ctrl-C once more leaves it as it is)'))
    await clear(place)
    screen.line('Nothing of the demo runs, and nothing of it is kept.')
    process.exitCode = 130
  } else {
    screen.line(paint.bad(error instanceof Error ? error.message : String(error)))
    screen.line(`What runs: FAIRWAY_HOME=${place.home} ./fairway status. Its log: ${place.home}/logs/server.log`)
    process.exitCode = 1
  }
}

async function demo(): Promise<boolean> {
  screen.line(paint.strong('Fairway: a Go service is released, replaced under load, and taken back.'))
  if ((await clear(place)).hadRun) screen.line(paint.dim('The demo before this one was taken down.'))
  await prepare(place)
  screen.line(paint.dim(`A copy of examples/hello in ${place.project}; a home of its own, ${place.home}.`))

  screen.heading('1. The folder becomes release 1: built, started three times, probed, given traffic')
  screen.clock(performance.now())
  await fairway(['up'], 'done')
  screen.still()
  const { gateway, service } = await status()
  screen.line(`   ${service.url ?? ''}`)

  const traffic = new Traffic(addressOf(gateway), 'hello.localhost')
  try {
    screen.heading(`2. Release 2 takes its place, while ${traffic.perSecond} requests arrive per second`)
    screen.live(() => trafficLine(traffic))
    await pause(700)
    await edit(place.project, [[/version = "1"/, 'version = "2"']])
    await fairway(['up'], 'done')
    await pause(500)
    screen.rest()

    screen.heading('3. Release 3 starts, but never becomes healthy')
    screen.live(() => trafficLine(traffic))
    await edit(place.project, [
      [/version = "2"/, 'version = "3"'],
      [/fmt\.Fprintln\(w, "ok"\)/, 'http.Error(w, "the database cannot be reached", http.StatusServiceUnavailable)'],
    ])
    await fairway(['up'], 'reverted')
    screen.rest()

    screen.heading('4. Back to release 1: what was built is kept, so nothing is built')
    screen.live(() => trafficLine(traffic))
    const back = await fairway(['rollback'], 'done')
    await pause(700)
    screen.rest()
    const last = traffic.lastSentAt('2') ?? back.beganAt
    screen.line(
      paint.good(`   Rolled back in ${Math.round(last - back.beganAt)} ms`) +
        `: from the command's start to the last request that release 2 was given (the command ended after ${formatMs(back.tookMs)}).`,
    )
  } finally {
    await traffic.stop()
  }
  return await conclude(traffic)
}

/** Runs a command as a user would type it, and shows what happens. @throws when it ends otherwise than it should */
async function fairway(words: readonly string[], expected: Outcome): Promise<CommandEnd> {
  const shown = `fairway ${words.join(' ')}`
  screen.line(`   ${paint.dim('$')} ${shown}`)
  const options = { cwd: place.project, env: place.env, signal: interrupted.signal }
  const end = await runFairway(words, { ...options, onEvent: showEvent })
  interrupted.signal.throwIfAborted()
  const { outcome, error } = end.result
  if (outcome !== expected) {
    const why = error === undefined ? end.stderr : `${error.message}\n${error.hint ?? ''}`
    throw new Error(`${shown} ended as ${outcome} instead of ${expected} ${why}`)
  }
  const isGood = outcome === 'done'
  const said = isGood ? `${outcome} in ${formatMs(end.tookMs)}` : `${outcome}, as it should be: what served serves on`
  screen.line(`   ${isGood ? paint.good('✓') : paint.warn('↩')} ${said}`)
  return end
}

function showEvent(event: FairwayEvent): void {
  const text = describeEvent(event)
  if (event.kind === 'rollout-failed' && event.failure !== undefined) {
    for (const line of describeFailure(event.failure)) screen.line(`     ${paint.warn(line)}`)
  } else if (text !== undefined && event.kind !== 'rollout-ended') screen.line(`     ${paint.dim(text)}`)
}

function trafficLine(traffic: Traffic): string {
  const { answered, failed } = traffic.count
  const parts = [...answered].map(([release, count]) => `release ${release}: ${count} answered`)
  const failures = failed === 0 ? paint.good('0 failed') : paint.bad(`${failed} failed`)
  return `   ${[...parts, failures].join('   ')}`
}

async function status(): Promise<{ gateway: Gateway; service: ServiceStatus }> {
  const { result } = await runFairway(['status'], { cwd: place.project, env: place.env, signal: interrupted.signal })
  interrupted.signal.throwIfAborted()
  const { gateway, services } = result.data as { gateway: Gateway; services: readonly ServiceStatus[] }
  const [service] = services
  if (service === undefined) throw new Error('fairway status knows no service')
  return { gateway, service }
}

interface Gateway {
  readonly binds: readonly string[]
  readonly retries: number | null
  readonly redispatches: number | null
}

async function conclude(traffic: Traffic): Promise<boolean> {
  const { answered, failed, firstFailure } = traffic.count
  const { gateway, service } = await status()
  const total = [...answered.values()].reduce((sum, count) => sum + count, 0)
  const isGood = failed === 0 && service.release === 1 && service.condition === 'healthy'
  screen.heading('What came of it')
  const mark = isGood ? paint.good('✓') : paint.bad('✗')
  screen.line(
    `   ${mark} ${total} requests answered, ${failed} failed${firstFailure === undefined ? '' : ` (${firstFailure})`}; ` +
      `the gateway repeated ${(gateway.retries ?? 0) + (gateway.redispatches ?? 0)}.`,
  )
  screen.line(
    `   hello: release ${service.release ?? '-'} serves, ${service.healthy} of ${service.instances} instances healthy.`,
  )
  const launcher = new URL('../fairway', import.meta.url).pathname
  const rows: readonly (readonly [string, string])[] = [
    [curlLine(service.url ?? ''), `or ${service.url ?? ''} in a browser`],
    [`export FAIRWAY_HOME=${place.home}; cd ${place.project}`, 'the demo has a home of its own'],
    [`${launcher} status`, 'what runs'],
    [`${launcher} releases`, 'what was released, and how it went'],
    [`${launcher} logs -f`, 'what the instances print'],
    [`${launcher} events`, 'what happened'],
  ]
  screen.heading('Look at it')
  const width = Math.max(...rows.map(([command]) => command.length))
  for (const [command, what] of rows) screen.line(`   ${command.padEnd(width)}   ${paint.dim(`# ${what}`)}`)
  screen.heading('Take it down')
  screen.line(`   ${launcher} down --yes && ${launcher} server stop && rm -r ${place.folder}`)
  return isGood
}

function addressOf({ binds }: Gateway): { host: string; port: number } {
  const [host = '', port = ''] = (binds[0] ?? '').split(':')
  return { host, port: Number(port) }
}

async function pause(ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  const stop = () => resolve()
  interrupted.signal.addEventListener('abort', stop, { once: true })
  await promise
  clearTimeout(timer)
  interrupted.signal.throwIfAborted()
}
