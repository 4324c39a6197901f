/** One entry of a zip, as its central directory tells it: claims, until it was read. */
export interface ZipEntry {
  readonly name: string
  /** 0 stored, 8 deflated. */
  readonly method: number
  readonly flags: number
  readonly packedBytes: number
  readonly bytes: number
  readonly crc32: number
  /** Of its local header. */
  readonly offset: number
  /** The Unix mode where the maker was Unix: 0 elsewhere. */
  readonly mode: number
}

/** Where the central directory lies. */
export interface ZipDirectoryPlace {
  readonly entries: number
  readonly offset: number
  readonly bytes: number
}

const endBytes = 22
const endSignature = 0x06054b50
const end64LocatorBytes = 20
const end64LocatorSignature = 0x07064b50
/** Read this much from the end: the end record, and the longest comment before it. */
export const tailBytes: number = endBytes + 0xffff + end64LocatorBytes

/**
 * Finds the end record in the last bytes of a zip.
 * @returns where the directory lies; for a zip of more than 65,535 entries where its larger end record does
 * @see APPNOTE.TXT 6.3.9, sections 4.3.14–4.3.16
 */
export function findDirectory(tail: Buffer): ZipDirectoryPlace | { readonly end64Offset: number } | undefined {
  for (let at = tail.length - endBytes; at >= 0; at -= 1) {
    if (tail.readUInt32LE(at) !== endSignature) continue
    if (at + endBytes + tail.readUInt16LE(at + 20) !== tail.length) continue
    const locator = at - end64LocatorBytes
    if (locator >= 0 && tail.readUInt32LE(locator) === end64LocatorSignature)
      return { end64Offset: Number(tail.readBigUInt64LE(locator + 8)) }
    return {
      entries: tail.readUInt16LE(at + 10),
      bytes: tail.readUInt32LE(at + 12),
      offset: tail.readUInt32LE(at + 16),
    }
  }
  return undefined
}

export const end64Bytes = 56

export function parseEnd64(record: Buffer): ZipDirectoryPlace | undefined {
  if (record.length < end64Bytes || record.readUInt32LE(0) !== 0x06064b50) return undefined
  return {
    entries: Number(record.readBigUInt64LE(32)),
    bytes: Number(record.readBigUInt64LE(40)),
    offset: Number(record.readBigUInt64LE(48)),
  }
}

const entryBytes = 46
const entrySignature = 0x02014b50
const unix = 3
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** undefined for a directory that is not whole, or holds names that are not UTF-8. */
export function parseDirectory(directory: Buffer, count: number): ZipEntry[] | undefined {
  const entries: ZipEntry[] = []
  let at = 0
  while (entries.length < count) {
    if (at + entryBytes > directory.length || directory.readUInt32LE(at) !== entrySignature) return undefined
    const nameBytes = directory.readUInt16LE(at + 28)
    const next = at + entryBytes + nameBytes + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32)
    if (next > directory.length) return undefined
    let name: string
    try {
      name = decoder.decode(directory.subarray(at + entryBytes, at + entryBytes + nameBytes))
    } catch {
      return undefined
    }
    entries.push({
      name,
      flags: directory.readUInt16LE(at + 8),
      method: directory.readUInt16LE(at + 10),
      crc32: directory.readUInt32LE(at + 16),
      packedBytes: directory.readUInt32LE(at + 20),
      bytes: directory.readUInt32LE(at + 24),
      mode: directory[at + 5] === unix ? directory.readUInt16LE(at + 40) : 0,
      offset: directory.readUInt32LE(at + 42),
    })
    at = next
  }
  return at === directory.length ? entries : undefined
}
