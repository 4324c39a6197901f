import { mkdir, open, type FileHandle } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { Abortable } from '../base/bounds.ts'
import { explainWriteError, FairwayError } from '../base/error.ts'
import { hashFiles } from './h1.ts'
import type { ModuleVersion } from './module-path.ts'
import {
  end64Bytes,
  findDirectory,
  parseDirectory,
  parseEnd64,
  tailBytes,
  type ZipDirectoryPlace,
  type ZipEntry,
} from './zip-directory.ts'
import { EntryFault, type EntryToRead, readEntry } from './zip-entry.ts'
import { checkEntries, type ModuleFile, type ZipFault, zipLimits } from './zip-rules.ts'
import type { ZipWork, ZipWorkResult } from './zip-worker.ts'

/** What a module zip turned out to hold. */
export interface ReadZip {
  readonly h1: string
  readonly files: readonly (Pick<ModuleFile, 'path' | 'bytes' | 'mode'> & { readonly sha256: string })[]
  /** Unpacked. */
  readonly bytes: number
}

/** From this much content on, threads are worth their start. */
const threadsFromBytes = 64 * 1024 * 1024
const mostThreads = 4

/**
 * Reads a module zip once, by the rules: hashes every file, and unpacks it where asked. Its files come without the
 * `module@version/` before their names, not executable. What was unpacked is not yet proven: compare `h1` first.
 * @param unpackTo an empty folder
 * @param mode of its files; 0644 unless told
 * @throws FairwayError MODULE_INVALID with the name of the rule that is broken; DISK_FULL; the signal's reason
 */
export async function readModuleZip(
  zip: string,
  module: ModuleVersion,
  { unpackTo, mode = 0o644, signal }: Abortable & { unpackTo?: string; mode?: number } = {},
): Promise<ReadZip> {
  signal?.throwIfAborted()
  await using file = await open(zip, 'r')
  const refuse = ({ rule, what }: ZipFault) =>
    new FairwayError('MODULE_INVALID', `The zip of ${module.path}@${module.version} is refused: ${rule}: ${what}`)
  const entries = await readEntries(file)
  if (!Array.isArray(entries)) throw refuse(entries)
  const files = checkEntries(entries, module)
  if (!Array.isArray(files)) throw refuse(files)
  const orders = files.map(({ path, name, method, packedBytes, bytes, crc32, offset }): EntryToRead => {
    const order = { name, method, packedBytes, bytes, crc32, offset }
    return unpackTo === undefined ? order : { ...order, target: join(unpackTo, path), mode }
  })
  if (unpackTo !== undefined) {
    const folders = new Set(orders.map(({ target = '' }) => dirname(target)))
    for (const folder of [...folders].toSorted()) await mkdir(folder, { recursive: true })
  }
  const bytes = files.reduce((sum, each) => sum + each.bytes, 0)
  try {
    const hashes =
      bytes < threadsFromBytes ? await readHere(file, orders, signal) : await readInThreads(zip, orders, signal)
    const hashed = files.map((each, index) => ({ ...each, sha256: hashes[index] ?? '' }))
    return {
      h1: hashFiles(hashed),
      files: hashed.map(({ path, bytes: size, mode: bits, sha256 }) => ({ path, bytes: size, mode: bits, sha256 })),
      bytes,
    }
  } catch (error) {
    if (error instanceof EntryFault)
      throw refuse({ rule: 'a size that is not what the directory says', what: error.message })
    throw explainWriteError(error, unpackTo ?? zip)
  }
}

/** The entries of any zip. @throws FairwayError MODULE_INVALID */
export async function readZipEntries(file: FileHandle): Promise<ZipEntry[]> {
  const entries = await readEntries(file)
  if (Array.isArray(entries)) return entries
  throw new FairwayError('MODULE_INVALID', `${entries.rule}: ${entries.what}`)
}

async function readEntries(file: FileHandle): Promise<ZipEntry[] | ZipFault> {
  const { size } = await file.stat()
  if (size > zipLimits.zipBytes) return { rule: 'too large', what: `${size} bytes, ${zipLimits.zipBytes} are allowed` }
  const read = async (position: number, length: number) => {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position)
    return buffer.subarray(0, bytesRead)
  }
  const tail = Math.min(size, tailBytes)
  const found = findDirectory(await read(size - tail, tail))
  if (found === undefined) return { rule: 'not a zip', what: 'it has no end record: is it cut off?' }
  let place: ZipDirectoryPlace | undefined
  if ('end64Offset' in found)
    place = found.end64Offset + end64Bytes <= size ? parseEnd64(await read(found.end64Offset, end64Bytes)) : undefined
  else place = found
  if (place === undefined || place.offset + place.bytes > size)
    return { rule: 'not a zip', what: 'its directory lies outside of it' }
  const entries = parseDirectory(await read(place.offset, place.bytes), place.entries)
  return entries ?? { rule: 'not a zip', what: 'its directory cannot be read' }
}

/** In this thread, in turns with whatever else waits in it. */
async function readHere(
  file: FileHandle,
  orders: readonly EntryToRead[],
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const hashes: string[] = []
  let begin = performance.now()
  for (const order of orders) {
    hashes.push(readEntry(file.fd, order))
    if (performance.now() - begin < 4) continue
    await turn()
    signal?.throwIfAborted()
    begin = performance.now()
  }
  return hashes
}

async function readInThreads(
  zip: string,
  orders: readonly EntryToRead[],
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const next = new Int32Array(new SharedArrayBuffer(4))
  const stop = () => Atomics.store(next, 0, -1_000_000_000)
  signal?.addEventListener('abort', stop, { once: true })
  // The largest first: the last one to end keeps nobody waiting.
  const indexes = orders.map((_, index) => index).toSorted((a, b) => (orders[b]?.bytes ?? 0) - (orders[a]?.bytes ?? 0))
  const entries = indexes.flatMap((index) => orders[index] ?? [])
  const threads = Math.min(availableParallelism(), mostThreads)
  const settled = await Promise.allSettled(
    Array.from({ length: threads }, () => runWorker({ zip, entries, next }, stop)),
  )
  signal?.removeEventListener('abort', stop)
  signal?.throwIfAborted()
  const hashes: string[] = Array.from({ length: orders.length })
  for (const one of settled) {
    if (one.status === 'rejected') throw one.reason
    const result = one.value
    if (result.kind === 'fault') throw new EntryFault(result.what)
    if (result.kind === 'failed')
      throw Object.assign(new Error(result.message), result.errno === undefined ? {} : { code: result.errno })
    for (const [at, sha256] of result.hashes) hashes[indexes[at] ?? -1] = sha256
  }
  return hashes
}

function runWorker(workerData: ZipWork, stop: () => void): Promise<ZipWorkResult> {
  const { promise, resolve, reject } = Promise.withResolvers<ZipWorkResult>()
  const worker = new Worker(new URL('zip-worker.ts', import.meta.url), { workerData })
  worker.on('message', resolve)
  worker.on('error', (error) => {
    stop()
    reject(error)
  })
  worker.on('exit', () => reject(new Error('a thread that unpacked ended early')))
  return promise
}
