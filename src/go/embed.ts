import { stat } from 'node:fs/promises'
import { join, matchesGlob } from 'node:path'
import { readText } from '../base/read-file.ts'
import type { Dependency } from './dependencies.ts'

/** An embed pattern behind which the files of another build are missing. */
export interface UnmetEmbed {
  /** Of the package that embeds. */
  readonly folder: string
  /** 'dist/*', without `all:` */
  readonly pattern: string
  /** What stands in for the files, so that the build goes well without them: 'dist/.gitkeep'. */
  readonly placeholder?: string
}

/**
 * Patterns that match nothing, or nothing but a placeholder: the binary would lack its user interface without a word.
 * @param within only packages whose folder this holds for: a library's own files are its author's business
 */
export async function findUnmetEmbeds(
  dependencies: readonly Dependency[],
  within: (folder: string) => boolean,
): Promise<UnmetEmbed[]> {
  const unmet: UnmetEmbed[] = []
  for (const { folder, embedPatterns, embedFiles } of dependencies) {
    if (embedPatterns.length === 0 || !within(folder)) continue
    for (const raw of embedPatterns) {
      const pattern = raw.replace(/^all:/, '')
      const files = embedFiles.filter((file) => isMatched(file, pattern))
      const [first] = files
      if (first === undefined) unmet.push({ folder, pattern })
      else if (files.length <= 3 && (await areAll(files, (file) => isPlaceholder(folder, file, file === pattern)))) {
        unmet.push({ folder, pattern, placeholder: first })
      }
    }
  }
  return unmet
}

/** By itself, or below a folder that the pattern names. */
export function isMatched(file: string, pattern: string): boolean {
  const parts = file.split('/')
  const tidy = pattern.replace(/^\.\//, '').replace(/\/+$/, '')
  if (tidy === '.') return true
  return parts.some((_, index) => matchesGlob(parts.slice(0, index + 1).join('/'), tidy))
}

async function areAll<Item>(items: readonly Item[], holds: (item: Item) => Promise<boolean>): Promise<boolean> {
  for (const item of items) if (!(await holds(item))) return false
  return true
}

const placeholderName =
  /^(?:\.[^/]*|placeholder(?:\..*)?|dummy(?:\..*)?|keep|empty|readme(?:\.(?:md|txt))?|donotdelete(?:\..*)?)$/i
const placeholderWords =
  /\bplaceholder\b|\b(?:is|was|been)(?: not|n[’']t)(?: yet)?(?: been)? built\b|\bnot (?:yet )?built\b|\brun [`"']?(?:make|npm|yarn|pnpm|task|just)\b/i

/** @param isNamed whether the pattern asks for this very file: then its name says nothing */
async function isPlaceholder(folder: string, file: string, isNamed: boolean): Promise<boolean> {
  if (!isNamed && placeholderName.test(file.split('/').at(-1) ?? '')) return true
  if (!/\.(?:html?|txt|md|js)$/i.test(file)) return false
  const path = join(folder, file)
  try {
    return (await stat(path)).size <= 2048 && placeholderWords.test(await readText(path))
  } catch {
    return false // go embedded it a moment ago: what is gone by now is no placeholder
  }
}
