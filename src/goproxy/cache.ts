import { rmSync } from 'node:fs'
import { mkdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { writeFileAtomic } from '../base/atomic-file.ts'
import type { Clock } from '../base/clock.ts'
import { errnoOf, FairwayError } from '../base/error.ts'
import {
  compareVersions,
  escapeText,
  findVersionFault,
  hashGoMod,
  isCanonicalVersion,
  latestVersion,
  type ModuleVersion,
  parseInfo,
  type ZipHandler,
} from '../module/index.ts'
import type { Checks } from './checks.ts'
import type { Counters } from './counters.ts'
import type { PrivateSource } from './private-source.ts'
import type { ModuleFile } from './request.ts'
import type { ModuleStore, StoredFile } from './store.ts'
import type { Upstreams } from './upstream.ts'

/** So long a list, `@latest` or a branch counts as what it is. */
export const answerTtlMs = 60_000
/** So long what is not there is not asked for again: a version may still be published. */
const absentTtlMs = { answer: 60_000, file: 600_000 } as const
const mostAbsent = 20_000

export interface ModuleCacheParts {
  readonly store: ModuleStore
  readonly upstreams: Pick<Upstreams, 'read' | 'download'>
  readonly checks: Pick<Checks, 'expected'>
  readonly zips: Pick<ZipHandler, 'read' | 'prepare'>
  /** The source of a path that no upstream is asked about. */
  readonly privateSource: (path: string) => PrivateSource | undefined
  readonly isOffline: boolean
  readonly counters: Counters
  readonly clock: Clock
  /** After something was stored. */
  readonly onStored?: (bytes: number) => void
}

/** An answer that may change. */
export interface Answer {
  readonly content: Buffer
  /** It is older than it should be: nobody could be asked. */
  readonly isStale: boolean
}

/** Modules as they are asked for: from the store, else fetched once for all who ask, verified, stored. */
export class ModuleCache {
  readonly #parts: ModuleCacheParts
  readonly #flights = new Map<string, Promise<unknown>>()
  readonly #absent = new Map<string, { readonly until: number; readonly error: FairwayError }>()

  constructor(parts: ModuleCacheParts) {
    this.#parts = parts
  }

  /**
   * @throws FairwayError MODULE_UNKNOWN, MODULE_UNAVAILABLE (`late` and `refused` behind it), MODULE_UNVERIFIED,
   *   MODULE_INVALID, DISK_FULL; nothing of such a one is stored
   */
  async file(module: ModuleVersion, file: ModuleFile): Promise<StoredFile> {
    const { store, counters, clock } = this.#parts
    const held = store.find(module, file)
    if (held !== undefined) {
      counters.hits += 1
      void store.touch(held, clock.now())
      return held
    }
    const key = `${file} ${module.path}@${module.version}`
    this.#refuseAbsent(key)
    await this.#once(key, absentTtlMs.file, async () => {
      counters.misses += 1
      if (this.#parts.isOffline) throw offline(`${module.path}@${module.version}.${file}`)
      if (file === 'mod') await this.#fetchGoMod(module)
      else if (file === 'info') await this.#fetchInfo(module)
      else await this.#fetchZip(module)
    })
    const stored = store.find(module, file)
    if (stored !== undefined) return stored
    throw new FairwayError('MODULE_UNAVAILABLE', `${key} was removed while it was stored: ask again`)
  }

  /** Versions, one a line. */
  async list(path: string): Promise<Answer> {
    return this.#answer(path, 'list', async (signal) => {
      const own = this.#parts.privateSource(path)
      const lines =
        own === undefined
          ? (await this.#read(path, 'list', `the versions of ${path}`, signal)).toString('utf8').split('\n')
          : await own.list(path, { signal })
      const versions = lines.flatMap((line) => {
        const [version = ''] = line.trim().split(/\s+/) // a time may follow
        return findVersionFault({ path, version }) === undefined ? [version] : []
      })
      return Buffer.from(versions.map((version) => `${version}\n`).join(''))
    })
  }

  /** The `.info` of what 'latest', a branch or a commit stands for. */
  async info(path: string, query: string): Promise<Answer> {
    const name = query === 'latest' ? 'latest' : `${escapeText(query)}.info`
    return this.#answer(path, name, async (signal) => {
      const own = this.#parts.privateSource(path)
      const what = `${path}@${query}`
      const content =
        own === undefined ? await this.#read(path, name, what, signal) : await own.info(path, query, { signal })
      return checkInfo(content, path, query)
    })
  }

  async #answer(path: string, name: string, ask: (signal?: AbortSignal) => Promise<Buffer>): Promise<Answer> {
    const { clock, counters, isOffline } = this.#parts
    const file = join(this.#parts.store.folder, 'answers', escapeText(path), '@v', encodeURIComponent(name))
    const kept = await readKept(file)
    if (kept !== undefined && clock.now() - kept.at < answerTtlMs && clock.now() >= kept.at) {
      counters.hits += 1
      return { content: kept.content, isStale: false }
    }
    const key = `${name} ${path}`
    this.#refuseAbsent(key)
    try {
      const content = await this.#once(key, absentTtlMs.answer, async () => {
        counters.misses += 1
        if (isOffline) throw offline(`${path}/@v/${name}`)
        const fresh = await ask()
        await mkdir(dirname(file), { recursive: true })
        await writeFileAtomic(file, fresh, { mode: 0o644, durable: false })
        return fresh
      })
      return { content, isStale: false }
    } catch (error) {
      const isAway = error instanceof FairwayError && (error.code === 'MODULE_UNAVAILABLE' || isOffline)
      const stale = isAway ? (kept?.content ?? (await this.#fromStore(path, name))) : undefined
      if (stale === undefined) throw error
      counters.staleHits += 1
      return { content: stale, isStale: true }
    }
  }

  /** Offline, what is here is all there is. */
  async #fromStore(path: string, name: string): Promise<Buffer | undefined> {
    if (!this.#parts.isOffline || (name !== 'list' && name !== 'latest')) return undefined
    const { store } = this.#parts
    const versions: string[] = []
    for await (const { names, path: found } of store.folders(escapeText(path)))
      if (found === path)
        versions.push(...names.flatMap((one) => (one.endsWith('.info') ? [one.slice(0, -'.info'.length)] : [])))
    const sorted = versions.toSorted(compareVersions)
    if (name === 'list') return sorted.length === 0 ? undefined : Buffer.from(sorted.map((one) => `${one}\n`).join(''))
    const version = latestVersion(sorted) ?? sorted.at(-1)
    return version === undefined ? undefined : readFile(store.path({ path, version }, 'info'))
  }

  async #fetchGoMod(module: ModuleVersion): Promise<void> {
    const { store, checks } = this.#parts
    if (store.find(module, 'mod') !== undefined) return
    this.#parts.zips.prepare() // after the go.mods of all modules come the zips of those that are needed
    const own = this.#parts.privateSource(module.path)
    const name = `the go.mod of ${module.path}@${module.version}`
    const [content, expected] = await both(
      own === undefined ? this.#read(module.path, `${escapeText(module.version)}.mod`, name) : own.goMod(module),
      own === undefined ? checks.expected(module) : Promise.resolve(undefined),
    )
    if (expected !== undefined) this.#compare(name, hashGoMod(content), expected.goMod)
    store.put(module, 'mod', content)
    this.#parts.onStored?.(content.length)
  }

  /** After its go.mod: where an `.info` is, the version is. */
  async #fetchInfo(module: ModuleVersion): Promise<void> {
    const { store } = this.#parts
    const [content] = await both(
      this.#readInfo(module),
      this.#once(`mod ${module.path}@${module.version}`, absentTtlMs.file, () => this.#fetchGoMod(module)),
    )
    store.put(module, 'info', content)
    this.#parts.onStored?.(content.length)
  }

  async #readInfo({ path, version }: ModuleVersion): Promise<Buffer> {
    const own = this.#parts.privateSource(path)
    const content =
      own === undefined
        ? await this.#read(path, `${escapeText(version)}.info`, `${path}@${version}`)
        : await own.info(path, version)
    return checkInfo(content, path, version)
  }

  async #fetchZip(module: ModuleVersion): Promise<void> {
    const { store, upstreams, checks, zips, privateSource } = this.#parts
    const { path, version } = module
    const temporary = store.temporary()
    const own = privateSource(path)
    const what = `the zip of ${path}@${version}`
    try {
      const address = `${escapeText(path)}/@v/${escapeText(version)}.zip`
      const fetched = own === undefined ? upstreams.download(address, what, temporary) : own.zip(module, temporary)
      const beside = (async () => {
        if (store.find(module, 'info') === undefined)
          await this.#once(`info ${path}@${version}`, absentTtlMs.file, () => this.#fetchInfo(module))
      })()
      beside.catch(() => {}) // awaited below, unless the zip is wrong
      const expected = own === undefined ? checks.expected(module) : Promise.resolve(undefined)
      const [, hashes] = await both(fetched, expected)
      const sums = await zips.read(temporary, module)
      if (hashes !== undefined) this.#compare(what, sums.h1, hashes.zip)
      await beside
      store.putZip(module, temporary, sums)
      this.#parts.onStored?.(sums.bytes)
    } finally {
      for (const left of [temporary, `${temporary}.note`]) rmSync(left, { force: true })
    }
  }

  #compare(what: string, fetched: string, recorded: string | undefined): void {
    if (fetched === recorded) return
    this.#parts.counters.unverified += 1
    throw new FairwayError('MODULE_UNVERIFIED', `${what} is not what the checksum database says it is`, {
      details: [`fetched:  ${fetched}`, `recorded: ${recorded ?? 'nothing'}`],
      hint: 'An upstream sent something else than the world was told; nothing of it was kept. Tell whoever runs it.',
    })
  }

  #read(path: string, name: string, what: string, signal?: AbortSignal): Promise<Buffer> {
    const address = name === 'latest' ? `${escapeText(path)}/@latest` : `${escapeText(path)}/@v/${name}`
    return this.#parts.upstreams.read(address, what, { signal })
  }

  /** Whoever asks for the same meanwhile waits for the same; who asked first may go away. */
  async #once<Result>(key: string, absentMs: number, fetch: () => Promise<Result>): Promise<Result> {
    const { counters, clock, isOffline } = this.#parts
    const flying = this.#flights.get(key)
    if (flying !== undefined) counters.joined += 1
    const flight = flying ?? fetch()
    if (flying === undefined) {
      this.#flights.set(key, flight)
      const land = () => void this.#flights.delete(key)
      flight.then(land, (error: unknown) => {
        land()
        // Offline, somebody may bring it in at any moment, and to look costs nothing.
        if (!(error instanceof FairwayError) || error.code !== 'MODULE_UNKNOWN' || isOffline) return
        if (this.#absent.size >= mostAbsent) this.#absent.clear()
        this.#absent.set(key, { until: clock.monotonicMs() + absentMs, error })
      })
    }
    counters.waiters += 1
    try {
      return (await flight) as Result // the same key, the same kind of work
    } finally {
      counters.waiters -= 1
    }
  }

  #refuseAbsent(key: string): void {
    const absent = this.#absent.get(key)
    if (absent === undefined) return
    if (absent.until > this.#parts.clock.monotonicMs()) {
      this.#parts.counters.negativeHits += 1
      throw absent.error
    }
    this.#absent.delete(key)
  }
}

/** Waits for both also where one fails: nothing of a fetch goes on behind its error. */
async function both<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([first, second])
  return Promise.all([first, second])
}

function offline(what: string): FairwayError {
  return new FairwayError('MODULE_UNKNOWN', `${what} is not here, and this proxy is offline`, {
    hint: 'Bring it in with `fairway bundle import`, or set `modules.offline: false` in HOME/config.yaml.',
  })
}

/** The bytes as they came, if they name a version that may be meant. @throws FairwayError MODULE_UNAVAILABLE */
function checkInfo(content: Buffer, path: string, query: string): Buffer {
  const info = content.length <= 65_536 ? parseInfo(content) : undefined
  const isRight =
    info !== undefined &&
    findVersionFault({ path, version: info.version }) === undefined &&
    (!isCanonicalVersion(query) || info.version === query)
  if (isRight) return content
  const words = content.toString('utf8', 0, 80).replaceAll(/[^\x20-\x7e]+/g, ' ')
  throw new FairwayError('MODULE_UNAVAILABLE', `What came for ${path}@${query} names no such version`, {
    details: [`it begins: ${JSON.stringify(words)}`],
  })
}

async function readKept(file: string): Promise<{ content: Buffer; at: number } | undefined> {
  try {
    const [content, { mtimeMs }] = await Promise.all([readFile(file), stat(file)])
    return { content, at: mtimeMs }
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].includes(errnoOf(error) ?? '')) return undefined
    throw error
  }
}
