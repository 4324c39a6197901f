import { createHash, hash, randomUUID } from 'node:crypto'
import { chmodSync, linkSync, mkdirSync, readFileSync, rmSync, type Stats, statSync, writeFileSync } from 'node:fs'
import { open, readdir, readFile, rm, utimes } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { writeFileAtomic } from '../base/atomic-file.ts'
import { errnoOf, explainWriteError } from '../base/error.ts'
import { makeFolder } from '../base/make-folder.ts'
import { sweepFolder } from '../base/sweep-folder.ts'
import {
  escapeText,
  findVersionFault,
  isCanonicalVersion,
  type ModuleVersion,
  unescapePath,
  unescapeVersion,
  type ZipSums,
} from '../module/index.ts'
import type { ModuleFile } from './request.ts'

/** A file that may be given out: what was verified, and nothing else, has such a name. */
export interface StoredFile {
  readonly path: string
  readonly bytes: number
  /** When it was last asked for, to about ten minutes. */
  readonly usedAt: number
  readonly inode: number
}

/** What is there of one version. */
export interface StoredVersion extends ModuleVersion {
  readonly bytes: number
  readonly usedAt: number
  readonly hasZip: boolean
}

const orphanAgeMs = 3_600_000
/** A millisecond's work. */
const sealAtOnceBytes = 1024 * 1024
/** The kernel writes back after half a minute; this is many times that. */
const unsettledMs = 600_000
/** A request is noted at most so often: it is a write. */
const touchEveryMs = 600_000

/**
 * Modules under one folder, safe for several processes at once:
 *
 *     download/…           as Go's own GOMODCACHE/cache/download: a module proxy for `GOPROXY=file://…`
 *     blobs/AB/DIGEST      the same files by their sha256 (hard links)
 *     incoming/…           under way; what a kill leaves there is seen by nobody and swept after an hour
 *     answers/…            what upstreams said of lists and branches: not for ever
 *
 * A file gets its name by one link, when it is whole and verified. An `.info` comes after its `.mod`; a `.zip` counts only
 * beside its `.info` and comes after its `.ziphash`. Nothing waits for the disk: what a power cut may have spoilt is read
 * again at the first use after a boot (`mend`).
 */
export class ModuleStore {
  readonly folder: string
  readonly download: string
  readonly #blobs: string
  readonly #incoming: string

  private constructor(folder: string) {
    this.folder = folder
    this.download = join(folder, 'download')
    this.#blobs = join(folder, 'blobs')
    this.#incoming = join(folder, 'incoming')
  }

  /** @throws FairwayError HOME_UNUSABLE, DISK_FULL */
  static async open(folder: string, { now }: { now: number }): Promise<ModuleStore> {
    const store = new ModuleStore(folder)
    for (const each of [folder, store.download, store.#blobs, store.#incoming]) await makeFolder(each, 0o755)
    await sweepFolder(store.#incoming, /./, { before: now - orphanAgeMs })
    return store
  }

  path({ path, version }: ModuleVersion, file: ModuleFile | 'ziphash'): string {
    return join(this.download, escapeText(path), '@v', `${escapeText(version)}.${file}`)
  }

  /** Where something may be put together; nobody else has it. */
  temporary(): string {
    return join(this.#incoming, randomUUID())
  }

  find(module: ModuleVersion, file: ModuleFile): StoredFile | undefined {
    const path = this.path(module, file)
    const found = entryOf(path)
    if (found === undefined || (file === 'zip' && entryOf(this.path(module, 'info')) === undefined)) return undefined
    return { path, bytes: found.size, usedAt: found.mtimeMs, inode: found.ino }
  }

  async readZipHash(module: ModuleVersion): Promise<string | undefined> {
    try {
      return (await readFile(this.path(module, 'ziphash'), 'utf8')).trim()
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined
      throw error
    }
  }

  /** Remembers that it was asked for. */
  async touch({ path, usedAt }: StoredFile, now: number): Promise<void> {
    if (now - usedAt < touchEveryMs) return
    await utimes(path, now / 1000, now / 1000).catch(() => {}) // evicted meanwhile, or a disk that is full: no matter
  }

  /** Small content, verified. */
  put(module: ModuleVersion, file: 'info' | 'mod', content: Uint8Array): void {
    const temporary = this.temporary()
    try {
      writeFileSync(temporary, content, { mode: 0o444, flag: 'wx' })
      this.#publish(module, file, temporary, hash('sha256', content, 'hex'))
    } finally {
      rmSync(temporary, { force: true })
    }
  }

  /** @param temporary from `temporary`, verified; gone afterwards */
  putZip(module: ModuleVersion, temporary: string, { h1, sha256 }: Pick<ZipSums, 'h1' | 'sha256'>): void {
    try {
      chmodSync(temporary, 0o444)
      const note = this.temporary()
      writeFileSync(note, h1, { mode: 0o444, flag: 'wx' }) // as Go writes it
      this.#publish(module, 'ziphash', note)
      this.#publish(module, 'zip', temporary, sha256)
    } catch (error) {
      throw explainWriteError(error, this.path(module, 'zip'))
    } finally {
      rmSync(temporary, { force: true })
    }
  }

  /**
   * Gives a file its names. Without waiting for the disk, and in one go: hundreds of small files come one after the other,
   * and each wait costs more than all that is done here.
   */
  #publish(module: ModuleVersion, file: ModuleFile | 'ziphash', temporary: string, digest?: string): void {
    const path = this.path(module, file)
    try {
      this.#folderFor(path)
      if (digest === undefined) linkUnlessThere(temporary, path)
      else {
        const blob = this.#blobPath(digest)
        this.#folderFor(blob)
        linkUnlessThere(temporary, blob)
        linkUnlessThere(blob, path)
      }
    } catch (error) {
      throw explainWriteError(error, path)
    } finally {
      rmSync(temporary, { force: true })
    }
  }

  /** Removing what is gone is a success. Its content goes with the next `sweep`. */
  async remove(module: ModuleVersion, files: readonly (ModuleFile | 'ziphash')[] = everyFile): Promise<void> {
    for (const file of everyFile) if (files.includes(file)) await rm(this.path(module, file), { force: true })
  }

  /** Removes blobs that no name leads to. @returns bytes */
  async sweep(): Promise<number> {
    let bytes = 0
    for await (const { path, size, nlink } of this.blobs()) {
      if (nlink > 1) continue
      await rm(path, { force: true })
      bytes += size
    }
    return bytes
  }

  async *blobs(): AsyncGenerator<{ digest: string; path: string; size: number; nlink: number; ino: number }> {
    for (const part of (await list(this.#blobs)).toSorted()) {
      for (const digest of await list(join(this.#blobs, part))) {
        const path = join(this.#blobs, part, digest)
        const entry = entryOf(path)
        if (entry !== undefined) yield { digest, path, size: entry.size, nlink: entry.nlink, ino: entry.ino }
      }
    }
  }

  /** What the blobs take. */
  async bytes(): Promise<number> {
    let bytes = 0
    for await (const { size } of this.blobs()) bytes += size
    return bytes
  }

  /** Every version that something is there of; names that none can have are passed over. */
  async *versions(): AsyncGenerator<StoredVersion> {
    for await (const { path, names, folder } of this.folders()) {
      const versions = new Map<string, string[]>()
      for (const name of names) {
        const [, version = '', file = ''] = /^(.+)\.(info|mod|zip|ziphash)$/.exec(name) ?? []
        if (file !== '') versions.set(version, [...(versions.get(version) ?? []), file])
      }
      for (const [escaped, files] of versions) {
        const version = unescapeVersion(escaped)
        if (version === undefined || !isCanonicalVersion(version) || findVersionFault({ path, version }) !== undefined)
          continue
        const entries = files.map((file) => entryOf(join(folder, `${escaped}.${file}`)))
        yield {
          path,
          version,
          bytes: entries.reduce((sum, entry) => sum + (entry?.size ?? 0), 0),
          usedAt: Math.max(0, ...entries.map((entry) => entry?.mtimeMs ?? 0)),
          hasZip: files.includes('zip'),
        }
      }
    }
  }

  /** Every `@v` with what lies in it; the checksum database's answers are none. */
  async *folders(below = ''): AsyncGenerator<{ path: string; folder: string; names: string[] }> {
    for (const name of (await list(join(this.download, below))).toSorted()) {
      if (below === '' && name === 'sumdb') continue
      const inner = below === '' ? name : `${below}/${name}`
      if (name !== '@v') yield* this.folders(inner)
      else {
        const path = unescapePath(below)
        const folder = join(this.download, inner)
        if (path !== undefined) yield { path, folder, names: await list(folder) }
      }
    }
  }

  incoming(): Promise<string[]> {
    return list(this.#incoming)
  }

  /**
   * After a boot: what was written shortly before the last write is read again, since a power cut may have kept names and
   * lost contents. Once per boot.
   */
  async mend(bootId: string): Promise<void> {
    const mark = join(this.folder, 'boot')
    if ((await readFile(mark, 'utf8').catch(() => '')) === bootId) return
    const blobs: { path: string; digest: string; ctimeMs: number }[] = []
    for await (const { path, digest } of this.blobs())
      blobs.push({ path, digest, ctimeMs: entryOf(path)?.ctimeMs ?? 0 })
    const from = blobs.reduce((newest, { ctimeMs }) => Math.max(newest, ctimeMs), 0) - unsettledMs
    const spoilt = new Set<number>()
    for (const { path, digest, ctimeMs } of blobs) {
      if (ctimeMs < from || (await seal(path)) === digest) continue
      spoilt.add(entryOf(path)?.ino ?? 0)
      rmSync(path, { force: true })
    }
    if (spoilt.size > 0) {
      for await (const { folder, names } of this.folders())
        for (const path of names.map((name) => join(folder, name)))
          if (spoilt.has(entryOf(path)?.ino ?? 0)) rmSync(path, { force: true })
    }
    await writeFileAtomic(mark, bootId, { mode: 0o644 })
  }

  #folderFor(path: string): void {
    const folder = dirname(path)
    if (statSync(folder, { throwIfNoEntry: false }) === undefined) mkdirSync(folder, { recursive: true, mode: 0o755 })
  }

  #blobPath(digest: string): string {
    return join(this.#blobs, digest.slice(0, 2), digest)
  }
}

/** In the order in which what is half gone is no longer taken for whole. */
const everyFile: readonly (ModuleFile | 'ziphash')[] = ['info', 'zip', 'ziphash', 'mod']

/** Read-only from now on. @returns its sha256 */
async function seal(path: string): Promise<string> {
  if (statSync(path).size <= sealAtOnceBytes) {
    const digest = hash('sha256', readFileSync(path), 'hex')
    chmodSync(path, 0o444)
    return digest
  }
  await using file = await open(path, 'r')
  const sum = createHash('sha256')
  const buffer = Buffer.allocUnsafe(512 * 1024)
  for (;;) {
    const { bytesRead } = await file.read(buffer)
    if (bytesRead === 0) break
    sum.update(buffer.subarray(0, bytesRead))
  }
  await file.chmod(0o444)
  return sum.digest('hex')
}

/** What has the name already is the same, by its digest; or was there first. */
function linkUnlessThere(from: string, to: string): void {
  try {
    linkSync(from, to)
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error
  }
}

function entryOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR') return undefined
    throw error
  }
}

async function list(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return []
    throw error
  }
}
