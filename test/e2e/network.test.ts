import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { execOk } from '../../src/base/exec.ts'
import type { RolloutFailure } from '../../src/base/event.ts'
import { networkRemains } from '../harness/network-remains.ts'
import { isRunning, TestFairway, until } from '../harness/fairway.ts'
import { loadOn, quickProbe } from '../harness/service-project.ts'
import { askRaw, startLoad } from '../load/raw-client.ts'

const source = new URL('../fixtures/fixed-port', import.meta.url).pathname
const launcher = new URL('../../fairway', import.meta.url).pathname

/** One project of test/fixtures/fixed-port. */
class FixedProject {
  readonly fairway: TestFairway
  readonly folder: string

  private constructor(fairway: TestFairway, folder: string) {
    this.fairway = fairway
    this.folder = folder
  }

  static async create(fairway: TestFairway): Promise<FixedProject> {
    return new FixedProject(fairway, await fairway.project(source))
  }

  /** @param services lines of `services:`, of one or several */
  async configure(...services: readonly string[]): Promise<void> {
    const lines = ['project: shop', 'services:', ...services.map((line) => `  ${line}`), '']
    await writeFile(join(this.folder, 'fairway.yaml'), lines.join('\n'))
  }

  async values(values: Readonly<Record<string, string>>): Promise<void> {
    const lines = Object.entries(values).map(([key, value]) => `${key}=${value}\n`)
    await writeFile(join(this.folder, '.env'), lines.join(''))
  }

  async ask(path: string, host = 'web.localhost'): Promise<string> {
    const got = await askRaw(await this.fairway.gateway(), { path, host })
    return got.kind === 'answer' ? got.body.trim() : got.kind
  }

  up() {
    return this.fairway.ok(['up'], { cwd: this.folder })
  }

  status() {
    return this.fairway.status(this.folder)
  }

  async remains(): Promise<string[]> {
    const id = (await readFile(join(this.fairway.home, 'id'), 'utf8')).trim()
    return networkRemains(`fw${createHash('sha256').update(`${id} ${this.fairway.home}`).digest('hex').slice(0, 6)}`)
  }
}

const web = (listen: string, more = '') => `web: { ${listen}, instances: 3, probe: ${quickProbe}${more} }`
const shapes = {
  all: web('listen: { port: 8080 }'),
  loopback: web('listen: { port: 8080 }'),
  two: web('ports: [9797]'),
} as const

describe('a program with a fixed port', () => {
  let fairway: TestFairway
  let project: FixedProject
  beforeAll(async () => {
    fairway = await TestFairway.create()
    project = await FixedProject.create(fairway)
  })
  afterAll(() => fairway[Symbol.asyncDispose]())

  test.for(['all', 'loopback', 'two'] as const)(
    'that listens on %s has three instances, replaced and brought back under load without a loss',
    async (shape) => {
      await project.configure(shapes[shape])
      await project.values({ SHAPE: shape, VERSION: `${shape} 1` })
      await project.up()
      const [status] = await project.status()
      expect(status).toMatchObject({ condition: 'healthy', healthy: 3, onlyOne: null })
      const addresses = status?.list.map(({ address }) => address ?? '') ?? []
      expect(new Set(addresses).size).toBe(3)
      for (const address of addresses) expect(address).toMatch(/^(10|172|192|198)\.[0-9.]+:8080$/)

      const load = startLoad(await loadOn(fairway, { connections: 'new', perSecond: 200 }))
      const kept = startLoad(await loadOn(fairway, { request: { path: '/?wait=30ms', host: 'web.localhost' } }))
      onTestFinished(async () => void (await Promise.all([load.stop(), kept.stop()])))
      await project.values({ SHAPE: shape, VERSION: `${shape} 2` })
      await project.up()
      await fairway.ok(['rollback'], { cwd: project.folder })
      const results = await Promise.all([load.stop(), kept.stop()])
      expect(results.flatMap(({ failures }) => failures)).toEqual([])
      for (const { servedBy } of results) expect([...servedBy.keys()].sort()).toEqual([`${shape} 1`, `${shape} 2`])
      expect(await fairway.gatewayCounters(project.folder)).toEqual({ retries: 0, redispatches: 0 })
    },
  )

  test('kill -9 of the control plane in the middle of a rollout: it serves on, and the rollout is gone on with', async () => {
    await project.configure(shapes.all)
    await project.values({ SHAPE: 'all', VERSION: 'before' })
    await project.up()
    const load = startLoad(await loadOn(fairway, { connections: 'new', perSecond: 200 }))
    onTestFinished(async () => void (await load.stop()))
    for (const [version, moment] of [
      ['killed early', /"stage-begun".*"start"/],
      ['killed late', /"step-done".*"admit"/],
    ] as const) {
      await project.values({ SHAPE: 'all', VERSION: version })
      const up = fairway.start(['up', '--json'], { cwd: project.folder })
      await until(async () => moment.test(up.printed()), 'the rollout is under way')
      await fairway.killServer()
      await up.ended
      const { answered } = load.result
      await until(async () => load.result.answered > answered + 20, 'it serves without a control plane')
      await fairway.ok(['server', 'start'])
      await until(async () => (await project.status())[0]?.condition === 'healthy', 'the rollout is over')
      expect((await project.status())[0]).toMatchObject({ healthy: 3, lastRollout: { outcome: 'done' } })
      expect(await project.ask('/')).toContain(version)
    }
    expect((await load.stop()).failures).toEqual([])
    expect(await fairway.programs()).toHaveLength(3)
  })

  test('is scaled, restarted after a kill and made again after a reboot; down leaves nothing on the machine', async () => {
    await project.configure(shapes.loopback)
    await project.values({ SHAPE: 'loopback', VERSION: 'scaled' })
    await project.up()
    await fairway.ok(['scale', '5'], { cwd: project.folder })
    await fairway.ok(['scale', '2'], { cwd: project.folder })
    expect((await project.remains()).filter((line) => /^fw\w+-\w+$/.test(line))).toHaveLength(2)

    const [victim = 0] = await fairway.programs()
    process.kill(victim, 'SIGKILL')
    await until(async () => !(await isRunning(victim)), 'it is gone')
    await until(async () => (await project.status())[0]?.healthy === 2, 'both serve again')

    await fairway.killServer()
    for (const pid of await fairway.programs()) process.kill(pid, 'SIGKILL')
    await until(async () => (await fairway.programs()).length === 0, 'all is gone')
    await rm(join(fairway.home, 'run'), { recursive: true })
    const another = { env: { FAIRWAY_TEST_BOOT_ID: 'b007'.padEnd(36, '0') } }
    await fairway.ok(['server', 'start'], another)
    await until(async () => (await project.status())[0]?.healthy === 2, 'both serve after the reboot')
    expect(await project.ask('/')).toContain('scaled')

    await fairway.ok(['down'], { cwd: project.folder })
    expect(await project.remains()).toEqual([])
    await fairway.killServer()
    await rm(join(fairway.home, 'run'), { recursive: true })
  })
})

describe('from a network of its own', () => {
  let fairway: TestFairway
  let project: FixedProject
  beforeAll(async () => {
    fairway = await TestFairway.create()
    project = await FixedProject.create(fairway)
    await project.values({ VERSION: '1' })
  })
  afterAll(() => fairway[Symbol.asyncDispose]())

  test('the machine’s database, the services of its environment and a command beside it are reached', async () => {
    const database = createServer((request, response) =>
      response.end(`the database saw ${request.socket.remoteAddress}`),
    )
    await new Promise<void>((resolve) => database.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void database.close())
    const bound = database.address()
    const port = typeof bound === 'object' && bound !== null ? bound.port : 0
    await project.values({ VERSION: '1', DATABASE_URL: `http://shop:secret@127.0.0.1:${port}/` })
    await project.configure(
      `web: { listen: { port: 8080 }, args: [all], instances: 2, needs: [api], probe: { exec: [./web, ask, 'http://127.0.0.1:8080/healthz'], every: 20ms, healthyFor: 20ms } }`,
      `api: { args: [told], route: none, probe: ${quickProbe} }`,
      `metrics: { listen: none, args: [all], ports: [8080], instances: 2, probe: { healthyFor: 50ms } }`,
      `port80: { listen: { port: 80 }, args: [low], network: own, probe: ${quickProbe} }`,
    )
    await project.up()
    expect(await project.ask('/dial?key=DATABASE_URL')).toBe('the database saw 127.0.0.1')
    expect(await project.ask('/dial?key=SERVICE_URL_API')).toMatch(/^version 1 of process/)
    expect(await project.ask('/dial?key=SERVICE_URL_PORT80')).toMatch(/^version 1 of process/)
    expect((await project.status()).map(({ service, healthy }) => `${service} ${healthy}`).sort()).toEqual([
      'api 1',
      'metrics 2',
      'port80 1',
      'web 2',
    ])
    expect(await project.ask('/dial?url=http://127.0.0.1:8080/')).toMatch(/^version 1 of process/)
    // A job has the machine's network: it reaches what the machine reaches, by the same names.
    const job = await fairway.start(['run', 'web', '--', './web', 'ask', `http://127.0.0.1:${port}/`], {
      cwd: project.folder,
    }).ended
    expect(job.stdout).toContain('the database saw 127.0.0.1')
  })
})

describe('a first start that fails says what to write', () => {
  let fairway: TestFairway
  let project: FixedProject
  beforeAll(async () => {
    fairway = await TestFairway.create()
    project = await FixedProject.create(fairway)
  })
  beforeEach(() => project.configure(`web: { listen: { port: 8080 }, probe: { deadline: 2s, healthyFor: 20ms } }`))
  afterAll(() => fairway[Symbol.asyncDispose]())

  test.for<[string, string, RegExp]>([
    ['elsewhere', 'wrong-port', /services: \{ web: \{ listen: \{ port: 8081 \} \} \}/],
    ['own-address', 'wrong-address', /let it listen there or on every address/],
    ['needs-database', 'loopback', /network: host/],
  ])('%s', async ([shape, cause, hint]) => {
    await project.values({ SHAPE: shape })
    const { events, exit } = await fairway.run(['up'], { cwd: project.folder })
    expect(exit).not.toBe(0)
    const failed = events.find((event): event is typeof event & { failure: RolloutFailure } => 'failure' in event)
    expect(failed?.failure).toMatchObject({ cause, hint: expect.stringMatching(hint) })
  })
})

describe('where no instance can have a network of its own', () => {
  const fixed = 21_000 + Math.floor(Math.random() * 8000)
  const serves = async (project: FixedProject, version: string) => {
    await project.values({ SHAPE: 'all', VERSION: version, FIXED: String(fixed) })
    return project.up()
  }
  const expectOne = async (project: FixedProject, why: RegExp) => {
    const first = await serves(project, '1')
    const said = expect.objectContaining({ kind: 'warning', message: expect.stringMatching(why) })
    expect(first.events).toContainEqual(said)
    const second = await serves(project, '2')
    expect(second.events.map(({ kind }) => kind)).toContain('gap-ended')
    expect(await project.ask('/')).toContain('version 2')
    const [status] = await project.status()
    expect(status).toMatchObject({ condition: 'healthy', healthy: 1, instances: 1, declared: 3 })
    expect(status?.onlyOne?.why).toMatch(why)
    expect((await project.up()).result.outcome).toBe('unchanged')
    const shown = await project.fairway.start(['status'], { cwd: project.folder }).ended
    expect(shown.stdout).toMatch(/web has one instance: /)
  }

  test('it has one instance, replaced with a gap, and it is said', async () => {
    await using fairway = await TestFairway.create()
    const project = await FixedProject.create(fairway)
    await project.configure(web(`listen: { port: ${fixed} }`))
    const argv = ['/usr/bin/setpriv', '--bounding-set=-net_admin,-sys_admin', launcher, 'server', 'start'] as const
    await execOk(argv, { env: fairway.env, cwd: fairway.root })
    await expectOne(project, /no instance can have a network of its own here: `\S+` may not do it here/)
    expect(await project.remains()).toEqual([])
  })

  test('so it is with `network: host`', async () => {
    await using fairway = await TestFairway.create()
    const project = await FixedProject.create(fairway)
    await project.configure(web(`listen: { port: ${fixed} }`, ', network: host'))
    await expectOne(project, /it shares the machine’s network/)
    expect(await project.remains()).toEqual([])
  })
})
