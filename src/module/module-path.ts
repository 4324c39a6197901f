import { canonicalVersion, majorVersion, parseSemver } from './semver.ts'

/** One version of one module: what everything here is about. */
export interface ModuleVersion {
  /** 'github.com/BurntSushi/toml' */
  readonly path: string
  /** 'v1.5.0' */
  readonly version: string
}

/**
 * What may be a module's path, a version, a file's name. Each check gives the rule that is broken, in words, or undefined.
 * @see golang.org/x/mod/module: CheckPath, CheckFilePath, CheckPathMajor, EscapePath
 */
export function findPathFault(path: string): string | undefined {
  const fault = findFault(path, 'module')
  if (fault !== undefined) return fault
  const [first = ''] = path.split('/')
  if (!first.includes('.')) return 'its first element has no dot: it must be a host name'
  if (!/^[a-z0-9.-]+$/.test(first)) return 'its first element is not a host name in lower case'
  if (splitPathMajor(path) === undefined) return 'its last element is no valid major version'
  return undefined
}

/** The path of a package within modules: any of its prefixes may be the module's. */
export function findPackageFault(path: string): string | undefined {
  return findFault(path, 'package')
}

/** A file's name within a module, with slashes. */
export function findFileFault(name: string): string | undefined {
  return findFault(name, 'file')
}

/** A version of this path: canonical, and of the major version that the path ends in. */
export function findVersionFault({ path, version }: ModuleVersion): string | undefined {
  if (canonicalVersion(version) !== version) return `${JSON.stringify(version)} is no canonical version like v1.2.3`
  const split = splitPathMajor(path)
  if (split === undefined) return 'the path’s last element is no valid major version'
  const major = split.major.replace(/-unstable$/, '')
  if (version.startsWith('v0.0.0-') && major === '.v1') return undefined // an old mistake of go, kept for the modules that have it
  const actual = majorVersion(version) ?? ''
  if (major === '') {
    const isIncompatible = parseSemver(version)?.build === 'incompatible'
    return actual === 'v0' || actual === 'v1' || isIncompatible
      ? undefined
      : `the path says v0 or v1, the version ${actual}`
  }
  if (parseSemver(version)?.build === 'incompatible') return '+incompatible is only for paths without a major version'
  return actual === major.slice(1) ? undefined : `the path says ${major.slice(1)}, the version ${actual}`
}

/** 'example.com/shop/v2' → its prefix and '/v2'; gopkg.in writes '.v2'. undefined where the ending breaks the rules. */
export function splitPathMajor(path: string): { readonly prefix: string; readonly major: string } | undefined {
  if (path.startsWith('gopkg.in/')) {
    const [, prefix, major] = /^(.+)(\.v(?:0|[1-9][0-9]*)(?:-unstable)?)$/.exec(path) ?? []
    return prefix === undefined || major === undefined ? undefined : { prefix, major }
  }
  const [, prefix = '', major = ''] = /^(.*[^/])(\/v[0-9.]+)$/.exec(path) ?? []
  if (major === '') return { prefix: path, major: '' }
  return /^\/v(?:[2-9]|[1-9][0-9]+)$/.test(major) ? { prefix, major } : undefined
}

type PathKind = 'module' | 'package' | 'file'

const characters: Readonly<Record<PathKind, RegExp>> = {
  module: /^[-._~0-9A-Za-z]*$/,
  package: /^[-._~+0-9A-Za-z]*$/,
  file: /^[!#$%&()+,\-.=@[\]^_{}~ 0-9A-Za-z\p{L}]*$/u,
}

const windowsNames = /^(?:con|prn|aux|nul|com[1-9]|lpt[1-9])$/i

function findFault(path: string, kind: PathKind): string | undefined {
  if (!path.isWellFormed()) return 'it is not valid UTF-8'
  if (path === '') return 'it is empty'
  if (path.startsWith('-') && kind !== 'file') return 'it begins with a dash'
  for (const element of path.split('/')) {
    const fault = findElementFault(element, kind)
    if (fault !== undefined) return fault
  }
  return undefined
}

function findElementFault(element: string, kind: PathKind): string | undefined {
  const quoted = JSON.stringify(element)
  if (element === '') return 'it has an empty element (a slash at an end, or two in a row)'
  if (/^\.+$/.test(element)) return `${quoted} is no name`
  if (kind === 'module' && element.startsWith('.')) return `${quoted} begins with a dot`
  if (element.endsWith('.')) return `${quoted} ends in a dot`
  if (!characters[kind].test(element)) return `${quoted} holds a character that is not allowed`
  const [stem = ''] = element.split('.')
  if (windowsNames.test(stem)) return `${quoted} is a reserved name on Windows`
  if (kind !== 'file' && /~[0-9]+$/.test(stem)) return `${quoted} looks like a short name of Windows`
  return undefined
}

/** Each capital as `!` and its small letter: for file systems that do not tell them apart. Only for what passed its check. */
export function escapeText(text: string): string {
  return text.replaceAll(/[A-Z]/g, (letter) => `!${letter.toLowerCase()}`)
}

/** undefined for what no escaping yields: a capital, a `!` without its letter, anything but ASCII. */
export function unescapeText(text: string): string | undefined {
  if (!/^(?:[^!A-Z\u0080-\u{10ffff}]|![a-z])*$/u.test(text)) return undefined
  return text.replaceAll(/!([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

/** undefined for what is no module's path once unescaped. */
export function unescapePath(text: string): string | undefined {
  const path = unescapeText(text)
  return path === undefined || findPathFault(path) !== undefined ? undefined : path
}

/** A version or a query (a branch, the start of a commit); undefined for what can be none. */
export function unescapeVersion(text: string): string | undefined {
  const version = unescapeText(text)
  return version === undefined || !isQuery(version) ? undefined : version
}

/** What may be asked after the `@`: one element, no slash. */
export function isQuery(text: string): boolean {
  return (
    !text.includes('/') &&
    !text.includes('!') &&
    /^[\x20-\x7e]*$/.test(text) &&
    findElementFault(text, 'file') === undefined
  )
}
