import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { openDatabase } from '../../src/base/store/database.ts'

test('a write for which there is no room is DISK_FULL, and its transaction never was', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fairway-db-'))
  const database = openDatabase(join(folder, 'state.db'))
  try {
    await sql`CREATE TABLE things (text TEXT)`.execute(database)
    await sql`PRAGMA max_page_count = 8`.execute(database) // as a full disk is to SQLite
    const write = database.transaction().execute(async (transaction) => {
      await sql`INSERT INTO things VALUES ('small')`.execute(transaction)
      await sql`INSERT INTO things VALUES (${'x'.repeat(100_000)})`.execute(transaction)
    })
    await expect(write).rejects.toMatchObject({ code: 'DISK_FULL' })
    expect((await sql`SELECT * FROM things`.execute(database)).rows).toEqual([])
    await sql`INSERT INTO things VALUES ('small')`.execute(database)
  } finally {
    await database.destroy()
    await rm(folder, { recursive: true })
  }
})
