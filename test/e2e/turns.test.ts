import { expect, test } from 'vitest'
import { TestFairway, until } from '../harness/fairway.ts'
import { loadOn, quickProbe, ServiceProject } from '../harness/service-project.ts'
import { startLoad } from '../load/raw-client.ts'

test('a second up is told who is at work since when; with --wait it takes its turn', async () => {
  await using fairway = await TestFairway.create()
  const first = await ServiceProject.create(fairway, [`probe: ${quickProbe}`], 'one-terminal')
  const second = await ServiceProject.create(fairway, [`probe: ${quickProbe}`], 'another-terminal')
  await first.values({ VERSION: 'a' })
  await fairway.ok(['up'], { cwd: first.folder })
  const load = startLoad(await loadOn(fairway))

  await first.values({ VERSION: 'b', MODE: 'late:5000' })
  await second.values({ VERSION: 'c' })
  const slow = fairway.start(['up', '--json'], { cwd: first.folder, env: { USER: 'ada' } })
  await until(async () => slow.printed().includes('rollout-begun'), 'the first is at work')
  const refused = await fairway.run(['up'], { cwd: second.folder, env: { USER: 'bob' } })
  expect(refused.exit).toBe(75)
  expect(refused.result).toMatchObject({ outcome: 'refused', error: { code: 'ROLLOUT_BUSY' } })
  expect(refused.result.error?.message).toMatch(
    /^ada@\S+ is at work on shop\/dev\/web since \d{4}-\d\d-\d\dT.* \(up\)$/,
  )
  expect(refused.result.error?.hint).toContain('--wait')
  for (const words of [['scale', '2'], ['down']]) {
    expect((await fairway.run(words, { cwd: second.folder })).result.error?.code).toBe('ROLLOUT_BUSY')
  }

  // Refused means that nothing was changed: it made no release either.
  const { data } = (await fairway.ok(['releases'], { cwd: second.folder })).result
  expect((data as { services: { releases: object[] }[] }).services[0]?.releases).toHaveLength(2)

  const waited = await fairway.run(['up', '--wait'], { cwd: second.folder, env: { USER: 'bob' } })
  expect(waited.result).toMatchObject({ outcome: 'done', services: [{ release: 3 }] })
  expect((await slow.ended).result).toMatchObject({ outcome: 'done', services: [{ release: 2 }] })
  expect((await load.stop()).failures).toEqual([])
})

test('two ups at the same moment, with no control plane yet: one wins, the other is told', async () => {
  await using fairway = await TestFairway.create()
  const project = await ServiceProject.create(fairway, ['probe: { http: /healthz, healthyFor: 1s }'])
  const ends = await Promise.all([1, 2].map(() => fairway.run(['up'], { cwd: project.folder })))
  const outcomes = ends.map(({ result }) => result.error?.code ?? result.outcome).sort()
  // The slower of the two may come so late that everything is as it wishes.
  expect([
    ['ROLLOUT_BUSY', 'done'],
    ['done', 'unchanged'],
  ]).toContainEqual(outcomes)
  expect(await fairway.status(project.folder)).toMatchObject([{ condition: 'healthy', release: 1 }])
  expect(await fairway.programs()).toHaveLength(1)
})

test('a second control plane on one home is refused, and the first does not notice', async () => {
  await using fairway = await TestFairway.create()
  await fairway.ok(['server', 'start'])
  const pid = await fairway.serverPid()
  const second = await fairway.run(['server', 'run'])
  expect(second.exit).toBe(75)
  expect(second.result).toMatchObject({ outcome: 'refused', error: { code: 'HOME_BUSY' } })
  expect(second.result.error?.message).toContain(`pid ${pid}`)
  expect((await fairway.version()).pid).toBe(pid)
})
