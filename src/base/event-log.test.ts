import { expect, test } from 'vitest'
import type { FairwayEvent, FairwayEventBody } from './event.ts'
import { EventLog, eventMigrations, keptEvents } from './event-log.ts'
import { type Database, openDatabase } from './store/database.ts'
import { migrate } from './store/migrate.ts'

async function open(): Promise<{ database: Database } & AsyncDisposable> {
  const database = openDatabase(':memory:')
  await migrate(database, eventMigrations, { now: 0 })
  return { database, [Symbol.asyncDispose]: () => database.destroy() }
}

const waiting = (message: string): FairwayEventBody => ({ kind: 'waiting', message })
const messages = (events: readonly FairwayEvent[]) =>
  events.map((event) => (event.kind === 'waiting' ? event.message : event.kind))

test('events are numbered in the order they were told, and on disk before anybody sees them', async () => {
  await using world = await open()
  const log = await EventLog.open(world.database, () => 42)
  const seen: { seq: number; stored: Promise<number> }[] = []
  log.subscribe(({ seq }) => {
    const stored = log.after(seq - 1, 1).then(({ events }) => events[0]?.seq ?? 0)
    seen.push({ seq, stored })
  })
  for (const message of ['a', 'b', 'c']) log.report(waiting(message), 7)
  await log.flush()
  expect(seen.map(({ seq }) => seq)).toEqual([1, 2, 3])
  expect(await Promise.all(seen.map(({ stored }) => stored))).toEqual([1, 2, 3])
  const { events, isComplete } = await log.after(0)
  expect(messages(events)).toEqual(['a', 'b', 'c'])
  expect(events[0]).toMatchObject({ seq: 1, at: 42, operation: 7 })
  expect(isComplete).toBe(true)
})

test('a reader that was cut off goes on after the last number it saw', async () => {
  await using world = await open()
  const log = await EventLog.open(world.database, () => 0)
  for (let index = 1; index <= 10; index += 1) log.report(waiting(String(index)))
  await log.flush()
  expect(messages((await log.after(7)).events)).toEqual(['8', '9', '10'])
  expect((await log.after(10)).events).toEqual([])
  expect(messages(await log.last(2))).toEqual(['9', '10'])
})

test('numbers go on where they were after a restart', async () => {
  await using world = await open()
  const before = await EventLog.open(world.database, () => 0)
  before.report(waiting('before'))
  await before.flush()
  const after = await EventLog.open(world.database, () => 0)
  after.report(waiting('after'))
  await after.flush()
  expect((await after.last(2)).map(({ seq }) => seq)).toEqual([1, 2])
})

test('the oldest are dropped, and who asks for them is told that some are missing', async () => {
  await using world = await open()
  const log = await EventLog.open(world.database, () => 0)
  for (let index = 0; index < keptEvents + 1000; index += 1) {
    log.report(waiting(String(index)))
    if (index % 500 === 499) await log.flush()
  }
  await log.flush()
  const { events, isComplete } = await log.after(5, 10)
  expect(isComplete).toBe(false)
  expect(events[0]?.seq).toBeGreaterThan(6)
  expect((await log.after(keptEvents + 900)).isComplete).toBe(true)
})

test('events that cannot be written are shown all the same, and counted', async () => {
  await using world = await open()
  const log = await EventLog.open(world.database, () => 0)
  const seen: FairwayEvent[] = []
  log.subscribe((event) => void seen.push(event))
  await world.database.schema.dropTable('events').execute()
  log.report(waiting('unwritten'))
  await log.flush()
  expect(messages(seen)).toEqual(['unwritten'])
  expect(log.lost).toBe(1)
})

test('a subscription that ended hears nothing more', async () => {
  await using world = await open()
  const log = await EventLog.open(world.database, () => 0)
  const seen: FairwayEvent[] = []
  const end = log.subscribe((event) => void seen.push(event))
  log.report(waiting('heard'))
  await log.flush()
  end()
  log.report(waiting('unheard'))
  await log.flush()
  expect(messages(seen)).toEqual(['heard'])
})
