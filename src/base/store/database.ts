import { chmodSync, closeSync, existsSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { Kysely as KyselyType, SqliteDatabase, SqliteStatement } from 'kysely'
import { Kysely, SqliteDialect } from 'kysely'
import { errnoOf, FairwayError } from '../error.ts'

/**
 * The state: one SQLite file, one connection, WAL, every commit on disk before it is answered (an `up` of three
 * instances pays about 40 ms for that). Each domain adds its own tables to `Schema` by declaration and its own migrations.
 */
// oxlint-disable-next-line typescript/no-empty-object-type -- each domain's store.ts adds its tables by declaration merging
export interface Schema {}

export type Database = KyselyType<Schema>

/** node:sqlite spoken as Kysely's dialect wants it: a statement says itself whether it returns rows. */
class NodeSqlite implements SqliteDatabase {
  readonly #database: DatabaseSync
  readonly #path: string

  constructor(database: DatabaseSync, path: string) {
    this.#database = database
    this.#path = path
  }

  close(): void {
    this.#database.close()
  }

  prepare(sql: string): SqliteStatement {
    // A full disk may have undone the transaction already: what it said counts, not that there is none to undo.
    if (sql === 'rollback' && !this.#database.isTransaction) return nothing
    const statement = this.#explained(() => this.#database.prepare(sql))
    type Bound = Parameters<typeof statement.all>
    return {
      reader: statement.columns().length > 0,
      all: (parameters) => this.#explained(() => statement.all(...(parameters as Bound))),
      run: (parameters) => this.#explained(() => statement.run(...(parameters as Bound))),
      iterate: (parameters) => statement.iterate(...(parameters as Bound)) as IterableIterator<unknown>,
    }
  }

  #explained<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw explainSqliteError(error, this.#path)
    }
  }
}

const nothing: SqliteStatement = {
  reader: false,
  all: () => [],
  run: () => ({ changes: 0, lastInsertRowid: 0 }),
  iterate: () => [].values(),
}

/**
 * @param path a file, or ':memory:' in tests
 * @throws FairwayError STATE_CORRUPT, HOME_UNUSABLE
 */
export function openDatabase(path: string): Database {
  try {
    if (path !== ':memory:') keepToOurselves(path)
    const database = new DatabaseSync(path, { timeout: 5000 })
    database.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 400; PRAGMA cache_size = -2000',
    )
    return new Kysely<Schema>({ dialect: new SqliteDialect({ database: new NodeSqlite(database, path) }) })
  } catch (error) {
    throw explainSqliteError(error, path)
  }
}

/** Another connection held its lock for longer than we wait. */
export function isLocked(error: unknown): boolean {
  return error instanceof Error && errnoOf(error) === 'ERR_SQLITE_ERROR' && /database is locked/.test(error.message)
}

/** Not for instances' eyes: who can open the file can read all of it, and by its locks keep us from writing. */
function keepToOurselves(path: string): void {
  try {
    closeSync(openSync(path, 'a', 0o600)) // the files SQLite puts beside it take its mode
  } catch {
    return // SQLite will say why
  }
  for (const file of [path, `${path}-wal`, `${path}-shm`]) if (existsSync(file)) chmodSync(file, 0o600)
}

/** SQLite's own words, with what to do. */
export function explainSqliteError(error: unknown, path: string): unknown {
  if (errnoOf(error) !== 'ERR_SQLITE_ERROR' || !(error instanceof Error)) return error
  if (/full/.test(error.message)) {
    return new FairwayError('DISK_FULL', `No space left while writing ${path}`, {
      hint: 'Free some space and try again: the transaction was undone, nothing is half written.',
      cause: error,
    })
  }
  if (/locked|busy/.test(error.message)) {
    return new FairwayError('HOME_BUSY', `Another process holds ${path}`, {
      hint: `\`fuser -v ${path}\` names it: a tool that looks into the file, or a backup?`,
      cause: error,
    })
  }
  if (/unable to open|readonly|read-only/.test(error.message)) {
    return new FairwayError('HOME_UNUSABLE', `${path} cannot be opened for writing`, {
      hint: 'Choose another home with --home DIR or FAIRWAY_HOME, or give this user the folder.',
      cause: error,
    })
  }
  if (/malformed|not a database|corrupt/.test(error.message)) {
    return new FairwayError('STATE_CORRUPT', `${path} is damaged: ${error.message}`, {
      hint: 'Restore the last backup: fairway server restore FILE (automatic ones lie in HOME/backups).',
      cause: error,
    })
  }
  return error
}
