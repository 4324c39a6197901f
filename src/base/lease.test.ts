import { expect, test } from 'vitest'
import type { Clock } from './clock.ts'
import { openJournal, journalMigrations, runStep } from './journal.ts'
import { acquireLease, beatLease, checkFence, findHungHolder, leaseMigrations, releaseLease } from './lease.ts'
import type { ProcessIdentity } from './process-identity.ts'
import { type Database, openDatabase } from './store/database.ts'
import { migrate } from './store/migrate.ts'

const ttlMs = 15_000
const bootId = 'boot-1'
const [first, second]: [ProcessIdentity, ProcessIdentity] = [
  { pid: 100, startTicks: 5, bootId },
  { pid: 200, startTicks: 9, bootId },
]

class TestClock implements Clock {
  wall = 1_000_000
  monotonic = 0
  now = (): number => this.wall
  monotonicMs = (): number => this.monotonic
  sleep = (): Promise<void> => Promise.resolve()
}

async function open(): Promise<{ database: Database; clock: TestClock } & AsyncDisposable> {
  const database = openDatabase(':memory:')
  await migrate(database, [...leaseMigrations, ...journalMigrations], { now: 0 })
  return { database, clock: new TestClock(), [Symbol.asyncDispose]: () => database.destroy() }
}

const alive = async () => true
const gone = async () => false

test('a home has one holder while it lives and beats', async () => {
  await using world = await open()
  const lease = await acquireLease('home', ttlMs, { ...world, self: first, isAlive: alive })
  await expect(acquireLease('home', ttlMs, { ...world, self: second, isAlive: alive })).rejects.toMatchObject({
    code: 'HOME_BUSY',
    message: expect.stringContaining('pid 100') as string,
  })
  world.clock.monotonic += ttlMs - 1
  await beatLease(lease, world)
  world.clock.monotonic += ttlMs - 1
  await expect(acquireLease('home', ttlMs, { ...world, self: second, isAlive: alive })).rejects.toMatchObject({
    code: 'HOME_BUSY',
  })
})

test.for<[string, (world: { clock: TestClock }) => void, () => Promise<boolean>, ProcessIdentity]>([
  ['is gone is succeeded at once', () => {}, gone, second],
  ['does not beat is succeeded after its time', ({ clock }) => (clock.monotonic += ttlMs + 1), alive, second],
  ['is of another boot is succeeded at once', () => {}, alive, { ...second, bootId: 'boot-2' }],
  ['is ourselves, started again within one process, gives way', () => {}, alive, first],
])('a holder that %s, with a higher token', async ([, pass, isAlive, self]) => {
  await using world = await open()
  const lease = await acquireLease('home', ttlMs, { ...world, self: first, isAlive: alive })
  pass(world)
  const next = await acquireLease('home', ttlMs, { ...world, self, isAlive })
  expect(next.fence).toBeGreaterThan(lease.fence)
  await expect(beatLease(lease, world)).rejects.toMatchObject({ code: 'LEASE_LOST' })
  await beatLease(next, world)
})

test('who lives and does not beat hangs; who beats, is gone, gave it back, or is of another boot does not', async () => {
  await using world = await open()
  const find = (isAlive: () => Promise<boolean>, self = second) => findHungHolder('home', { ...world, self, isAlive })
  expect(await find(alive)).toBeUndefined()
  const lease = await acquireLease('home', ttlMs, { ...world, self: first, isAlive: alive })
  expect(await find(alive)).toBeUndefined()
  world.clock.monotonic += ttlMs + 1
  expect(await find(alive)).toEqual(first)
  expect(await find(gone)).toBeUndefined()
  expect(await find(alive, { ...second, bootId: 'boot-2' })).toBeUndefined()
  expect(await find(alive, first)).toBeUndefined()
  await releaseLease(lease, world)
  expect(await find(alive)).toBeUndefined()
})

test('a wall clock that jumps takes nothing away', async () => {
  await using world = await open()
  await acquireLease('home', ttlMs, { ...world, self: first, isAlive: alive })
  world.clock.wall += 10 * 365 * 24 * 3600 * 1000
  await expect(acquireLease('home', ttlMs, { ...world, self: second, isAlive: alive })).rejects.toMatchObject({
    code: 'HOME_BUSY',
  })
})

test('a holder that ended in order makes nobody wait, and its token is dead', async () => {
  await using world = await open()
  const lease = await acquireLease('home', ttlMs, { ...world, self: first, isAlive: alive })
  await releaseLease(lease, world)
  await expect(beatLease(lease, world)).rejects.toMatchObject({ code: 'LEASE_LOST' })
  await expect(checkFence(world.database, lease)).rejects.toMatchObject({ code: 'LEASE_LOST' })
  await acquireLease('home', ttlMs, { ...world, self: second, isAlive: alive })
})

test('a journal of a lost lease writes nothing more, and the step does not act', async () => {
  await using world = await open()
  const old = openJournal(
    world.database,
    await acquireLease('home', ttlMs, { ...world, self: first, isAlive: alive }),
    world.clock.now,
  )
  await old.append('rollout-1/start/1-1', 'begun')
  await acquireLease('home', ttlMs, { ...world, self: second, isAlive: gone })
  let acted = false
  const step = { key: 'rollout-1/start/1-2', holds: async () => false, act: async () => void (acted = true) }
  await expect(runStep(step, old)).rejects.toMatchObject({ code: 'LEASE_LOST' })
  expect(acted).toBe(false)
  expect(await old.read('rollout-1/')).toMatchObject([{ key: 'rollout-1/start/1-1', state: 'begun' }])
})

test('a step begins, looks, acts and is done; what holds is not done again, whatever the journal says', async () => {
  await using world = await open()
  const lease = await acquireLease('home', ttlMs, { ...world, self: first, isAlive: alive })
  const journal = openJournal(world.database, lease, world.clock.now)
  const log: string[] = []
  let holds = false
  const step = {
    key: 'rollout-1/start/1-1',
    holds: async () => (log.push('look'), holds),
    act: async () => void (log.push('act'), (holds = true)),
  }
  const checkpoint = async (place: string) => void log.push(place)
  await runStep(step, journal, { checkpoint })
  await runStep(step, journal, { checkpoint })
  expect(log).toEqual(['begun', 'look', 'act', 'acted', 'done', 'begun', 'look', 'acted', 'done'])
  expect((await journal.read('rollout-1/')).map(({ state }) => state)).toEqual(['begun', 'done', 'begun', 'done'])
})

test('killed at any place, a step called again ends where it should, and acts once at most after it held', async () => {
  for (const place of ['begun', 'acted', 'done'] as const) {
    await using world = await open()
    const lease = await acquireLease('home', ttlMs, { ...world, self: first, isAlive: alive })
    const journal = openJournal(world.database, lease, world.clock.now)
    let acts = 0
    const step = { key: 'k', holds: async () => acts > 0, act: async () => void (acts += 1) }
    const die = async (at: string) => {
      if (at === place) throw new Error('killed')
    }
    await expect(runStep(step, journal, { checkpoint: die })).rejects.toThrow('killed')
    await runStep(step, journal)
    expect(acts).toBe(1)
    expect((await journal.read('k')).at(-1)?.state).toBe('done')
  }
})

test('a prefix reads its own entries alone', async () => {
  await using world = await open()
  const lease = await acquireLease('home', ttlMs, { ...world, self: first, isAlive: alive })
  const journal = openJournal(world.database, lease, world.clock.now)
  for (const key of ['rollout-1/a', 'rollout-10/a', 'rollout-1/b', 'rollout-2/a']) await journal.append(key, 'begun')
  expect((await journal.read('rollout-1/')).map(({ key }) => key)).toEqual(['rollout-1/a', 'rollout-1/b'])
})
