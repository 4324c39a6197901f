import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TestFairway, until } from '../harness/fairway.ts'
import { quickProbe, ServiceProject } from '../harness/service-project.ts'

const mebi = 1024 * 1024
/** What an instance may write before the front of its log is given back. */
const capBytes = 64 * mebi

describe('what instances print fills neither memory nor disk', () => {
  let fairway: TestFairway
  let cwd: string
  let idlePss: number

  beforeAll(async () => {
    fairway = await TestFairway.create()
    const project = await ServiceProject.create(fairway, [])
    cwd = project.folder
    const service = (mode: string) => `{ build: ., probe: ${quickProbe}, config: { MODE: { default: '${mode}' } } }`
    await project.configure([
      'project: shop',
      'services:',
      `  quiet: ${service('')}`,
      `  binary: ${service('binary:1000')}`,
      `  long: ${service(`long:${100 * mebi}`)}`,
      `  chatter: ${service('chatter:10000')}`,
    ])
    await fairway.ok(['up', '--only', 'quiet'], { cwd })
    idlePss = await pss()
  })
  afterAll(() => fairway[Symbol.asyncDispose]())

  async function pss(): Promise<number> {
    const rollup = await readFile(`/proc/${await fairway.serverPid()}/smaps_rollup`, 'utf8')
    return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1]) * 1024
  }

  async function expectNoGrowth(): Promise<void> {
    expect((await pss()) - idlePss).toBeLessThan(40 * mebi)
  }

  /** What was only used is given back within seconds; what waits for a reader is not. */
  async function expectNothingHeld(): Promise<void> {
    await until(async () => (await pss()) - idlePss < 20 * mebi, 'nothing is held')
  }

  async function logOf(service: string): Promise<{ path: string; size: number; held: number }> {
    const folder = join(fairway.home, 'logs/shop/dev', service, '1')
    const name = (await readdir(folder)).find((one) => one.endsWith('.out')) ?? ''
    const { size, blocks } = await stat(join(folder, name))
    return { path: join(folder, name), size, held: blocks * 512 }
  }

  test('a line of 100 MB is shown by its beginning, the rest is counted', async () => {
    await fairway.ok(['up', '--only', 'long'], { cwd })
    await until(async () => (await logOf('long')).size > 100 * mebi, 'it was written')
    const { stdout } = await fairway.ok(['logs', 'long', '-n', '10'], { cwd })
    expect(stdout).toContain('end of the long line')
    expect(stdout).toMatch(/\d{7,} bytes cut/)
    expect(stdout.length).toBeLessThan(mebi)
    await expectNoGrowth()
  })

  test('bytes that are no text are shown as lines all the same', async () => {
    await fairway.ok(['up', '--only', 'binary'], { cwd })
    const { stdout } = await fairway.ok(['logs', 'binary', '-n', '5000'], { cwd })
    expect(stdout.split('\n').length).toBeGreaterThan(1000)
    await expectNoGrowth()
  })

  test('10,000 lines a second block nobody, followed or not', async () => {
    await fairway.ok(['up', '--only', 'chatter'], { cwd })
    const logs = fairway.start(['logs', '-f', 'chatter'], { cwd })
    const { size } = await logOf('chatter')
    const begin = performance.now()
    await until(async () => (await logOf('chatter')).size > size + 4 * mebi, 'it goes on printing')
    const perSecond = (4 * mebi) / 92 / ((performance.now() - begin) / 1000)
    expect(perSecond).toBeGreaterThan(5000)
    const asked = performance.now()
    expect(await fairway.status(cwd)).toHaveLength(4)
    expect(performance.now() - asked).toBeLessThan(2000)
    await expectNoGrowth()
    logs.signal('SIGINT')
    expect((await logs.ended).exit).toBe(0)
    expect(logs.printed().split('\n').length).toBeGreaterThan(5000)
  })

  test('a log stays under its cap, and what was cut is counted', async () => {
    await until(async () => (await logOf('long')).held < capBytes, 'the front was given back', 25_000)
    const { path, size } = await logOf('long')
    expect(size).toBeGreaterThan(100 * mebi) // offsets stay true
    const cut = Number(await readFile(`${path}.cut`, 'utf8'))
    expect(cut).toBeGreaterThan(100 * mebi - capBytes)
    expect((await fairway.ok(['logs', 'long', '-n', '10'], { cwd })).stdout).toMatch(/\d{7,} bytes cut/)
    await expectNoGrowth()
  })

  test('a job that prints at once more than a line carries loses nothing of it, nor its status', async () => {
    const script = 'seq 1 200000; exit 7'
    const { exit, stdout, stderr } = await fairway.start(['run', 'quiet', '--', '/bin/sh', '-c', script], { cwd }).ended
    expect({ exit, stderr }).toEqual({ exit: 7, stderr: '' })
    const lines = stdout.trimEnd().split('\n')
    expect([lines.length, lines[0], lines.at(-1)]).toEqual([200_000, '1', '200000'])
  })

  test('of a job whose reader stands still nothing is held in memory, and all of it comes when the reader goes on', async () => {
    const job = fairway.start(['run', 'quiet', '--', '/bin/sh', '-c', 'seq 1 500000; echo end >&2'], { cwd })
    await until(async () => job.printed() !== '', 'it begins')
    job.signal('SIGSTOP')
    await delay(2000) // long enough to have read all of it
    await expectNothingHeld()
    job.signal('SIGCONT')
    const { exit, stdout, stderr } = await job.ended
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: 'end\n' })
    expect(stdout.trimEnd().split('\n')).toHaveLength(500_000)
    await expectNothingHeld()
  })

  test('a job without end delays nobody, and costs nothing once its reader is gone', async () => {
    const ticks = async () => {
      const [user, system] = (await readFile(`/proc/${await fairway.serverPid()}/stat`, 'utf8'))
        .split(' ')
        .slice(13, 15)
      return Number(user) + Number(system)
    }
    const job = fairway.start(['run', 'quiet', '--', '/bin/sh', '-c', 'exec yes'], { cwd })
    await until(async () => job.printed() !== '', 'it begins')
    const asked = performance.now()
    await fairway.status(cwd)
    expect(performance.now() - asked).toBeLessThan(2000)
    job.signal('SIGKILL')
    await job.ended
    await delay(500)
    const before = await ticks()
    await delay(2000)
    expect((await ticks()) - before).toBeLessThan(50) // of 200: it does not read on
    await fairway.ok(['down', 'quiet'], { cwd }) // and with it the job
  })
})
