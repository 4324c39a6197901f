import { execFileSync } from 'node:child_process'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TestFairway, until } from '../harness/fairway.ts'
import { loadOn, quickProbe, ServiceProject } from '../harness/service-project.ts'
import { askRaw, type Load, startLoad } from '../load/raw-client.ts'

/** The home on a file system of its own, small enough to be filled: mounting one takes root. */
describe('on a full disk', () => {
  let fairway: TestFairway
  let project: ServiceProject
  let load: Load
  let cwd: string

  beforeAll(async () => {
    fairway = await TestFairway.create()
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=96m,mode=755', 'fairway-test', fairway.home])
    project = await ServiceProject.create(fairway, ['instances: 2', `probe: ${quickProbe}`])
    cwd = project.folder
    await project.values({ VERSION: 'old', MODE: 'chatter:200' })
    await fairway.ok(['up'], { cwd })
    load = startLoad(await loadOn(fairway))
  })
  afterAll(async () => {
    await load.stop()
    await free()
    await fairway.run(['down', '--all', '--yes'])
    await fairway.run(['server', 'stop'])
    execFileSync('umount', ['--lazy', fairway.home])
    await rm(fairway.root, { recursive: true })
  })

  const filler = () => join(fairway.home, 'filler')
  const free = () => rm(filler(), { force: true })

  /** To the last byte, and again: what ends meanwhile gives some back. */
  async function fill(): Promise<void> {
    await using file = await open(filler(), 'a')
    for (const size of [1024 * 1024, 4096, 1]) {
      try {
        for (;;) await file.write(Buffer.alloc(size))
      } catch (error) {
        expect(error).toMatchObject({ code: 'ENOSPC' })
      }
    }
  }

  async function expectOldServes(): Promise<void> {
    expect((await fairway.status(cwd))[0]?.release).toBe(1)
    await expectServing()
  }

  async function expectServing(): Promise<void> {
    expect((await fairway.status(cwd))[0]?.healthy).toBe(2)
    const got = await askRaw(await fairway.gateway(), { path: '/', host: 'web.localhost' })
    expect(got).toMatchObject({ kind: 'answer', status: 200 })
    expect(load.result.failures).toEqual([])
  }

  function expectIntactState(): void {
    const database = new DatabaseSync(join(fairway.home, 'state.db'), { readOnly: true })
    expect(database.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
    database.close()
  }

  test('a build is refused with DISK_FULL, and what serves goes on', async () => {
    await project.write('more.go', `package main\n\nvar more = ${Date.now()}\n`)
    await fill()
    const end = await fairway.run(['up'], { cwd })
    expect(end.result.error, end.stdout).toMatchObject({ code: 'DISK_FULL' })
    expect(end.exit).toBe(74)
    expect(end.result.error?.hint).toContain('Free some')
    await expectOldServes()
    await free()
    await rm(join(cwd, 'more.go'))
  })

  test('a release that needs no build is refused or waits for room, and the state stays whole', async () => {
    await project.values({ VERSION: 'new' })
    await fairway.ok(['build'], { cwd })
    await fill()
    const up = fairway.start(['up', '--json'], { cwd })
    await until(async () => /DISK_FULL|No space left/.test(up.printed()), 'it says what is the matter')
    await expectOldServes()
    await free()
    const end = await up.ended
    if (end.result.outcome === 'refused') expect(end.exit).toBe(74)
    else expect(end.result.outcome).toMatch(/^(done|reverted)$/)
    expectIntactState()
    await project.values({ VERSION: 'old', MODE: 'chatter:200' })
    await fairway.ok(['up'], { cwd })
  })

  test('one that strikes in the middle of a rollout holds it up; with room again it comes to its end', async () => {
    await project.values({ VERSION: 'later', MODE: 'late:1500' })
    const up = fairway.start(['up', '--json'], { cwd })
    await until(async () => /"stage-begun".*await-healthy/.test(up.printed()), 'it waits for the instance')
    await fill()
    await until(async () => up.printed().includes('No space left'), 'it says what is the matter')
    expect(load.result.failures).toEqual([])
    await free()
    const end = await up.ended
    expect(end.result.outcome).toMatch(/^(done|reverted)$/)
    const [status] = await fairway.status(cwd)
    expect(status).toMatchObject({ condition: 'healthy', healthy: 2, lastRollout: { outcome: end.result.outcome } })
    expect(await fairway.programs()).toHaveLength(2)
    expect(load.result.failures).toEqual([])
    expectIntactState()
  })

  test('a control plane outlives it, and comes back from a kill -9 in it', async () => {
    await fill()
    const pid = await fairway.serverPid()
    await delay(4000) // longer than between two beats of its lease, which are written
    await expectServing()
    expect(await fairway.serverPid()).toBe(pid)
    await fairway.killServer()
    const start = await fairway.run(['server', 'start'])
    if (start.exit !== 0) expect(start.result.error).toMatchObject({ code: 'DISK_FULL' })
    await free()
    await fairway.ok(['server', 'start'])
    expect(await fairway.serverPid()).not.toBe(pid)
    expect((await fairway.status(cwd))[0]).toMatchObject({ condition: 'healthy', healthy: 2 })
    expect(load.result.failures).toEqual([])
    expectIntactState()
    await project.values({ VERSION: 'last' })
    expect((await fairway.ok(['up'], { cwd })).result.outcome).toBe('done')
  })
})
