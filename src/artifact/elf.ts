import { type FileHandle, open } from 'node:fs/promises'

export interface ElfSection {
  /** '.text' */
  readonly name: string
  /** From the file's beginning, in bytes. */
  readonly offset: number
  /** In the file, in bytes: 0 for what takes space in memory alone (.bss). */
  readonly size: number
}

/** What an executable says about where it can run. */
export interface Elf {
  /** As Go names it: 'amd64', 'arm64', 'arm', …; 'machine 8' for one that is not known here. */
  readonly arch: string
  /** The dynamic linker it asks for ('/lib64/ld-linux-x86-64.so.2'); none for a static file. */
  readonly interpreter?: string
  /** The shared libraries it names: 'libc.so.6' */
  readonly libraries: readonly string[]
  readonly sections: readonly ElfSection[]
}

/** e_machine → GOARCH of a little-endian file; the few that are big-endian are told by `bigEndian`. */
const machines: Readonly<Record<number, string>> = { 3: '386', 8: 'mipsle', 21: 'ppc64le', 22: 's390x', 40: 'arm', 62: 'amd64', 183: 'arm64', 243: 'riscv64', 258: 'loong64' } // prettier-ignore
const bigEndian: Readonly<Record<string, string>> = { mipsle: 'mips', ppc64le: 'ppc64' }

/**
 * Reads the headers alone: about 0.1 ms.
 * @returns undefined for what is no ELF file, or a truncated one
 * @see elf(5)
 */
export async function readElf(path: string): Promise<Elf | undefined> {
  await using file = await open(path, 'r')
  const header = await readAt(file, 0, 64)
  if (header.length < 52 || header.readUInt32BE(0) !== 0x7f454c46) return undefined
  const is64 = header[4] === 2
  if (is64 && header.length < 64) return undefined
  const read = fieldReader(header[5] === 2)
  const word = (data: Buffer, offset: number) => (is64 ? read.long(data, offset) : read.int(data, offset))
  const sections = await readSections(file, {
    table: word(header, is64 ? 40 : 32),
    entryBytes: read.short(header, is64 ? 58 : 46),
    count: read.short(header, is64 ? 60 : 48),
    names: read.short(header, is64 ? 62 : 50),
    parse: (entry) => ({
      name: read.int(entry, 0),
      // SHT_NOBITS
      size: read.int(entry, 4) === 8 ? 0 : word(entry, is64 ? 32 : 20),
      offset: word(entry, is64 ? 24 : 16),
    }),
  })
  if (sections === undefined) return undefined
  const text = async (name: string) => {
    const found = sections.find((section) => section.name === name)
    return found === undefined ? Buffer.alloc(0) : readAt(file, found.offset, Math.min(found.size, 1024 * 1024))
  }
  const interpreter = stringAt(await text('.interp'), 0)
  const names = await text('.dynstr')
  const dynamic = await text('.dynamic')
  const libraries: string[] = []
  const entryBytes = is64 ? 16 : 8
  for (let at = 0; at + entryBytes <= dynamic.length; at += entryBytes) {
    const needed = 1 // DT_NEEDED
    if (word(dynamic, at) === needed) libraries.push(stringAt(names, word(dynamic, at + entryBytes / 2)))
  }
  const machine = read.short(header, 18)
  const little = machines[machine] ?? `machine ${machine}`
  const arch = header[5] === 2 ? (bigEndian[little] ?? little) : little
  return { arch, ...(interpreter === '' ? {} : { interpreter }), libraries, sections }
}

interface SectionTable {
  readonly table: number
  readonly entryBytes: number
  readonly count: number
  /** Which section holds the names. */
  readonly names: number
  readonly parse: (entry: Buffer) => { name: number; offset: number; size: number }
}

async function readSections(file: FileHandle, where: SectionTable): Promise<ElfSection[] | undefined> {
  const { table, entryBytes, count, names, parse } = where
  if (count === 0) return [] // stripped of them
  if (entryBytes < 40 || entryBytes > 256) return undefined
  const data = await readAt(file, table, count * entryBytes)
  if (data.length < count * entryBytes || names >= count) return undefined
  const entries = Array.from({ length: count }, (_, index) => parse(data.subarray(index * entryBytes)))
  const naming = entries[names]
  const text = naming === undefined ? Buffer.alloc(0) : await readAt(file, naming.offset, Math.min(naming.size, 65_536))
  return entries.map(({ name, offset, size }) => ({ name: stringAt(text, name), offset, size }))
}

function fieldReader(isBigEndian: boolean) {
  return isBigEndian
    ? {
        short: (data: Buffer, at: number) => data.readUInt16BE(at),
        int: (data: Buffer, at: number) => data.readUInt32BE(at),
        long: (data: Buffer, at: number) => Number(data.readBigUInt64BE(at)),
      }
    : {
        short: (data: Buffer, at: number) => data.readUInt16LE(at),
        int: (data: Buffer, at: number) => data.readUInt32LE(at),
        long: (data: Buffer, at: number) => Number(data.readBigUInt64LE(at)),
      }
}

/** Up to the next NUL. */
function stringAt(data: Buffer, offset: number): string {
  if (offset >= data.length) return ''
  const end = data.indexOf(0, offset)
  return data.subarray(offset, end < 0 ? undefined : end).toString('latin1')
}

export async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  if (!Number.isSafeInteger(position)) return Buffer.alloc(0)
  const buffer = Buffer.alloc(length)
  const { bytesRead } = await file.read(buffer, 0, length, position)
  return buffer.subarray(0, bytesRead)
}
