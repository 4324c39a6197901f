import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { writeFileAtomic } from '../base/atomic-file.ts'
import { errnoOf } from '../base/error.ts'
import { withFileLock } from '../base/file-lock.ts'
import { makeFolder } from '../base/make-folder.ts'
import type { ChecksumStore } from './checksum-database.ts'

/**
 * Heads below one folder, answers below another, which may be emptied at any time.
 * @param name the database's: 'sum.golang.org'
 */
export function openChecksumStore({
  name,
  headFolder,
  cacheFolder,
}: {
  name: string
  headFolder: string
  cacheFolder: string
}): ChecksumStore {
  const head = join(headFolder, name, 'latest')
  return {
    readHead: () => readOrNone(head),
    async replaceHead(old, next) {
      await makeFolder(dirname(head), 0o755)
      return withFileLock(`${head}.lock`, async () => {
        const current = await readOrNone(head)
        const isOld = old === undefined ? current === undefined : current?.equals(old) === true
        if (isOld) await writeFileAtomic(head, next, { mode: 0o644 })
        return isOld
      })
    },
    readAnswer: (path) => readOrNone(join(cacheFolder, name, path)),
    async writeAnswer(path, content) {
      const file = join(cacheFolder, name, path)
      const write = () => writeFileAtomic(file, content, { mode: 0o644, durable: false })
      await write().catch(async (error: unknown) => {
        if (errnoOf(error) !== 'ENOENT') throw error
        await makeFolder(dirname(file), 0o755)
        return write()
      })
    },
  }
}

async function readOrNone(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined
    throw error
  }
}
