import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errnoOf, explainWriteError, FairwayError } from './error.ts'

/**
 * Makes a folder and those above it. Node's own `recursive` never ends where a file system lists a folder but makes
 * nothing in it (/proc).
 * @throws FairwayError HOME_UNUSABLE, DISK_FULL
 */
export async function makeFolder(path: string, mode: number): Promise<void> {
  if (await isFolder(path)) return
  if (dirname(path) !== path) await makeFolder(dirname(path), mode)
  try {
    await mkdir(path, { mode })
  } catch (error) {
    if (errnoOf(error) === 'EEXIST' && (await isFolder(path))) return // made by another at the same moment
    const explained = explainWriteError(error, path)
    throw explained === error ? cannotBe(path, error) : explained
  }
}

/** @throws FairwayError HOME_UNUSABLE where something else has the name, or stands in the way */
async function isFolder(path: string): Promise<boolean> {
  try {
    if ((await stat(path)).isDirectory()) return true
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw cannotBe(path, error)
  }
  throw cannotBe(path, undefined)
}

function cannotBe(path: string, cause: unknown): FairwayError {
  return new FairwayError('HOME_UNUSABLE', `${path} cannot be a folder (${errnoOf(cause) ?? 'it is a file'})`, {
    hint: 'Choose another home with --home DIR or FAIRWAY_HOME.',
    cause,
  })
}
