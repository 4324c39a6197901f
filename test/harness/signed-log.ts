import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { hashKey, parseVerifierKey, type VerifierKey } from '../../src/module/note.ts'
import { combineRoots, hashLeaf, hashNode, parseTilePath, subtreesOf } from '../../src/module/tree.ts'

/** Somebody who signs. */
export class Signer {
  readonly name: string
  /** As GOSUMDB takes it. */
  readonly vkey: string
  readonly #hash: Buffer
  readonly #privateKey: KeyObject

  constructor(name = 'sum.example.com') {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    const bytes = Buffer.concat([Buffer.of(1), publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)])
    this.name = name
    this.#hash = hashKey(name, bytes)
    this.#privateKey = privateKey
    this.vkey = `${name}+${this.#hash.toString('hex')}+${bytes.toString('base64')}`
  }

  get key(): VerifierKey {
    const key = parseVerifierKey(this.vkey)
    if (key === undefined) throw new Error('a key of our own is not read')
    return key
  }

  sign(text: string): Buffer {
    const signature = Buffer.concat([this.#hash, sign(null, Buffer.from(text), this.#privateKey)])
    return Buffer.from(`${text}\n— ${this.name} ${signature.toString('base64')}\n`)
  }
}

/** A checksum database of a test's own: a signed log that answers as the protocol says, at any size it ever had. */
export class SignedLog {
  readonly signer: Signer
  readonly #records: string[] = []
  readonly #lookups = new Map<string, number>()
  readonly #hashes = new Map<string, Buffer>()

  constructor(signer: Signer) {
    this.signer = signer
  }

  get size(): number {
    return this.#records.length
  }

  add(module: string, version: string, record: string): void {
    this.#lookups.set(`${module}@${version}`, this.#records.length)
    this.#records.push(record)
  }

  /** Records of no interest, so that the tree gets some height. */
  fill(count: number, name = 'filler'): void {
    for (let n = 0; n < count; n += 1) this.#records.push(`${name}.example.com/m${this.#records.length} v1.0.0 h1:x\n`)
  }

  /** @param more what stands in the note's text behind the tree: no part of the log */
  head(size: number = this.size, more = ''): Buffer {
    const root = combineRoots(subtreesOf(size).map(({ level, index }) => this.#hash(level, index)))
    return this.signer.sign(`go.sum database tree\n${size}\n${root.toString('base64')}\n${more}`)
  }

  lookup(name: string, size: number = this.size, more = ''): Buffer | undefined {
    const id = this.#lookups.get(name)
    if (id === undefined) return undefined
    return Buffer.concat([Buffer.from(`${id}\n${this.#records[id] ?? ''}\n`), this.head(size, more)])
  }

  tile(path: string): Buffer | undefined {
    const tile = parseTilePath(path)
    if (tile === undefined || tile.level < 0) return undefined
    const has = Math.floor(this.size / 256 ** tile.level)
    if (tile.index * 256 + tile.width > has) return undefined
    return Buffer.concat(Array.from({ length: tile.width }, (_, n) => this.#hash(tile.level * 8, tile.index * 256 + n)))
  }

  answer(path: string, size: number = this.size): Buffer | undefined {
    if (path === 'latest') return this.head(size)
    const [, name] = /^lookup\/(.*)$/.exec(path) ?? []
    return name === undefined ? this.tile(path) : this.lookup(name, size)
  }

  #hash(level: number, index: number): Buffer {
    const key = `${level}/${index}`
    const known = this.#hashes.get(key)
    if (known !== undefined) return known
    const made =
      level === 0
        ? hashLeaf(Buffer.from(this.#records[index] ?? ''))
        : hashNode(this.#hash(level - 1, index * 2), this.#hash(level - 1, index * 2 + 1))
    this.#hashes.set(key, made)
    return made
  }
}
