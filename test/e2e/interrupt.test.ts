import { readdir, readFile, readlink, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { RolloutSummary } from '../../src/release/status.ts'
import { type RunningCommand, TestFairway, until } from '../harness/fairway.ts'
import { loadOn, quickProbe, ServiceProject } from '../harness/service-project.ts'
import { askRaw, type Load, startLoad } from '../load/raw-client.ts'

describe('a change is never left half done', () => {
  let fairway: TestFairway
  let project: ServiceProject
  let load: Load
  let cwd: string
  let version = 0

  beforeAll(async () => {
    fairway = await TestFairway.create()
    project = await ServiceProject.create(fairway, [`probe: ${quickProbe}`, 'grace: 1500ms'])
    cwd = project.folder
    await project.values({ VERSION: 'old' })
    await fairway.ok(['up'], { cwd })
    load = startLoad(await loadOn(fairway))
  })
  beforeEach(async () => {
    await project.values({ VERSION: 'old' })
    await fairway.ok(['up'], { cwd })
  })
  afterAll(async () => {
    await load.stop()
    await fairway[Symbol.asyncDispose]()
  })

  /** An `up` that waits for its new instance: long enough to be aborted there, on a slow machine too. */
  const long = { MODE: 'late:8000' }
  async function upWaiting(values: Record<string, string> = {}, session = false): Promise<RunningCommand> {
    version += 1
    await project.values({ VERSION: `new-${version}`, MODE: 'late:1500', ...values })
    const up = fairway.start(['up', '--json'], { cwd, session })
    await reaches(up, 'await-healthy')
    return up
  }

  async function expectOldServes(outcome: string): Promise<void> {
    const [status] = await fairway.status(cwd)
    expect(status).toMatchObject({ condition: 'healthy', healthy: 1, release: 1, lastRollout: { outcome } })
    expect(await fairway.programs()).toEqual(status?.list.map(({ pid }) => pid))
    expect(await answer(fairway)).toContain('version old')
    expect(load.result.failures).toEqual([])
  }

  test('Ctrl-C aborts: the old release serves, and the exit status says so', async () => {
    const up = await upWaiting(long)
    up.signal('SIGINT')
    const end = await up.ended
    expect(end.exit).toBe(3)
    expect(end.result).toMatchObject({ outcome: 'aborted', services: [{ outcome: 'aborted', release: 1 }] })
    expect(end.stdout).toContain('going back to what served before')
    await expectOldServes('aborted')
    expect((await fairway.ok(['rollout', 'show'], { cwd })).stdout).toContain('aborted by ')
  })

  test('a second Ctrl-C leaves at once while the control plane finishes', async () => {
    const up = await upWaiting({ ...long, STUBBORN: '1' })
    await untilStubborn()
    up.signal('SIGINT')
    await until(async () => up.printed().includes('rollout-reverting'), 'it goes back')
    up.signal('SIGINT')
    const end = await up.ended
    expect(end.exit).toBe(0)
    expect(end.result.outcome).toBe('detached')
    expect((await fairway.status(cwd))[0]).toMatchObject({ condition: 'changing' })
    await untilEnded(fairway, cwd)
    await expectOldServes('aborted')
  })

  test.for(['SIGKILL', 'SIGHUP', 'SIGTERM'] as const)('%s of the command aborts nothing', async (name) => {
    const up = await upWaiting()
    up.signal(name)
    await up.ended
    await untilEnded(fairway, cwd)
    expect((await fairway.status(cwd))[0]).toMatchObject({ condition: 'healthy', lastRollout: { outcome: 'done' } })
    expect(await answer(fairway)).toContain(`version new-${version}`)
    expect(load.result.failures).toEqual([])
  })

  test('a closed terminal aborts nothing, and the control plane that was started from it stays', async () => {
    await fairway.killServer()
    const up = await upWaiting({}, true)
    const server = await fairway.serverPid()
    process.kill(-up.pid, 'SIGHUP')
    await up.ended
    await untilEnded(fairway, cwd)
    expect((await fairway.status(cwd))[0]).toMatchObject({ condition: 'healthy', lastRollout: { outcome: 'done' } })
    expect(await fairway.serverPid()).toBe(server)
  })

  test.for(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    '%s while it builds releases nothing, and there is no rollout to abort',
    async (name) => {
      await project.write('late.go', `package main\n\nvar built = ${Date.now()}\n`)
      const up = fairway.start(['up', '--json'], { cwd })
      await until(async () => up.printed().includes('build-begun'), 'it builds')
      up.signal(name)
      const end = await up.ended
      expect([end.exit, end.result.outcome]).toEqual([3, 'aborted'])
      await rm(join(cwd, 'late.go'))
      const abort = await fairway.run(['rollout', 'abort'], { cwd })
      expect(abort.exit).toBe(66)
      expect(abort.result).toMatchObject({ outcome: 'refused', error: { code: 'ROLLOUT_NONE' } })
      expect((await fairway.ok(['up'], { cwd })).result.outcome).toBe('unchanged')
    },
  )

  test.for(['build', 'build --explain', 'init --detect'])('SIGTERM ends %s with what it started', async (words) => {
    await project.write('late.go', `package main\n\nvar built = ${Date.now()}\n`)
    const command = fairway.start([...words.split(' '), '--json'], { cwd })
    await until(async () => command.printed().includes('build-begun'), 'it builds')
    command.signal('SIGTERM')
    const end = await command.ended
    await rm(join(cwd, 'late.go'))
    expect([end.exit, end.result.outcome]).toEqual([3, 'aborted'])
    const trials = await readdir(join(fairway.home, 'cache/trials')).catch(() => [])
    expect(trials.filter((name) => name.startsWith('fairway-trial-'))).toEqual([])
    expect(await compilers(cwd)).toEqual([])
  })

  test('rollout abort from elsewhere turns it back while it waits for the new one', async () => {
    const up = await upWaiting(long)
    const abort = await fairway.ok(['rollout', 'abort'], { cwd })
    expect(abort.result).toMatchObject({ outcome: 'done' })
    const end = await up.ended
    expect([end.exit, end.result.outcome]).toEqual([3, 'aborted'])
    await expectOldServes('aborted')
  })

  test('rollout abort turns it back while the old one finishes its requests, and they are answered', async () => {
    version += 1
    await project.values({ VERSION: `new-${version}` })
    const address = await fairway.gateway()
    const slow = askRaw(address, { path: '/?wait=3s', host: 'web.localhost' })
    await delay(100) // it is under way
    const up = fairway.start(['up', '--json'], { cwd })
    await reaches(up, 'drain')
    await fairway.ok(['rollout', 'abort'], { cwd })
    expect((await up.ended).result.outcome).toBe('aborted')
    await expectOldServes('aborted')
    expect(await slow).toMatchObject({ kind: 'answer', status: 200 })
  })

  test('Ctrl-C still aborts after the control plane was killed under the command', async () => {
    const up = await upWaiting(long)
    await fairway.killServer()
    await until(async () => (await fairway.run(['server', 'status'])).exit === 0, 'it was started again')
    up.signal('SIGINT')
    const end = await up.ended
    expect([end.exit, end.result.outcome]).toEqual([3, 'aborted'])
    await expectOldServes('aborted')
  })

  test('server stop in the middle stays a stop; the next start goes on from there', async () => {
    const up = await upWaiting({ MODE: 'late:3000' })
    await fairway.ok(['server', 'stop'])
    await delay(500)
    expect((await fairway.run(['server', 'status'])).result.error?.code).toBe('SERVER_UNREACHABLE')
    await fairway.ok(['server', 'start'])
    expect((await up.ended).result.outcome).toBe('done')
    expect(load.result.failures).toEqual([])
  })

  async function untilStubborn(): Promise<void> {
    await delay(300) // the program has to run its first lines
  }
})

function reaches(up: RunningCommand, step: string): Promise<void> {
  const stage = new RegExp(`"stage-begun".*"kind":"${step}"`)
  return until(async () => stage.test(up.printed()), `the stage ${step}`)
}

async function untilEnded(fairway: TestFairway, cwd: string): Promise<void> {
  await until(async () => {
    const { data } = (await fairway.ok(['rollout', 'show'], { cwd })).result
    return (data as { services: { rollout: RolloutSummary }[] }).services[0]?.rollout.phase === 'ended'
  }, 'the rollout has ended')
  await until(async () => (await fairway.status(cwd))[0]?.condition !== 'changing', 'the operation has ended')
}

async function answer(fairway: TestFairway): Promise<string> {
  const got = await askRaw(await fairway.gateway(), { path: '/', host: 'web.localhost' })
  return got.kind === 'answer' ? got.body : got.kind
}

/** Of a folder's builds: what of them runs on. */
async function compilers(folder: string): Promise<string[]> {
  const running = await Promise.all(
    (await readdir('/proc')).map(async (pid) =>
      (await readlink(`/proc/${pid}/cwd`).catch(() => '')) === folder ? pid : [],
    ),
  )
  const own = running.flat().filter((pid) => pid !== String(process.pid))
  const names = await Promise.all(own.map((pid) => readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')))
  return names.filter((name) => name.trim() === 'go')
}
