import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ServiceStatus } from '../../src/release/status.ts'
import { TestFairway, until } from '../harness/fairway.ts'
import { loadOn, quickProbe, ServiceProject } from '../harness/service-project.ts'
import { askRaw, startLoad } from '../load/raw-client.ts'

describe('several services of one project', () => {
  let fairway: TestFairway
  let project: ServiceProject
  let cwd: string

  const services = (web: readonly string[] = []) => [
    'project: shop',
    'services:',
    `  web: { build: ., listen: { env: PORT }, needs: [api], probe: ${quickProbe}${web.map((line) => `, ${line}`).join('')} }`,
    `  api: { build: ., listen: { env: PORT }, route: none, probe: ${quickProbe} }`,
    '  worker: { build: ., needs: [web], args: [beat], listen: none, probe: { healthyFor: 50ms } }',
  ]
  const url = async (path: string) => {
    const got = await askRaw(await fairway.gateway(), { path, host: 'web.localhost' })
    return got.kind === 'answer' ? got.body.trim() : got.kind
  }
  const statusOf = async (service: string): Promise<ServiceStatus | undefined> =>
    (await fairway.status(cwd)).find((one) => one.service === service)

  beforeAll(async () => {
    fairway = await TestFairway.create()
    project = await ServiceProject.create(fairway, [])
    cwd = project.folder
    await project.configure(services())
    await project.values({ VERSION: '1' })
  })
  afterAll(() => fairway[Symbol.asyncDispose]())

  test('are released in the order of what they need; a worker is healthy by living', async () => {
    const { events, result } = await fairway.ok(['up'], { cwd })
    const order = events.flatMap((event) => ('scope' in event && event.kind === 'rollout-begun' ? [event.scope] : []))
    expect(order).toEqual(['shop/dev/api', 'shop/dev/web', 'shop/dev/worker'])
    expect(result.services?.map(({ service, outcome }) => `${service} ${outcome}`)).toEqual([
      'api done',
      'web done',
      'worker done',
    ])
    expect(await statusOf('worker')).toMatchObject({ condition: 'healthy', healthy: 1, url: null, internalUrl: null })
    expect(await statusOf('api')).toMatchObject({ condition: 'healthy', url: null })
  })

  test('reach one without a route through the gateway, at SERVICE_URL_…, while it is replaced', async () => {
    expect(await url('/other?at=SERVICE_URL_API')).toMatch(/^version 1 of process \d+$/)
    expect(await url('/environment?key=SERVICE_URL_API')).toBe((await statusOf('api'))?.internalUrl)
    const request = { path: '/other?at=SERVICE_URL_API', host: 'web.localhost' }
    const load = startLoad(await loadOn(fairway, { request }))
    await project.values({ VERSION: '2' })
    await fairway.ok(['up'], { cwd })
    await delay(100)
    const { failures, statuses } = await load.stop()
    expect(failures).toEqual([])
    expect([...statuses.keys()]).toEqual([200])
    expect(await url('/other?at=SERVICE_URL_API')).toMatch(/^version 2 /)
  })

  test('a service that fails reverts its own, names those done, and those not begun', async () => {
    await project.configure(services(['config: { MODE: { default: "exit:1" } }']))
    await project.values({ VERSION: '3' })
    const end = await fairway.run(['up'], { cwd })
    expect(end.exit).toBe(1)
    expect(end.result).toMatchObject({
      outcome: 'reverted',
      services: [
        { service: 'api', outcome: 'done', release: 3 },
        { service: 'web', outcome: 'reverted', release: 2 },
        { service: 'worker', outcome: 'unchanged', release: 2 },
      ],
    })
    const message = 'worker was left as it is, since web is reverted'
    expect(end.events).toContainEqual(expect.objectContaining({ kind: 'warning', message }))
    expect((await statusOf('worker'))?.release).toBe(2)
    await project.configure(services())
    await project.values({ VERSION: '2' })
    await fairway.ok(['up'], { cwd })
  })

  test('run: a job has the environment of its service, prints here, and its status is ours', async () => {
    const hello = await fairway.start(['run', 'web', '--', './web', 'echo', 'hello', '--json'], { cwd }).ended
    expect([hello.exit, hello.stdout]).toEqual([0, 'hello --json\n'])
    const left = await fairway.start(['run', 'api', '--', './api', 'exit', '7'], { cwd }).ended
    expect([left.exit, left.stderr]).toEqual([7, 'leaving with 7\n'])
    const which = await fairway.run(['run', '--', './web', 'echo'], { cwd })
    expect(which.result.error).toMatchObject({ code: 'USAGE' })
    expect(await statusOf('web')).toMatchObject({ condition: 'healthy', healthy: 1 })
  })

  test('run: Ctrl-C ends the job', async () => {
    const before = await fairway.programs()
    const job = fairway.start(['run', 'web', '--', './web', 'beat'], { cwd })
    await until(async () => job.printed().includes('beat 1'), 'the job runs')
    job.signal('SIGINT')
    expect((await job.ended).exit).toBe(3)
    expect(await fairway.programs()).toEqual(before)
  })

  test('run: a job whose command line was killed goes on, is shown, and ends with its service', async () => {
    const before = await fairway.programs()
    const job = fairway.start(['run', 'web', '--', './web', 'beat'], { cwd })
    await until(async () => job.printed().includes('beat 1'), 'the job runs')
    job.signal('SIGKILL')
    await job.ended
    const [shown, ...others] = (await statusOf('web'))?.jobs ?? []
    expect(others).toEqual([])
    expect(shown).toMatchObject({ name: expect.stringMatching(/^\d+-0\.\d+$/), command: ['./web', '…'] })
    expect(await fairway.programs()).toContain(shown?.pid)
    const line = `web job ${shown?.name} runs since `
    expect((await fairway.start(['status'], { cwd }).ended).stdout).toContain(line)

    await fairway.killServer()
    const [adopted] = (await statusOf('web'))?.jobs ?? []
    expect(adopted).toEqual({ ...shown, command: null })
    await fairway.ok(['down', 'web'], { cwd })
    expect((await statusOf('web'))?.jobs).toEqual([])
    expect(await fairway.programs()).not.toContain(shown?.pid)
    await fairway.ok(['up'], { cwd })
    expect(await fairway.programs()).toHaveLength(before.length)
    await until(
      async () => (await readdir(join(fairway.home, 'run', 'instances'))).length === before.length,
      'forgotten',
    )
  })

  test('logs -f shows lines as they come, and ends by Ctrl-C', async () => {
    const logs = fairway.start(['logs', '-f', 'worker'], { cwd })
    await until(async () => /beat \d+\n.*beat \d+\n/.test(logs.printed()), 'lines come')
    const [, last = ''] = /beat (\d+)\n$/.exec(logs.printed()) ?? []
    await until(async () => logs.printed().includes(`beat ${Number(last) + 5}\n`), 'more lines come')
    logs.signal('SIGINT')
    expect((await logs.ended).exit).toBe(0)
    const [first = ''] = (await fairway.start(['logs', 'worker', '-n', '5'], { cwd }).ended).stdout.split('\n')
    expect(first).toMatch(/^\d+-1\.\d+ \| beat \d+$/)
  })

  test('scale holds until the file says another number, and status shows that it differs', async () => {
    await fairway.ok(['scale', '3', 'web'], { cwd })
    expect(await statusOf('web')).toMatchObject({ healthy: 3, instances: 3, declared: 1 })
    expect((await fairway.start(['status'], { cwd }).ended).stdout).toContain('3/3 (file says 1)')
    await project.values({ VERSION: '4' })
    await fairway.ok(['up'], { cwd })
    expect(await statusOf('web')).toMatchObject({ healthy: 3, instances: 3, declared: 1 })
    await project.configure(services(['instances: 2']))
    await fairway.ok(['up'], { cwd })
    expect(await statusOf('web')).toMatchObject({ healthy: 2, instances: 2, declared: 2 })
  })

  test('down takes those first that need others, and leaves releases behind', async () => {
    const { result } = await fairway.ok(['down'], { cwd })
    expect(result.services?.map(({ service }) => service)).toEqual(['worker', 'web', 'api'])
    expect(await fairway.programs()).toEqual([])
    expect(await url('/')).toContain('404')
    await fairway.ok(['up'], { cwd })
    expect(await url('/')).toMatch(/^version 4 /)
  })
})
