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

/**
 * Hashes of one signed tree. Every tile is checked before a hash of it is used: those at the edge together against the
 * root, every other against its own parent, which is checked in the same way.
 */
export class TreeReader {
  readonly head: TreeHead
  readonly #source: TileSource
  readonly #signal: AbortSignal | undefined
  readonly #checked = new Map<string, Promise<Buffer>>()
  #edges: Promise<ReadonlyMap<string, Buffer>> | undefined

  constructor(head: TreeHead, source: TileSource, { signal }: Abortable = {}) {
    this.head = head
    this.#source = source
    this.#signal = signal
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
    return combineRoots(await Promise.all(subtreesOf(size).map((subtree) => this.readHash(subtree))))
  }

  async #readChecked(level: number, index: number): Promise<Buffer> {
    const tile = tileOf(this.head.size, level, index)
    if (tile.width === 0)
      throw new FairwayError('MODULE_UNVERIFIED', 'The checksum database’s tree does not reach that far')
    this.#edges ??= this.#readEdges()
    const name = tilePath(tile)
    const edge = (await this.#edges).get(name)
    if (edge !== undefined) return edge
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
      if (hashSubtree(data).equals(expected)) return data
    }
    throw unlike(tile)
  }

  async #readEdges(): Promise<ReadonlyMap<string, Buffer>> {
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
      if (combineRoots(roots).equals(this.head.root)) return edges
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
