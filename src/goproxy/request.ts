import {
  findVersionFault,
  isCanonicalVersion,
  type ModuleVersion,
  parseTilePath,
  unescapePath,
  unescapeVersion,
} from '../module/index.ts'

export type ModuleFile = 'info' | 'mod' | 'zip'

/** What a client asks for. @see https://go.dev/ref/mod#goproxy-protocol */
export type ProxyRequest =
  | { readonly kind: 'list' | 'latest'; readonly path: string }
  /** What a branch, a tag, the start of a version or a commit stands for. */
  | { readonly kind: 'query'; readonly path: string; readonly query: string }
  | { readonly kind: 'file'; readonly module: ModuleVersion; readonly file: ModuleFile }
  | { readonly kind: 'supported' | 'head'; readonly database: string }
  | { readonly kind: 'lookup'; readonly database: string; readonly module: ModuleVersion }
  | { readonly kind: 'tile'; readonly database: string; readonly tile: string }
  | { readonly kind: 'malformed'; readonly why: string }

const malformed = (why: string): ProxyRequest => ({ kind: 'malformed', why })

/** The go command's own words for versions; no proxy is ever asked for them. */
const reserved = /^(?:latest|upgrade|patch)$/i

/** @param target what stands behind `/goproxy`, as it came: '/github.com/%21burnt%21sushi/toml/@v/list' */
export function parseProxyRequest(target: string): ProxyRequest {
  let text: string
  try {
    text = decodeURIComponent(/^\/([^?#]*)/.exec(target)?.[1] ?? '')
  } catch {
    return malformed('it is not encoded as URLs are')
  }
  if (text.startsWith('sumdb/')) return parseSumdb(text.slice('sumdb/'.length))
  const [, latest] = /^(.+)\/@latest$/.exec(text) ?? []
  const [, escaped = latest ?? '', name] = /^(.+?)\/@v\/(.+)$/.exec(text) ?? []
  if (escaped === '') return malformed('expected MODULE/@v/list, MODULE/@latest or MODULE/@v/VERSION.info, .mod, .zip')
  const path = unescapePath(escaped)
  if (path === undefined)
    return malformed(
      `${JSON.stringify(escaped)} is no module path: a host name first, and a capital letter as ! and its small one`,
    )
  if (latest !== undefined) return { kind: 'latest', path }
  return name === 'list' ? { kind: 'list', path } : parseFile(path, name ?? '')
}

function parseFile(path: string, name: string): ProxyRequest {
  const [, escaped = '', file] = /^(.+)\.(info|mod|zip)$/.exec(name) ?? []
  const version = unescapeVersion(escaped)
  if (version === undefined || file === undefined)
    return malformed(`${JSON.stringify(name)} is neither list nor a version with .info, .mod or .zip`)
  if (reserved.test(version)) return malformed(`${version} is no version: ask for @latest or @v/list`)
  const module = { path, version }
  if (isCanonicalVersion(version)) {
    const fault = findVersionFault(module)
    return fault === undefined ? { kind: 'file', module, file: file as ModuleFile } : malformed(fault)
  }
  return file === 'info'
    ? { kind: 'query', path, query: version }
    : malformed(`${version} is no canonical version: its .info says which one it stands for`)
}

const databasePattern =
  /^(?!\.)([a-z0-9.-]+(?::[0-9]+)?(?:\/[\w-][\w.-]*)*?)\/(supported|latest|lookup\/(.+)|(tile\/.+))$/i

function parseSumdb(text: string): ProxyRequest {
  const [, database = '', what, lookup, tile] = databasePattern.exec(text) ?? []
  if (what === 'supported') return { kind: 'supported', database }
  if (what === 'latest') return { kind: 'head', database }
  if (tile !== undefined)
    return parseTilePath(tile) === undefined ? malformed('that is no tile') : { kind: 'tile', database, tile }
  const [, escapedPath = '', escapedVersion = ''] = /^([^@]+)@([^@]+)$/.exec(lookup ?? '') ?? []
  const module = { path: unescapePath(escapedPath) ?? '', version: unescapeVersion(escapedVersion) ?? '' }
  return module.path === '' || findVersionFault(module) !== undefined
    ? malformed('expected supported, latest, lookup/MODULE@VERSION or tile/…')
    : { kind: 'lookup', database, module }
}
