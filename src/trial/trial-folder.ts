import { existsSync } from 'node:fs'
import { chmod, lstat, mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

const name = /^fairway-trial-(?:(\d+)-)?[A-Za-z0-9]{6}$/
/** Longer than any trial: one may come from where our processes are not seen. */
const trialMs = 10 * 60_000
const dayMs = 24 * 60 * 60_000

/** A folder for one trial that says whose it is: what a kill leaves is removed by a later one. */
export async function makeTrialFolder(base: string): Promise<string> {
  const folder = await mkdtemp(join(base, `fairway-trial-${process.pid}-`))
  await chmod(folder, 0o755)
  return folder
}

/** With all that was made read-only in it. */
export async function removeTrialFolder(folder: string): Promise<void> {
  if (process.getuid?.() !== 0) await letRemove(folder)
  await rm(folder, { recursive: true, force: true, maxRetries: 3 })
}

/** Removes what a kill left of a trial: folders of this user whose process is gone, and any after a day. */
export async function sweepTrialFolders(base: string, { now, uid }: { now: number; uid: number }): Promise<void> {
  for (const one of await readdir(base).catch(() => [])) {
    const [whole, pid] = name.exec(one) ?? []
    if (whole === undefined) continue
    const folder = join(base, one)
    const entry = await lstat(folder).catch(() => undefined) // gone meanwhile
    if (entry?.isDirectory() !== true || entry.uid !== uid) continue
    const isOrphan = pid === undefined || !existsSync(`/proc/${pid}`)
    const ageMs = now - entry.ctimeMs
    if (ageMs > dayMs || (isOrphan && ageMs > trialMs)) await removeTrialFolder(folder)
  }
}

async function letRemove(folder: string): Promise<void> {
  await chmod(folder, 0o700).catch(() => {}) // not ours, or gone
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    if (entry.isDirectory()) await letRemove(join(folder, entry.name))
  }
}
