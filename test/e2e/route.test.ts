import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { TestFairway, until } from '../harness/fairway.ts'
import { quickProbe, ServiceProject } from '../harness/service-project.ts'
import { askRaw } from '../load/raw-client.ts'

describe('a host and path belong to one service', () => {
  let fairway: TestFairway
  let one: ServiceProject
  let other: ServiceProject

  beforeAll(async () => {
    fairway = await TestFairway.create()
    one = await ServiceProject.create(fairway, [], 'one')
    other = await ServiceProject.create(fairway, [], 'other')
  })
  beforeEach(async () => {
    await fairway.ok(['down', '--all', '--yes'])
    await wish(one, 'one', 'one.localhost')
    await wish(other, 'other', 'other.localhost')
    for (const project of [one, other]) {
      await project.values({ VERSION: '1' })
      await fairway.ok(['up'], { cwd: project.folder })
    }
  })
  afterAll(() => fairway[Symbol.asyncDispose]())

  async function wish(project: ServiceProject, name: string, host: string): Promise<void> {
    await project.configure([
      `project: ${name}`,
      'services:',
      `  web: { route: { host: ${host} }, probe: ${quickProbe.replace('10s', '3s')} }`,
    ])
  }

  async function answers(host: string): Promise<number | string> {
    const answer = await askRaw(await fairway.gateway(), { path: '/', host })
    return answer.kind === 'answer' ? answer.status : answer.kind
  }

  /** A control plane that starts again finds nothing it cannot serve. */
  async function startsAgain(): Promise<void> {
    await fairway.killServer()
    await fairway.ok(['server', 'start'])
    for (const { folder } of [one, other]) {
      const web = (await fairway.status(folder)).find(({ service }) => service === 'web')
      expect(web?.condition).toBe('healthy')
    }
  }

  test('the route that a rollout leaves is its own until it has ended: it may come back', async () => {
    await wish(one, 'one', 'elsewhere.localhost')
    await one.values({ MODE: 'nowhere' })
    const failing = fairway.start(['up', '--json'], { cwd: one.folder })
    await until(async () => failing.printed().includes('rollout-begun'), 'it is at work')
    await wish(other, 'other', 'one.localhost')
    const taken = await fairway.run(['up'], { cwd: other.folder })
    expect(taken).toMatchObject({ exit: 78, result: { outcome: 'refused', error: { code: 'ROUTE_TAKEN' } } })
    expect((await failing.ended).result).toMatchObject({ outcome: 'reverted', services: [{ release: 1 }] })
    expect(await answers('one.localhost')).toBe(200)
    expect(await answers('elsewhere.localhost')).toBe(404)
    await startsAgain()
  })

  test('the route of a service whose turn has not come is its own already', async () => {
    const slow = `slow: { build: ., route: none, config: { MODE: { default: "late:2000" } }, probe: ${quickProbe} }`
    const web = `web: { build: ., needs: [slow], route: { host: later.localhost }, probe: ${quickProbe} }`
    await one.configure(['project: one', 'services:', `  ${slow}`, `  ${web}`])
    const first = fairway.start(['up', '--json'], { cwd: one.folder })
    await until(async () => first.printed().includes('rollout-begun'), 'it is at work')
    await wish(other, 'other', 'later.localhost')
    expect((await fairway.run(['up'], { cwd: other.folder })).result.error?.code).toBe('ROUTE_TAKEN')
    expect((await first.ended).result.outcome).toBe('done')
    expect(await answers('later.localhost')).toBe(200)
    await startsAgain()
  })

  test('of several that want one at once, one gets it and the others are refused, nothing changed', async () => {
    for (const [project, name] of [
      [one, 'one'],
      [other, 'other'],
    ] as const) {
      await wish(project, name, 'wanted.localhost')
    }
    const ends = await Promise.all([one, other].map(({ folder }) => fairway.run(['up'], { cwd: folder })))
    expect(ends.map(({ exit }) => exit ?? -1).toSorted((a, b) => a - b)).toEqual([0, 78])
    expect(await answers('wanted.localhost')).toBe(200)
    await startsAgain()
  })

  test('another spelling of a route is the same route, and is refused before anything starts', async () => {
    const on = (project: string, path: string) => [
      `project: ${project}`,
      'services:',
      `  web: { route: { host: api.localhost, path: ${path} }, probe: ${quickProbe} }`,
    ]
    await one.configure(on('one', '/v1'))
    await fairway.ok(['up'], { cwd: one.folder })
    await other.configure(on('other', '/v1/'))
    const { exit, result } = await fairway.run(['up'], { cwd: other.folder })
    expect([exit, result.error?.code]).toEqual([78, 'ROUTE_TAKEN'])
    await startsAgain()
  })

  test('a service that was aborted before its rollout began leaves no route behind', async () => {
    await one.configure([
      'project: one',
      'services:',
      `  early: { build: ., route: none, config: { MODE: { default: "late:2000" } }, probe: ${quickProbe} }`,
      `  fresh: { build: ., needs: [early], route: { host: fresh.localhost }, probe: ${quickProbe} }`,
      `  web: { build: ., route: { host: one.localhost }, probe: ${quickProbe} }`,
    ])
    const up = fairway.start(['up', '--json'], { cwd: one.folder })
    await until(async () => up.printed().includes('rollout-begun'), 'it is at work')
    up.signal('SIGINT')
    expect((await up.ended).result.outcome).toBe('aborted')
    expect(await answers('fresh.localhost')).toBe(404)
  })

  test('a rollback of what was taken down does not take a route that another has by now', async () => {
    await fairway.ok(['down'], { cwd: one.folder })
    await wish(other, 'other', 'one.localhost')
    await fairway.ok(['up'], { cwd: other.folder })
    const { exit, result } = await fairway.run(['rollback', '--to', '1'], { cwd: one.folder })
    expect([exit, result.outcome, result.error?.code]).toEqual([78, 'refused', 'ROUTE_TAKEN'])
    expect(await answers('one.localhost')).toBe(200)
  })

  test('the state is for the control plane’s eyes alone', async () => {
    for (const file of ['state.db', 'state.db-wal', 'state.db-shm']) {
      expect(((await stat(join(fairway.home, file))).mode & 0o777).toString(8)).toBe('600')
    }
  })
})
