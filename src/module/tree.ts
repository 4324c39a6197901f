import { hash } from 'node:crypto'

/** The head of a log: how many records, and the hash over all of them. */
export interface TreeHead {
  readonly size: number
  readonly root: Buffer
}

const hashBytes = 32

/** @see RFC 6962, section 2.1 */
export function hashLeaf(record: Uint8Array): Buffer {
  return hash('sha256', Buffer.concat([Buffer.of(0), record]), 'buffer')
}

export function hashNode(left: Uint8Array, right: Uint8Array): Buffer {
  return hash('sha256', Buffer.concat([Buffer.of(1), left, right]), 'buffer')
}

const emptyRoot: Buffer = hash('sha256', '', 'buffer')

/** 'go.sum database tree', the size, the root; further lines may come and mean nothing. undefined for anything else. */
export function parseTree(text: string): TreeHead | undefined {
  const [title, digits = '', base64 = ''] = text.split('\n')
  const root = Buffer.from(base64, 'base64')
  const size = Number(digits)
  const isRight =
    title === 'go.sum database tree' && /^(?:0|[1-9][0-9]{0,15})$/.test(digits) && Number.isSafeInteger(size)
  return isRight && root.length === hashBytes && root.toString('base64') === base64 ? { size, root } : undefined
}

/** A block of the log's hashes: `width` of those at level 8 × `level`, from `index` × 256 on. */
export interface Tile {
  readonly level: number
  readonly index: number
  /** 1–256; below 256 it is the last of its level. */
  readonly width: number
}

/** 'tile/8/0/x001/x234/067.p/5' */
export function tilePath({ level, index, width }: Tile): string {
  const groups: string[] = []
  for (let rest = index, first = true; first || rest > 0; rest = Math.floor(rest / 1000), first = false)
    groups.unshift(`${first ? '' : 'x'}${String(rest % 1000).padStart(3, '0')}`)
  return `tile/8/${level}/${groups.join('/')}${width === 256 ? '' : `.p/${width}`}`
}

/** The way back; undefined for what `tilePath` never says. `data` tiles have level -1. */
export function parseTilePath(path: string): Tile | undefined {
  const [, level = '', groups = '', width] =
    /^tile\/8\/(data|0|[1-9][0-9]?)\/((?:x[0-9]{3}\/)*[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/.exec(path) ?? []
  if (groups === '') return undefined
  const index = Number(groups.replaceAll(/[x/]/g, ''))
  const tile = { level: level === 'data' ? -1 : Number(level), index, width: Number(width ?? 256) }
  const again = tilePath(tile).replace('tile/8/-1/', 'tile/8/data/')
  return Number.isSafeInteger(index) && again === path ? tile : undefined
}

/** The tile at this place as a log of `size` records has it; width 0 where it has none. */
export function tileOf(size: number, level: number, index: number): Tile {
  const hashes = Math.floor(size / 256 ** level)
  return { level, index, width: Math.max(0, Math.min(256, hashes - index * 256)) }
}

/** The last tile of each level that is not full: they hold the roots of all perfect subtrees, hence the root. */
export function edgeTiles(size: number): Tile[] {
  const tiles: Tile[] = []
  for (let level = 0; size >= 256 ** level; level += 1) {
    const hashes = Math.floor(size / 256 ** level)
    if (hashes % 256 > 0) tiles.push({ level, index: Math.floor(hashes / 256), width: hashes % 256 })
  }
  return tiles
}

/** The hash over 1, 2, 4 … 256 hashes that lie one after the other. */
export function hashSubtree(hashes: Buffer): Buffer {
  if (hashes.length <= hashBytes) return hashes
  const half = hashes.length / 2
  return hashNode(hashSubtree(hashes.subarray(0, half)), hashSubtree(hashes.subarray(half)))
}

/** A perfect subtree: 2^level records, from index × 2^level on. */
export interface Subtree {
  readonly level: number
  readonly index: number
}

/** What the first `size` records are made of, the largest first. */
export function subtreesOf(size: number): Subtree[] {
  const subtrees: Subtree[] = []
  let done = 0
  for (let level = Math.floor(Math.log2(Math.max(1, size))) + 1; level >= 0; level -= 1) {
    const records = 2 ** level
    if (size - done < records) continue
    subtrees.push({ level, index: done / records })
    done += records
  }
  return subtrees
}

/** Roots of `subtreesOf` one size, in that order, to the root over all. */
export function combineRoots(roots: readonly Buffer[]): Buffer {
  return (
    roots.reduceRight<Buffer | undefined>(
      (right, left) => (right === undefined ? left : hashNode(left, right)),
      undefined,
    ) ?? emptyRoot
  )
}

/** Where a subtree's hash is found: in which tile, and between which of its bytes. */
export function placeOf({ level, index }: Subtree): {
  readonly level: number
  readonly index: number
  readonly from: number
  readonly to: number
} {
  const within = level % 8
  const first = index * 2 ** within
  const from = (first % 256) * hashBytes
  return { level: (level - within) / 8, index: Math.floor(first / 256), from, to: from + 2 ** within * hashBytes }
}
