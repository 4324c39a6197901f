import type { Abortable } from '../base/bounds.ts'
import { listOf, parseJsonStream, textOf } from './json-stream.ts'
import { relativePackage } from './source.ts'
import type { Toolchain } from './toolchain.ts'

/** A package outside the standard library that goes into a binary. */
export interface Dependency {
  readonly importPath: string
  readonly folder: string
  readonly goFiles: readonly string[]
  readonly cgoFiles: readonly string[]
  /** Left out by their build constraints, with cgo on: those for `!cgo` are among them. */
  readonly ignoredGoFiles: readonly string[]
  readonly embedPatterns: readonly string[]
  /** From the package's folder. */
  readonly embedFiles: readonly string[]
}

export interface DependencyQuestion {
  readonly mainFolder: string
  readonly moduleFolder: string
  readonly tags: readonly string[]
  /** GOOS, GOARCH, … */
  readonly environment: Readonly<Record<string, string>>
}

const fields = 'ImportPath,Standard,Dir,GoFiles,CgoFiles,IgnoredGoFiles,EmbedPatterns,EmbedFiles'

/**
 * All of them, with cgo on: off, a package that needs it would go missing in silence.
 * @param tolerant also what cannot be built is listed, as far as go knows it
 * @returns undefined when go cannot say: then the build itself fails, with better words
 */
export async function listDependencies(
  { mainFolder, moduleFolder, tags, environment }: DependencyQuestion,
  toolchain: Toolchain,
  { signal, tolerant = false }: Abortable & { tolerant?: boolean } = {},
): Promise<Dependency[] | undefined> {
  const words = [
    'list',
    '-deps',
    ...(tolerant ? ['-e'] : []),
    ...(tags.length === 0 ? [] : [`-tags=${tags.join(',')}`]),
    `-json=${fields}`,
    relativePackage(moduleFolder, mainFolder),
  ]
  const result = await toolchain.run(words, { cwd: moduleFolder, cgo: true, environment, signal })
  if (result.exitCode !== 0) return undefined
  return parseJsonStream(result.stdout).flatMap((each) =>
    each['Standard'] === true
      ? []
      : [
          {
            importPath: textOf(each, 'ImportPath'),
            folder: textOf(each, 'Dir'),
            goFiles: listOf(each, 'GoFiles'),
            cgoFiles: listOf(each, 'CgoFiles'),
            ignoredGoFiles: listOf(each, 'IgnoredGoFiles'),
            embedPatterns: listOf(each, 'EmbedPatterns'),
            embedFiles: listOf(each, 'EmbedFiles'),
          },
        ],
  )
}
