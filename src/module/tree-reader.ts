import type { Abortable } from '../base/bounds.ts'
import { FairwayError } from '../base/error.ts'
import {
  combineRoots,
  edgeTiles,
  hashSubtree,
  placeOf,
  type Subtree,
  subtreesOf,
  type Tile,
  type TreeHead,
  tileOf,
  tilePath,
} from './tree.ts'

/** Where tiles come from. Nothing of it is believed before it was checked. */
export interface TileSource {
  /** Exactly width × 32 bytes; undefined where there is no such tile. `isFresh`: not from a cache of ours. */
  readTile(tile: Tile, options: Abortable & { isFresh: boolean }): Promise<Buffer | undefined>
}

/** So many tiles of a tree, 8 kB each, are remembered. */
const mostRemembered = 256
/** …and so many roots. */
const mostRoots = 4096

/** What was proven of one tree: of no use for any other. */
export class ProvenTree {
  readonly head: TreeHead
  /** By their paths. */
  readonly inner = new Map<string, Buffer>()
  edges: ReadonlyMap<string, Buffer> | undefined
  /** Roots that it had when it was smaller, by their sizes. */
  readonly olderRoots = new Map<number, Buffer>()

  constructor(head: TreeHead) {
    this.head = head
  }

  isOf({ size, root }: TreeHead): boolean {
    return size === this.head.size && root.equals(this.head.root)
  }

  remember(path: string, tile: Buffer): void {
    const [oldest] = this.inner.size >= mostRemembered ? this.inner.keys() : []
    if (oldest !== undefined) this.inner.delete(oldest)
    this.inner.set(path, tile)
  }
}

/**
 * Hashes of one signed tree. Every tile is checked before a hash of it is used: those at the edge together against the
 * root, every other against its own parent, which is checked in the same way.
 */
export class TreeReader {
  readonly head: TreeHead
  readonly #source: TileSource
  readonly #signal: AbortSignal | undefined
  readonly #proven: ProvenTree
  readonly #checked = new Map<string, Promise<Buffer>>()
  #edges: Promise<ReadonlyMap<string, Buffer>> | undefined

  /** @param proven what earlier readers of the very same tree have proven; it is added to */
  constructor(
    head: TreeHead,
    source: TileSource,
    { signal, proven = new ProvenTree(head) }: Abortable & { proven?: ProvenTree } = {},
  ) {
    if (!proven.isOf(head)) throw new TypeError('what is proven is of another tree')
    this.head = head
    this.#source = source
    this.#signal = signal
    this.#proven = proven
  }

  /** Whether the tiles at the edge give the signed root. @throws FairwayError as `readHash` */
  async checkRoot(): Promise<void> {
    this.#edges ??= this.#readEdges()
    await this.#edges
  }

  /** @throws FairwayError MODULE_UNVERIFIED, MODULE_UNAVAILABLE when the log keeps back a tile */
  async readHash(subtree: Subtree): Promise<Buffer> {
    const { level, index, from, to } = placeOf(subtree)
    const tile = await this.#readChecked(level, index)
    if (tile.length < to)
      throw new FairwayError('MODULE_UNVERIFIED', 'The checksum database’s tree does not reach that far')
    return hashSubtree(tile.subarray(from, to))
  }

  /** The root that this tree had when it held `size` records. */
  async readOlderRoot(size: number): Promise<Buffer> {
    const known = this.#proven.olderRoots.get(size)
    if (known !== undefined) return known
    const root = combineRoots(await Promise.all(subtreesOf(size).map((subtree) => this.readHash(subtree))))
    if (this.#proven.olderRoots.size >= mostRoots) this.#proven.olderRoots.clear()
    this.#proven.olderRoots.set(size, root)
    return root
  }

  async #readChecked(level: number, index: number): Promise<Buffer> {
    const tile = tileOf(this.head.size, level, index)
    if (tile.width === 0)
      throw new FairwayError('MODULE_UNVERIFIED', 'The checksum database’s tree does not reach that far')
    this.#edges ??= this.#readEdges()
    const name = tilePath(tile)
    const edge = (await this.#edges).get(name)
    if (edge !== undefined) return edge
    const known = this.#proven.inner.get(name)
    if (known !== undefined) return known
    let reading = this.#checked.get(name)
    if (reading === undefined) {
      reading = this.#readInner(tile)
      this.#checked.set(name, reading)
    }
    return reading
  }

  async #readInner(tile: Tile): Promise<Buffer> {
    const parent = await this.#readChecked(tile.level + 1, Math.floor(tile.index / 256))
    const at = (tile.index % 256) * 32
    const expected = parent.subarray(at, at + 32)
    for (const isFresh of [false, true]) {
      const data = await this.#read(tile, isFresh)
      if (!hashSubtree(data).equals(expected)) continue
      this.#proven.remember(tilePath(tile), data)
      return data
    }
    throw unlike(tile)
  }

  async #readEdges(): Promise<ReadonlyMap<string, Buffer>> {
    if (this.#proven.edges !== undefined) return this.#proven.edges
    const tiles = edgeTiles(this.head.size)
    for (const isFresh of [false, true]) {
      const read = await Promise.all(
        tiles.map(async (tile) => [tilePath(tile), await this.#read(tile, isFresh)] as const),
      )
      const edges = new Map(read)
      const roots = subtreesOf(this.head.size).map((subtree) => {
        const { level, index, from, to } = placeOf(subtree)
        const tile = edges.get(tilePath(tileOf(this.head.size, level, index)))
        if (tile === undefined) throw new Error(`no edge tile holds level ${subtree.level}, index ${subtree.index}`)
        return hashSubtree(tile.subarray(from, to))
      })
      if (!combineRoots(roots).equals(this.head.root)) continue
      this.#proven.edges = edges
      return edges
    }
    throw new FairwayError(
      'MODULE_UNVERIFIED',
      'The checksum database’s tiles do not give the root that its head names',
    )
  }

  async #read(tile: Tile, isFresh: boolean): Promise<Buffer> {
    const data = await this.#source.readTile(tile, { isFresh, signal: this.#signal })
    if (data === undefined)
      throw new FairwayError('MODULE_UNAVAILABLE', `The checksum database keeps back ${tilePath(tile)}`)
    if (data.length !== tile.width * 32) throw unlike(tile)
    return data
  }
}

function unlike(tile: Tile): FairwayError {
  return new FairwayError(
    'MODULE_UNVERIFIED',
    `The checksum database’s ${tilePath(tile)} is not part of its signed tree`,
  )
}
