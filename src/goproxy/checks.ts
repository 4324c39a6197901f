import { statSync } from 'node:fs'
import { mkdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { writeFileAtomic } from '../base/atomic-file.ts'
import type { Abortable } from '../base/bounds.ts'
import { errnoOf, FairwayError } from '../base/error.ts'
import {
  ChecksumDatabase,
  type ChecksumSource,
  type ChecksumStore,
  escapeText,
  isUnrecorded,
  type ModuleHashes,
  type ModuleVariables,
  type ModuleVersion,
  openChecksumStore,
  type ReadRemote,
} from '../module/index.ts'

const headTtlMs = 60_000
const tileTtlMs = 86_400_000
/** Each costs a bundle a few tiles of 8 kB. */
const mostBundled = 32

/** The checksum database as the proxy has it: what it stores is held against it, and its answers are passed on. */
export class Checks {
  readonly name: string | undefined
  /** undefined where GOSUMDB is off. */
  readonly source: ChecksumSource | undefined
  readonly #variables: ModuleVariables
  readonly #connect: (source: ChecksumSource) => ReadRemote
  readonly #now: () => number
  readonly #folder: string
  readonly #bundledFile: string
  readonly #store: ChecksumStore | undefined
  #remote: ReadRemote | undefined
  #database: ChecksumDatabase | undefined
  readonly #known = new Map<string, Promise<ModuleHashes>>()

  /**
   * @param folder of the store: answers lie in its download/sumdb
   * @param connect made anew after a failure: it remembers where it found the database
   */
  constructor({
    source,
    variables,
    connect,
    headFolder,
    folder,
    now,
  }: {
    source: ChecksumSource | undefined
    variables: ModuleVariables
    connect: (source: ChecksumSource) => ReadRemote
    headFolder: string
    folder: string
    now: () => number
  }) {
    this.name = source?.key.name
    this.source = source
    this.#variables = variables
    this.#connect = connect
    this.#now = now
    this.#folder = join(folder, 'download/sumdb')
    this.#bundledFile = join(headFolder, source?.key.name ?? '', 'bundled')
    this.#store =
      source === undefined
        ? undefined
        : remembering(
            openChecksumStore({
              name: source.key.name,
              headFolder,
              cacheFolder: this.#folder,
            }),
            join(this.#folder, source.key.name),
          )
  }

  /**
   * What a module's hashes must be; undefined for one that no database vouches for, by the user's own settings.
   * @throws FairwayError as ChecksumDatabase.lookup
   */
  async expected(module: ModuleVersion, options: Abortable = {}): Promise<ModuleHashes | undefined> {
    if (this.source === undefined || isUnrecorded(this.#variables, module.path)) return undefined
    const key = `${module.path}@${module.version}`
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const asked = this.#open(this.source).lookup(module, options)
    if (this.#known.size > 4096) this.#known.clear()
    this.#known.set(key, asked)
    // Kept while it may help: its .mod and its .zip are asked for one after the other.
    asked.catch(() => this.#known.delete(key))
    return asked
  }

  isUnrecorded(path: string): boolean {
    return isUnrecorded(this.#variables, path)
  }

  /** 'latest', 'lookup/…' or 'tile/…' as it lies here, else as the database says it. */
  async read(path: string, options: Abortable = {}): Promise<Buffer | undefined> {
    const known = path === 'latest' ? await this.#store?.readHead() : await this.#store?.readAnswer(path)
    return known ?? (await this.#read(path, options))
  }

  /** A lookup as the database said it, verified. */
  async lookup(module: ModuleVersion, options: Abortable = {}): Promise<Buffer> {
    if (isUnrecorded(this.#variables, module.path))
      throw unknown(`${module.path} is private: its name is told to nobody`)
    await this.expected(module, options)
    const path = `lookup/${escapeText(module.path)}@${escapeText(module.version)}`
    const answer = await this.#store?.readAnswer(path)
    if (answer === undefined) throw unknown(`${this.name ?? 'the database'} has no record of it`)
    return answer
  }

  /** What was proven to be one, else as it comes: the client proves it again, and keeps what it got. */
  async tile(path: string, options: Abortable = {}): Promise<Buffer> {
    const known = await this.#store?.readAnswer(path)
    if (known !== undefined) return known
    const [, whole, width] = /^(.*)\.p\/([0-9]+)$/.exec(path) ?? []
    try {
      return await this.#passOn(path, tileTtlMs, options)
    } catch (error) {
      // What was a part then may be a whole one by now.
      if (!(error instanceof FairwayError) || error.code !== 'MODULE_UNKNOWN' || whole === undefined) throw error
      if (whole.startsWith('tile/8/data/')) throw error
      return (await this.#passOn(whole, tileTtlMs, options)).subarray(0, Number(width) * 32)
    }
  }

  /** As ChecksumDatabase.follow. */
  async follow(options: Abortable = {}): Promise<void> {
    if (this.source !== undefined) await this.#open(this.source).follow(options)
  }

  /** Sizes of the heads that bundles from here went out with: whoever took one in knows that head, and none before it. */
  async bundled(): Promise<number[]> {
    const lines = (await readKept(this.#bundledFile))?.content.toString('utf8').split('\n') ?? []
    return lines.map(Number).filter((size) => Number.isSafeInteger(size) && size > 0)
  }

  async rememberBundled(size: number): Promise<void> {
    const sizes = [...new Set([...(await this.bundled()), size])].toSorted((a, b) => a - b).slice(-mostBundled)
    await mkdir(dirname(this.#bundledFile), { recursive: true })
    await writeFileAtomic(this.#bundledFile, `${sizes.join('\n')}\n`, { mode: 0o644 })
  }

  async head(options: Abortable = {}): Promise<Buffer> {
    return this.#passOn('latest', headTtlMs, options)
  }

  /** Kept beside what is proven, never among it. */
  async #passOn(path: string, ttlMs: number, options: Abortable): Promise<Buffer> {
    if (this.source === undefined) throw unknown('GOSUMDB is off here')
    const file = join(this.#folder, '..', '..', 'answers/sumdb', this.source.key.name, path)
    const kept = await readKept(file)
    if (kept !== undefined && this.#now() - kept.at < ttlMs) return kept.content
    try {
      const answer = await this.#read(path, options)
      if (answer === undefined) throw unknown(`${this.source.key.name} has no ${path}`)
      await mkdir(dirname(file), { recursive: true })
      await writeFileAtomic(file, answer, { mode: 0o644, durable: false })
      return answer
    } catch (error) {
      // An older head or tile is as true as it was.
      const isAway = error instanceof FairwayError && error.code === 'MODULE_UNAVAILABLE'
      if (kept !== undefined && isAway) return kept.content
      const known = path === 'latest' ? await this.#store?.readHead() : undefined
      if (known !== undefined) return known
      throw error
    }
  }

  #open(source: ChecksumSource): ChecksumDatabase {
    this.#database ??= new ChecksumDatabase({
      key: source.key,
      store: this.#store ?? raise(),
      remote: (path, options) => this.#read(path, options),
    })
    return this.#database
  }

  async #read(path: string, options: Abortable): Promise<Buffer | undefined> {
    if (this.source === undefined) return undefined
    this.#remote ??= this.#connect(this.source)
    try {
      return await this.#remote(path, options)
    } catch (error) {
      this.#remote = undefined
      throw error
    }
  }
}

function raise(): never {
  throw new TypeError('a database without a store')
}

function unknown(words: string): FairwayError {
  return new FairwayError('MODULE_UNKNOWN', words)
}

async function readKept(file: string): Promise<{ content: Buffer; at: number } | undefined> {
  try {
    const [content, { mtimeMs }] = await Promise.all([readFile(file), stat(file)])
    return { content, at: mtimeMs }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined
    throw error
  }
}

/** Held for the next lookup, which mostly wants the same: 4 MB of tiles, and as many answers. */
const mostHeld = 1024

/**
 * The same, without waits where none are needed: hundreds of lookups come one after the other. What is read stays in
 * memory for a while; what is written is in memory at once and on the disk soon: it may be lost at any time, and is then
 * asked for again.
 */
function remembering(store: ChecksumStore, folder: string): ChecksumStore {
  const held = new Map<string, Buffer>()
  const hold = (path: string, content: Buffer) => {
    held.delete(path)
    held.set(path, content)
    const [oldest] = held.size > mostHeld ? held.keys() : []
    if (oldest !== undefined) held.delete(oldest)
    return content
  }
  let head: Promise<Buffer | undefined> | undefined
  return {
    readHead() {
      head ??= store.readHead().finally(() => setTimeout(() => (head = undefined), headHeldMs).unref())
      return head
    },
    async replaceHead(old, next) {
      const isReplaced = await store.replaceHead(old, next)
      head = isReplaced ? Promise.resolve(next) : undefined
      return isReplaced
    },
    readAnswer(path) {
      const known = held.get(path)
      if (known !== undefined) return Promise.resolve(hold(path, known))
      // Mostly it is not there: that is known at once.
      const isThere = statSync(join(folder, path), { throwIfNoEntry: false }) !== undefined
      return isThere ? store.readAnswer(path).then((read) => read && hold(path, read)) : Promise.resolve(undefined)
    },
    writeAnswer(path, content) {
      hold(path, content)
      store.writeAnswer(path, content).catch(() => held.delete(path))
      return Promise.resolve()
    },
  }
}

/** Another process may have a newer one; an older one is as good for what is asked of it. */
const headHeldMs = 5_000
