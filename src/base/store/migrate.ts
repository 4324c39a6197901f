import { sql } from 'kysely'
import { FairwayError } from '../error.ts'
import type { Database } from './database.ts'

/** Forward only. A name, once released, never changes its meaning. */
export interface Migration {
  /** '0001-releases': the order of all domains together, put together in app.ts. */
  readonly name: string
  up(database: Database): Promise<void>
}

declare module './database.ts' {
  interface Schema {
    migrations: { name: string; applied_at: number }
  }
}

/**
 * Brings the state to this version, each migration in a transaction of its own.
 * @param beforeFirst called once when there is something to do and the state is not new: takes the backup
 * @throws FairwayError STATE_NEWER when the state holds a migration we do not know
 */
export async function migrate(
  database: Database,
  migrations: readonly Migration[],
  { now, beforeFirst }: { now: number; beforeFirst?: () => Promise<void> },
): Promise<string[]> {
  await sql`CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, applied_at REAL NOT NULL) STRICT`.execute(
    database,
  )
  const rows = await database.selectFrom('migrations').select('name').execute()
  const applied = new Set(rows.map((row) => row.name))
  const known = new Set(migrations.map((migration) => migration.name))
  const unknown = [...applied].filter((name) => !known.has(name))
  if (unknown.length > 0) {
    throw new FairwayError('STATE_NEWER', `The state was written by a newer Fairway (it holds ${unknown.join(', ')})`, {
      hint: 'Use that newer version, or restore the backup it took before its first start: fairway server restore FILE.',
    })
  }
  const pending = migrations.filter((migration) => !applied.has(migration.name))
  if (pending.length > 0 && applied.size > 0) await beforeFirst?.()
  for (const migration of pending) {
    await database.transaction().execute(async (transaction) => {
      // Written first: of two control planes that begin a home at the same moment, the other waits here and finds it done.
      const { numInsertedOrUpdatedRows } = await transaction
        .insertInto('migrations')
        .values({ name: migration.name, applied_at: now })
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirstOrThrow()
      if (numInsertedOrUpdatedRows === 1n) await migration.up(transaction)
    })
  }
  return pending.map((migration) => migration.name)
}

/** Whether this database was ever brought up by these migrations; nothing is written to it. */
export async function isMigrated(database: Database, [first]: readonly Migration[]): Promise<boolean> {
  try {
    const rows = await database.selectFrom('migrations').select('name').execute()
    return rows.some(({ name }) => name === first?.name)
  } catch (error) {
    if (error instanceof Error && /^no such (?:table|column)/.test(error.message)) return false
    throw error
  }
}
