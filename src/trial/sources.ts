import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Abortable } from '../base/bounds.ts'
import { readText } from '../base/read-file.ts'

/** What the source of a main package says of how it starts: candidates, to be tried, never believed. */
export interface SourceClues {
  /** Names of variables that sound like where to listen: 'SHOP_PORT'. */
  readonly listenVariables: readonly string[]
  readonly flags: readonly SourceFlag[]
  /** Variables with a default that reads like a path: 'SHOP_DATA', '/var/lib/shop'. */
  readonly variables: readonly SourceFlag[]
  /** All variables it reads by name: 'REGION'. */
  readonly reads: readonly string[]
  /** Paths that are opened by name: 'templates/*.html'. */
  readonly paths: readonly SourcePath[]
}

export interface SourceFlag {
  readonly name: string
  /** As written in the source: ':8080', '8080'. */
  readonly fallback: string
}

export interface SourcePath {
  readonly path: string
  /** 'cmd/web/main.go:12: ParseGlob' */
  readonly where: string
}

/** A project's files, relative to it. */
export interface ProjectTree {
  /** All that is no Go source, sorted. */
  readonly files: readonly string[]
  readonly goFiles: readonly string[]
}

const skippedFolders = /^(?:\.[^.].*|node_modules|testdata|vendor)$/
const maxEntries = 30_000
const maxSourceFiles = 2_000

/** Without what never goes along: git's own files, values, packages of others. */
export async function readTree(folder: string, { signal }: Abortable = {}): Promise<ProjectTree> {
  const files: string[] = []
  const goFiles: string[] = []
  const open = ['']
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    signal?.throwIfAborted()
    for (const entry of await readdir(join(folder, at), { withFileTypes: true }).catch(() => [])) {
      const path = at === '' ? entry.name : `${at}/${entry.name}`
      if (entry.isDirectory()) {
        if (!skippedFolders.test(entry.name)) open.push(path)
      } else if (entry.isFile() && !/^\.env(\.|$)/.test(entry.name)) {
        ;(entry.name.endsWith('.go') ? goFiles : files).push(path)
      }
    }
    if (files.length + goFiles.length > maxEntries) break
  }
  return { files: files.sort(), goFiles: goFiles.sort() }
}

/** A Go module of the project. */
export interface SourceModule {
  /** Relative to the project; '' is its root. */
  readonly folder: string
  /** 'example.com/shop' */
  readonly path: string
}

/**
 * Reads the main package and the packages of the project's own modules it imports, by their import lines alone: asking go
 * would take longer than trying the program out.
 */
export async function readSourceClues(
  folder: string,
  main: string,
  { goFiles }: ProjectTree,
  modules: readonly SourceModule[],
  { signal }: Abortable = {},
): Promise<SourceClues> {
  const byFolder = Map.groupBy(
    goFiles.filter((file) => !file.endsWith('_test.go')),
    (file) => file.split('/').slice(0, -1).join('/'),
  )
  const seen = new Set<string>()
  const open = [main]
  const texts: { file: string; text: string }[] = []
  for (let at = open.shift(); at !== undefined && texts.length < maxSourceFiles; at = open.shift()) {
    if (seen.has(at)) continue
    seen.add(at)
    signal?.throwIfAborted()
    for (const file of byFolder.get(at) ?? []) {
      const text = await readText(join(folder, file)).catch(() => '')
      if (/^\/\/go:build\s+ignore\b/m.test(text)) continue
      texts.push({ file, text })
      for (const [, path = ''] of text.matchAll(/^\s*(?:import\s+)?(?:[\w.]+\s+)?"([\w./~-]+)"\s*$/gm)) {
        const local = localFolder(path, modules)
        if (local !== undefined && byFolder.has(local)) open.push(local)
      }
    }
  }
  return findClues(texts)
}

function localFolder(path: string, modules: readonly SourceModule[]): string | undefined {
  for (const module of modules.toSorted((a, b) => b.path.length - a.path.length)) {
    if (path === module.path) return module.folder
    if (path.startsWith(`${module.path}/`)) {
      const below = path.slice(module.path.length + 1)
      return module.folder === '' ? below : `${module.folder}/${below}`
    }
  }
  return undefined
}

const listenWords = 'PORT|ADDR|ADDRESS|LISTEN|LISTEN_ADDR|LISTEN_ADDRESS|BIND|BIND_ADDR|BIND_ADDRESS|ENDPOINT|HTTP'
const opens =
  /\b(ParseGlob|ParseFiles|LoadHTMLGlob|LoadHTMLFiles|DirFS|ReadFile|ReadDir|ServeFile|Open|OpenFile|Static|StaticFile|StaticFS|http\.Dir|Dir|NewFileSystem|ReadInConfig|AddConfigPath|SetConfigFile|LoadFile|DecodeFile)\(([^()\n]*(?:\([^()\n]*\)[^()\n]*)*)/g

/** Pure: what stands in these texts. */
export function findClues(sources: readonly { readonly file: string; readonly text: string }[]): SourceClues {
  const variables = new Set<string>()
  const reads = new Set<string>()
  const prefixes = new Set<string>()
  const flags = new Map<string, SourceFlag>()
  const placed = new Map<string, SourceFlag>()
  const paths = new Map<string, SourcePath>()
  for (const { file, text } of sources) {
    const code = text.replaceAll(/^\s*\/\/.*$/gm, '')
    for (const [, name = ''] of code.matchAll(
      new RegExp(`["\`:,]([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*_(?:${listenWords}))["\`,]`, 'g'),
    ))
      variables.add(name)
    for (const [, name = ''] of code.matchAll(
      /(?:Getenv|LookupEnv|BindEnv|env:|EnvVars?:|[gG]et[eE]nv\w*)\W{0,12}"([A-Z][A-Z0-9_]+)"/g,
    )) {
      reads.add(name)
      if (new RegExp(`(?:^|_)(?:${listenWords})$`).test(name)) variables.add(name)
    }
    for (const [, prefix = ''] of code.matchAll(
      /(?:SetEnvPrefix\(|envconfig\.Process\(|envPrefix:|Prefix:\s*)"([A-Za-z][\w-]*?)_?"/g,
    ))
      prefixes.add(prefix.toUpperCase().replaceAll('-', '_'))
    for (const [, name = '', fallback = ''] of code.matchAll(
      /\.(?:String|Int|Int64|Uint|Uint16|TextVar|Duration)(?:Var)?P?\(\s*(?:&[\w.[\]]+\s*,\s*)?"([\w.-]{1,60})"\s*,\s*(?:"\w?"\s*,\s*)?("[^"\n]*"|\d+)/g,
    )) {
      const plain = fallback.replaceAll('"', '')
      flags.set(name, { name, fallback: plain })
      const namesPlace =
        /path|dir|folder|file|template|static|asset|public|\bui\b/i.test(name) || plain.startsWith('./')
      if (namesPlace && isRelativePath(plain) && !paths.has(plain))
        paths.set(plain, { path: plain.replace(/^\.\//, ''), where: `${file}: the default of ${name}` })
    }
    for (const [, name = '', fallback = ''] of code.matchAll(
      /["`:,]([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)["`,](?:\)?\s*,\s*|\s*(?:envDefault|default|env-default):)"((?:\.{0,2}\/)?[\w@.-]+(?:\/[\w@. -]*)*)"/g,
    ))
      if (/[A-Za-z]/.test(fallback) && !placed.has(name)) placed.set(name, { name, fallback })
    for (const [, name = '', fallback = ''] of code.matchAll(
      /(?:Getenv|LookupEnv)\("([A-Z][A-Z0-9_]+)"\)[^"]{0,80}(?:== ""|!ok)[^"]{0,60}= "((?:\.{0,2}\/)?[\w@.-]+(?:\/[\w@. -]*)*)"/g,
    ))
      if (!placed.has(name)) placed.set(name, { name, fallback })
    code.split('\n').forEach((line, at) => {
      for (const [, call = '', args = ''] of line.matchAll(opens)) {
        for (const [, path = ''] of args.matchAll(/["`]([^"`\n]{1,200})["`]/g)) {
          if (!isRelativePath(path) || paths.has(path)) continue
          paths.set(path, { path: path.replace(/^\.\//, ''), where: `${file}:${at + 1}: ${call}` })
        }
      }
    })
  }
  for (const prefix of prefixes) {
    for (const word of [
      'PORT',
      'ADDR',
      'ADDRESS',
      'LISTEN',
      'LISTEN_ADDR',
      'HTTP_PORT',
      'HTTP_ADDR',
      'SERVER_PORT',
      'SERVER_ADDR',
      'BIND',
    ])
      variables.add(`${prefix}_${word}`)
  }
  variables.delete('PORT')
  return {
    listenVariables: [...variables],
    flags: [...flags.values()],
    variables: [...placed.values()],
    reads: [...reads],
    paths: [...paths.values()],
  }
}

/** A name that could be a file's or a folder's below the working directory. */
function isRelativePath(path: string): boolean {
  if (path.startsWith('/') || path.includes('..') || path.includes('://') || path.includes('%')) return false
  return /^(?:\.\/)?[\w@-][\w@./*? -]*$/.test(path)
}
