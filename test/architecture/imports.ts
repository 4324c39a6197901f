import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

export const root = new URL('../..', import.meta.url).pathname

/** One import as it stands in a file. */
export interface Import {
  /** 'src/cli/follow.ts' */
  readonly from: string
  /** 'src/base/clock.ts', 'zod', 'node:net' */
  readonly to: string
  /** Names taken, as written: '{ z }'; empty for `import()`. */
  readonly names: string
  /** Erased before it runs: `import type`. An `import { type T }` is not, it still loads the file. */
  readonly isType: boolean
  readonly isDynamic: boolean
}

/** Every TypeScript file of a folder, tests included: 'src/base/clock.ts'. */
export function sourceFiles(folder: string): string[] {
  const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
  return names
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name))
    .sort()
}

/** Reads them from the text: the formatter gives every import one shape. */
export function importsOf(file: string): Import[] {
  const code = readFileSync(join(root, file), 'utf8').replaceAll(/^\s*(\/\/|\/?\*).*$/gm, '')
  const stated = code.matchAll(/^(?:import|export)\s+(type\s)?(?:([\w\s{},*$]*?)\s*\bfrom\s+)?'([^'\n]+)'/gm)
  const asked = code.matchAll(/\bimport\('([^'\n]+)'\)/g)
  return [
    ...Array.from(stated, ([, type, names = '', to = '']) => ({
      from: file,
      to: place(file, to),
      names: names.trim(),
      isType: type !== undefined,
      isDynamic: false,
    })),
    ...Array.from(asked, ([, to = '']) => ({
      from: file,
      to: place(file, to),
      names: '',
      isType: false,
      isDynamic: true,
    })),
  ]
}

/** What runs when the given files are loaded: themselves, and all they import at once. */
export function loadedBy(files: readonly string[]): Set<string> {
  const loaded = new Set<string>()
  const open = [...files]
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (loaded.has(file)) continue
    loaded.add(file)
    if (!file.startsWith('src/')) continue
    for (const one of importsOf(file)) if (!one.isType && !one.isDynamic) open.push(one.to)
  }
  return loaded
}

/** 'src/cli/commands/up.ts' → 'cli', 'src/app.ts' → 'app.ts' */
export function domainOf(file: string): string {
  return file.split('/')[1] ?? ''
}

function place(file: string, to: string): string {
  return to.startsWith('.') ? relative(root, join(root, dirname(file), to)) : to
}
