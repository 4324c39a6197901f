import { expect, test } from 'vitest'
import type { Clock } from '../../src/base/clock.ts'
import { openJournal, journalMigrations } from '../../src/base/journal.ts'
import { acquireLease, beatLease, checkFence, leaseMigrations, releaseLease } from '../../src/base/lease.ts'
import type { ProcessIdentity } from '../../src/base/process-identity.ts'
import { isAlive, readBootId, readProcessStat } from '../../src/base/process-identity.ts'
import { type Database, openDatabase } from '../../src/base/store/database.ts'
import { migrate } from '../../src/base/store/migrate.ts'

const ttlMs = 1000

/** A machine whose time is moved by hand, and on which control planes live or not. */
async function machine() {
  const database: Database = openDatabase(':memory:')
  await migrate(database, [...leaseMigrations, ...journalMigrations], { now: 0 })
  const time = { wall: 1e12, monotonic: 0 }
  const clock: Clock = { now: () => time.wall, monotonicMs: () => time.monotonic, sleep: async () => {} }
  const living = new Set<number>()
  const acquire = (self: ProcessIdentity) => {
    living.add(self.pid)
    return acquireLease('control-plane', ttlMs, {
      database,
      clock,
      self,
      isAlive: async ({ pid }) => living.has(pid),
    })
  }
  return { database, time, clock, living, acquire, [Symbol.asyncDispose]: () => database.destroy() }
}

const first = { pid: 100, startTicks: 1, bootId: 'boot' }
const second = { pid: 200, startTicks: 2, bootId: 'boot' }

test('a clock that leaps by years neither ends a lease nor prolongs it', async () => {
  await using it = await machine()
  const lease = await it.acquire(first)
  for (const leap of [10 * 365 * 86_400_000, -20 * 365 * 86_400_000]) {
    it.time.wall += leap
    await expect(it.acquire(second)).rejects.toMatchObject({ code: 'HOME_BUSY' })
    await beatLease(lease, it)
  }
  it.time.monotonic += ttlMs + 1 // it hangs: only time that really passed counts
  expect((await it.acquire(second)).fence).toBe(lease.fence + 1)
})

test('whoever lost its lease writes nothing any more, however late it wakes up', async () => {
  await using it = await machine()
  const lost = await it.acquire(first)
  const journal = openJournal(it.database, lost, it.clock.now)
  await journal.append('before', 'begun')
  it.time.monotonic += ttlMs + 1
  const lease = await it.acquire(second)
  await expect(journal.append('after', 'begun')).rejects.toMatchObject({ code: 'LEASE_LOST' })
  await expect(beatLease(lost, it)).rejects.toMatchObject({ code: 'LEASE_LOST' })
  await releaseLease(lost, it) // not its to give
  await it.database.transaction().execute((transaction) => checkFence(transaction, lease))
  expect((await journal.read('')).map(({ key }) => key)).toEqual(['before'])
})

test('a holder that is gone, or of another boot, is succeeded at once', async () => {
  await using it = await machine()
  const lease = await it.acquire(first)
  it.living.delete(first.pid)
  const next = await it.acquire(second)
  expect(next.fence).toBe(lease.fence + 1)
  const rebooted = await it.acquire({ pid: 300, startTicks: 3, bootId: 'another boot' })
  expect(rebooted.fence).toBe(next.fence + 1)
})

test('a pid that is a stranger’s by now is nobody we know', async () => {
  const bootId = await readBootId()
  const startTicks = (await readProcessStat(process.pid))?.startTicks ?? 0
  expect(await isAlive({ pid: process.pid, startTicks, bootId }, bootId)).toBe(true)
  expect(await isAlive({ pid: process.pid, startTicks: startTicks - 1, bootId }, bootId)).toBe(false)
  expect(await isAlive({ pid: process.pid, startTicks, bootId: 'another boot' }, bootId)).toBe(false)
})
