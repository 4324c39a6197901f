import { open, type FileHandle } from 'node:fs/promises'

/** What the linker wrote into a Go binary. */
export interface BuildInfo {
  /** 'go1.26.8' */
  readonly goVersion: string
  /** Import path of the main package. */
  readonly path: string
  readonly main?: BuildModule
  readonly dependencies: readonly BuildModule[]
  /** '-trimpath', 'CGO_ENABLED', 'GOARCH', … */
  readonly settings: ReadonlyMap<string, string>
}

interface BuildModule {
  readonly path: string
  readonly version: string
  /** 'h1:…' of the module's zip; none for the main module. */
  readonly sum?: string
}

/**
 * Reads the section `.go.buildinfo` of a 64-bit little-endian ELF file, as Go ≥ 1.18 writes it: about 0.1 ms.
 * @returns undefined for what is no such file
 * @see debug/buildinfo in Go's library
 */
export async function readBuildInfo(path: string): Promise<BuildInfo | undefined> {
  await using file = await open(path, 'r')
  const section = await findSection(file, '.go.buildinfo')
  if (section === undefined) return undefined
  return parseSection(await readAt(file, section.offset, Math.min(section.size, 4 * 1024 * 1024)))
}

/** @param data magic (14 bytes), pointer size, flags; from byte 32 two strings with a varint length before each */
export function parseSection(data: Buffer): BuildInfo | undefined {
  if (data.subarray(0, 14).toString('latin1') !== '\xff Go buildinf:') return undefined
  const inlineStrings = 2
  if (((data[15] ?? 0) & inlineStrings) === 0) return undefined // Go before 1.18
  const version = readString(data, 32)
  if (version === undefined) return undefined
  const info = readString(data, version.end)
  // 16 bytes of sentinel stand before and after the text.
  const text = info === undefined || info.bytes.length < 33 ? '' : info.bytes.subarray(16, -16).toString('utf8')
  return { goVersion: version.bytes.toString('utf8'), ...parseModuleInfo(text) }
}

/** @see runtime/debug.BuildInfo.String: tab-separated lines path, mod, dep, => (replaces the one before), build */
export function parseModuleInfo(text: string): Omit<BuildInfo, 'goVersion'> {
  let path = ''
  let main: BuildModule | undefined
  const dependencies: BuildModule[] = []
  const settings = new Map<string, string>()
  for (const line of text.split('\n')) {
    const [word, first = '', version = '', sum] = line.split('\t')
    const module = { path: first, version, ...(sum === undefined || sum === '' ? {} : { sum }) }
    if (word === 'path') path = first
    else if (word === 'mod') main = module
    else if (word === 'dep') dependencies.push(module)
    else if (word === '=>' && dependencies.length > 0) dependencies.splice(-1, 1, module)
    else if (word === 'build') {
      const [key = '', ...value] = first.split('=')
      settings.set(unquote(key), unquote(value.join('=')))
    }
  }
  return { path, ...(main === undefined ? {} : { main }), dependencies, settings }
}

function unquote(text: string): string {
  if (!text.startsWith('"')) return text
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'string' ? value : text
  } catch {
    return text // Go's quoting knows escapes JSON does not
  }
}

function readString(data: Buffer, offset: number): { bytes: Buffer; end: number } | undefined {
  let length = 0
  let shift = 0
  for (let at = offset; at < data.length && shift < 35; at += 1) {
    const byte = data[at] ?? 0
    length += (byte & 0x7f) * 2 ** shift
    shift += 7
    if (byte < 0x80) {
      const end = at + 1 + length
      return end > data.length ? undefined : { bytes: data.subarray(at + 1, end), end }
    }
  }
  return undefined
}

/** @see elf(5): header, then `e_shnum` section headers of 64 bytes, their names in the section `e_shstrndx` */
async function findSection(file: FileHandle, name: string): Promise<{ offset: number; size: number } | undefined> {
  const header = await readAt(file, 0, 64)
  const is64BitLittleEndian = header[4] === 2 && header[5] === 1
  if (header.length < 64 || header.readUInt32BE(0) !== 0x7f454c46 || !is64BitLittleEndian) return undefined
  const count = header.readUInt16LE(60)
  const table = await readAt(file, Number(header.readBigUInt64LE(40)), count * 64)
  if (table.length < count * 64) return undefined
  const section = (index: number) => ({
    name: table.readUInt32LE(index * 64),
    offset: Number(table.readBigUInt64LE(index * 64 + 24)),
    size: Number(table.readBigUInt64LE(index * 64 + 32)),
  })
  const namesIndex = header.readUInt16LE(62)
  if (namesIndex >= count) return undefined
  const names = section(namesIndex)
  const text = await readAt(file, names.offset, Math.min(names.size, 64 * 1024))
  for (let index = 0; index < count; index += 1) {
    const candidate = section(index)
    const end = text.indexOf(0, candidate.name)
    if (text.subarray(candidate.name, end < 0 ? undefined : end).toString('latin1') === name) return candidate
  }
  return undefined
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  if (!Number.isSafeInteger(position)) return Buffer.alloc(0)
  const buffer = Buffer.alloc(length)
  const { bytesRead } = await file.read(buffer, 0, length, position)
  return buffer.subarray(0, bytesRead)
}
