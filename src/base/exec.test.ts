import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { exec, execOk, lastLines } from './exec.ts'
import { readProcessStat } from './process-identity.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairway-exec-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const sh = (script: string, ...args: string[]) => ['/bin/sh', '-c', script, 'sh', ...args] as const

test('an exit status other than 0 is a result, and execOk makes it an error with the last lines', async () => {
  expect(await exec(sh('echo out; echo err >&2; exit 3'))).toMatchObject({
    exitCode: 3,
    stdout: 'out\n',
    stderr: 'err\n',
  })
  await expect(execOk(sh('echo why >&2; exit 3'))).rejects.toMatchObject({
    code: 'COMMAND_FAILED',
    details: ['why'],
    message: expect.stringContaining('exit status 3'),
  })
})

test('nothing of our own environment reaches the command', async () => {
  const { stdout } = await exec(['/usr/bin/env'], { env: { ONLY: 'this' } })
  expect(stdout).toBe('ONLY=this\n')
})

test('words are words: what a shell would act on arrives as it is', async () => {
  const hostile = ['$(id)', '; rm -rf x', '`id`', '*', 'a b', '"', "'"]
  const { stdout } = await exec(['/usr/bin/printf', '%s\n', ...hostile])
  expect(stdout.trimEnd().split('\n')).toEqual(hostile)
})

test('standard input arrives whole, and a command that does not read it is no failure', async () => {
  const input = 'x'.repeat(1 << 20)
  expect((await exec(['/usr/bin/wc', '-c'], { stdin: input })).stdout.trim()).toBe(String(input.length))
  expect((await exec(['/bin/true'], { stdin: input })).exitCode).toBe(0)
})

test('of a long output the end is kept and the rest is counted', async () => {
  const result = await exec(sh('head -c 100000 /dev/zero | tr "\\0" x; printf END'), { maxOutputBytes: 1000 })
  expect(result.stdout).toHaveLength(1000)
  expect(result.stdout.endsWith('xEND')).toBe(true)
  expect(result.cutBytes).toBe(100_003 - 1000)
})

test('a command that prints without end is ended, with its children, before it fills the memory', async () => {
  const before = process.memoryUsage().rss
  for (let round = 0; round < 20; round++) {
    const run = exec(sh('yes & yes >&2; wait'), { maxOutputBytes: 4096, endAboveBytes: 1 << 20, deadlineMs: 30_000 })
    await expect(run).rejects.toMatchObject({
      code: 'COMMAND_FAILED',
      message: expect.stringMatching(/printed more than 1048576 bytes/),
    })
  }
  expect(process.memoryUsage().rss - before).toBeLessThan(64 << 20)
})

test('at the deadline the whole group is killed', async () => {
  const pidFile = join(folder, 'child.pid')
  const run = exec(sh('sleep 60 & echo $! >"$1"; wait', pidFile), { deadlineMs: 200 })
  await expect(run).rejects.toMatchObject({ code: 'COMMAND_TIMEOUT' })
  await expect.poll(async () => isGone(Number(await readFile(pidFile, 'utf8')))).toBe(true)
})

test('a child left behind that holds the output does not hold us beyond the deadline, and is killed', async () => {
  const pidFile = join(folder, 'left-behind.pid')
  const run = exec(sh('sleep 60 & echo $! >"$1"; exit 0', pidFile), { deadlineMs: 300 })
  await expect(run).rejects.toMatchObject({ code: 'COMMAND_TIMEOUT' })
  await expect.poll(async () => isGone(Number(await readFile(pidFile, 'utf8')))).toBe(true)
})

test('nor does one that has left the group', async () => {
  const pidFile = join(folder, 'left-group.pid')
  const run = exec(sh('setsid sleep 60 & echo $! >"$1"; wait', pidFile), { deadlineMs: 300 })
  await expect(run).rejects.toMatchObject({ code: 'COMMAND_TIMEOUT' })
  process.kill(Number(await readFile(pidFile, 'utf8')), 'SIGKILL')
})

test('without a deadline it is ended a second after the command, whose output and status are the result', async () => {
  const pidFile = join(folder, 'left-without-deadline.pid')
  const result = await exec(sh('echo said; sleep 60 & echo $! >"$1"; exit 3', pidFile))
  expect(result).toMatchObject({ exitCode: 3, stdout: 'said\n' })
  await expect.poll(async () => isGone(Number(await readFile(pidFile, 'utf8')))).toBe(true)
  const away = await exec(sh('setsid sleep 60 & echo $!; exit 0'))
  process.kill(Number(away.stdout), 'SIGKILL')
})

test('aborted, it throws the reason of the signal', async () => {
  const controller = new AbortController()
  const run = exec(['/bin/sleep', '60'], { signal: controller.signal })
  setTimeout(() => controller.abort(new Error('enough')), 50)
  await expect(run).rejects.toThrow('enough')
  await expect(exec(['/bin/true'], { signal: controller.signal })).rejects.toThrow('enough')
})

test('a command that cannot be started says why', async () => {
  await expect(exec(['/nonexistent/program'])).rejects.toMatchObject({ code: 'COMMAND_FAILED', hint: /installed/ })
  await expect(exec(['/bin/true'], { cwd: '/nonexistent' })).rejects.toMatchObject({ hint: /folder/ })
  await expect(exec(['/bin/true', 'x'.repeat(3 << 20)])).rejects.toMatchObject({
    code: 'COMMAND_FAILED',
    hint: /kernel/,
  })
  await expect(exec(['/etc/passwd'])).rejects.toMatchObject({ code: 'COMMAND_FAILED', hint: /executable/ })
})

test('the last lines of a text do not count the empty one after its end', () => {
  expect(lastLines('a\nb\r\nc\n', 2)).toEqual(['b', 'c'])
  expect(lastLines('', 2)).toEqual([])
})

/** One that nobody has reaped yet is gone too. */
async function isGone(pid: number): Promise<boolean> {
  const state = (await readProcessStat(pid))?.state
  return state === undefined || state === 'Z'
}
