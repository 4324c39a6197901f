import { readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { readText } from '../base/read-file.ts'
import { parseGoMod } from './go-mod.ts'
import { type Module, readModules, type Source } from './source.ts'

const skipped = /^(?:[._].*|vendor|testdata|node_modules)$/
/** Modules below a folder, those below one another too: go's own patterns do not enter them. `ignore` lines of its go.mod are obeyed. */
export async function findNestedModules(folder: string, { depth = 4 }: { depth?: number } = {}): Promise<Module[]> {
  const ignored = parseIgnores((await readIfThere(join(folder, 'go.mod'))) ?? '')
  const found: Module[] = []
  const walk = async (place: string, left: number): Promise<void> => {
    for (const entry of await readdir(place, { withFileTypes: true })) {
      if (!entry.isDirectory() || skipped.test(entry.name)) continue
      const path = join(place, entry.name)
      if (isIgnored(relative(folder, path), ignored)) continue
      const text = await readIfThere(join(path, 'go.mod'))
      if (text !== undefined) {
        const { module = '', go } = parseGoMod(text)
        found.push({ folder: path, path: module, ...(go === undefined ? {} : { go: go.version }) })
      }
      if (left > 1) await walk(path, left - 1)
    }
  }
  await walk(folder, depth)
  return found.sort((a, b) => (a.folder < b.folder ? -1 : 1))
}

/**
 * A source with the modules below its folder that `./...` passes by, for whoever looks at all of the code. A go.work that is
 * obeyed has named the modules that belong together, and go works on no other.
 */
export async function withNestedModules(source: Source): Promise<Source> {
  if (source.kind !== 'module') return source
  const known = new Set(source.modules.map(({ folder }) => folder))
  const below = await findNestedModules(source.folder, { depth: 32 })
  const nested = below.filter(({ folder, path }) => path !== '' && !known.has(folder)) // an empty go.mod only keeps a folder out
  const read = await readModules(nested.map(({ folder }) => folder))
  return { ...source, modules: [...source.modules, ...read.modules], wanted: [...source.wanted, ...read.wanted] }
}

/** @see https://go.dev/ref/mod#go-mod-file-ignore: './a' below the module's root alone, 'a/b' wherever it stands */
export function parseIgnores(text: string): string[] {
  const paths: string[] = []
  let inBlock = false
  for (const raw of text.split(/\r?\n/)) {
    const line = raw.replace(/\/\/.*$/, '').trim()
    if (line === ')') inBlock = false
    else if (inBlock && line !== '') paths.push(line)
    else if (/^ignore\s*\($/.test(line)) inBlock = true
    else if (/^ignore\s+\S/.test(line)) paths.push(line.replace(/^ignore\s+/, ''))
  }
  return paths.map((path) => path.replaceAll(/["`]/g, '').replace(/\/+$/, ''))
}

export function isIgnored(path: string, ignored: readonly string[]): boolean {
  return ignored.some((rule) =>
    rule.startsWith('./') ? `./${path}/`.startsWith(`${rule}/`) : `/${path}/`.includes(`/${rule}/`),
  )
}

async function readIfThere(path: string): Promise<string | undefined> {
  return readText(path).catch(() => undefined) // no module, or none we may read
}
