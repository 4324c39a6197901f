import { closeSync, openSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { errnoOf } from '../base/error.ts'
import { EntryFault, type EntryToRead, readEntry } from './zip-entry.ts'

/** What a worker of `readModuleZip` is given. */
export interface ZipWork {
  readonly zip: string
  readonly entries: readonly EntryToRead[]
  /** The next entry nobody took yet; below 0: stop. Shared by all workers. */
  readonly next: Int32Array<SharedArrayBuffer>
}

export type ZipWorkResult =
  | { readonly kind: 'done'; readonly hashes: readonly (readonly [index: number, sha256: string])[] }
  | { readonly kind: 'fault'; readonly what: string }
  | { readonly kind: 'failed'; readonly message: string; readonly errno: string | undefined }

function work({ zip, entries, next }: ZipWork): ZipWorkResult {
  const hashes: [number, string][] = []
  try {
    const fd = openSync(zip, 'r')
    try {
      for (;;) {
        const index = Atomics.add(next, 0, 1)
        const entry = index < 0 ? undefined : entries[index]
        if (entry === undefined) return { kind: 'done', hashes }
        hashes.push([index, readEntry(fd, entry)])
      }
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    Atomics.store(next, 0, -1_000_000_000) // the others need not go on
    if (error instanceof EntryFault) return { kind: 'fault', what: error.message }
    return { kind: 'failed', message: error instanceof Error ? error.message : String(error), errno: errnoOf(error) }
  }
}

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window's
parentPort?.postMessage(work(workerData as ZipWork))
