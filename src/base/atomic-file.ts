import { randomUUID } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { explainWriteError } from './error.ts'

/**
 * The file is the old one or the new one, whole, also after a kill; and, unless `durable` is false, after a power cut:
 * what is void after a boot anyway need not wait for the disk.
 */
export async function writeFileAtomic(
  path: string,
  content: string | Uint8Array,
  { mode = 0o600, durable = true }: { mode?: number; durable?: boolean } = {},
): Promise<void> {
  const temporary = `${path}.${randomUUID().slice(0, 8)}.new`
  try {
    {
      await using file = await open(temporary, 'wx', mode)
      await file.writeFile(content)
      if (durable) await file.sync()
    }
    await rename(temporary, path)
    if (!durable) return
    await using folder = await open(dirname(path), 'r')
    await folder.sync()
  } catch (error) {
    await rm(temporary, { force: true })
    throw explainWriteError(error, path)
  }
}
