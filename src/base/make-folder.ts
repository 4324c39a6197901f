import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errnoOf, explainWriteError } from './error.ts'

/**
 * Makes a folder and those above it that are missing. Not mkdir's own `recursive`: where a parent exists but takes no
 * entries (/proc), Node asks again for ever.
 * @throws FairwayError HOME_UNUSABLE, DISK_FULL
 */
export async function makeFolder(path: string, { mode = 0o755 }: { mode?: number } = {}): Promise<void> {
  try {
    await mkdir(path, { mode })
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'EEXIST' && (await isFolder(path))) return
    const parent = dirname(path)
    if (errno !== 'ENOENT' || parent === path || (await isFolder(parent))) throw explainWriteError(error, path)
    await makeFolder(parent)
    await makeFolder(path, { mode })
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch {
    return false
  }
}
