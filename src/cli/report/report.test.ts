import { Writable } from 'node:stream'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { FairwayEvent, FairwayEventBody, ResultEvent } from '../../base/event.ts'
import { palette } from './colour.ts'
import { jsonReporter } from './json.ts'
import { liveReporter } from './live.ts'
import { plainReporter } from './plain.ts'
import type { Paint, Reporter } from './reporter.ts'
import { coloursOn } from './open-reporter.ts'
import { Screen } from '../../../test/harness/screen.ts'
import { table } from './table.ts'

const scope = 'shop/dev/web'
const failure = {
  instance: '2-1',
  cause: 'probe-status',
  what: 'answers its probe with 500',
  hint: 'curl its /healthz',
  lines: ['listening', 'database: connection refused'],
  answers: ['500 Internal Server Error'],
}

type Beat = FairwayEventBody | { readonly waitMs: number }

/** One script of a release that fails and goes back: what each reporter makes of it is below. */
const script: readonly Beat[] = [
  { kind: 'build-begun', service: 'web', mainPackage: './cmd/web', goVersion: 'go1.26.8' },
  { waitMs: 1200 },
  { kind: 'build-done', service: 'web', artifact: 'f3a91c0b2d4e5566', tookMs: 1200, bytes: 8_283_750 },
  { kind: 'upload-done', service: 'web', bytes: 8_283_750, tookMs: 40 },
  { kind: 'rollout-begun', scope, rollout: 2, verb: 'up', from: 1, to: 2, stages: 5, who: 'ada@laptop' },
  stage(1, 'start'),
  { waitMs: 30 },
  step('start', '2-1', 30),
  step('start', '2-2', 31),
  stage(2, 'await-healthy'),
  { waitMs: 2000 },
  { kind: 'warning', scope, message: 'limits are not held here', hint: 'fairway doctor' },
  {
    kind: 'rollout-failed',
    scope,
    rollout: 2,
    release: 2,
    error: { code: 'START_FAILED', message: '2-1 answers its probe with 500' },
    failure,
  },
  { kind: 'rollout-reverting', scope, rollout: 2, to: 1, why: '2-1 answers its probe with 500' },
  { waitMs: 100 },
  { kind: 'rollout-ended', scope, rollout: 2, outcome: 'reverted', serving: 1, tookMs: 2130 },
]

const result: ResultEvent = {
  kind: 'result',
  outcome: 'reverted',
  services: [{ service: 'web', outcome: 'reverted', release: 1, url: 'http://web.localhost:8480' }],
}

function stage(number: number, kind: string): FairwayEventBody {
  const steps = ['2-1', '2-2'].map((instance) => ({ kind, instance }))
  return { kind: 'stage-begun', scope, rollout: 2, stage: number, stages: 5, reverting: false, steps }
}

function step(kind: string, instance: string, tookMs: number): FairwayEventBody {
  return { kind: 'step-done', scope, rollout: 2, step: kind, instance, tookMs }
}

const colourless: Paint = { out: palette(false), err: palette(false) }

class Text extends Writable {
  text = ''
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString()
    done()
  }
}

function play(reporter: Reporter, beats: readonly Beat[] = script): void {
  for (const beat of beats) {
    if ('waitMs' in beat) vi.advanceTimersByTime(beat.waitMs)
    else reporter.event(beat)
  }
}

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test('plain: a line for each change of state, evidence where it failed, the result on stdout', () => {
  const [out, err] = [new Text(), new Text()]
  const reporter = plainReporter(out, err, colourless)
  play(reporter)
  reporter.result(result)
  reporter.close()
  expect(err.text).toMatchInlineSnapshot(`
    "web: building ./cmd/web with go1.26.8
    web: built 7.90 MiB in 1.20 s (f3a91c0b2d4e)
    web: sent 7.90 MiB in 40 ms
    web: release 2 replaces 1, by ada@laptop
    web: 2-1 started in 30 ms
    web: 2-2 started in 31 ms
    warning: web: limits are not held here → fairway doctor
    web: failed: 2-1 answers its probe with 500  [probe-status]
      probe: 500 Internal Server Error
      its last lines:
        listening
        database: connection refused
      → curl its /healthz
    web: going back to release 1
    web: reverted after 2.13 s; release 1 serves
    "
  `)
  expect(out.text).toMatchInlineSnapshot(`
    "✗ web  reverted  release 1 serves  http://web.localhost:8480
      curl -H 'Host: web.localhost' http://127.0.0.1:8480/
    reverted: it stands as before; the evidence again: fairway rollout show
    "
  `)
})

test('plain: a silent half minute is broken by a sign of life', () => {
  const err = new Text()
  const reporter = plainReporter(new Text(), err, colourless)
  play(reporter, [...script.slice(0, 1), { waitMs: 65_000 }])
  reporter.close()
  expect(err.text).toBe('web: building ./cmd/web with go1.26.8\nstill at work after 30 s\nstill at work after 60 s\n')
})

test('JSON: every line one of the same events, the last one the result', () => {
  const out = new Text()
  const reporter = jsonReporter(out)
  play(reporter)
  reporter.result(result)
  reporter.close()
  const lines = out.text.trimEnd().split('\n')
  expect(lines.map((line) => JSON.parse(line) as object)).toEqual([
    ...script.filter((beat) => !('waitMs' in beat)),
    result,
  ])
  expect(lines.map((line) => (JSON.parse(line) as FairwayEvent).kind).join(' ')).toMatchInlineSnapshot(
    `"build-begun build-done upload-done rollout-begun stage-begun step-done step-done stage-begun warning rollout-failed rollout-reverting rollout-ended result"`,
  )
})

test('live: what is under way stands below, what is finished stays above', () => {
  const screen = new Screen({ columns: 60, rows: 12 })
  const reporter = liveReporter(screen.stream, screen.stream, colourless)
  play(reporter, script.slice(0, 11))
  expect(screen.lines()).toMatchInlineSnapshot(`
    [
      "✓ web: built 7.90 MiB in 1.20 s (f3a91c0b2d4e)",
      "web: sent 7.90 MiB in 40 ms",
      "web: release 2 replaces 1, by ada@laptop",
      "✓ web: 2-1 started in 30 ms",
      "✓ web: 2-2 started in 31 ms",
      "⠹ [2/5] web: 2-1 waiting until healthy 1.97 s",
      "⠹ [2/5] web: 2-2 waiting until healthy 1.97 s",
    ]
  `)
  play(reporter, script.slice(11))
  reporter.result(result)
  reporter.close()
  expect(screen.lines()).toMatchInlineSnapshot(`
    [
      "✓ web: built 7.90 MiB in 1.20 s (f3a91c0b2d4e)",
      "web: sent 7.90 MiB in 40 ms",
      "web: release 2 replaces 1, by ada@laptop",
      "✓ web: 2-1 started in 30 ms",
      "✓ web: 2-2 started in 31 ms",
      "warning: web: limits are not held here → fairway doctor",
      "✗ web: failed: 2-1 answers its probe with 500  [probe-status",
      "]",
      "    probe: 500 Internal Server Error",
      "    its last lines:",
      "      listening",
      "      database: connection refused",
      "    → curl its /healthz",
      "web: going back to release 1",
      "web: reverted after 2.13 s; release 1 serves",
      "✗ web  reverted  release 1 serves  http://web.localhost:8480",
      "  curl -H 'Host: web.localhost' http://127.0.0.1:8480/",
      "reverted: it stands as before; the evidence again: fairway r",
      "ollout show",
    ]
  `)
})

test('live: the region never grows over the screen, nor a line over its width', () => {
  const screen = new Screen({ columns: 24, rows: 6 })
  const reporter = liveReporter(screen.stream, screen.stream, colourless)
  const steps = Array.from({ length: 40 }, (_, index) => ({ kind: 'await-healthy', instance: `2-${index + 1}` }))
  const many: FairwayEventBody = {
    kind: 'stage-begun',
    scope,
    rollout: 2,
    stage: 2,
    stages: 5,
    reverting: false,
    steps,
  }
  play(reporter, [many, { waitMs: 3000 }])
  const region = screen.lines().filter((line) => line !== '')
  expect(region).toHaveLength(4)
  expect(region.at(-1)).toBe('  and 37 more')
  for (const line of region) expect(line.length).toBeLessThan(24)
  expect(screen.scrolled).toBe(0)
  reporter.close()
  expect(screen.lines().join('')).toBe('')
})

test('live: no more than ten redraws a second', () => {
  const screen = new Screen({ columns: 80, rows: 24 })
  const reporter = liveReporter(screen.stream, screen.stream, colourless)
  play(reporter, script.slice(0, 1))
  const before = screen.writes
  vi.advanceTimersByTime(10_000)
  expect(screen.writes - before).toBeLessThanOrEqual(100)
  reporter.close()
})

test('all three know the same failure', () => {
  const [out, err] = [new Text(), new Text()]
  const screen = new Screen({ columns: 120, rows: 40 })
  const reporters = [plainReporter(out, err, colourless), liveReporter(screen.stream, screen.stream, colourless)]
  for (const reporter of reporters) {
    play(reporter)
    reporter.close()
  }
  for (const word of ['answers its probe with 500', 'database: connection refused', 'curl its /healthz']) {
    expect(err.text).toContain(word)
    expect(screen.lines().join('\n')).toContain(word)
  }
})

test('red is for failure alone, and each stream is painted for itself', () => {
  const red = '\u001b[31m'
  const [out, err] = [new Text(), new Text()]
  const reporter = plainReporter(out, err, { out: palette(false), err: palette(true) })
  play(reporter)
  reporter.result(result)
  reporter.close()
  expect(out.text).not.toContain('\u001b')
  const painted = err.text.split('\n').filter((line) => line.includes(red))
  expect(painted).toHaveLength(1)
  expect(painted[0]).toContain('failed')
})

test('NO_COLOR, a dumb terminal and a pipe take the colours, and nothing else does', () => {
  const terminal = { isTTY: true } as NodeJS.WriteStream
  expect(coloursOn(terminal, { TERM: 'xterm' })).toBe(true)
  expect(coloursOn(terminal, { TERM: 'xterm', NO_COLOR: '' })).toBe(true) // empty is not set: no-color.org
  expect(coloursOn(terminal, { TERM: 'xterm', NO_COLOR: '0' })).toBe(false)
  expect(coloursOn(terminal, { TERM: 'dumb' })).toBe(false)
  expect(coloursOn({ isTTY: false } as NodeJS.WriteStream, { TERM: 'xterm' })).toBe(false)
})

test('a narrow column has its place back once a wide one has gone', () => {
  const rows = [
    ['NAME', 'NOTE', 'BY'],
    ['web', 'x'.repeat(80), 'ada'],
  ]
  const options = { isTerminal: true, width: 40, numbers: [], dispensable: [2, 1], paintHead: (text: string) => text }
  expect(table(rows, options)).toBe('NAME  BY\nweb   ada\n')
})
