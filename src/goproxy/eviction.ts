import type { Clock } from '../base/clock.ts'
import type { ModuleVersion } from '../module/index.ts'
import type { Counters } from './counters.ts'
import type { ModuleStore, StoredVersion } from './store.ts'

/** Once it is too much, so much of the quota is freed that it is not too much again at once. */
const evictTo = 0.9
/** Somebody may be about to ask for the rest of it. */
const recentMs = 60_000

/** Which versions go: those asked for longest ago, none of those that are pinned or in use just now. */
export function planEviction(
  versions: readonly StoredVersion[],
  {
    target,
    isPinned,
    usedBefore = Infinity,
  }: { target: number; isPinned: (module: ModuleVersion) => boolean; usedBefore?: number },
): StoredVersion[] {
  let bytes = versions.reduce((sum, version) => sum + version.bytes, 0)
  const oldestFirst = versions
    .filter((version) => version.usedAt < usedBefore && !isPinned(version))
    .toSorted((a, b) => a.usedAt - b.usedAt)
  return oldestFirst.filter((version) => {
    if (bytes <= target) return false
    bytes -= version.bytes
    return true
  })
}

/** 'path version' of every line of a go.sum: what a rebuild of a kept release needs. */
export function pinsOf(goSum: string): string[] {
  return goSum.split('\n').flatMap((line) => {
    const [path, version, h1] = line.split(' ')
    return path === undefined || version === undefined || h1 === undefined
      ? []
      : [`${path} ${version.replace(/\/go\.mod$/, '')}`]
  })
}

export function pinKey({ path, version }: ModuleVersion): string {
  return `${path} ${version}`
}

/** Removes until `target` bytes are left, or nothing more may go. */
export async function evict(
  store: ModuleStore,
  {
    target,
    pins,
    usedBefore,
    isPlan = false,
  }: { target: number; pins: ReadonlySet<string>; usedBefore?: number; isPlan?: boolean },
): Promise<{ removed: readonly StoredVersion[]; bytes: number }> {
  const versions: StoredVersion[] = []
  for await (const version of store.versions()) versions.push(version)
  const isPinned = (module: ModuleVersion) => pins.has(pinKey(module))
  const going = planEviction(versions, { target, isPinned, ...(usedBefore === undefined ? {} : { usedBefore }) })
  if (isPlan) return { removed: going, bytes: going.reduce((sum, { bytes }) => sum + bytes, 0) }
  for (const version of going) await store.remove(version)
  return { removed: going, bytes: going.length === 0 ? 0 : await store.sweep() }
}

export interface QuotaParts {
  readonly store: ModuleStore
  /** Bytes. */
  readonly quota: number
  readonly pins: () => Promise<ReadonlySet<string>>
  readonly counters: Counters
  readonly clock: Clock
  readonly warn: (message: string) => void
  readonly recentMs?: number
}

/** Keeps the store within its quota, behind the requests' backs. */
export class Quota {
  readonly #parts: QuotaParts
  #bytes: number | undefined
  #working: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(parts: QuotaParts) {
    this.#parts = parts
  }

  get gauges(): { readonly storedBytes: number; readonly quotaBytes: number } {
    return { storedBytes: this.#bytes ?? 0, quotaBytes: this.#parts.quota }
  }

  /** So many bytes more. */
  stored(bytes: number): void {
    if (this.#bytes !== undefined) this.#bytes += bytes
    if (this.#bytes === undefined || this.#bytes > this.#parts.quota) this.check()
  }

  check(): void {
    this.#working ??= this.#keep()
      .catch((error: unknown) => this.#parts.warn(`modules could not be evicted: ${String(error)}`))
      .finally(() => (this.#working = undefined))
  }

  async #keep(): Promise<void> {
    const { store, quota, pins, counters, clock } = this.#parts
    this.#bytes = await store.bytes() // another process may store or remove, too
    if (this.#bytes <= quota) return
    const usedBefore = clock.now() - (this.#parts.recentMs ?? recentMs)
    const evicted = await evict(store, { target: quota * evictTo, pins: await pins(), usedBefore })
    counters.evictions += evicted.removed.length
    counters.evictedBytes += evicted.bytes
    this.#bytes -= evicted.bytes
    if (this.#bytes <= quota || this.#timer !== undefined) return
    // What is in use just now will not be for ever; and if all of it is pinned, that is how it is.
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.check()
    }, recentMs).unref()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer)
    await this.#working
  }
}
