import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { FairwayError } from '../base/error.ts'
import { Secret } from '../base/secret.ts'
import { parseVerifierKey, type VerifierKey } from './note.ts'

/** The go command's own variables, as its documentation has them; '' is unset. */
export interface ModuleVariables {
  readonly GOPROXY: string
  readonly GOSUMDB: string
  readonly GOPRIVATE: string
  readonly GONOPROXY: string
  readonly GONOSUMDB: string
}

/** Where a module may come from. */
export type ModuleSource =
  /** Straight from its repository: the go command's business. */
  | { readonly kind: 'direct' }
  | { readonly kind: 'off' }
  | {
      readonly kind: 'proxy'
      /** Without user and password: fit to be shown. No slash at its end. */
      readonly url: string
      readonly user?: { readonly name: string; readonly password: Secret }
      /** What makes the next source be asked: `,` means that this one does not have it, `|` whatever is wrong. */
      readonly fallsOn: 'absent' | 'anything'
    }

/**
 * Reads a GOPROXY list.
 * @throws FairwayError USAGE, with what is wrong, and never a password
 * @see https://go.dev/ref/mod#goproxy-protocol
 */
export function parseSources(text: string): ModuleSource[] {
  const sources: ModuleSource[] = []
  for (const [, word = '', separator] of text.matchAll(/([^,|]*)([,|]|$)/g)) {
    const name = word.trim()
    if (name === '') continue
    if (name === 'off' || name === 'direct') {
      sources.push({ kind: name })
      break // nothing behind these is ever asked
    }
    sources.push({ ...parseProxy(name), fallsOn: separator === '|' ? 'anything' : 'absent' })
  }
  if (sources.length > 0) return sources
  throw new FairwayError('USAGE', `GOPROXY names no source: ${JSON.stringify(text)}`, {
    hint: "Like GOPROXY='https://HOST,direct'.",
  })
}

function parseProxy(text: string): { kind: 'proxy'; url: string; user?: { name: string; password: Secret } } {
  const hasScheme = text.includes(':/') || text.startsWith('/')
  const parsed = URL.parse(hasScheme ? text : `https://${text}`)
  if (parsed === null || !['http:', 'https:', 'file:'].includes(parsed.protocol)) {
    const shown = text.replace(/\/\/[^/]*@/, '//…@')
    throw new FairwayError('USAGE', `GOPROXY: ${JSON.stringify(shown)} is no address`, {
      hint: 'https://HOST, http://HOST or file:///FOLDER.',
    })
  }
  const { username, password } = parsed
  parsed.username = ''
  parsed.password = ''
  const url = parsed.href.replace(/\/+$/, '')
  if (username === '') return { kind: 'proxy', url }
  return {
    kind: 'proxy',
    url,
    user: { name: decode(username), password: new Secret(decode(password)) },
  }
}

/** A `%` that begins no escape is itself. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Which database vouches for modules, and where it is asked. */
export interface ChecksumSource {
  readonly key: VerifierKey
  /** Asked there and nowhere else. */
  readonly url?: string
}

/** The key of the log that the go command trusts by itself, and its other address. */
const knownKeys: Readonly<Record<string, string>> = {
  'sum.golang.org': 'sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8',
}
const aliases: Readonly<Record<string, string>> = {
  'sum.golang.google.cn': 'sum.golang.org https://sum.golang.google.cn',
}

/**
 * Reads GOSUMDB: a known name, or a key, and perhaps an address.
 * @returns undefined for `off`
 * @throws FairwayError USAGE
 */
export function parseChecksumSource(text: string): ChecksumSource | undefined {
  const trimmed = text.trim() === '' ? 'sum.golang.org' : text.trim()
  if (trimmed === 'off') return undefined
  const [word = '', url, ...more] = (aliases[trimmed] ?? trimmed).split(/\s+/)
  const key = parseVerifierKey(knownKeys[word] ?? word)
  const parsed = url === undefined ? undefined : URL.parse(url)
  if (key !== undefined && parsed !== null && more.length === 0 && isPlainName(key.name))
    return { key, ...(parsed === undefined ? {} : { url: parsed.href.replace(/\/+$/, '') }) }
  throw new FairwayError('USAGE', `GOSUMDB: ${JSON.stringify(trimmed)} is neither a known database nor a key`, {
    hint: 'sum.golang.org, or NAME+HASH+KEY, or `NAME+HASH+KEY https://HOST`.',
  })
}

/** A host, perhaps with a path: it becomes an address and the name of a folder. */
function isPlainName(name: string): boolean {
  return /^[a-z0-9.-]+(?::[0-9]+)?(?:\/[\w.-]+)*$/i.test(name) && !name.split('/').some((part) => /^\.+$/.test(part))
}

/** Whether one of the patterns (a comma between them) fits the path or the start of it. @see go help module-private */
export function matchesPatterns(patterns: string, path: string): boolean {
  const elements = path.split('/')
  return patterns.split(',').some((pattern) => {
    const glob = pattern.trim().replace(/\/+$/, '')
    if (glob === '') return false
    const depth = glob.split('/').length
    return elements.length >= depth && (globPattern(glob)?.test(elements.slice(0, depth).join('/')) ?? false)
  })
}

/** As Go's path.Match; undefined for a pattern that is none. */
function globPattern(glob: string): RegExp | undefined {
  const source = glob.replaceAll(
    /\\(.)|\[(\^?)((?:\\.|[^\]\\])+)\]|([*?])|([.+^${}()|[\]\\/])/gs,
    (_, escaped?: string, not?: string, set?: string, wild?: string, special?: string) => {
      if (escaped !== undefined) return escaped.replace(/[^\w]/, String.raw`\$&`)
      if (set !== undefined) return `[${not ?? ''}${set.replaceAll('[', '\\[')}]`
      if (wild !== undefined) return wild === '*' ? '[^/]*' : '[^/]'
      return `\\${special ?? ''}`
    },
  )
  try {
    return new RegExp(`^${source}$`)
  } catch {
    return undefined
  }
}

/** Not to be asked of proxies. */
export function isPrivate({ GONOPROXY, GOPRIVATE }: ModuleVariables, path: string): boolean {
  return matchesPatterns(GONOPROXY === '' ? GOPRIVATE : GONOPROXY, path)
}

/** Not to be named to the checksum database. Toolchains always are: nothing else vouches for them. */
export function isUnrecorded({ GONOSUMDB, GOPRIVATE }: ModuleVariables, path: string): boolean {
  return path !== 'golang.org/toolchain' && matchesPatterns(GONOSUMDB === '' ? GOPRIVATE : GONOSUMDB, path)
}

/** A GOPROXY list that begins with the home's own modules, where it has any: a file that is there is fetched from nowhere. */
export function storeFirst(home: string | undefined, list: string): string {
  const folder = home === undefined ? undefined : join(home, 'modules/download')
  if (folder === undefined || !existsSync(folder)) return list
  const own = pathToFileURL(folder).href
  return list.startsWith(own) ? list : `${own}${list === '' ? '' : `,${list}`}`
}
