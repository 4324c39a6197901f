import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TestFairway, until } from '../harness/fairway.ts'
import { quickProbe, ServiceProject } from '../harness/service-project.ts'

let fairway: TestFairway
let project: ServiceProject
let cwd: string

beforeAll(async () => {
  fairway = await TestFairway.create()
  project = await ServiceProject.create(fairway, [`probe: ${quickProbe.replace('10s', '2s')}`])
  cwd = project.folder
  await fairway.ok(['up'], { cwd })
})
afterAll(() => fairway[Symbol.asyncDispose]())

test('events -f goes on where it broke off when the control plane is started again', async () => {
  const events = fairway.start(['events', '-f', '--json'], { cwd })
  await until(async () => events.printed().includes('rollout-ended'), 'it shows what was')
  await fairway.ok(['server', 'stop'])
  await fairway.ok(['server', 'start'])
  await fairway.ok(['scale', '2'], { cwd })
  await until(async () => events.printed().includes('"verb":"scale"'), 'it shows what is new')
  events.signal('SIGINT')
  const { exit, events: seen, stderr } = await events.ended
  expect(exit).toBe(0)
  expect(stderr).toMatch(/^the control plane went away: waiting .*\nthe control plane is back\n$/)
  const numbers = seen.flatMap((event) => ('seq' in event ? [event.seq] : []))
  expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b))
})

test('logs -f says that the control plane went away, and ends with its status', async () => {
  const logs = fairway.start(['logs', '-f'], { cwd })
  await until(async () => logs.printed().includes('begins as'), 'it shows what was printed')
  await fairway.ok(['server', 'stop'])
  const { exit, stderr } = await logs.ended
  expect(exit).toBe(69)
  expect(stderr).toContain('The control plane went away')
  await fairway.ok(['server', 'start'])
})

test('below the project’s folder a command is about the project, and up makes no second one', async () => {
  const below = join(cwd, 'internal', 'deep')
  await mkdir(below, { recursive: true })
  expect(await fairway.status(below)).toEqual(await fairway.status(cwd))
  expect((await fairway.ok(['up'], { cwd: below })).result.outcome).toBe('unchanged')
})

test('going back to a release that never was healthy is said to be one, and what serves stays', async () => {
  await project.values({ MODE: 'nowhere' })
  expect((await fairway.run(['up'], { cwd })).result.outcome).toBe('reverted')
  const { result, events } = await fairway.run(['rollback', '--to', '2'], { cwd })
  expect(events).toContainEqual(
    expect.objectContaining({ kind: 'warning', message: 'release 2 never became healthy here' }),
  )
  expect(result).toMatchObject({ outcome: 'reverted', services: [{ release: 1 }] })
})

test('status says why an instance does not serve, and when it is started next', async () => {
  await fairway.ok(['scale', '1'], { cwd })
  const service = async () => (await fairway.status(cwd))[0]
  for (let kills = 0; kills < 4; kills += 1) {
    await until(async () => (await service())?.condition === 'healthy', 'it serves')
    const pid = (await service())?.list[0]?.pid ?? 0
    process.kill(pid, 'SIGKILL')
    await until(async () => (await service())?.list[0]?.pid !== pid, 'its end was seen') // it may be back already
  }
  await until(async () => ((await service())?.troubles[0]?.nextStartInMs ?? 0) > 1000, 'its restart waits')
  const { stdout } = await fairway.start(['status'], { cwd }).ended
  expect(stdout).toMatch(
    /unavailable.*\n {2}web 1-1 ended: killed by SIGKILL; next start in .*\n {2}→ fairway logs web/s,
  )
})

test('a misspelt environment is not an empty one', async () => {
  const { exit, result } = await fairway.run(['status', '--env', 'prodction'], { cwd })
  expect([exit, result.error?.code]).toEqual([78, 'ENVIRONMENT_UNKNOWN'])
})

test('down --all names the environment of each service, in one result', async () => {
  const { result, stdout } = await fairway.ok(['down', '--all', '--yes'], { cwd })
  expect(result).toMatchObject({
    outcome: 'done',
    services: [{ service: 'shop/dev/web', outcome: 'done', release: null }],
  })
  expect(stdout.match(/"kind":"result"/g)).toHaveLength(1)
})
