import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { backUpDatabase, copyDatabase } from './backup.ts'
import { type Database, explainSqliteError, openDatabase } from './database.ts'
import { migrate, type Migration } from './migrate.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fw-store-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

const notes: Migration = {
  name: '0001-notes',
  async up(database) {
    await sql`CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT`.execute(database)
  },
}
const broken: Migration = {
  name: '0002-broken',
  async up(database) {
    await sql`CREATE TABLE half (id INTEGER) STRICT`.execute(database)
    throw new Error('in the middle')
  },
}

async function tables(database: Database): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`SELECT name FROM sqlite_master WHERE type = 'table'`.execute(database)
  return rows.map(({ name }) => name).toSorted()
}

test('migrations run once, in order, and a backup is taken only of a state that is not new', async () => {
  const database = openDatabase(join(folder, 'state.db'))
  let backups = 0
  const beforeFirst = async () => void (backups += 1)
  expect(await migrate(database, [notes], { now: 1, beforeFirst })).toEqual(['0001-notes'])
  expect(await migrate(database, [notes], { now: 2, beforeFirst })).toEqual([])
  expect(backups).toBe(0)
  const more: Migration = { name: '0002-more', up: async () => {} }
  expect(await migrate(database, [notes, more], { now: 3, beforeFirst })).toEqual(['0002-more'])
  expect(backups).toBe(1)
  await database.destroy()
})

test('two that begin at the same moment apply each migration once', async () => {
  const [one, other] = [openDatabase(join(folder, 'state.db')), openDatabase(join(folder, 'state.db'))]
  await migrate(one, [notes], { now: 1 })
  let times = 0
  const counted: Migration = { name: '0002-more', up: async () => void (times += 1) }
  // The other has read what is missing, and is overtaken before it begins.
  const beforeFirst = async () => void (await migrate(one, [notes, counted], { now: 2 }))
  await migrate(other, [notes, counted], { now: 3, beforeFirst })
  expect(times).toBe(1)
  await one.destroy()
  await other.destroy()
})

test('a migration that fails leaves nothing of itself', async () => {
  const database = openDatabase(join(folder, 'state.db'))
  await expect(migrate(database, [notes, broken], { now: 1 })).rejects.toThrow('in the middle')
  expect(await tables(database)).toEqual(['migrations', 'notes'])
  expect(await migrate(database, [notes], { now: 2 })).toEqual([])
  await database.destroy()
})

test('a state of a newer Fairway is refused, and not touched', async () => {
  const database = openDatabase(join(folder, 'state.db'))
  await migrate(database, [notes, { name: '0009-future', up: async () => {} }], { now: 1 })
  await expect(migrate(database, [notes], { now: 2 })).rejects.toMatchObject({
    code: 'STATE_NEWER',
    message: expect.stringContaining('0009-future') as string,
    hint: expect.stringContaining('server restore') as string,
  })
  await database.destroy()
})

test('a transaction that fails is undone, and the next one works', async () => {
  const database = openDatabase(join(folder, 'state.db'))
  await migrate(database, [notes], { now: 1 })
  const insert = (transaction: Database, text: string) =>
    sql`INSERT INTO notes (text) VALUES (${text})`.execute(transaction)
  const failing = database.transaction().execute(async (transaction) => {
    await insert(transaction, 'undone')
    throw new Error('no')
  })
  await expect(failing).rejects.toThrow('no')
  await Promise.all(
    ['a', 'b', 'c'].map((text) => database.transaction().execute((transaction) => insert(transaction, text))),
  )
  const { rows } = await sql<{ text: string }>`SELECT text FROM notes ORDER BY text`.execute(database)
  expect(rows.map(({ text }) => text)).toEqual(['a', 'b', 'c'])
  await database.destroy()
})

test('a STRICT table refuses a value of another type', async () => {
  const database = openDatabase(':memory:')
  await migrate(database, [notes], { now: 1 })
  await expect(sql`INSERT INTO notes (text) VALUES (x'00')`.execute(database)).rejects.toThrow(/BLOB value in TEXT/)
  await database.destroy()
})

test('a copy is whole while somebody writes', async () => {
  const path = join(folder, 'state.db')
  const database = openDatabase(path)
  await migrate(database, [notes], { now: 1 })
  for (let index = 0; index < 50; index += 1)
    await sql`INSERT INTO notes (text) VALUES (${String(index)})`.execute(database)
  const writing = (async () => {
    for (let index = 0; index < 50; index += 1) await sql`INSERT INTO notes (text) VALUES ('later')`.execute(database)
  })()
  copyDatabase(path, join(folder, 'copy.db'))
  await writing
  await backUpDatabase(path, join(folder, 'backups'), Date.parse('2026-11-22T14:03:07Z'))
  expect(await readdir(join(folder, 'backups'))).toHaveLength(1)
  const copy = openDatabase(join(folder, 'copy.db'))
  const { rows } = await sql<{ ok: string }>`PRAGMA integrity_check`.execute(copy)
  expect(Object.values(rows[0] ?? {})).toEqual(['ok'])
  const { rows: counted } = await sql<{ n: number }>`SELECT count(*) AS n FROM notes`.execute(copy)
  expect(counted[0]?.n).toBeGreaterThanOrEqual(50)
  await copy.destroy()
  await database.destroy()
})

test('a file that is no database, and a place for none, get a code and a hint', async () => {
  const path = join(folder, 'state.db')
  await writeFile(path, 'this is no database, only some text that is long enough to be looked at as one\n'.repeat(20))
  expect(() => openDatabase(path)).toThrow(expect.objectContaining({ code: 'STATE_CORRUPT' }))
  expect(() => openDatabase(join(folder, 'nowhere/state.db'))).toThrow(
    expect.objectContaining({ code: 'HOME_UNUSABLE', hint: expect.stringContaining('--home') as string }),
  )
})

test('a full disk is the user’s to mend; what SQLite says otherwise stays as it is', () => {
  const said = (message: string) => Object.assign(new Error(message), { code: 'ERR_SQLITE_ERROR' })
  expect(explainSqliteError(said('database or disk is full'), '/x')).toMatchObject({ code: 'DISK_FULL' })
  const other = said('no such table: x')
  expect(explainSqliteError(other, '/x')).toBe(other)
  const foreign = new Error('disk is full')
  expect(explainSqliteError(foreign, '/x')).toBe(foreign)
})
