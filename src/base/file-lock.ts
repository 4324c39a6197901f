import { setTimeout as delay } from 'node:timers/promises'
import type { Abortable } from './bounds.ts'
import { explainWriteError } from './error.ts'

/** How long until a lock that is held is tried again. */
const pollMs = 50

/**
 * One at a time, among all processes of this machine. The lock is the kernel's (an empty SQLite file's exclusive lock): a
 * holder that is killed holds nothing any more, and nothing is left to clean up or to guess about.
 * @param path of a file that is for this alone; its folder exists
 * @param onWait called once, when another holds it
 */
export async function withFileLock<Result>(
  path: string,
  act: () => Promise<Result>,
  { signal, onWait }: Abortable & { onWait?: () => void } = {},
): Promise<Result> {
  const { DatabaseSync } = await import('node:sqlite') // a plain command never locks
  signal?.throwIfAborted()
  let lock: InstanceType<typeof DatabaseSync>
  try {
    lock = new DatabaseSync(path)
  } catch (error) {
    throw explainWriteError(error, path)
  }
  try {
    for (let isFirst = true; !tryLock(lock); isFirst = false) {
      if (isFirst) onWait?.()
      await delay(pollMs, undefined, signal === undefined ? {} : { signal }).catch((error: unknown) => {
        signal?.throwIfAborted()
        throw error
      })
    }
    return await act()
  } finally {
    lock.close()
  }
}

function tryLock(lock: { exec(sql: string): void }): boolean {
  try {
    lock.exec('BEGIN EXCLUSIVE')
    return true
  } catch (error) {
    const busy = 5 // SQLITE_BUSY
    if (error instanceof Error && 'errcode' in error && error.errcode === busy) return false
    throw error
  }
}
