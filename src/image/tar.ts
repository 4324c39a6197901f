/** One entry of a tar archive; owner, mode and time are always said, so that nothing of this machine gets in. */
export interface TarEntry {
  /** Relative, with `/`; a folder's too, without one at its end. */
  readonly path: string
  readonly kind: 'file' | 'folder' | 'link'
  /** Permission bits with the sticky bit: 0o1777 */
  readonly mode: number
  readonly uid?: number
  readonly gid?: number
  /** In bytes; 0 for folders and links. */
  readonly size: number
  /** What a symbolic link names. */
  readonly target?: string
}

const blockBytes = 512

/** Every entry has this time: an archive of the same files is the same bytes, whenever it is made. */
const modifiedAt = 0

/**
 * What stands before an entry's content: one ustar header; where a name or a size does not fit into it, a PAX record before.
 * @see POSIX.1-2017, pax: "ustar Interchange Format" and "pax Extended Header"
 */
export function tarHeader(entry: TarEntry): Buffer {
  const path = entry.kind === 'folder' ? `${entry.path}/` : entry.path
  const { target = '' } = entry
  const split = splitName(path)
  const records = [
    ...(split === undefined ? [paxRecord('path', path)] : []),
    ...(fits(target, 100) ? [] : [paxRecord('linkpath', target)]),
    ...(entry.size > largestSize ? [paxRecord('size', String(entry.size))] : []),
  ]
  // Readers that know no PAX records show the names cut.
  const [prefix, name] = split ?? ['', cut(path, 100)]
  const header = ustar({ ...entry, prefix, name, target: cut(target, 100), type: types[entry.kind] })
  if (records.length === 0) return header
  const body = Buffer.concat(records)
  const extension = { name: 'pax', prefix: '', mode: 0o644, size: body.length, target: '', type: 'x' }
  return Buffer.concat([ustar(extension), body, tarPadding(body.length), header])
}

/** Zeros up to the next block. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((blockBytes - (size % blockBytes)) % blockBytes)
}

/** Two empty blocks. */
export const tarEnd: Buffer = Buffer.alloc(2 * blockBytes)

const types = { file: '0', folder: '5', link: '2' } as const

/** 11 octal digits. */
const largestSize = 0o77777777777

interface UstarFields {
  readonly name: string
  readonly prefix: string
  readonly mode: number
  readonly uid?: number
  readonly gid?: number
  readonly size: number
  readonly target: string
  readonly type: string
}

function ustar({ name, prefix, mode, uid = 0, gid = 0, size, target, type }: UstarFields): Buffer {
  const block = Buffer.alloc(blockBytes)
  const octal = (value: number, at: number, digits: number) =>
    block.write(`${value.toString(8).padStart(digits, '0')}\0`, at, 'latin1')
  block.write(name, 0, 100, 'utf8')
  octal(mode, 100, 7)
  octal(uid, 108, 7)
  octal(gid, 116, 7)
  octal(size > largestSize ? 0 : size, 124, 11)
  octal(modifiedAt, 136, 11)
  block.write('        ', 148, 'latin1') // what the checksum counts in its own place
  block.write(type, 156, 'latin1')
  block.write(target, 157, 100, 'utf8')
  block.write('ustar\x0000', 257, 'latin1')
  octal(0, 329, 7)
  octal(0, 337, 7)
  block.write(prefix, 345, 155, 'utf8')
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

/** Into a prefix of at most 155 bytes and a name of at most 100, at a `/`; undefined where that cannot be, or is not ASCII. */
function splitName(path: string): readonly [prefix: string, name: string] | undefined {
  if (!isAscii(path)) return undefined
  if (path.length <= 100) return ['', path]
  // The last byte of a folder's path is no place to split at.
  const at = path.lastIndexOf('/', Math.min(155, path.length - 2))
  const name = path.slice(at + 1)
  return at <= 0 || name.length > 100 ? undefined : [path.slice(0, at), name]
}

function fits(text: string, bytes: number): boolean {
  return isAscii(text) && text.length <= bytes
}

function isAscii(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text)
}

/** At most so many bytes, without half a character. */
function cut(text: string, bytes: number): string {
  let short = text
  while (Buffer.byteLength(short) > bytes) short = short.slice(0, -1)
  return short.toWellFormed()
}

/** '27 path=a/long/name\n': the number counts itself. */
function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`)
  let length = rest + String(rest).length
  if (rest + String(length).length !== length) length += 1
  return Buffer.from(`${length} ${key}=${value}\n`)
}
