import { findFileFault, type ModuleVersion } from './module-path.ts'
import type { ZipEntry } from './zip-directory.ts'

/** @see https://go.dev/ref/mod#zip-files */
export const zipLimits = {
  zipBytes: 500 * 1024 * 1024,
  contentBytes: 500 * 1024 * 1024,
  goModBytes: 16 * 1024 * 1024,
  licenseBytes: 16 * 1024 * 1024,
} as const

/** NAME_MAX of Linux, in bytes; and so much below the module's root that PATH_MAX (4096) has room for where it lies. */
const longestElement = 255
const longestName = 2048

/** A file of the module, by its name below the module's root. */
export interface ModuleFile extends ZipEntry {
  readonly path: string
}

/** A rule that is broken: its name, for people and tests, and what breaks it. */
export interface ZipFault {
  readonly rule:
    | 'not a zip'
    | 'too large'
    | 'a name outside the module'
    | 'a name that is not allowed'
    | 'a name that is too long'
    | 'an absolute name'
    | 'a name with ..'
    | 'a symbolic link'
    | 'not a regular file'
    | 'names that differ by case alone'
    | 'a name that comes twice'
    | 'a go.mod below the root'
    | 'a way of packing that is not allowed'
    | 'a size that is not what the directory says'
  readonly what: string
}

/** The files of a module zip, if it keeps the rules; what its entries really hold is checked when they are read. */
export function checkEntries(entries: readonly ZipEntry[], { path, version }: ModuleVersion): ModuleFile[] | ZipFault {
  const prefix = `${path}@${version}/`
  const names = new Names()
  const files: ModuleFile[] = []
  let bytes = 0
  for (const entry of entries) {
    const fault = checkName(entry, prefix) ?? checkKind(entry)
    if (fault !== undefined) return fault
    const isFolder = entry.name.endsWith('/')
    const name = entry.name.slice(prefix.length, isFolder ? -1 : undefined)
    if (name === '') continue // the root itself
    const collision = names.add(name, isFolder)
    if (collision !== undefined) return collision
    if (isFolder) continue
    const base = name.slice(name.lastIndexOf('/') + 1)
    if (base.toLowerCase() === 'go.mod' && name !== 'go.mod') return { rule: 'a go.mod below the root', what: name }
    bytes += entry.bytes
    const limit =
      name === 'go.mod' ? zipLimits.goModBytes : name === 'LICENSE' ? zipLimits.licenseBytes : zipLimits.contentBytes
    if (entry.bytes > limit)
      return { rule: 'too large', what: `${name} has ${entry.bytes} bytes, ${limit} are allowed` }
    if (bytes > zipLimits.contentBytes)
      return { rule: 'too large', what: `its files have more than ${zipLimits.contentBytes} bytes together` }
    files.push({ ...entry, path: name })
  }
  return files
}

function checkName({ name }: ZipEntry, prefix: string): ZipFault | undefined {
  const what = JSON.stringify(name)
  if (/^[/\\]|^[A-Za-z]:/.test(name)) return { rule: 'an absolute name', what }
  if (name.split(/[/\\]/).includes('..')) return { rule: 'a name with ..', what }
  if (!name.startsWith(prefix))
    return { rule: 'a name outside the module', what: `${what} does not begin with ${prefix}` }
  if (name === prefix) return undefined
  const below = name.slice(prefix.length).replace(/\/$/, '')
  if (below.split('/').some((element) => Buffer.byteLength(element) > longestElement) || below.length > longestName)
    return {
      rule: 'a name that is too long',
      what: `${JSON.stringify(`${name.slice(0, 100)}…`)}: no file system holds it`,
    }
  const fault = findFileFault(below)
  return fault === undefined ? undefined : { rule: 'a name that is not allowed', what: `${what}: ${fault}` }
}

const typeBits = 0o170000
const encrypted = 1

function checkKind({ name, mode, method, flags }: ZipEntry): ZipFault | undefined {
  const what = JSON.stringify(name)
  const type = mode & typeBits
  const isFolder = name.endsWith('/')
  if (type === 0o120000) return { rule: 'a symbolic link', what }
  if (type !== 0 && type !== (isFolder ? 0o040000 : 0o100000)) return { rule: 'not a regular file', what }
  if ((flags & encrypted) !== 0 || (method !== 0 && method !== 8))
    return {
      rule: 'a way of packing that is not allowed',
      what: `${what}: ${(flags & encrypted) === 0 ? `method ${method}` : 'encrypted'}`,
    }
  return undefined
}

/** What would be one and the same where capitals do not count. */
class Names {
  readonly #byFold = new Map<string, { readonly name: string; readonly isFolder: boolean }>()

  add(name: string, isFolder: boolean): ZipFault | undefined {
    for (let end = name.indexOf('/'); end >= 0; end = name.indexOf('/', end + 1)) {
      const fault = this.#enter(name.slice(0, end), true, true)
      if (fault !== undefined) return fault
    }
    return this.#enter(name, isFolder, false)
  }

  #enter(name: string, isFolder: boolean, mayRepeat: boolean): ZipFault | undefined {
    const key = fold(name)
    const other = this.#byFold.get(key)
    if (other === undefined) {
      this.#byFold.set(key, { name, isFolder })
      return undefined
    }
    if (other.name !== name) return { rule: 'names that differ by case alone', what: `${other.name} and ${name}` }
    if (mayRepeat && other.isFolder) return undefined
    if (isFolder && other.isFolder) return undefined
    return { rule: 'a name that comes twice', what: name }
  }
}

/** One form for all that a file system may hold for the same letter. */
function fold(name: string): string {
  // oxlint-disable-next-line no-control-regex -- all of ASCII
  if (/^[\u0000-\u007f]*$/.test(name)) return name.toLowerCase()
  return Array.from(name, (letter) => {
    const upper = letter.toUpperCase()
    return (upper.length === letter.length ? upper : letter).toLowerCase()
  }).join('')
}
