import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { open, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32, createDeflateRaw } from 'node:zlib'
import { type Digest, hashFile, parseDigest } from '../artifact/index.ts'
import { writeFileAtomic } from '../base/atomic-file.ts'
import type { Abortable } from '../base/bounds.ts'
import { errnoOf, explainWriteError, FairwayError } from '../base/error.ts'
import { makeFolder } from '../base/make-folder.ts'
import { sweepFolder } from '../base/sweep-folder.ts'
import type { Layer } from './image.ts'
import { type TarEntry, tarEnd, tarHeader, tarPadding } from './tar.ts'

/** An entry with its content: held in memory, or in a file that is read when the layer is written. */
export type LayerEntry = TarEntry &
  ({ readonly bytes?: Buffer } | { readonly source: string; /** Of the file's content. */ readonly digest: Digest })

/**
 * Of 5 % to 10 % Go's binaries come out smaller than with level 1, and 0.5 % larger than with the usual 6, which takes a
 * third longer; measured on gofmt and podinfo.
 */
const level = 5

/** A layer nobody asked for in this time is removed. */
const keptMs = 14 * 86_400_000

/**
 * Layers by what they hold, under HOME/cache/image: an image of an unchanged binary compresses nothing.
 *
 *     KEY.json       digest, size and the digest of the tar inside
 *     KEY.tar.gz     renamed to that name once it is whole
 */
export class LayerCache {
  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
  }

  /** @throws FairwayError HOME_UNUSABLE, DISK_FULL */
  static async open(cacheFolder: string, { now }: { now: number }): Promise<LayerCache> {
    const folder = join(cacheFolder, 'image')
    await makeFolder(folder, 0o755)
    await sweepFolder(folder, /^[0-9a-f]{64}\./, { before: now - keptMs })
    return new LayerCache(folder)
  }

  /**
   * @param holds 'base', 'files', 'binary': for people
   * @param entries in the order of the archive: a folder before what lies in it
   * @throws FairwayError DISK_FULL, HOME_UNUSABLE, ARTIFACT_CORRUPT when a file is not what its digest says; the signal's reason
   */
  async layer(holds: string, entries: readonly LayerEntry[], options: Abortable = {}): Promise<Layer> {
    const key = keyOf(entries)
    const path = join(this.#folder, `${key}.tar.gz`)
    const note = join(this.#folder, `${key}.json`)
    const held = await this.#held(path, note)
    if (held !== undefined) return { ...held, holds, path }
    const temporary = join(this.#folder, `${key}.${randomUUID()}`)
    try {
      const made = await writeLayer(temporary, entries, options)
      await rename(temporary, path)
      await writeFileAtomic(note, JSON.stringify(made), { durable: false })
      return { ...made, holds, path }
    } catch (error) {
      throw explainWriteError(error, path)
    } finally {
      await rm(temporary, { force: true })
    }
  }

  /** undefined for a layer that is not here, or no longer what it was: it is made again then. */
  async #held(path: string, note: string): Promise<Omit<Layer, 'path' | 'holds'> | undefined> {
    try {
      const noted = parseNote(await readFile(note, 'utf8'))
      if (noted === undefined || (await stat(path)).size !== noted.size) return undefined
      if ((await hashFile(path)) !== noted.digest) return undefined
      const now = new Date()
      await Promise.all([utimes(path, now, now), utimes(note, now, now)])
      return noted
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined
      throw error
    }
  }
}

type Made = Omit<Layer, 'path' | 'holds'>

function parseNote(text: string): Made | undefined {
  try {
    const note: unknown = JSON.parse(text)
    if (typeof note !== 'object' || note === null) return undefined
    const { digest, size, diffId } = note as Partial<Record<keyof Made, unknown>>
    if (typeof digest !== 'string' || typeof diffId !== 'string' || typeof size !== 'number') return undefined
    return { digest: parseDigest(digest), size, diffId: parseDigest(diffId) }
  } catch {
    return undefined // cut short by a power failure
  }
}

/** What the bytes of the layer follow from; the level belongs to it. */
function keyOf(entries: readonly LayerEntry[]): string {
  const hash = createHash('sha256').update(`layer of format 1, level ${level}\n`)
  for (const entry of entries) {
    const { path, kind, mode, uid = 0, gid = 0, size, target = '' } = entry
    const content =
      'source' in entry
        ? entry.digest
        : createHash('sha256')
            .update(entry.bytes ?? '')
            .digest('hex')
    hash.update(`${JSON.stringify([path, kind, mode, uid, gid, size, target, content])}\n`)
  }
  return hash.digest('hex')
}

/** Reads, hashes, compresses and writes at once; what it holds in memory does not grow with the layer. */
async function writeLayer(path: string, entries: readonly LayerEntry[], { signal }: Abortable): Promise<Made> {
  await using file = await open(path, 'wx', 0o644)
  const [inner, outer] = [createHash('sha256'), createHash('sha256')]
  let size = 0
  const put = async (bytes: Buffer) => {
    outer.update(bytes)
    size += bytes.length
    for (let rest = bytes; rest.length > 0;) rest = rest.subarray((await file.write(rest)).bytesWritten)
  }
  await put(gzipHeader)
  const deflate = createDeflateRaw({ level, chunkSize: 256 * 1024 })
  const written = (async () => {
    for await (const chunk of deflate) await put(chunk as Buffer)
  })()
  written.catch(() => {}) // awaited below
  let length = 0
  let check = 0
  try {
    for await (const bytes of tarBytes(entries)) {
      signal?.throwIfAborted()
      inner.update(bytes)
      check = crc32(bytes, check)
      length += bytes.length
      if (!deflate.write(bytes)) await Promise.race([once(deflate, 'drain'), written])
    }
    deflate.end()
    await written
  } catch (error) {
    deflate.destroy()
    throw error
  }
  const trailer = Buffer.alloc(8)
  trailer.writeUInt32LE(check, 0)
  trailer.writeUInt32LE(length % 2 ** 32, 4)
  await put(trailer)
  return { digest: parseDigest(outer.digest('hex')), size, diffId: parseDigest(inner.digest('hex')) }
}

/** No time, no name, and no system: zlib writes one that differs from system to system. @see RFC 1952 */
const gzipHeader: Buffer = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])

/** The archive, piece by piece. @throws FairwayError ARTIFACT_CORRUPT */
async function* tarBytes(entries: readonly LayerEntry[]): AsyncGenerator<Buffer> {
  for (const entry of entries) {
    yield tarHeader(entry)
    if ('source' in entry) yield* fileBytes(entry)
    else if (entry.bytes !== undefined) yield entry.bytes
    yield tarPadding(entry.size)
  }
  yield tarEnd
}

async function* fileBytes({
  path,
  source,
  size,
  digest,
}: Extract<LayerEntry, { source: string }>): AsyncGenerator<Buffer> {
  const hash = createHash('sha256')
  let read = 0
  await using file = await open(source, 'r')
  for (;;) {
    // A new one each time: the last is still being compressed.
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(512 * 1024))
    if (bytesRead === 0) break
    const bytes = buffer.subarray(0, bytesRead)
    hash.update(bytes)
    read += bytesRead
    yield bytes
  }
  if (read === size && hash.digest('hex') === digest) return
  throw new FairwayError('ARTIFACT_CORRUPT', `${path} was changed while it was put into the image`, {
    hint: 'Try again once nothing writes to it.',
  })
}
