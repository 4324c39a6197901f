import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { spawn } from 'node:child_process'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { readProcessStat } from '../../src/base/process-identity.ts'
import { isRunning, TestFairway, until } from '../harness/fairway.ts'
import { loadOn, quickProbe, ServiceProject } from '../harness/service-project.ts'
import { askRaw, startLoad } from '../load/raw-client.ts'

describe('what was desired is what runs, after', () => {
  let fairway: TestFairway
  let project: ServiceProject
  let cwd: string

  beforeAll(async () => {
    fairway = await TestFairway.create()
    project = await ServiceProject.create(fairway, ['instances: 2', `probe: ${quickProbe}`])
    cwd = project.folder
    await fairway.ok(['up'], { cwd })
  })
  beforeEach(async () => {
    await fairway.ok(['server', 'start'])
    await fairway.ok(['up'], { cwd }) // forgives the exits of the test before: no restart waits
    await untilHealthy()
  })
  afterAll(() => fairway[Symbol.asyncDispose]())

  async function untilHealthy(): Promise<void> {
    await until(async () => (await fairway.status(cwd))[0]?.condition === 'healthy', 'both instances are healthy')
    const [status] = await fairway.status(cwd)
    const pids = status?.list.flatMap(({ pid }) => pid ?? []) ?? []
    expect(pids).toHaveLength(2)
    expect(await fairway.programs()).toEqual(pids.sort((a, b) => a - b))
    await until(answers, 'the gateway answers')
  }

  async function answers(): Promise<boolean> {
    const got = await askRaw(await fairway.gateway(), { path: '/', host: 'web.localhost' })
    return got.kind === 'answer' && got.status === 200
  }

  async function gatewayPids(): Promise<number[]> {
    const pids = await Promise.all(
      (await readdir('/proc'))
        .filter((name) => /^\d+$/.test(name))
        .map(async (pid) => {
          const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')
          return words[0]?.endsWith('haproxy') === true && words.some((word) => word.startsWith(fairway.home))
            ? [Number(pid)]
            : []
        }),
    )
    return pids.flat()
  }

  function kill(pids: readonly number[]): void {
    expect(pids.length).toBeGreaterThan(0)
    for (const pid of pids) process.kill(pid, 'SIGKILL')
  }

  test('kill -9 of HAProxy: it serves again in under a second, with the same servers', async () => {
    const address = await fairway.gateway()
    const before = await fairway.status(cwd)
    const load = startLoad(await loadOn(fairway, { connections: 'new', perSecond: 200, timeoutMs: 2000 }))
    onTestFinished(() => void load.stop())
    await until(async () => load.result.answered > 20, 'the load runs')
    kill(await gatewayPids())
    await until(async () => load.result.failures.length > 0, 'it is gone')
    const { answered } = load.result
    await until(async () => load.result.answered > answered + 20, 'it answers')
    const { failures } = await load.stop()
    const times = failures.map(({ atMs }) => atMs)
    expect(Math.max(...times) - Math.min(...times)).toBeLessThan(1000)
    expect(await fairway.gateway()).toEqual(address)
    await untilHealthy()
    expect((await fairway.status(cwd))[0]?.list).toEqual(before[0]?.list)
  })

  test('kill -9 of HAProxy while the control plane was away', async () => {
    const before = await fairway.status(cwd)
    await fairway.killServer()
    kill(await gatewayPids())
    await fairway.ok(['server', 'start'])
    await untilHealthy()
    expect((await fairway.status(cwd))[0]?.list).toEqual(before[0]?.list)
  })

  test('kill -9 of an instance', async () => {
    const [victim = 0, other = 0] = await fairway.programs()
    kill([victim])
    await until(async () => !(await isRunning(victim)), 'it is gone')
    await until(async () => (await fairway.programs()).length === 2, 'another one runs')
    await untilHealthy()
    expect(await fairway.programs()).toContain(other)
    expect(await fairway.programs()).not.toContain(victim)
  })

  test('kill -9 of HAProxy and every instance at once', async () => {
    kill([...(await gatewayPids()), ...(await fairway.programs())])
    await until(async () => (await fairway.programs()).length === 2, 'both run again')
    await untilHealthy()
  })

  test('kill -9 of every instance while the control plane was away', async () => {
    await fairway.killServer()
    const before = await fairway.programs()
    kill(before)
    await until(async () => (await fairway.programs()).length === 0, 'they are gone')
    await fairway.ok(['server', 'start'])
    await untilHealthy()
    expect((await fairway.programs()).filter((pid) => before.includes(pid))).toEqual([])
  })

  test('kill -9 of control plane, HAProxy and instances together', async () => {
    const all = [...(await gatewayPids()), ...(await fairway.programs())]
    await fairway.killServer()
    kill(all)
    await fairway.ok(['status'], { cwd }) // any command that needs the control plane starts it
    await untilHealthy()
  })

  test('kill -9 of HAProxy and an old instance in the middle of a rollout', async () => {
    await project.values({ VERSION: `${Date.now()}`, MODE: 'late:700' })
    const up = fairway.start(['up', '--json'], { cwd })
    await until(async () => /"stage-begun".*"await-healthy"/.test(up.printed()), 'it waits for the first instance')
    const [old = 0] = await fairway.programs()
    kill([...(await gatewayPids()), old])
    const end = await up.ended
    expect(end.result.outcome).toMatch(/^(done|reverted)$/)
    expect((await fairway.status(cwd))[0]?.lastRollout?.outcome).toBe(end.result.outcome)
    await untilHealthy()
  })

  test('a reboot: all processes and the run folder gone, another boot', async () => {
    await fairway.killServer()
    kill([...(await gatewayPids()), ...(await fairway.programs())])
    await until(async () => (await gatewayPids()).length + (await fairway.programs()).length === 0, 'all is gone')
    await rm(join(fairway.home, 'run'), { recursive: true })
    await fairway.ok(['server', 'start'], { env: { FAIRWAY_TEST_BOOT_ID: 'b007'.padEnd(36, '0') } })
    await untilHealthy()
    await fairway.killServer() // what runs belongs to that boot: the next test must not see its records
    kill([...(await gatewayPids()), ...(await fairway.programs())])
    await rm(join(fairway.home, 'run'), { recursive: true })
  })

  test('pids given to strangers while Fairway was away: they are not signalled', async () => {
    await fairway.killServer()
    const killed = [...(await gatewayPids()), ...(await fairway.programs())]
    kill(killed)
    const strangers = await startStrangers(6)
    const forged = await forgePids(strangers)
    expect(forged).toBeGreaterThanOrEqual(5)
    await fairway.ok(['server', 'start'])
    await untilHealthy()
    await fairway.ok(['down'], { cwd })
    expect(await fairway.programs()).toEqual([])
    for (const pid of strangers) expect(await isRunning(pid), `the stranger ${pid} lives`).toBe(true)
    await fairway.ok(['up'], { cwd })
  })

  /** Every pid Fairway has noted is now another process's; start times and boot id are what they were. */
  async function forgePids(strangers: readonly number[]): Promise<number> {
    let forged = 0
    const next = () => strangers[forged++ % strangers.length] ?? 0
    const edit = async (path: string, change: (text: string) => string) =>
      writeFile(path, change(await readFile(path, 'utf8')))
    const runFolder = join(fairway.home, 'run', 'instances')
    for (const name of await readdir(runFolder)) {
      await edit(join(runFolder, name, 'record.json'), (text) => text.replace(/"pid":\d+/, () => `"pid":${next()}`))
      // As if the program still ran: no line says that it ended.
      await edit(join(runFolder, name, 'status'), (text) =>
        text.replace(/^started \d+/, () => `started ${next()}`).replace(/^exit.*\n/m, ''),
      )
    }
    await edit(join(fairway.home, 'gateway', 'haproxy.json'), (text) =>
      text.replace(/"pid":\s*\d+/, () => `"pid":${next()}`),
    )
    return forged
  }
})

/** Processes of somebody else, each with a group of its own as an instance has. */
async function startStrangers(count: number): Promise<number[]> {
  const children = Array.from({ length: count }, () => spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' }))
  onTestFinished(() => {
    for (const child of children) child.kill('SIGKILL')
  })
  const pids = children.map(({ pid = 0 }) => pid)
  for (const pid of pids) await until(async () => (await readProcessStat(pid)) !== undefined, 'the stranger runs')
  return pids
}
