import type { Abortable } from '../base/bounds.ts'
import { FairwayError } from '../base/error.ts'
import { findHashes, type LookupAnswer, type ModuleHashes, parseLookup } from './checksum-record.ts'
import { escapeText, type ModuleVersion } from './module-path.ts'
import { openNote, type VerifierKey } from './note.ts'
import { parseTree, type Tile, type TreeHead, tilePath, hashLeaf } from './tree.ts'
import { ProvenTree, type TileSource, TreeReader } from './tree-reader.ts'

/**
 * How the database is reached. A path is 'latest', 'lookup/…' or 'tile/…', escaped.
 * @returns undefined where there is no such thing
 */
export type ReadRemote = (path: string, options: Abortable) => Promise<Buffer | undefined>

/** What is remembered between processes. */
export interface ChecksumStore {
  /** The newest head that was ever believed, signed: it survives the emptying of caches, so that no older log can be passed off. */
  readHead(): Promise<Buffer | undefined>
  /** @returns false when meanwhile it was no longer `old` */
  replaceHead(old: Buffer | undefined, next: Buffer): Promise<boolean>
  /** Answers that were verified; they may be lost at any time, and are verified again. */
  readAnswer(path: string): Promise<Buffer | undefined>
  writeAnswer(path: string, content: Buffer): Promise<void>
}

/** Where else a signed head may be had, for a mirror that holds only what somebody once asked it for. */
export interface OtherHeads {
  /** The one that the go command of this machine believed last. */
  readonly ofGo?: () => Promise<Buffer | undefined>
  /** Versions whose lookups may carry a newer one. */
  readonly siblings?: (module: ModuleVersion, options: Abortable) => Promise<readonly string[]>
}

/** Of a mirror that keeps back what belongs to the first. */
const mostOtherHeads = 8

/**
 * What everybody else was told a module's hashes are: a public log, believed as far as its key, its consistency with every
 * head seen before, and the inclusion of the very record go.
 * @see https://go.dev/design/25530-sumdb
 */
export class ChecksumDatabase {
  readonly #key: VerifierKey
  readonly #remote: ReadRemote
  readonly #store: ChecksumStore
  readonly #others: OtherHeads
  /** Of the tree that was read last: hundreds of lookups come one after the other, and mostly need the same of it. */
  #proven: ProvenTree | undefined

  constructor({
    key,
    remote,
    store,
    others = {},
  }: {
    key: VerifierKey
    remote: ReadRemote
    store: ChecksumStore
    others?: OtherHeads
  }) {
    this.#key = key
    this.#remote = remote
    this.#store = store
    this.#others = others
  }

  get name(): string {
    return this.#key.name
  }

  /**
   * The hashes the log has for a module version.
   * @throws FairwayError MODULE_UNKNOWN when it knows none, MODULE_UNVERIFIED when any proof fails, MODULE_UNAVAILABLE
   */
  async lookup(module: ModuleVersion, options: Abortable = {}): Promise<ModuleHashes> {
    const path = `lookup/${escapeText(module.path)}@${escapeText(module.version)}`
    const kept = await this.#store.readAnswer(path)
    if (kept !== undefined) {
      try {
        return await this.#verify(kept, module, options)
      } catch (error) {
        // Whatever became of the copy, the database itself is asked; and if it is the database that lies, it says so again.
        if (!(error instanceof FairwayError)) throw error
      }
    }
    const answer = await this.#remote(path, options)
    if (answer === undefined) {
      throw new FairwayError('MODULE_UNKNOWN', `${this.name} has no record of ${module.path}@${module.version}`, {
        hint:
          module.path === 'golang.org/toolchain'
            ? '`fairway toolchain list --remote` shows which versions of Go there are.'
            : 'A module that is not public has none: name its path in GONOSUMDB or GOPRIVATE.',
      })
    }
    const hashes = await this.#verify(answer, module, options).catch(async (error: unknown) => {
      const isKeptBack = error instanceof FairwayError && error.code === 'MODULE_UNAVAILABLE'
      if (!isKeptBack || !(await this.#findNewerHead(module, options))) throw error
      return this.#verify(answer, module, options)
    })
    await this.#store.writeAnswer(path, answer)
    return hashes
  }

  /** A mirror that was filled by a go command has the tiles of the newest head alone: the lookups of other versions may carry it. */
  async #findNewerHead(module: ModuleVersion, options: Abortable): Promise<boolean> {
    const before = await this.#store.readHead()
    const versions = (await this.#others.siblings?.(module, options)) ?? []
    for (const version of versions.filter((each) => each !== module.version).slice(0, mostOtherHeads)) {
      const answer = await this.#remote(`lookup/${escapeText(module.path)}@${escapeText(version)}`, options)
      const lookup = answer === undefined ? undefined : parseLookup(answer)
      if (lookup === undefined || 'fault' in openNote(lookup.note, this.#key)) continue
      try {
        await this.#believe(this.#openHead(lookup.note, 'a head of it'), lookup.note, new Map(), options)
      } catch (error) {
        if (!(error instanceof FairwayError && error.code === 'MODULE_UNAVAILABLE')) throw error
      }
    }
    const after = await this.#store.readHead()
    return after !== undefined && before?.equals(after) !== true
  }

  /**
   * @param h1 of what was fetched
   * @throws FairwayError MODULE_UNVERIFIED when it is something else than everybody else got; as `lookup`
   */
  async check(module: ModuleVersion, h1: string, options: Abortable = {}): Promise<void> {
    const { zip } = await this.lookup(module, options)
    if (zip === h1) return
    throw new FairwayError(
      'MODULE_UNVERIFIED',
      `${module.path}@${module.version} is not what ${this.name} says it is`,
      {
        details: [`fetched:  ${h1}`, `recorded: ${zip}`],
        hint: 'Its source sent something else than the world was told: nothing of it was kept. Try another source (GOPROXY), and tell whoever runs this one.',
      },
    )
  }

  /**
   * Goes on to the head that the remote names now: what it proves in that tree needs no other then.
   * @throws FairwayError MODULE_UNVERIFIED when it contradicts one that was seen before; MODULE_UNAVAILABLE when nothing
   *   shows how it follows from that one
   */
  async follow(options: Abortable = {}): Promise<void> {
    const note = await this.#remote('latest', options)
    if (note === undefined) return
    const tree = this.#openHead(note, 'its head')
    const fresh = new Map<string, Buffer>()
    await this.#believe(tree, note, fresh, options)
    for (const [path, data] of fresh) await this.#store.writeAnswer(path, data)
  }

  /** Of the newest head that is known. */
  async size(): Promise<number | undefined> {
    return (await this.#knownHead())?.size
  }

  async #knownHead(): Promise<TreeHead | undefined> {
    const note = await this.#store.readHead()
    return note === undefined ? undefined : this.#openHead(note, 'the head it was last seen with')
  }

  /** Reads whatever shows how the newest head follows from one of this size. @throws FairwayError as `follow` */
  async readGrowth(from: number, options: Abortable = {}): Promise<void> {
    const tree = await this.#knownHead()
    if (tree === undefined || from > tree.size) return
    await new TreeReader(tree, this.#tiles(new Map()), options).readOlderRoot(from)
  }

  async #verify(answer: Buffer, module: ModuleVersion, options: Abortable): Promise<ModuleHashes> {
    const lookup = parseLookup(answer)
    if (lookup === undefined) throw this.#refuse('its answer is not a record with a signed head', module)
    const tree = this.#openHead(lookup.note, `its answer for ${module.path}@${module.version}`)
    const fresh = new Map<string, Buffer>()
    const reader = await this.#believe(tree, lookup.note, fresh, options)
    await this.#checkInclusion(lookup, tree, reader, fresh, module, options)
    const hashes = findHashes(lookup.record, module)
    if ('fault' in hashes) throw this.#refuse(hashes.fault, module)
    for (const [path, data] of fresh) await this.#store.writeAnswer(path, data)
    return hashes
  }

  async #checkInclusion(
    { id, record }: LookupAnswer,
    tree: TreeHead,
    reader: TreeReader,
    fresh: Map<string, Buffer>,
    module: ModuleVersion,
    options: Abortable,
  ): Promise<void> {
    if (id >= tree.size) throw this.#refuse(`record ${id} is outside the tree of ${tree.size} it came with`, module)
    const readLeaf = async () => {
      try {
        return await reader.readHash({ level: 0, index: id })
      } catch (error) {
        // A mirror may have kept only what belongs to the head of its own time; both trees are consistent by now.
        const isKeptBack = error instanceof FairwayError && error.code === 'MODULE_UNAVAILABLE'
        if (!isKeptBack || reader.head.size === tree.size) throw error
        return new TreeReader(tree, this.#tiles(fresh), options).readHash({ level: 0, index: id })
      }
    }
    if (!(await readLeaf()).equals(hashLeaf(record))) throw this.#refuse(`record ${id} of the log is another`, module)
  }

  /** Consistent with every head seen before, and remembered if it is the newest. @returns a reader of the larger tree */
  async #believe(tree: TreeHead, note: Buffer, fresh: Map<string, Buffer>, options: Abortable): Promise<TreeReader> {
    for (;;) {
      const known = (await this.#store.readHead()) ?? (await this.#firstHead(fresh, options))
      const head = known === undefined ? undefined : this.#openHead(known, 'the head it was last seen with')
      const isNewer = head === undefined || tree.size > head.size
      const [older, newer] = head === undefined ? [tree, tree] : isNewer ? [head, tree] : [tree, head]
      const proven = this.#proven?.isOf(newer) === true ? this.#proven : (this.#proven = new ProvenTree(newer))
      const reader = new TreeReader(newer, this.#tiles(fresh), { ...options, proven })
      if (head === undefined) await reader.checkRoot() // a head whose tree nobody shows is of no use
      const root = older.size === newer.size ? newer.root : await reader.readOlderRoot(older.size)
      if (!root.equals(older.root)) throw this.#forked(known, note)
      if (!isNewer || (await this.#store.replaceHead(known, note))) return reader
    }
  }

  /** Where none is known: the newest one, so that lookups, which may carry older ones, all fit to it. */
  async #firstHead(fresh: Map<string, Buffer>, options: Abortable): Promise<Buffer | undefined> {
    for (const read of [() => this.#remote('latest', options), this.#others.ofGo]) {
      const note = await read?.().catch(() => undefined) // a mirror need not have it
      if (note === undefined || 'fault' in openNote(note, this.#key)) continue
      const reader = new TreeReader(this.#openHead(note, 'its head'), this.#tiles(fresh), options)
      try {
        await reader.checkRoot()
      } catch (error) {
        if (error instanceof FairwayError && error.code === 'MODULE_UNAVAILABLE') continue
        throw error
      }
      await this.#store.replaceHead(undefined, note)
      return this.#store.readHead()
    }
    return undefined
  }

  #openHead(note: Buffer, what: string): TreeHead {
    const opened = openNote(note, this.#key)
    if ('fault' in opened) throw new FairwayError('MODULE_UNVERIFIED', `${this.name}: ${what}: ${opened.fault}`)
    const tree = parseTree(opened.text)
    if (tree === undefined) throw new FairwayError('MODULE_UNVERIFIED', `${this.name}: ${what} holds no tree`)
    return tree
  }

  #tiles(fresh: Map<string, Buffer>): TileSource {
    return { readTile: (tile, options) => this.#readTile(tile, fresh, options) }
  }

  async #readTile(
    tile: Tile,
    fresh: Map<string, Buffer>,
    { isFresh, signal }: Abortable & { isFresh: boolean },
  ): Promise<Buffer | undefined> {
    const bytes = tile.width * 32
    const names = [tilePath(tile), ...(tile.width < 256 ? [tilePath({ ...tile, width: 256 })] : [])]
    if (!isFresh) {
      for (const name of names) {
        const kept = fresh.get(name) ?? (await this.#store.readAnswer(name))
        if (kept !== undefined && kept.length >= bytes) return kept.subarray(0, bytes)
      }
    }
    for (const name of names) {
      const data = await this.#remote(name, { signal }) // a partial tile may have become a whole one
      if (data === undefined) continue
      // Kept once all is proven, under the name of what was asked: the rest of a whole one was not checked.
      fresh.set(tilePath(tile), data.subarray(0, bytes))
      return data.subarray(0, bytes)
    }
    return undefined
  }

  #refuse(fault: string, { path, version }: ModuleVersion): FairwayError {
    return new FairwayError('MODULE_UNVERIFIED', `${this.name} gives no proof for ${path}@${version}: ${fault}`, {
      hint: 'Nothing was kept. Try another source (GOPROXY), and tell whoever runs this one.',
    })
  }

  #forked(known: Buffer | undefined, note: Buffer): FairwayError {
    return new FairwayError(
      'MODULE_UNVERIFIED',
      `${this.name} shows a log that contradicts the one it showed before: one of them is forged`,
      {
        details: [
          'Both are signed; keep them as evidence.',
          ...(known?.toString('utf8').trim().split('\n') ?? []),
          ...note.toString('utf8').trim().split('\n'),
        ],
        hint: 'Somebody may be showing different logs to different people. Report both heads; until then, fetch nothing from here.',
      },
    )
  }
}
