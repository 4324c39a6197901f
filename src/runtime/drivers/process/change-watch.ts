import { type FSWatcher, watch } from 'node:fs'
import type { Abortable } from '../../../base/bounds.ts'

/**
 * Tells that a file was written to. It is made before the look at the file, so that no change falls between the two;
 * where the kernel has no watch left, it is a poll.
 */
export class ChangeWatch implements Disposable {
  readonly #watchers: FSWatcher[] = []
  readonly #changed = Promise.withResolvers<true>()
  #blind = false

  constructor(paths: readonly string[]) {
    for (const path of paths) {
      try {
        const watcher = watch(path, { persistent: true }, () => this.#changed.resolve(true))
        watcher.on('error', () => this.#changed.resolve(true))
        this.#watchers.push(watcher)
      } catch {
        this.#blind = true // not there yet, or no watch to be had
      }
    }
  }

  /** Until a change (true), at most so long. An abort ends the wait and is the caller's to see. */
  async wait(atMostMs: number, { signal }: Abortable = {}): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const timer = setTimeout(() => resolve(this.#blind), this.#blind ? Math.min(atMostMs, 20) : atMostMs)
    const end = () => resolve(false)
    signal?.addEventListener('abort', end, { once: true })
    if (signal?.aborted === true) resolve(false)
    try {
      return await Promise.race([this.#changed.promise, promise])
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
    }
  }

  [Symbol.dispose](): void {
    for (const watcher of this.#watchers) watcher.close()
  }
}
