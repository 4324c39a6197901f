import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Abortable } from '../base/bounds.ts'
import { FairwayError } from '../base/error.ts'
import type { Report } from '../base/event.ts'
import { type Artifact, type Recipe, type Target, targetName } from '../artifact/index.ts'
import { checkProject, loadProject, type Project, type ProjectService } from '../config/index.ts'
import {
  type Built,
  buildService,
  checkTargets,
  findIgnoredFlags,
  type ChosenToolchain,
  findSource,
  notRunHint,
  type ProcessEnvironment,
  ProjectSource,
  type Source,
} from '../go/index.ts'
import { fetchModuleSource, type ModuleSourceFolder, parseModuleSource } from './module-source.ts'
import { openSupply } from './supply.ts'

export interface SourceOptions extends Abortable {
  /** A folder; or a main package of a module from elsewhere, 'example.com/shop/cmd/web@v1.2.0'. */
  readonly source: string
  /** Where a module from elsewhere is configured, if fairway.yaml lies there. */
  readonly configuredIn: string
  readonly home: string
  readonly environment: string
  readonly processEnvironment: ProcessEnvironment
  readonly report: Report
  /** Keys given by `fairway secret set`, with the version in force. */
  readonly stored?: (project: string, environment: string) => Promise<ReadonlyMap<string, number>>
  /** Of a project that names no services: those that are meant of its main packages; without them, the likeliest. */
  readonly named?: readonly string[]
  /** false: only built, so that what is missing or ill-typed is no matter. */
  readonly areValuesNeeded?: boolean
}

/** A folder read and checked, with its Go code at hand. */
export interface OpenedSource {
  readonly project: Project
  readonly source: ProjectSource
  readonly toolchain: ChosenToolchain
  /** Of a module from elsewhere. */
  readonly module?: { readonly path: string; readonly version: string }
}

/** @throws FairwayError: everything that is wrong with the source, before anything is built */
export async function openSource(options: SourceOptions): Promise<OpenedSource> {
  const { environment, processEnvironment, home, report, areValuesNeeded = true, signal } = options
  const supply = openSupply({ home, processEnvironment, report, signal })
  void supply.machine().catch(() => {}) // asked while files are read; waited for where it is needed
  const remote = parseModuleSource(options.source)
  const module = remote === undefined ? undefined : await fetchModuleSource(remote, { supply, home, report, signal })
  const configured = module !== undefined && existsSync(join(options.configuredIn, 'fairway.yaml'))
  let opened: Promise<{ source: ProjectSource; toolchain: ChosenToolchain }> | undefined
  const open = async (folder: string, pin: string | undefined) => {
    const read = await findSource(folder)
    const found = module === undefined ? read : { ...read, wanted: placedIn(module, read.wanted) }
    const toolchain = await supply.choose({ wanted: found.wanted, pin, isForeign: module !== undefined })
    return { source: ProjectSource.of(found, toolchain, { signal }), toolchain }
  }
  const read = areValuesNeeded ? loadProject : checkProject
  const project = await read({
    folder: module === undefined ? options.source : configured ? options.configuredIn : module.folder,
    environment,
    processEnvironment,
    signal,
    detectServices: async (real, { version }) => {
      if (module !== undefined) return [module.service]
      opened = open(real, version)
      return (await opened).source.detectServices(options.named)
    },
    ...(options.stored === undefined ? {} : { stored: options.stored }),
  })
  if (module === undefined) {
    opened ??= open(project.folder, project.goVersion)
    return { project, ...(await opened) }
  }
  const built = await open(module.folder, project.goVersion)
  const { path, version } = module
  return { project: placeIn(project, module), ...built, module: { path, version } }
}

/** 'example.com/shop@v1.2.0/go.mod:3': where it was unpacked is no place of the user's. */
function placedIn({ path, version, folder }: ModuleSourceFolder, wanted: Source['wanted']): Source['wanted'] {
  return wanted.map((each) => ({ ...each, place: each.place.replace(`${folder}/`, `${path}@${version}/`) }))
}

/** The package that was named is what is built, and files are the module's, wherever its configuration lies. */
function placeIn(project: Project, { folder, main }: ModuleSourceFolder): Project {
  const services = project.services.map((service) =>
    service.build === undefined ? { ...service, build: main } : service,
  )
  return { ...project, folder, services }
}

/** One service, built: what travels to the control plane, and where its files lie until then. */
export interface BuiltService extends AsyncDisposable {
  readonly service: string
  readonly located: LocatedService
  /** Where one was asked for. */
  readonly target?: Target
  readonly artifact: Artifact
  readonly recipe: Recipe
  /** What the control plane's `up` takes for this service. */
  readonly delivery: object
  readonly sources: ReadonlyMap<string, string>
}

export interface BuildOptions extends Abortable {
  readonly cacheFolder: string
  readonly processEnvironment: ProcessEnvironment
  readonly report: Report
  readonly now: () => number
  /** Each service once for each; without them, once for this machine. */
  readonly targets?: readonly Target[] | undefined
  /** How many builds at once. */
  readonly processors: number
  /** As of BuildContext. */
  readonly outputs?: readonly string[]
}

/** The services that are asked for. @throws FairwayError SERVICE_UNKNOWN */
function chooseServices(project: Project, only: readonly string[]): readonly ProjectService[] {
  if (only.length === 0) return project.services
  const known = project.services.map(({ specification }) => specification.service)
  const unknown = only.find((name) => !known.includes(name))
  if (unknown === undefined) return project.services.filter(({ specification }) => only.includes(specification.service))
  throw new FairwayError('SERVICE_UNKNOWN', `${project.name} has no service ${JSON.stringify(unknown)}`, {
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
  only: string | readonly string[] | undefined,
): Promise<readonly LocatedService[]> {
  const located: LocatedService[] = []
  for (const service of chooseServices(project, only === undefined ? [] : [only].flat())) {
    const { build, specification } = service
    const main = await source.locate(specification.service, { build, alone: project.services.length === 1 })
    located.push({ ...service, main })
  }
  return located
}

/**
 * Builds every service, for every target, before anything is released: one that does not compile stops them all. As many
 * at once as there are processors; go itself sees to it that they share one cache and fetch no module twice.
 */
export async function buildServices(
  { project, toolchain, module }: OpenedSource,
  services: readonly LocatedService[],
  { cacheFolder, processEnvironment, report, now, signal, targets, processors, outputs = [] }: BuildOptions,
): Promise<BuiltService[]> {
  if (targets !== undefined) await checkTargets(targets, toolchain, { signal })
  const ignored = await findIgnoredFlags(processEnvironment)
  if (ignored !== undefined) {
    const { flags, from, line } = ignored
    const message = `${flags.join(' ')} of ${from} is not taken: what is built is the same for everybody`
    report({ kind: 'warning', message, ...(line === undefined ? {} : { hint: `in fairway.yaml: ${line}` }) })
  }
  const orders = services.flatMap((service) => (targets ?? [undefined]).map((target) => ({ service, target })))
  const atOnce = Math.min(orders.length, processors)
  const parallel = orders.length === 1 ? undefined : Math.max(1, Math.round(processors / atOnce))
  const stop = new AbortController()
  const context = {
    toolchain,
    cacheFolder,
    environment: processEnvironment,
    report,
    now,
    outputs,
    signal: signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]),
  }
  const buildOne = async ({ service: located, target }: (typeof orders)[number]) => {
    const { specification, files, go, main } = located
    const { service } = specification
    const named = target === undefined ? {} : { target: targetName(target) }
    report({ kind: 'build-begun', service, mainPackage: main.package, goVersion: `go${toolchain.version}`, ...named })
    const [command] = go.generate ?? []
    if (module !== undefined && command !== undefined) {
      const { length } = go.generate ?? []
      const names = `${command.run.join(' ')}${length === 1 ? '' : ` and ${length - 1} more`}`
      report({ kind: 'warning', message: `${service}: go: { generate } names ${names}; ${notRunHint}` })
    }
    const begin = now()
    const result: Built = await buildService(
      {
        service,
        folder: project.folder,
        mainFolder: resolve(main.mainFolder),
        moduleFolder: main.moduleFolder,
        files,
        settings: go,
        isForeign: module !== undefined, // what was fetched is what was proven: nothing is written into it
        target,
        parallel,
      },
      context,
    )
    const { artifact, recipe, sources } = result
    const bytes = artifact.files.reduce((sum, file) => sum + file.size, 0)
    report({ kind: 'build-done', service, artifact: artifact.digest, tookMs: now() - begin, bytes, ...named })
    return {
      service,
      located,
      artifact,
      recipe,
      sources,
      ...(target === undefined ? {} : { target }),
      delivery: deliveryOf({ specification, artifact, recipe }, project),
      [Symbol.asyncDispose]: () => result[Symbol.asyncDispose](),
    }
  }
  const outcomes = await inTurns(orders, atOnce, (order) =>
    buildOne(order).catch((error: unknown) => {
      stop.abort(error) // the first failure is the one that is told
      throw error
    }),
  )
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  const built = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  if (failed === undefined) return built
  for (const one of built) await one[Symbol.asyncDispose]()
  signal?.throwIfAborted()
  throw stop.signal.reason
}

/** As Promise.allSettled, but so many at once; the outcomes stand as the items do. */
async function inTurns<Item, Result>(
  items: readonly Item[],
  atOnce: number,
  act: (item: Item) => Promise<Result>,
): Promise<PromiseSettledResult<Result>[]> {
  const outcomes: PromiseSettledResult<Result>[] = []
  const left = items.entries()
  const worker = async () => {
    for (const [index, item] of left) [outcomes[index]] = await Promise.allSettled([act(item)])
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return outcomes
}

/** What the control plane's `up` takes for a service. */
export function deliveryOf(
  {
    specification,
    artifact,
    recipe,
  }: Pick<ProjectService, 'specification'> & Pick<BuiltService, 'artifact' | 'recipe'>,
  project: Project,
): object {
  return { specification, artifact, recipe, source: sourceOf(project, recipe) }
}

/** For the history: the folder's name and its commit. */
function sourceOf({ folder }: Project, { commit, dirty }: Recipe): object {
  return {
    from: folder.split('/').at(-1) ?? folder,
    ...(commit === undefined ? {} : { commit }),
    ...(dirty === undefined ? {} : { dirty }),
  }
}
