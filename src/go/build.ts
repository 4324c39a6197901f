import { createHash, randomUUID } from 'node:crypto'
import { link, readdir, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import {
  type Artifact,
  type ArtifactFile,
  hashFile,
  makeArtifact,
  maxGoSumLength,
  type Recipe,
  type Target,
  targetName,
} from '../artifact/index.ts'
import type { Abortable } from '../base/bounds.ts'
import { errnoOf, explainWriteError, FairwayError } from '../base/error.ts'
import type { Report } from '../base/event.ts'
import { makeFolder } from '../base/make-folder.ts'
import { readText } from '../base/read-file.ts'
import type { GoSettings } from '../config/index.ts'
import { readBuildInfo } from './build-info.ts'
import { collectFiles } from './collect.ts'
import { compile, type CompileOrder, type Compiled, hostTarget } from './compile.ts'
import { explainBuildFailure } from './compiler-output.ts'
import { listDependencies } from './dependencies.ts'
import { diagnose } from './diagnose.ts'
import { findUnmetEmbeds, type UnmetEmbed } from './embed.ts'
import { explainFrontEnd, findFrontEnds, prepare, prepareMissing } from './prepare.ts'
import { relativePackage, within } from './source.ts'
import type { ProcessEnvironment, Toolchain } from './toolchain.ts'
import { readWorkTree } from './work-tree.ts'

export interface BuildOrder {
  /** The binary is named like it. */
  readonly service: string
  /** The project's; absolute, without symbolic links. */
  readonly folder: string
  /** Of the main package; absolute. */
  readonly mainFolder: string
  readonly moduleFolder: string
  /** Globs below `folder`. */
  readonly files: readonly string[]
  readonly settings: GoSettings
  /** undefined: this machine. */
  readonly target?: Target | undefined
  /** A module from elsewhere: nothing of it is run to build it, whatever it names. */
  readonly isForeign?: boolean | undefined
  /** How many things go does at once; by default as many as there are processors. */
  readonly parallel?: number | undefined
}

export interface BuildContext extends Abortable {
  readonly toolchain: Toolchain
  /** Kept from build to build: a binary that is up to date is not linked again. */
  readonly cacheFolder: string
  /** Where git and the tools of a front-end are found. */
  readonly environment: ProcessEnvironment
  readonly report: Report
  readonly now: () => number
  /** Files that the command writes, absolute: no difference from the commit. */
  readonly outputs?: readonly string[]
}

/** A finished build; `sources` holds until it is disposed of. */
export interface Built extends AsyncDisposable {
  readonly artifact: Artifact
  readonly recipe: Recipe
  /** Where the content of each file lies. */
  readonly sources: ReadonlyMap<string, string>
}

/**
 * Compiles a main package, hermetically, and puts it together with its files. Front-ends that are to be embedded are built
 * before, where they are not there or were built here and changed.
 * @throws FairwayError BUILD_FAILED with each of the compiler's messages, CONFIG_INVALID for `files:`, DISK_FULL, GO_MISSING;
 *   the signal's reason when aborted: the whole group of go's processes is ended then
 */
export async function buildService(order: BuildOrder, context: BuildContext): Promise<Built> {
  const { service, folder, target } = order
  const place = placeOf(order, context.cacheFolder)
  const temporaryFolder = join(place, `tmp-${randomUUID()}`)
  const name = target?.os === 'windows' ? `${service}.exe` : service
  try {
    await makeFolder(temporaryFolder, 0o700)
    await sweep(place, name, context.now())
  } catch (error) {
    throw explainWriteError(error, place)
  }
  try {
    const output = join(place, name)
    const compileOrder = { ...order, target, output, noteFile: join(place, 'note.json'), temporaryFolder }
    const [compiled, workTree, collected, goSum] = await settle([
      compileWhole(order, place, compileOrder, context),
      readWorkTree(folder, context),
      collectFiles(folder, order.files),
      readGoSum(order.moduleFolder),
    ])
    // The next build replaces the file at the stable path; what this link names stays as it is.
    const binary = join(place, `${name}.${randomUUID()}`)
    await link(output, binary)
    const remove = () => rm(binary, { force: true })
    try {
      const file = await describeBinary(binary, name)
      const sources = new Map([
        [name, binary],
        ...collected.map(({ path, source }): [string, string] => [path, source]),
      ])
      if (collected.some(({ path }) => path === name || path.startsWith(`${name}/`))) {
        throw new FairwayError('CONFIG_INVALID', `files: \`${name}\` is the name of the binary in the artifact`, {
          hint: 'Give the file or the service another name.',
        })
      }
      const artifact = makeArtifact({
        files: [file, ...collected.map(({ path, digest, size, executable }) => ({ path, digest, size, executable }))],
        binary: name,
      })
      const recipe: Recipe = {
        ...(await readRecipe(binary, order, compiled, context.toolchain)),
        ...workTree,
        builtAt: context.now(),
        ...(goSum === undefined ? {} : { goSum }),
      }
      return { artifact, recipe, sources, [Symbol.asyncDispose]: remove }
    } catch (error) {
      await remove()
      throw error
    }
  } finally {
    await rm(temporaryFolder, { recursive: true, force: true })
  }
}

/** One place for each way to build: two at once, of two environments, must not take each other's binary. */
function placeOf({ service, folder, target, settings }: BuildOrder, cacheFolder: string): string {
  const { tags, ldflags, cgo } = settings
  const isPlain = tags === undefined && ldflags === undefined && cgo === undefined
  const way = isPlain ? '' : `+${sha256(JSON.stringify({ tags, ldflags, cgo })).slice(0, 8)}`
  const forTarget = target === undefined ? '' : `@${targetName(target).replaceAll('/', '-')}`
  return join(cacheFolder, 'build', sha256(folder).slice(0, 16), `${service}${forTarget}${way}`)
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

/** Removes what a build that was killed a day ago left; a link's change time is when it was made. */
async function sweep(place: string, name: string, now: number): Promise<void> {
  for (const entryName of await readdir(place)) {
    if (!entryName.startsWith('tmp-') && !entryName.startsWith(`${name}.`)) continue
    const path = join(place, entryName)
    const entry = await stat(path).catch(() => undefined) // removed meanwhile by its own build
    if (entry !== undefined && now - entry.ctimeMs > 86_400_000) await rm(path, { recursive: true, force: true })
  }
}

/** As Promise.all, but it waits for all: nothing of a failed build still runs when its error is seen. */
async function settle<Results extends readonly unknown[]>(work: {
  readonly [K in keyof Results]: Promise<Results[K]>
}): Promise<Results> {
  await Promise.allSettled(work)
  return Promise.all(work)
}

/** With what has to be made before, which mostly shows only when go misses it. */
async function compileWhole(
  order: BuildOrder,
  place: string,
  compileOrder: CompileOrder,
  context: BuildContext,
): Promise<Compiled> {
  const { folder, service } = order
  const settings = order.isForeign === true ? { ...order.settings, generate: [] } : order.settings
  const { report, toolchain } = context
  const since = context.now()
  const generating = { ...context, noteFolder: dirname(place) }
  const prepareOrder = { service, folder, settings, place }
  await prepare(prepareOrder, generating)
  let result = await compile(compileOrder, context)
  const unmet = 'findings' in result ? await findUnmet(order, context) : result.unmet
  if (unmet.length > 0 && (await prepareMissing(prepareOrder, unmet, { ...generating, since }))) {
    result = await compile(compileOrder, context)
  }
  if ('findings' in result) {
    throw await diagnose(explainBuildFailure(result.findings, service), {
      findings: result.findings,
      folder,
      moduleFolder: order.moduleFolder,
      unmet: await findUnmet(order, context),
      toolchain,
      environment: context.environment,
      isForeign: order.isForeign === true,
      settings,
    })
  }
  for (const frontEnd of await findFrontEnds(folder, result.unmet)) {
    report({
      kind: 'warning',
      message: `${service} is built without its user interface: ${frontEnd.missing}`,
      hint: explainFrontEnd(frontEnd, { isForeign: order.isForeign === true, settings }),
    })
  }
  return result
}

/** What is to be embedded and is not there, asked after a build that failed. */
async function findUnmet({ folder, settings, ...order }: BuildOrder, context: BuildContext): Promise<UnmetEmbed[]> {
  const question = { ...order, tags: settings.tags ?? [], environment: {} }
  const options = { signal: context.signal, tolerant: true }
  const dependencies = (await listDependencies(question, context.toolchain, options)) ?? []
  return findUnmetEmbeds(dependencies, (path) => within(path, folder) && !path.includes('/vendor/'))
}

async function describeBinary(path: string, name: string): Promise<ArtifactFile> {
  const digest = await hashFile(path)
  if (digest === undefined)
    throw new FairwayError('BUILD_FAILED', `The binary ${name} is gone: was the cache emptied meanwhile?`)
  return { path: name, digest, size: (await stat(path)).size, executable: true }
}

async function readRecipe(
  binary: string,
  { target, folder, mainFolder }: BuildOrder,
  { mode, flags, compiler, environment }: Compiled,
  toolchain: Toolchain,
): Promise<Omit<Recipe, 'builtAt'>> {
  const info = await readBuildInfo(binary)
  const { os, arch, variant } = target ?? { ...hostTarget(toolchain), variant: undefined }
  return {
    goVersion: info?.goVersion ?? `go${toolchain.version}`,
    goos: info?.settings.get('GOOS') ?? os,
    goarch: info?.settings.get('GOARCH') ?? arch,
    mainPackage: info?.path ?? '',
    module: info?.main?.path ?? '',
    modules: info?.dependencies ?? [],
    flags,
    cgo: mode !== 'off',
    package: relativePackage(folder, mainFolder),
    ...(variant === undefined ? {} : { variant }),
    ...(compiler === undefined ? {} : { compiler }),
    ...(environment === undefined ? {} : { environment }),
  }
}

/** What a rebuild has to fetch, in go's own words. */
async function readGoSum(moduleFolder: string): Promise<string | undefined> {
  try {
    const path = join(moduleFolder, 'go.sum')
    return (await stat(path)).size > maxGoSumLength ? undefined : await readText(path)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}
