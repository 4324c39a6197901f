import { dataWorkdir } from '../config/index.ts'
import { flagsOf } from './clues.ts'
import type { Known } from './known.ts'

/** Where a program can be told another place for what it writes. */
export interface PlaceSetting {
  readonly kind: 'flag' | 'variable'
  /** '--data-dir', 'SHOP_DATA' */
  readonly name: string
  /** `{{data}}`, or what lies below it. */
  readonly value: string
  /** Where it was found, in words. */
  readonly from: string
}

export const soundsLikePlace =
  /(?:^|[-._])(?:data|storage|state|store|db|database)[-._]?(?:dir|path|root|folder|directory|file)?$|^(?:dir|datadir|directory)$/i

/**
 * The flags and variables whose default is the path that a program may not write to; behind them those that merely sound
 * so. Each is to be tried, none is believed.
 */
export function findPlaceSettings(
  path: string,
  { help, source }: { readonly help: readonly string[]; readonly source: Known['source'] },
): PlaceSetting[] {
  const found = new Map<string, PlaceSetting & { readonly isNamed: boolean }>()
  const add = (kind: PlaceSetting['kind'], name: string, defaults: readonly string[], from: string) => {
    const key = `${kind} ${name.replace(/^-+/, '')}`
    const values = defaults.flatMap((each) => placeFor(path, each) ?? [])
    const value = values[0] ?? (soundsLikePlace.test(name.replace(/^-+/, '')) ? dataWorkdir : undefined)
    const isNamed = values.length > 0
    if (value !== undefined && (!found.has(key) || (isNamed && found.get(key)?.isNamed === false)))
      found.set(key, { kind, name, value, from, isNamed })
  }
  for (const { name, line, about } of flagsOf(help)) {
    const from = `its help: ${line.trim().slice(0, 100)}`
    add('flag', name, defaultsIn(about), from)
    for (const [, variable = ''] of about.matchAll(/\[\$([A-Z][A-Z0-9_]*)/g))
      add('variable', variable, defaultsIn(about), from)
  }
  for (const { name, fallback } of source.flags)
    add('flag', name.length === 1 ? `-${name}` : `--${name}`, [fallback], 'its source')
  for (const { name, fallback } of source.variables) add('variable', name, [fallback], 'its source')
  const all = [...found.values()].toSorted(
    (a, b) => Number(b.isNamed) - Number(a.isNamed) || a.kind.localeCompare(b.kind),
  )
  return all.slice(0, 4).map(({ kind, name, value, from }) => ({ kind, name, value, from }))
}

/** Every default that a flag's text may speak of: '(default "/storage")', '="data/"', '[default: ./x]', '-dir ./data'. */
function defaultsIn(about: string): string[] {
  const patterns = [
    /\bdefaults?(?: is| to| value)?\s*[:=]?\s*\(?\s*["'`]?([^"'`)\],;\s]+)/gi,
    /^\s*--?[\w.-]+[= ]["']?((?:\.{0,2}\/)?[^"'\s]+)/g,
  ]
  return patterns.flatMap((pattern) => [...about.matchAll(pattern)].map((match) => match[1] ?? ''))
}

/**
 * What to tell in place of a default, so that the path comes to lie among what is kept.
 * @returns undefined where the default has nothing to do with the path
 */
function placeFor(path: string, written: string): string | undefined {
  const [wanted, fallback] = [tidy(path), tidy(written)]
  if (!/^[\w@/.~-][\w@/. ~+-]*$/.test(fallback) || !/[A-Za-z]/.test(fallback) || wanted === '') return undefined
  if (fallback.startsWith(`${wanted}/`)) return `${dataWorkdir}${fallback.slice(wanted.length)}`
  const isIt = fallback.startsWith('/')
    ? wanted === fallback || wanted.startsWith(`${fallback}/`)
    : `/${wanted}/`.includes(`/${fallback}/`)
  if (!isIt) return undefined
  const last = fallback.split('/').at(-1) ?? ''
  return /.\.\w{1,8}$/.test(last) ? `${dataWorkdir}/${last}` : dataWorkdir
}

function tidy(path: string): string {
  return path.replace(/^(?:\.\/+)+/, '').replace(/\/+$/, '')
}
