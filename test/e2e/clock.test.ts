import { expect, onTestFinished, test } from 'vitest'
import { TestFairway, until } from '../harness/fairway.ts'
import { loadOn, quickProbe, ServiceProject } from '../harness/service-project.ts'
import { startLoad } from '../load/raw-client.ts'

const leapingClock = new URL('../fixtures/leaping-clock.ts', import.meta.url).pathname

test('a wall clock that leaps by days, back and forth, changes nothing: releases, restarts and rollbacks go as ever', async () => {
  await using fairway = await TestFairway.create({ NODE_OPTIONS: `--import=${leapingClock}` })
  const project = await ServiceProject.create(fairway, ['instances: 2', `probe: ${quickProbe}`])
  const cwd = project.folder
  await fairway.ok(['up'], { cwd })
  expect(await leaps(fairway)).toBe(true)

  const load = startLoad(await loadOn(fairway, { connections: 'new', perSecond: 100, timeoutMs: 2000 }))
  onTestFinished(() => void load.stop())
  for (const version of ['2', '3']) {
    await project.values({ VERSION: version })
    await fairway.ok(['up'], { cwd })
  }
  await fairway.ok(['rollback'], { cwd })
  expect((await load.stop()).failures).toEqual([])

  const pids = async () => (await fairway.status(cwd))[0]?.list.flatMap(({ pid }) => pid ?? []) ?? []
  const [victim = 0] = await pids()
  process.kill(victim, 'SIGKILL')
  await until(async () => !(await pids()).includes(victim), 'the control plane has seen it')
  await until(async () => (await fairway.status(cwd))[0]?.condition === 'healthy', 'it is replaced')
  const { result } = await fairway.ok(['releases'], { cwd })
  const { services } = result.data as { services: { releases: { number: number; rollouts: { tookMs: number }[] }[] }[] }
  expect(services.flatMap(({ releases }) => releases.map(({ number }) => number))).toEqual([3, 2, 1])
  const times = services.flatMap(({ releases }) =>
    releases.flatMap(({ rollouts }) => rollouts.map(({ tookMs }) => tookMs)),
  )
  expect(Math.min(...times)).toBeGreaterThanOrEqual(0)
})

/** Whether the control plane's events have times that are days apart: else this test would test nothing. */
async function leaps(fairway: TestFairway): Promise<boolean> {
  const { events } = await fairway.run(['events'])
  const times = events.flatMap((event) => ('at' in event ? [event.at] : []))
  return Math.max(...times) - Math.min(...times) > 43_200_000
}
