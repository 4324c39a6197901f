import { glob, stat } from 'node:fs/promises'
import { join, posix, relative } from 'node:path'
import { readText } from '../base/read-file.ts'
import { within } from './source.ts'

/** A file or folder that a program's source names and that no binary holds. */
export interface DiskRead {
  /** As the source says it: 'templates/*.html', './static' */
  readonly path: string
  /** 'cmd/web/main.go:12' */
  readonly where: string
  /** 'ParseGlob' */
  readonly call: string
  /** Where it lies, from the project's folder, if it does: 'cmd/web/templates'; a line of `files:`. */
  readonly found?: string
  /** Below the project's folder, the working directory it is found from: '.', 'cmd/web'. */
  readonly from?: string
}

/** Package by package, the files that are compiled. */
export interface ReadSource {
  readonly folder: string
  readonly goFiles: readonly string[]
}

/** Each with the argument that is a path: from the end, since others come before it. */
const calls =
  /\b(ParseGlob|ParseFiles|LoadHTMLGlob|LoadHTMLFiles|ParseFS|http\.Dir|os\.DirFS|os\.Open|os\.ReadFile|os\.ReadDir|ioutil\.ReadFile|ioutil\.ReadDir|filepath\.Glob|filepath\.WalkDir|filepath\.Walk|http\.ServeFile|\.Static|\.StaticFile|\.StaticFS|\.File|godotenv\.Load|gotenv\.Load|SetConfigFile|AddConfigPath|LoadX509KeyPair|goose\.Up)\(/g

/**
 * What the packages read by a path written in their source, relative to wherever the program is started: a hint, not a proof.
 * @param folder the project's
 * @param mainFolder of the main package: programs are started from there too while they are written
 */
export async function findDiskReads(
  packages: readonly ReadSource[],
  { folder, mainFolder, moduleFolder }: { folder: string; mainFolder: string; moduleFolder: string },
): Promise<DiskRead[]> {
  const reads = new Map<string, DiskRead>()
  for (const { folder: place, goFiles } of packages) {
    if (!within(place, folder)) continue
    for (const name of goFiles) {
      const text = await readText(join(place, name)).catch(() => '') // gone meanwhile
      for (const { path, call, line } of findReads(text)) {
        if (reads.has(path)) continue
        const where = `${relative(folder, join(place, name))}:${line}`
        reads.set(path, { path, where, call, ...(await locate(path, folder, [folder, moduleFolder, mainFolder])) })
      }
    }
  }
  return [...reads.values()]
}

/** The relative paths that a source names. Pure. */
export function findReads(text: string): { path: string; call: string; line: number }[] {
  // Joined literals are one path.
  const code = text.replaceAll(
    /\b(?:filepath|path)\.Join\(((?:\s*"[^"\\\n]*"\s*,?)+)\)/g,
    (_, words: string) => `"${posix.join(...Array.from(words.matchAll(/"([^"]*)"/g), ([, word = '']) => word))}"`,
  )
  const found: { path: string; call: string; line: number }[] = []
  for (const [index, line] of code.split('\n').entries()) {
    if (/^\s*(?:\/\/|\*)/.test(line)) continue
    for (const match of line.matchAll(calls)) {
      const [whole, call = ''] = match
      const args = argumentsFrom(line.slice(match.index + whole.length))
      const literals = Array.from(args.matchAll(/"([^"\\]*)"|`([^`]*)`/g), ([, a, b]) => a ?? b ?? '')
      const isMany = /ParseFiles|LoadHTMLFiles|LoadX509|\.Load$/.test(call)
      for (const path of isMany ? literals : literals.slice(-1)) {
        if (call !== 'ParseFS' && isRelative(path)) found.push({ path, call: call.replace(/^\./, ''), line: index + 1 })
      }
    }
    for (const [, path = ''] of line.matchAll(/"file:\/\/([^"\\]+)"/g)) {
      if (isRelative(path)) found.push({ path, call: 'file://', line: index + 1 })
    }
  }
  return found
}

/** Up to the bracket that closes the call, or the line's end. */
function argumentsFrom(text: string): string {
  let depth = 1
  let quote = ''
  for (let index = 0; index < text.length; index += 1) {
    const sign = text[index] ?? ''
    if (quote !== '') {
      if (sign === quote) quote = ''
    } else if (sign === '"' || sign === '`') quote = sign
    else if (sign === '(') depth += 1
    else if (sign === ')' && (depth -= 1) === 0) return text.slice(0, index)
  }
  return text
}

/** A path that means something only from a certain folder; no variable, no pattern of Printf in it. */
function isRelative(path: string): boolean {
  return path !== '' && path !== '.' && path !== '/' && !/^(?:\/|~|[a-z]+:)|[%{}$\n\0]/.test(path)
}

async function locate(
  path: string,
  folder: string,
  bases: readonly string[],
): Promise<Pick<DiskRead, 'found' | 'from'>> {
  for (const base of new Set(bases)) {
    const place = join(base, path)
    if (!within(place, folder) || place === folder || !(await isThere(base, path))) continue
    const from = relative(folder, base)
    return { found: relative(folder, place), from: from === '' ? '.' : from }
  }
  return {}
}

async function isThere(base: string, path: string): Promise<boolean> {
  if (/[*?[]/.test(path)) {
    for await (const _ of glob(path, { cwd: base })) return true
    return false
  }
  return (await stat(join(base, path)).catch(() => undefined)) !== undefined
}
