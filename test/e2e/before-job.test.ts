import { readFile, writeFile, chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type CommandEnd, TestFairway, until } from '../harness/fairway.ts'
import { loadOn, quickProbe, ServiceProject } from '../harness/service-project.ts'
import { type Load, startLoad } from '../load/raw-client.ts'

describe('the job before a release', () => {
  let fairway: TestFairway
  let project: ServiceProject
  let load: Load
  let cwd: string
  let note: string

  beforeAll(async () => {
    fairway = await TestFairway.create()
    project = await ServiceProject.create(fairway, [
      `probe: ${quickProbe}`,
      'before: [./web, as-told]',
      'beforeDeadline: 3s',
    ])
    cwd = project.folder
    note = join(fairway.root, 'jobs')
    await writeFile(note, '')
    await chmod(note, 0o666)
    await told('old', 'migrate')
    await fairway.ok(['up'], { cwd })
    load = startLoad(await loadOn(fairway))
  })
  afterAll(async () => {
    await load.stop()
    await fairway[Symbol.asyncDispose]()
  })

  const told = (version: string, job: string) => project.values({ VERSION: version, JOB: job, JOB_NOTE: note })
  /** How often the job of this version began. */
  const runs = async (version: string) =>
    (await readFile(note, 'utf8')).split('\n').filter((line) => line === `ran ${version}`).length

  async function expectOldServes(end: CommandEnd): Promise<void> {
    expect(end.exit).toBe(1)
    expect(end.result).toMatchObject({ outcome: 'reverted', services: [{ release: 1 }] })
    const [status] = await fairway.status(cwd)
    expect(status).toMatchObject({ condition: 'healthy', release: 1 })
    expect(await fairway.programs()).toEqual(status?.list.map(({ pid }) => pid)) // no job, no new release
    expect(load.result.failures).toEqual([])
    expect([...load.result.servedBy.keys()]).toEqual(['old'])
  }
  const failed = ({ events }: CommandEnd) => events.find(({ kind }) => kind === 'rollout-failed')

  test('that fails ends the rollout, with what it said', async () => {
    await told('fails', 'fail')
    const end = await fairway.run(['up'], { cwd })
    await expectOldServes(end)
    expect(failed(end)).toMatchObject({
      error: { code: 'JOB_FAILED', details: ['table users exists already'] },
    })
    expect(JSON.stringify(failed(end))).toContain('exit status 7')
    // Asked for again it runs again, and that is said.
    const again = await fairway.run(['up'], { cwd })
    await expectOldServes(again)
    expect(again.stdout).toContain('runs again: the last time it ended with exit status 7')
    expect(await runs('fails')).toBe(2)
  })

  test('that hangs is ended at its deadline', async () => {
    await told('hangs', 'hang')
    const begin = performance.now()
    const end = await fairway.run(['up'], { cwd })
    expect(performance.now() - begin).toBeLessThan(10_000)
    await expectOldServes(end)
    expect(JSON.stringify(failed(end))).toContain('its deadline')
  })

  test('that hangs is ended by Ctrl-C', async () => {
    await told('hangs on', 'hang')
    const up = fairway.start(['up', '--json'], { cwd })
    await until(async () => (await runs('hangs on')) === 1, 'the job runs')
    up.signal('SIGINT')
    const end = await up.ended
    expect(end.exit).toBe(3)
    await expectOldServes({ ...end, exit: 1, result: { ...end.result, outcome: 'reverted' } })
  })

  test('goes on while the control plane is killed, and is not run a second time', async () => {
    await told('survives', 'take 1500')
    const up = fairway.start(['up', '--json'], { cwd })
    await until(async () => (await runs('survives')) === 1, 'the job runs')
    await fairway.killServer()
    const end = await up.ended
    expect(end.result).toMatchObject({ outcome: 'done' })
    expect(await runs('survives')).toBe(1)
    expect((await fairway.ok(['rollback', '--to', '1'], { cwd })).result.outcome).toBe('done')
    expect(await runs('old')).toBe(1) // a rollback runs no job
    const { failures } = await load.stop()
    expect(failures).toEqual([])
    load = startLoad(await loadOn(fairway))
  })

  test('that was cut off with the control plane ends the rollout, and runs again only when asked to', async () => {
    await told('cut off', 'hang')
    const up = fairway.start(['up', '--json'], { cwd })
    const before = await fairway.programs()
    await until(async () => (await runs('cut off')) === 1, 'the job runs')
    const job = (await fairway.programs()).filter((pid) => !before.includes(pid))
    await fairway.killServer()
    for (const pid of job) process.kill(pid, 'SIGKILL')
    const end = await up.ended
    await expectOldServes(end)
    expect(await runs('cut off')).toBe(1)
    expect(failed(end)).toMatchObject({ error: { code: 'JOB_FAILED' } })
  })
})
