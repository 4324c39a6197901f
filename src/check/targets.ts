import { resolve } from 'node:path'
import type { Abortable } from '../base/bounds.ts'
import { FairwayError } from '../base/error.ts'
import {
  explainBuildFailure,
  listOf,
  type Module,
  parseBuildText,
  parseJsonStream,
  relativePackage,
  type Source,
  type Toolchain,
  within,
} from '../go/index.ts'

/** What is checked in one module: `./...` never crosses the border to another. */
export interface TestTarget {
  readonly module: string
  readonly moduleFolder: string
  /** Where go runs: the patterns are meant from here. */
  readonly workingFolder: string
  readonly patterns: readonly string[]
  /** Import path → folder, of all packages that the patterns match. */
  readonly folders: ReadonlyMap<string, string>
  /** Of those, the ones with a test. */
  readonly tested: number
}

/**
 * @param words packages as the user names them, './cart/...' or 'example.com/shop/cart'; none: all
 * @param cwd where './…' is meant from
 * @throws FairwayError USAGE for a package that lies in no module here, BUILD_FAILED when go cannot list them
 */
export async function findTargets(
  source: Source,
  words: readonly string[],
  { cwd, toolchain, signal }: Abortable & { cwd: string; toolchain: Toolchain },
): Promise<TestTarget[]> {
  const orders = new Map<Module, { readonly word: string; readonly pattern: string }[]>()
  for (const word of words) {
    const module = moduleOf(word, source.modules, cwd)
    if (module === undefined) {
      const known = source.modules.map(({ path }) => path).join(', ')
      throw new FairwayError('USAGE', `${word} lies in no module of this project`, {
        hint: `The modules here: ${known}; \`fairway check\` alone checks them all.`,
      })
    }
    const pattern = isPath(word) ? relativePackage(module.folder, resolve(cwd, word)) : word
    orders.set(module, [...(orders.get(module) ?? []), { word, pattern }])
  }
  const targets: TestTarget[] = []
  for (const module of source.modules) {
    const named = orders.get(module) ?? []
    const patterns = words.length === 0 ? ['./...'] : named.map(({ pattern }) => pattern)
    if (patterns.length === 0) continue
    const isBelow = words.length === 0 && within(source.folder, module.folder)
    const workingFolder = isBelow ? source.folder : module.folder
    const list = ['list', '-e', '-find', '-json=ImportPath,Dir,TestGoFiles,XTestGoFiles,Error', ...patterns]
    const result = await toolchain.run(list, { cwd: workingFolder, signal, deadlineMs: 120_000 })
    if (result.exitCode !== 0) {
      const findings = parseBuildText(result.stderr, { cwd: workingFolder, folder: source.folder })
      throw explainBuildFailure(findings, `the packages of ${module.path}`)
    }
    const packages = parseJsonStream(result.stdout)
    const absent = named.find(({ pattern }) => isAbsent(pattern, packages, result.stderr))
    if (absent !== undefined) {
      throw new FairwayError('USAGE', `${absent.word} matches no package of ${module.path}`, {
        hint: 'A package is named like ./cart, with those below it ./cart/...; `fairway check` alone checks them all.',
      })
    }
    targets.push({
      module: module.path,
      moduleFolder: module.folder,
      workingFolder,
      patterns,
      folders: new Map(packages.map((one) => [String(one['ImportPath']), String(one['Dir'])])),
      tested: packages.filter((one) => listOf(one, 'TestGoFiles').length + listOf(one, 'XTestGoFiles').length > 0)
        .length,
    })
  }
  // A module without packages has nothing to be checked, and go takes it for a mistake.
  const filled = targets.filter(({ folders }) => folders.size > 0)
  return filled.length === 0 ? targets : filled
}

/** go has named packages anyway, with an error in the place of a folder; of patterns with `...` it warns. */
function isAbsent(pattern: string, packages: readonly Readonly<Record<string, unknown>>[], said: string): boolean {
  if (said.includes(`"${pattern}" matched no packages`)) return true
  const found = packages.find((one) => one['ImportPath'] === pattern && one['Error'] !== undefined)
  return (
    found !== undefined && (found['Dir'] === undefined || JSON.stringify(found['Error']).includes('no Go files in'))
  )
}

function isPath(word: string): boolean {
  return word === '.' || word === '..' || /^\.{0,2}\//.test(word)
}

/** The innermost one. */
function moduleOf(word: string, modules: readonly Module[], cwd: string): Module | undefined {
  const matching = isPath(word)
    ? modules.filter(({ folder }) => within(resolve(cwd, word.replace(/\/?\.\.\.$/, '')), folder))
    : modules.filter(({ path }) => word === path || word.startsWith(`${path}/`))
  return matching.toSorted((a, b) => b.folder.length - a.folder.length)[0]
}
