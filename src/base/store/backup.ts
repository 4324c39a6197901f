import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { explainSqliteError } from './database.ts'

const keptBackups = 5

/** A consistent copy of a database, also while it is written to. @param target must not exist */
export function copyDatabase(source: string, target: string): void {
  try {
    const database = new DatabaseSync(source, { timeout: 5000 })
    try {
      database.prepare('VACUUM INTO ?').run(target)
    } finally {
      database.close()
    }
  } catch (error) {
    throw explainSqliteError(error, target)
  }
}

/** Before a migration: a copy named by its time; the oldest go. @returns its path */
export async function backUpDatabase(source: string, folder: string, now: number): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const name = `state-${new Date(now).toISOString().replaceAll(':', '-')}.db`
  copyDatabase(source, join(folder, name))
  const all = (await readdir(folder)).filter((entry) => /^state-.*\.db$/.test(entry)).sort((a, b) => (a < b ? -1 : 1))
  for (const old of all.slice(0, Math.max(0, all.length - keptBackups))) await rm(join(folder, old), { force: true })
}
