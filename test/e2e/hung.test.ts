import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readProcessStat } from '../../src/base/process-identity.ts'
import { isRunning, TestFairway } from '../harness/fairway.ts'

let fairway: TestFairway
let api: string
let hung: number

beforeEach(async () => {
  api = `127.0.0.1:${await freePort()}`
  fairway = await TestFairway.create({ FAIRWAY_API: api })
  await fairway.ok(['server', 'start'])
  hung = (await fairway.serverPid()) ?? 0
  process.kill(hung, 'SIGSTOP')
})
afterEach(async () => {
  if (await isRunning(hung)) process.kill(hung, 'SIGCONT')
  await fairway[Symbol.asyncDispose]()
})

test('a hung control plane is ended by the next command, which says so, and another serves at its address', async () => {
  const begin = performance.now()
  const end = await fairway.ok(['status'])
  expect(performance.now() - begin).toBeLessThan(40_000)
  expect(end.stderr).toContain(`(pid ${hung}) is stopped: another one takes its place`)
  expect(await isRunning(hung)).toBe(false)
  const version = await fairway.version()
  expect(version.addresses.api).toBe(api)
  expect(version.pid).not.toBe(hung)
})

test('`server stop` of a hung one says who it is and the way out; `server start` takes that way', async () => {
  const end = await fairway.run(['server', 'stop'])
  expect(end.exit).toBe(69)
  expect(end.result.error).toMatchObject({
    code: 'SERVER_UNREACHABLE',
    message: expect.stringContaining(`(pid ${hung}) is stopped`) as string,
    hint: expect.stringMatching(/server start.*kill -CONT/) as string,
  })
  expect(await isRunning(hung)).toBe(true)
  await fairway.ok(['server', 'start'])
  expect(await isRunning(hung)).toBe(false)
})

test('one that answers again while it is waited for stays', async () => {
  const status = fairway.start(['status', '--json'])
  setTimeout(() => process.kill(hung, 'SIGCONT'), 11_000)
  expect((await status.ended).exit).toBe(0)
  expect(await fairway.serverPid()).toBe(hung)
})

test('a control plane in the foreground takes the place of a hung one too', async () => {
  await new Promise((resolve) => setTimeout(resolve, 16_000)) // its lease is over
  const foreground = fairway.start(['server', 'run'])
  await expect.poll(() => foreground.printed(), { timeout: 20_000 }).toContain(`http://${api}`)
  expect(await isRunning(hung)).toBe(false)
  foreground.signal('SIGTERM')
  expect((await foreground.ended).exit).toBe(0)
})

test('one that hangs within a transaction of its own holds nobody up', async () => {
  process.kill(hung, 'SIGCONT')
  await fairway.ok(['server', 'stop'])
  const script = `
    const { DatabaseSync } = require('node:sqlite')
    const database = new DatabaseSync(process.argv[1])
    process.stdin.once('data', (ticks) => {
      database.prepare('UPDATE leases SET released = 0, holder_pid = ?, holder_start = ?, beat_ms = 0').run(process.pid, Number(ticks))
      database.exec('BEGIN IMMEDIATE')
      console.log('held')
    })`
  const holder = spawn(process.execPath, ['-e', script, join(fairway.home, 'state.db')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  hung = holder.pid ?? 0
  holder.stdin.write(String((await readProcessStat(hung))?.startTicks))
  await once(holder.stdout, 'data')
  await fairway.ok(['server', 'start'])
  expect(holder.signalCode).toBe('SIGKILL')
})

async function freePort(): Promise<number> {
  const holder = createServer()
  await new Promise<void>((resolve) => {
    holder.listen({ host: '127.0.0.1', port: 0 }, resolve)
  })
  const address = holder.address()
  await new Promise((resolve) => holder.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}
