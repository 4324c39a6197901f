import { hash } from 'node:crypto'
import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { crc32, inflateRawSync } from 'node:zlib'
import type { ZipEntry } from './zip-directory.ts'

export interface EntryToRead extends Pick<ZipEntry, 'name' | 'method' | 'packedBytes' | 'bytes' | 'crc32' | 'offset'> {
  /** Where its content goes; absent: it is only hashed. */
  readonly target?: string
  readonly mode?: number
}

const localBytes = 30
const localSignature = 0x04034b50

/** Why an entry is not what the directory says of it. */
export class EntryFault extends Error {}

let packed = Buffer.alloc(1024 * 1024)

/**
 * Reads one entry, in one go: a file of a module is small, and the largest fits in memory several times over.
 * @param fd of the zip
 * @returns the sha256 of its content, in hex
 * @throws EntryFault when it holds more or less than it claims, or something else; nothing beyond the claim is inflated
 */
export function readEntry(fd: number, entry: EntryToRead): string {
  const content = inflate(fd, entry)
  if (entry.target !== undefined) writeNew(entry.target, content, entry.mode ?? 0o644)
  return hash('sha256', content, 'hex')
}

function inflate(fd: number, { name, method, packedBytes, bytes, crc32: sum, offset }: EntryToRead): Buffer {
  // Names and extra fields of the local header are as long as they like; mostly one read holds header and content.
  const guess = localBytes + Buffer.byteLength(name) + packedBytes + 64
  if (packed.length < guess) packed = Buffer.alloc(guess)
  const read = readFully(fd, packed.subarray(0, guess), offset)
  if (read < localBytes || packed.readUInt32LE(0) !== localSignature)
    throw new EntryFault(`${name}: no entry begins where the directory says`)
  const begin = localBytes + packed.readUInt16LE(26) + packed.readUInt16LE(28)
  let data = packed.subarray(begin, begin + packedBytes)
  if (begin + packedBytes > read) {
    data = Buffer.alloc(packedBytes)
    if (readFully(fd, data, offset + begin) < packedBytes) throw new EntryFault(`${name}: the zip ends within it`)
  }
  const content = method === 0 ? data : inflateAtMost(data, bytes, name)
  if (content.length !== bytes) throw new EntryFault(`${name} has ${content.length} bytes, the directory says ${bytes}`)
  if (crc32(content) !== sum) throw new EntryFault(`${name}: its checksum (CRC-32) is wrong`)
  return content
}

function inflateAtMost(data: Buffer, bytes: number, name: string): Buffer {
  try {
    // One byte more than claimed may come, to be seen; one more room, so that it all comes in one piece.
    return inflateRawSync(data, { maxOutputLength: bytes + 1, chunkSize: Math.max(64, bytes + 1) })
  } catch (error) {
    const isMore = error instanceof RangeError
    throw new EntryFault(
      isMore ? `${name} has more than the ${bytes} bytes that the directory says` : `${name} cannot be unpacked`,
    )
  }
}

function readFully(fd: number, buffer: Buffer, position: number): number {
  let filled = 0
  while (filled < buffer.length) {
    const read = readSync(fd, buffer, filled, buffer.length - filled, position + filled)
    if (read === 0) break
    filled += read
  }
  return filled
}

function writeNew(path: string, content: Buffer, mode: number): void {
  const file = openSync(path, 'wx', mode)
  try {
    for (let done = 0; done < content.length;) done += writeSync(file, content, done)
  } finally {
    closeSync(file)
  }
}
