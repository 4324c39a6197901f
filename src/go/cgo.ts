import { join } from 'node:path'
import { readText } from '../base/read-file.ts'
import type { Dependency } from './dependencies.ts'

/** A package with C in it, and what becomes of it without. */
export interface CgoPackage {
  readonly importPath: string
  /**
   * `go`: it is written in Go once more, for where there is no C; `stub`: what stands in only says that C is missing, when
   * the program runs; `none`: nothing stands in.
   */
  readonly without: 'go' | 'stub' | 'none'
}

/** Those of a build's packages that have C in them. */
export function withCgo(dependencies: readonly Dependency[]): Dependency[] {
  return dependencies.filter(({ cgoFiles }) => cgoFiles.length > 0)
}

/** Reads the files for `!cgo`: only asked where something depends on it. */
export async function examineCgo(dependencies: readonly Dependency[]): Promise<CgoPackage[]> {
  const examined: CgoPackage[] = []
  for (const { importPath, folder, ignoredGoFiles } of withCgo(dependencies)) {
    const texts: string[] = []
    for (const name of ignoredGoFiles) {
      texts.push(await readText(join(folder, name)).catch(() => '')) // gone meanwhile
    }
    examined.push({ importPath, without: standIn(texts) })
  }
  return examined
}

const constraint = /^\/\/(?:go:build|\s*\+build)\s.*$/gm
// The words of mattn/go-sqlite3 and its like; a real second version has no reason to say any of them.
const stubWords =
  /\bstub\b|\bCGO_ENABLED\b|\brequires? cgo\b|\bwithout cgo\b|\bcgo (?:is |was )?(?:not|disabled|required|needed)\b|\bnot (?:supported|implemented|available)\b|\bunsupported\b/i

/** @param texts of the files left out while cgo is on */
export function standIn(texts: readonly string[]): CgoPackage['without'] {
  const forPureGo = texts.filter((text) => text.match(constraint)?.some((line) => /!\s*cgo\b/.test(line)) === true)
  if (forPureGo.length === 0) return 'none'
  return forPureGo.some((text) => stubWords.test(text.replaceAll(constraint, ''))) ? 'stub' : 'go'
}
