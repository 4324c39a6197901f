import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from './error.ts'

/** Removes what a kill left half-way: entries of that name which nothing was done to since (ctime: an archive cannot say it). A folder that is not there has none. */
export async function sweepFolder(folder: string, name: RegExp, { before }: { before: number }): Promise<void> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  })
  for (const one of names.filter((each) => name.test(each))) {
    const path = join(folder, one)
    const entry = await stat(path).catch(() => undefined) // gone meanwhile: as well
    if (entry !== undefined && entry.ctimeMs < before) await rm(path, { recursive: true, force: true })
  }
}
