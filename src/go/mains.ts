import { join, relative } from 'node:path'
import type { Abortable } from '../base/bounds.ts'
import { readText } from '../base/read-file.ts'
import { moduleName, validName } from '../config/index.ts'
import type { MainCandidate } from './choose.ts'
import { explainBuildFailure, parseBuildText } from './compiler-output.ts'
import { listOf, parseJsonStream, textOf } from './json-stream.ts'
import { findMentions, readRecorded } from './mentions.ts'
import { findNestedModules } from './nested-modules.ts'
import { relativePackage, type Module, type Source, within } from './source.ts'
import type { Toolchain } from './toolchain.ts'

interface ListedPackage {
  readonly importPath: string
  readonly name: string
  readonly folder: string
  readonly goFiles: readonly string[]
}

/**
 * Every main package below the project's folder, with what speaks for and against it.
 * @throws FairwayError BUILD_FAILED with go's own words when it cannot list the packages
 */
export async function findMains(
  source: Source,
  toolchain: Toolchain,
  { signal }: Abortable = {},
): Promise<MainCandidate[]> {
  const candidates = await findIn(source.modules, source, toolchain, signal)
  if (
    source.kind === 'module' &&
    !candidates.some(({ decoy, serves }) => decoy === undefined && serves !== undefined)
  ) {
    // `./...` ends where another module begins: a library with its server in a module of its own.
    const nested = await findNestedModules(source.folder)
    if (nested.length > 0) candidates.push(...(await findIn(nested, source, toolchain, signal)))
  }
  const mentions = findMentions(source.folder, candidates, await readRecorded(source.folder))
  return candidates.map((candidate) => {
    const mention = mentions.get(candidate.folder)
    return mention === undefined ? candidate : { ...candidate, mention }
  })
}

async function findIn(
  modules: readonly Module[],
  source: Source,
  toolchain: Toolchain,
  signal: AbortSignal | undefined,
): Promise<MainCandidate[]> {
  const candidates: MainCandidate[] = []
  for (const module of modules) {
    const packages = await listPackages(module, source, toolchain, signal)
    for (const main of packages.filter(({ name }) => name === 'main')) {
      candidates.push(describe(main, module, source, await findServing(main, packages)))
    }
  }
  return candidates
}

async function listPackages(
  module: Module,
  source: Source,
  toolchain: Toolchain,
  signal?: AbortSignal,
): Promise<ListedPackage[]> {
  const cwd = within(source.folder, module.folder) ? source.folder : module.folder
  // With cgo off, a main that needs it would vanish from the list in silence.
  const words = ['list', '-e', '-find', '-json=ImportPath,Name,Dir,GoFiles,CgoFiles', './...']
  const result = await toolchain.run(words, { cwd, cgo: true, signal, deadlineMs: 120_000 })
  if (result.exitCode !== 0) {
    const findings = parseBuildText(result.stderr, { cwd, folder: source.folder })
    throw explainBuildFailure(findings, `the packages of ${relativePackage(source.folder, module.folder)}`)
  }
  return parseJsonStream(result.stdout).map((value) => ({
    importPath: textOf(value, 'ImportPath'),
    name: textOf(value, 'Name'),
    folder: textOf(value, 'Dir'),
    goFiles: [...listOf(value, 'GoFiles'), ...listOf(value, 'CgoFiles')],
  }))
}

function describe(main: ListedPackage, module: Module, source: Source, serves: string | undefined): MainCandidate {
  const inModule = parts(module.folder, main.folder)
  // Seen from where the user stands: in examples/hello, that very example is meant.
  const inProject = parts(source.folder, main.folder)
  const ownName = moduleName(module.path)
  const last = inModule.at(-1) ?? ownName
  return {
    package: relativePackage(source.folder, main.folder),
    folder: main.folder,
    moduleFolder: module.folder,
    importPath: main.importPath,
    service: validName(last) ?? 'web',
    named: inModule.length === 0 ? 'root' : last === ownName ? 'like-module' : 'otherwise',
    decoy: decoyOf(inProject, ownName),
    serves,
  }
}

/** 'examples/' for what lies there, 'healthcheck' for what is called so; the module's own name says nothing against it. */
function decoyOf(path: readonly string[], ownName: string): string | undefined {
  const folder = path.find((part) => decoyFolders.has(part))
  if (folder !== undefined) return `${folder}/`
  const last = path.at(-1)
  return last !== undefined && last !== ownName && decoyName.test(last) ? last : undefined
}

function parts(folder: string, path: string): string[] {
  return relative(folder, path)
    .split('/')
    .filter((part) => part !== '')
}

/** What lies in these is built to test, generate or show something: rarely what is meant to run. */
const decoyFolders = new Set([
  'bench', 'benchmark', 'benchmarks', 'contrib', 'demo', 'demos', 'dev', 'devtools', 'docs', 'e2e', 'example', 'examples',
  'fuzz', 'gen', 'generate', 'generator', 'hack', 'integration', 'internal', 'loadtest', 'mock', 'mocks', 'plugin', 'plugins',
  'sample', 'samples', 'script', 'scripts', 'test', 'testing', 'tests', 'third_party', 'tool', 'tools', 'tutorial',
]) // prettier-ignore

/** Commands beside a server: for people, for the database, for the compiler. */
const decoyName =
  /^(?:protoc-gen-.*|gen[-_].*|.*[-_]gen|generate.*|.*[-_](?:cli|ctl|client|tool)|cli|client|migrate|migrations?|migrator|seed(?:er)?|healthcheck|loadgen|load[-_]?test.*|bench.*|mock.*|fake.*)$/

const listening =
  /\b(?:ListenAndServe(?:TLS)?|net\.Listen|ListenConfig|http\.Serve(?:TLS)?|grpc\.NewServer|activation\.Listeners)\b|\bhttp\.Server\{/
const frameworks =
  /"(?:github\.com\/(?:gin-gonic\/gin|labstack\/echo\/v[0-9]+|gofiber\/fiber\/v[0-9]+|valyala\/fasthttp)|connectrpc\.com\/connect)"/

/**
 * The first place, in the main package and what it imports of the same module, where something listens:
 * 'pkg/api/server.go calls ListenAndServe'. A word in the source is a sign, not a proof: enough to rank, not to refuse.
 */
async function findServing(main: ListedPackage, packages: readonly ListedPackage[]): Promise<string | undefined> {
  const byPath = new Map(packages.map((each) => [each.importPath, each]))
  const queue = [main]
  const seen = new Set(queue)
  for (const current of queue) {
    for (const name of current.goFiles) {
      const text = await readText(join(current.folder, name)).catch(() => '') // generated away meanwhile
      const sign = listening.exec(text)?.[0] ?? frameworks.exec(text)?.[0]
      if (sign !== undefined) return `${current === main ? name : `${current.importPath}/${name}`} has ${sign}`
      for (const [, path = ''] of text.matchAll(/^\s*(?:import\s+)?(?:[\w.]+\s+)?"([^"\n]+)"/gm)) {
        const imported = byPath.get(path)
        if (imported !== undefined && !seen.has(imported)) {
          seen.add(imported)
          queue.push(imported)
        }
      }
    }
  }
  return undefined
}
