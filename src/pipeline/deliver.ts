import { resolve } from 'node:path'
import type { Abortable } from '../base/bounds.ts'
import { FairwayError } from '../base/error.ts'
import type { Report } from '../base/event.ts'
import type { Artifact, Recipe } from '../artifact/index.ts'
import { checkProject, dataWorkdir, loadProject, type Project, type ProjectService } from '../config/index.ts'
import { describeDoubt, explainMissing, findStart, type FoundStart } from './find-start.ts'
import { type Built, buildService, findToolchain, type ProcessEnvironment, ProjectSource } from '../go/index.ts'

export interface SourceOptions extends Abortable {
  readonly folder: string
  readonly environment: string
  readonly processEnvironment: ProcessEnvironment
  /** Keys given by `fairway secret set`, with the version in force. */
  readonly stored?: (project: string, environment: string) => Promise<ReadonlyMap<string, number>>
  /** false: only built, so that what is missing or ill-typed is no matter. */
  readonly areValuesNeeded?: boolean
}

/** A folder read and checked, with its Go code at hand. */
export interface OpenedSource {
  readonly project: Project
  readonly source: ProjectSource
  readonly toolchain: Awaited<ReturnType<typeof findToolchain>>
}

/** @throws FairwayError: everything that is wrong with the folder, before anything is built */
export async function openSource(options: SourceOptions): Promise<OpenedSource> {
  const { folder, environment, processEnvironment, areValuesNeeded = true, signal } = options
  const toolchain = await findToolchain({ environment: processEnvironment, signal })
  let source: ProjectSource | undefined
  const read = areValuesNeeded ? loadProject : checkProject
  const project = await read({
    folder,
    environment,
    processEnvironment,
    signal,
    detectServices: async (real) => {
      source = await ProjectSource.open(real, toolchain, { signal })
      return source.detectServices()
    },
    ...(options.stored === undefined ? {} : { stored: options.stored }),
  })
  return { project, toolchain, source: source ?? (await ProjectSource.open(project.folder, toolchain, { signal })) }
}

/** One service, built: what travels to the control plane, and where its files lie until then. */
export interface BuiltService extends AsyncDisposable {
  readonly service: string
  readonly artifact: Artifact
  readonly recipe: Recipe
  /** What the control plane's `up` takes for this service. */
  readonly delivery: object
  readonly sources: ReadonlyMap<string, string>
  /** How it is started: as fairway.yaml says, and as was found out. */
  readonly start: FoundStart
}

export interface BuildOptions extends Abortable {
  readonly cacheFolder: string
  readonly processEnvironment: ProcessEnvironment
  readonly report: Report
  readonly now: () => number
  /** What is unsaid of how a service starts: `demand`: found out, or refused; `look`: found out as far as it goes. Absent: built and no more. */
  readonly starts?: 'demand' | 'look'
}

/** The services that are asked for. @throws FairwayError SERVICE_UNKNOWN */
function chooseServices(project: Project, only: string | undefined): readonly ProjectService[] {
  if (only === undefined) return project.services
  const chosen = project.services.filter(({ specification }) => specification.service === only)
  if (chosen.length > 0) return chosen
  const known = project.services.map(({ specification }) => specification.service)
  throw new FairwayError('SERVICE_UNKNOWN', `${project.name} has no service ${JSON.stringify(only)}`, {
    hint: `Known: ${known.join(', ')}.`,
  })
}

/** A service with the main package it is built from. */
export interface LocatedService extends ProjectService {
  readonly main: Awaited<ReturnType<ProjectSource['locate']>>
}

/** The services that are asked for, each with its main package. @throws FairwayError SERVICE_UNKNOWN, MAIN_NOT_FOUND, MAIN_AMBIGUOUS */
export async function locateServices(
  { project, source }: OpenedSource,
  only: string | undefined,
): Promise<readonly LocatedService[]> {
  const located: LocatedService[] = []
  for (const service of chooseServices(project, only)) {
    const { build, specification } = service
    const main = await source.locate(specification.service, { build, alone: project.services.length === 1 })
    located.push({ ...service, main })
  }
  return located
}

/**
 * Builds every service before anything is released: one that does not compile stops them all, and one that cannot serve as
 * it is.
 * @throws FairwayError START_UNKNOWN where starts are demanded, and what a build throws
 */
export async function buildServices(
  { project, source, toolchain }: OpenedSource,
  services: readonly LocatedService[],
  { cacheFolder, processEnvironment, report, now, starts: wanted, signal }: BuildOptions,
): Promise<BuiltService[]> {
  const built: BuiltService[] = []
  try {
    for (const located of services) {
      const { specification, files, main } = located
      const { service } = specification
      report({ kind: 'build-begun', service, mainPackage: main.package, goVersion: `go${toolchain.version}` })
      const begin = now()
      const result: Built = await buildService(
        {
          service,
          folder: project.folder,
          mainFolder: resolve(main.mainFolder),
          moduleFolder: main.moduleFolder,
          files,
        },
        { toolchain, cacheFolder, environment: processEnvironment, now, signal },
      )
      const { artifact, recipe } = result
      const bytes = artifact.files.reduce((sum, file) => sum + file.size, 0)
      report({ kind: 'build-done', service, artifact: artifact.digest, tookMs: now() - begin, bytes })
      const dispose = async () => result[Symbol.asyncDispose]()
      built.push(deliver({ service: located, artifact, sources: result.sources }, { project, recipe, dispose }))
      if (wanted === undefined) continue
      const context = { project, source, cacheFolder, processEnvironment, report, now, signal }
      const start = await findStart(located, result, context)
      built[built.length - 1] = deliver(start, { project, recipe, dispose })
    }
    const starts = built.map(({ start }) => start)
    const missing = wanted === 'demand' ? await explainMissing(starts, project) : undefined
    if (missing !== undefined) throw missing
    for (const { service, artifact } of starts) checkWorkdir(service.specification, artifact)
    for (const doubt of starts.flatMap((start) => describeDoubt(start) ?? []))
      report({ kind: 'warning', message: doubt })
    return built
  } catch (error) {
    for (const one of built) await one[Symbol.asyncDispose]()
    throw error
  }
}

/** @throws FairwayError CONFIG_INVALID for a folder that will not be there: an artifact has files, and the folders they lie in */
function checkWorkdir({ service, run: { workdir = '.' } }: ProjectService['specification'], { files }: Artifact): void {
  if (workdir === '.' || workdir === dataWorkdir || files.some(({ path }) => path.startsWith(`${workdir}/`))) return
  throw new FairwayError(
    'CONFIG_INVALID',
    `services.${service}.workdir: no file of the artifact lies in \`${workdir}\``,
    {
      hint: `Name what it reads there: \`files: [${workdir}/templates]\`.`,
    },
  )
}

function deliver(
  start: FoundStart,
  { project, recipe, dispose }: { project: Project; recipe: Recipe; dispose: () => Promise<void> },
): BuiltService {
  const { artifact, sources } = start
  const { specification } = start.service
  return {
    service: specification.service,
    artifact,
    recipe,
    sources,
    start,
    delivery: { specification, artifact, recipe, source: sourceOf(project, recipe) },
    [Symbol.asyncDispose]: dispose,
  }
}

/** For the history: the folder's name and its commit. */
function sourceOf({ folder }: Project, { commit, dirty }: Recipe): object {
  return {
    from: folder.split('/').at(-1) ?? folder,
    ...(commit === undefined ? {} : { commit }),
    ...(dirty === undefined ? {} : { dirty }),
  }
}
