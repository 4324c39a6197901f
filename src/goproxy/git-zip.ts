import { type FileHandle, open } from 'node:fs/promises'
import { FairwayError } from '../base/error.ts'
import { readZipEntries, type ZipEntry } from '../module/index.ts'

export interface ZipOrder {
  /** Only what lies below it in git's zip is the module's: 'm/sub/'. */
  readonly below: string
  /** 'module@version/' */
  readonly prefix: string
  /** Of its `go` line: an old mistake about vendor folders is kept for old modules, since their hashes are known. */
  readonly language: readonly [number, number]
}

/**
 * Makes a module's zip of git's: other names, and without what does not belong to the module. What is packed is not
 * unpacked for it. Whether its names and sizes keep the rules is for the reader to say.
 * @see golang.org/x/mod/zip: Create
 */
export async function moduleZip(from: string, to: string, order: ZipOrder): Promise<void> {
  await using source = await open(from, 'r')
  await using target = await open(to, 'wx', 0o600)
  const all = await readZipEntries(source)
  const kept = chooseFiles(
    all.filter(({ name }) => name.startsWith(order.below)),
    order,
  )
  // A module below the root that has none of its own comes under the repository's.
  const license = all.find((entry) => entry.name === 'm/LICENSE' && isRegular(entry))
  if (license !== undefined && !kept.some(({ name }) => name === 'LICENSE'))
    kept.push({ name: 'LICENSE', entry: license })
  const writer = new ZipWriter(target)
  for (const { name, entry } of kept) {
    const { method, crc32: sum, bytes, packedBytes } = entry
    await writer.begin({ name: `${order.prefix}${name}`, method, crc32: sum, bytes, packedBytes })
    await copyPacked(source, entry, writer)
  }
  await writer.end()
}

function chooseFiles(
  entries: readonly ZipEntry[],
  { below, language }: Pick<ZipOrder, 'below' | 'language'>,
): { readonly name: string; readonly entry: ZipEntry }[] {
  const files = entries
    .map((entry) => ({ name: entry.name.slice(below.length), entry }))
    .filter(({ name, entry }) => name !== '' && !name.endsWith('/') && isRegular(entry))
  const nested = new Set(
    files.flatMap(({ name }) => {
      const slash = name.lastIndexOf('/')
      return slash >= 0 && name.slice(slash + 1).toLowerCase() === 'go.mod' ? [name.slice(0, slash + 1)] : []
    }),
  )
  return files.filter(({ name }) => {
    for (let at = name.indexOf('/'); at >= 0; at = name.indexOf('/', at + 1))
      if (nested.has(name.slice(0, at + 1))) return false
    return !isVendored(name, language) && name !== '.hg_archival.txt'
  })
}

function isRegular({ mode }: ZipEntry): boolean {
  const type = mode & 0o170000
  return type === 0 || type === 0o100000
}

/** @see golang.org/x/mod/zip: isVendoredPackage, with its mistake of before go 1.24 (golang.org/issue/37397) */
export function isVendored(name: string, [major, minor]: readonly [number, number]): boolean {
  const isRight = major > 1 || minor >= 24
  if (isRight && name === 'vendor/modules.txt') return true
  const vendor = '/vendor/'
  let from: number
  if (name.startsWith('vendor/')) from = 'vendor/'.length
  else {
    const at = name.indexOf(vendor)
    if (at < 0) return false
    from = isRight ? at + vendor.length : vendor.length
  }
  return name.slice(from).includes('/')
}

const localBytes = 30

async function copyPacked(source: FileHandle, { offset, packedBytes }: ZipEntry, writer: ZipWriter): Promise<void> {
  const head = Buffer.alloc(localBytes)
  await source.read(head, 0, localBytes, offset)
  let at = offset + localBytes + head.readUInt16LE(26) + head.readUInt16LE(28)
  const buffer = Buffer.allocUnsafe(256 * 1024)
  for (let left = packedBytes; left > 0;) {
    const { bytesRead } = await source.read(buffer, 0, Math.min(left, buffer.length), at)
    if (bytesRead === 0) throw new FairwayError('MODULE_UNAVAILABLE', 'git’s archive ends in the middle')
    await writer.write(buffer.subarray(0, bytesRead))
    at += bytesRead
    left -= bytesRead
  }
}

type NewEntry = Pick<ZipEntry, 'name' | 'method' | 'crc32' | 'bytes' | 'packedBytes'>

const mostEntries = 65_535
const utf8 = 0x0800

/** A plain zip, without times and modes. @see APPNOTE.TXT 6.3.9, section 4.3 */
class ZipWriter {
  readonly #file: FileHandle
  readonly #directory: Buffer[] = []
  #at = 0

  constructor(file: FileHandle) {
    this.#file = file
  }

  /** Its packed bytes follow by `write`. */
  async begin({ name, method, crc32: sum, bytes, packedBytes }: NewEntry): Promise<void> {
    const nameBytes = Buffer.from(name)
    const common = Buffer.alloc(26)
    common.writeUInt16LE(20, 0)
    common.writeUInt16LE(utf8, 2)
    common.writeUInt16LE(method, 4)
    common.writeUInt32LE(sum, 10)
    common.writeUInt32LE(packedBytes, 14)
    common.writeUInt32LE(bytes, 18)
    common.writeUInt16LE(nameBytes.length, 22)
    const rest = Buffer.alloc(14)
    rest.writeUInt32LE(this.#at, 10)
    this.#directory.push(Buffer.concat([Buffer.from('PK\u0001\u0002\u0014\u0000', 'latin1'), common, rest, nameBytes]))
    await this.write(Buffer.concat([Buffer.from('PK\u0003\u0004', 'latin1'), common, nameBytes]))
  }

  async write(bytes: Buffer): Promise<void> {
    for (let done = 0; done < bytes.length;)
      done += (await this.#file.write(bytes, done, bytes.length - done, this.#at + done)).bytesWritten
    this.#at += bytes.length
  }

  async end(): Promise<void> {
    const count = this.#directory.length
    if (count > mostEntries)
      throw new FairwayError('MODULE_INVALID', `The module has ${count} files; ${mostEntries} are the most`)
    const directory = Buffer.concat(this.#directory)
    const end = Buffer.alloc(22)
    end.writeUInt32LE(0x06054b50, 0)
    end.writeUInt16LE(count, 8)
    end.writeUInt16LE(count, 10)
    end.writeUInt32LE(directory.length, 12)
    end.writeUInt32LE(this.#at, 16)
    await this.write(Buffer.concat([directory, end]))
  }
}
