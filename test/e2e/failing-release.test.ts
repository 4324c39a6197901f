import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ResultEvent, RolloutFailure } from '../../src/base/event.ts'
import type { RolloutSummary } from '../../src/release/status.ts'
import { TestFairway } from '../harness/fairway.ts'
import { loadOn, ServiceProject } from '../harness/service-project.ts'
import { type Load, startLoad } from '../load/raw-client.ts'

/** How a new release can fail, and the word everybody then uses for it. */
const failures: readonly (readonly [what: string, cause: string, values: Record<string, string>])[] = [
  ['exits at once', 'exited', { MODE: 'exit:3' }],
  ['prints its usage and exits', 'needs-arguments', { MODE: 'usage' }],
  ['panics', 'panic', { MODE: 'panic' }],
  ['listens on another port', 'wrong-port', { MODE: 'elsewhere' }],
  ['listens on nothing', 'nothing-listens', { MODE: 'nowhere' }],
  ['answers the probe with 404', 'probe-not-found', { MODE: 'status:404' }],
  ['answers the probe with 500', 'probe-error', { MODE: 'status:500' }],
  ['answers the probe with 401', 'probe-unauthorized', { MODE: 'status:401' }],
  ['answers the probe too slowly', 'probe-slow', { MODE: 'slow:1000' }],
  ['takes more memory than it may', 'out-of-memory', { MODE: 'memory' }],
]

describe('a release that fails leaves the old one serving, with evidence, when it', () => {
  let fairway: TestFairway
  let project: ServiceProject
  let load: Load

  beforeAll(async () => {
    fairway = await TestFairway.create()
    project = await ServiceProject.create(fairway, [
      'instances: 2',
      'limits: { memory: 64Mi }',
      'probe: { http: /healthz, every: 20ms, healthyFor: 20ms, timeout: 200ms, deadline: 1500ms }',
    ])
    await project.values({ VERSION: 'good' })
    await fairway.ok(['up'], { cwd: project.folder })
    load = startLoad(await loadOn(fairway))
  })
  afterAll(async () => {
    await load.stop()
    await fairway[Symbol.asyncDispose]()
  })

  test.for(failures)('%s', async ([what, cause, values]) => {
    const cwd = project.folder
    const [before] = await fairway.status(cwd)
    await project.values({ VERSION: what, ...values })
    const end = await fairway.run(['up'], { cwd })

    expect(end.exit).toBe(1)
    expect(end.result).toMatchObject({ outcome: 'reverted', services: [{ outcome: 'reverted', release: 1 }] })
    const said = end.events.find(({ kind }) => kind === 'rollout-failed') as { failure?: RolloutFailure } | undefined
    expect(said?.failure).toMatchObject({ cause })
    if (cause === 'wrong-port') {
      const message = expect.stringMatching(/is not healthy yet: listens on \S+, not on 127\.0\.0\.1:\d+ → /)
      expect(end.events).toContainEqual(expect.objectContaining({ kind: 'waiting', message })) // before the deadline
    }
    // Each word is said once more by the history, the API and the CLI for people.
    const rollout = await lastRollout(fairway, cwd)
    expect(rollout).toMatchObject({ outcome: 'reverted', failure: said?.failure })
    const [newest] = await releases(fairway, cwd)
    expect(newest?.rollouts[0]).toMatchObject({ outcome: 'reverted', failure: { cause } })
    const shown = await fairway.start(['rollout', 'show'], { cwd }).ended
    expect(shown.stdout).toContain('reverted')
    expect(shown.stdout).toContain(`[${cause}]`)
    expect(shown.stdout).toContain(said?.failure?.hint ?? '')
    expect(rollout?.failure?.lines.join('\n')).toContain(`begins as "${values['MODE']}"`)

    const [after] = await fairway.status(cwd)
    expect(after).toMatchObject({ condition: 'healthy', healthy: 2, release: 1 })
    expect(after?.list).toEqual(before?.list) // not one of them was touched
    expect(await fairway.programs()).toEqual(after?.list.flatMap(({ pid }) => pid ?? []).sort((a, b) => a - b))
    expect(load.result.failures).toEqual([])
    expect([...load.result.servedBy.keys()]).toEqual(['good'])
  })

  test('a failed release is started once, not again while it is turned back', async () => {
    const { events } = await fairway.ok(['events', '-n', '2000'], { cwd: project.folder })
    expect(events.filter(({ kind }) => kind === 'instance-restarted')).toEqual([])
  })

  test('a failed up takes its other wishes along: the number of instances is what it was', async () => {
    const cwd = project.folder
    await project.configure([
      'project: shop',
      'services: { web: { listen: { env: PORT }, instances: 3, probe: { http: /healthz, every: 20ms, healthyFor: 20ms } } }',
    ])
    await project.values({ VERSION: 'more', MODE: 'exit:1' })
    expect((await fairway.run(['up'], { cwd })).exit).toBe(1)
    expect((await fairway.status(cwd))[0]).toMatchObject({
      condition: 'healthy',
      healthy: 2,
      instances: 2,
      declared: 2,
    })
  })
})

test('a first release that fails leaves nothing behind, and says what it was', async () => {
  await using fairway = await TestFairway.create()
  const project = await ServiceProject.create(fairway, [
    'instances: 2',
    'probe: { http: /healthz, deadline: 2s, healthyFor: 100ms }',
  ])
  await project.values({ MODE: 'exit:1' })
  const end = await fairway.run(['up'], { cwd: project.folder })
  expect(end.exit).toBe(1)
  expect(end.result.services).toMatchObject([{ outcome: 'reverted', release: null }])
  expect((await fairway.status(project.folder))[0]).toMatchObject({ condition: 'down', list: [] })
  expect(await fairway.programs()).toEqual([])
})

test('what does not compile is refused with the place, before anything that serves is touched', async () => {
  await using fairway = await TestFairway.create()
  const project = await ServiceProject.create(fairway, ['probe: { healthyFor: 50ms }'])
  const cwd = project.folder
  await fairway.ok(['up'], { cwd })
  const before = await fairway.status(cwd)
  await project.write('broken.go', 'package main\n\nfunc broken() { return 1 }\n')
  const end = await fairway.run(['up'], { cwd })
  expect(end.exit).toBe(65)
  expect(end.result).toMatchObject({ outcome: 'refused', error: { code: 'BUILD_FAILED' } })
  expect(end.stdout).toMatch(/broken\.go:3:\d+/)
  expect(await fairway.status(cwd)).toEqual(before)
  expect(await releases(fairway, cwd)).toHaveLength(1)
})

async function lastRollout(fairway: TestFairway, cwd: string): Promise<RolloutSummary | undefined> {
  const { data } = (await fairway.ok(['rollout', 'show'], { cwd })).result
  return (data as { services: { rollout: RolloutSummary }[] }).services[0]?.rollout
}

async function releases(fairway: TestFairway, cwd: string): Promise<{ rollouts: RolloutSummary[] }[]> {
  const { result }: { result: ResultEvent } = await fairway.ok(['releases'], { cwd })
  return (result.data as { services: { releases: { rollouts: RolloutSummary[] }[] }[] }).services[0]?.releases ?? []
}
