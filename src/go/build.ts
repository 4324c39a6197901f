import { createHash, randomUUID } from 'node:crypto'
import { link, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Artifact, type ArtifactFile, hashFile, makeArtifact, type Recipe } from '../artifact/index.ts'
import type { Abortable } from '../base/bounds.ts'
import { writeFileAtomic } from '../base/atomic-file.ts'
import { makeFolder } from '../base/make-folder.ts'
import { errnoOf, explainWriteError, FairwayError } from '../base/error.ts'
import { readBuildInfo } from './build-info.ts'
import { collectFiles } from './collect.ts'
import { buildText, explainBuildFailure, parseBuildText } from './compiler-output.ts'
import { listOf, parseJsonStream } from './mains.ts'
import { relativePackage } from './source.ts'
import type { ProcessEnvironment, Toolchain } from './toolchain.ts'
import { compareGoVersions } from './version.ts'
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
}

export interface BuildContext extends Abortable {
  readonly toolchain: Toolchain
  /** Kept from build to build: a binary that is up to date is not linked again. */
  readonly cacheFolder: string
  /** Where git is found. */
  readonly environment: ProcessEnvironment
  readonly now: () => number
}

/** A finished build; `sources` holds until it is disposed of. */
export interface Built extends AsyncDisposable {
  readonly artifact: Artifact
  readonly recipe: Recipe
  /** Where the content of each file lies. */
  readonly sources: ReadonlyMap<string, string>
}

/**
 * Symbols stay (vulnerability tools need them), DWARF goes (compressed, it ruins deltas between releases); no path of this
 * machine and no commit in the binary, so that the same input gives the same bytes.
 */
const flags = ['-trimpath', '-ldflags=-w', '-buildvcs=false'] as const

/**
 * Compiles a main package, hermetically, and puts it together with its files.
 * @throws FairwayError BUILD_FAILED with each of the compiler's messages, CONFIG_INVALID for `files:`, DISK_FULL, GO_MISSING;
 *   the signal's reason when aborted: the whole group of go's processes is ended then
 */
export async function buildService(order: BuildOrder, context: BuildContext): Promise<Built> {
  const { service, folder } = order
  const place = join(
    context.cacheFolder,
    'build',
    createHash('sha256').update(folder).digest('hex').slice(0, 16),
    service,
  )
  const temporaryFolder = join(place, `tmp-${randomUUID()}`)
  try {
    await makeFolder(temporaryFolder, 0o700)
    await sweep(place, service, context.now())
  } catch (error) {
    throw explainWriteError(error, place)
  }
  try {
    const [cgo, workTree, collected] = await settle([
      compile(order, context, place, temporaryFolder),
      readWorkTree(folder, context),
      collectFiles(folder, order.files),
    ])
    // The next build replaces the file at the stable path; what this link names stays as it is.
    const binary = join(place, `${service}.${randomUUID()}`)
    await link(join(place, service), binary)
    const remove = () => rm(binary, { force: true })
    try {
      const file = await describeBinary(binary, service)
      const sources = new Map([
        [service, binary],
        ...collected.map(({ path, source }): [string, string] => [path, source]),
      ])
      if (collected.some(({ path }) => path === service || path.startsWith(`${service}/`))) {
        throw new FairwayError('CONFIG_INVALID', `files: \`${service}\` is the name of the binary in the artifact`, {
          hint: 'Give the file or the service another name.',
        })
      }
      const artifact = makeArtifact({
        files: [file, ...collected.map(({ path, digest, size, executable }) => ({ path, digest, size, executable }))],
        binary: service,
      })
      const recipe = { ...(await readRecipe(binary, context.toolchain)), ...workTree, cgo, builtAt: context.now() }
      return { artifact, recipe, sources, [Symbol.asyncDispose]: remove }
    } catch (error) {
      await remove()
      throw error
    }
  } finally {
    await rm(temporaryFolder, { recursive: true, force: true })
  }
}

/** Removes what a build that was killed a day ago left; a link's change time is when it was made. */
async function sweep(place: string, service: string, now: number): Promise<void> {
  for (const name of await readdir(place)) {
    if (!name.startsWith('tmp-') && !name.startsWith(`${service}.`)) continue
    const path = join(place, name)
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

/**
 * Without cgo where no package needs it: a static file then. Which packages do takes go a moment to say, so that is asked
 * while the more likely of the two builds runs; the wrong one is ended.
 * @returns whether cgo was needed
 */
async function compile(
  order: BuildOrder,
  context: BuildContext,
  place: string,
  temporaryFolder: string,
): Promise<boolean> {
  const note = join(place, 'cgo')
  const expected = await exists(note)
  const wrong = new AbortController()
  const signal = context.signal === undefined ? wrong.signal : AbortSignal.any([context.signal, wrong.signal])
  const building = compileWith(expected, order, { ...context, signal }, place, temporaryFolder)
  const outcome = building.then(
    () => undefined,
    (error: unknown) => ({ error }),
  )
  const needed = await needsCgo(order, context).catch(async (error: unknown) => {
    wrong.abort()
    await outcome
    throw error
  })
  if (needed === undefined || needed === expected) {
    await building
    return expected
  }
  wrong.abort()
  await outcome
  context.signal?.throwIfAborted()
  await compileWith(needed, order, context, place, temporaryFolder)
  if (needed) await writeFileAtomic(note, '')
  else await rm(note, { force: true })
  return needed
}

async function compileWith(
  cgo: boolean,
  { service, folder, mainFolder, moduleFolder }: BuildOrder,
  { toolchain, signal }: BuildContext,
  place: string,
  temporaryFolder: string,
): Promise<void> {
  const json = compareGoVersions(toolchain.version, '1.24') >= 0 ? ['-json'] : []
  const target = relativePackage(moduleFolder, mainFolder)
  const result = await toolchain.run(['build', ...json, ...flags, '-o', join(place, service), target], {
    cwd: moduleFolder,
    cgo,
    temporaryFolder,
    signal,
  })
  if (result.exitCode === 0) return
  const findings = parseBuildText(buildText(result.stdout, result.stderr), { cwd: moduleFolder, folder })
  if (result.signal !== null)
    findings.unshift({
      message: `go was ended by ${result.signal}${result.signal === 'SIGKILL' ? ': out of memory?' : ''}`,
    })
  throw explainBuildFailure(findings, service)
}

/** undefined when go cannot say: then the build itself fails, with better words. */
async function needsCgo(
  { mainFolder, moduleFolder }: BuildOrder,
  { toolchain, signal }: BuildContext,
): Promise<boolean | undefined> {
  const words = ['list', '-deps', '-json=ImportPath,Standard,CgoFiles', relativePackage(moduleFolder, mainFolder)]
  const result = await toolchain.run(words, { cwd: moduleFolder, cgo: true, signal })
  if (result.exitCode !== 0) return undefined
  return parseJsonStream(result.stdout).some((each) => each['Standard'] !== true && listOf(each, 'CgoFiles').length > 0)
}

async function describeBinary(path: string, service: string): Promise<ArtifactFile> {
  const digest = await hashFile(path)
  if (digest === undefined)
    throw new FairwayError('BUILD_FAILED', `The binary of ${service} is gone: was the cache emptied meanwhile?`)
  return { path: service, digest, size: (await stat(path)).size, executable: true }
}

async function readRecipe(
  binary: string,
  { version, goos, goarch }: Toolchain,
): Promise<Omit<Recipe, 'cgo' | 'builtAt'>> {
  const info = await readBuildInfo(binary)
  return {
    goVersion: info?.goVersion ?? `go${version}`,
    goos: info?.settings.get('GOOS') ?? goos,
    goarch: info?.settings.get('GOARCH') ?? goarch,
    mainPackage: info?.path ?? '',
    module: info?.main?.path ?? '',
    modules: info?.dependencies ?? [],
    flags,
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await readFile(path)
    return true
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw error
  }
}
