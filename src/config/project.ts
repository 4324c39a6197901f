import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Abortable } from '../base/bounds.ts'
import { errnoOf, FairwayError } from '../base/error.ts'
import { type BindAddress, parseBind } from './address.ts'
import { parseDotenv } from './dotenv.ts'
import { findExposures, type LayerFile, trackedFiles } from './exposure.ts'
import type { GoSettings } from './go-settings.ts'
import { readInputFile } from './input-file.ts'
import { didYouMean, nearestWord } from '../base/nearest.ts'
import { configInvalid, readProjectFile } from './project-file.ts'
import type { ProjectFile } from './schema.ts'
import { namePattern, nameRule, validName } from './scope.ts'
import { nameFromModule } from './project-name.ts'
import { type SaidKey, type Specified, specify } from './specify.ts'
import type { ServiceSpecification } from './specification.ts'
import type { Declaration } from './value-type.ts'
import { resolveValues, type ResolvedValues, type ValueFinding, type ValueTrace } from './values.ts'
import type { YamlSource } from './yaml-source.ts'

export interface ProjectService {
  readonly specification: ServiceSpecification
  /** './cmd/web', as written; undefined is detected. */
  readonly build?: string
  readonly go: GoSettings
  /** Globs below the project's folder. */
  readonly files: readonly string[]
  /** What fairway.yaml says itself of how it starts. */
  readonly said: ReadonlySet<SaidKey>
}

/** All that is needed to start it and know it well; else what is unsaid may be found out by trying. */
export function isStartSaid({ said, specification }: Pick<ProjectService, 'said' | 'specification'>): boolean {
  return said.has('listen') && (said.has('probe') || specification.run.listen.kind === 'none')
}

/** A folder's whole configuration for one environment, checked. */
export interface Project {
  readonly name: string
  /** Where the name comes from, in words: 'the module’s path in go.mod'. */
  readonly nameFrom: string
  /** Without symbolic links. */
  readonly folder: string
  readonly environment: string
  /** Changes show the plan and ask. */
  readonly protected: boolean
  readonly runtime: 'process'
  /** Exactly this Go, as fairway.yaml says. */
  readonly goVersion?: string
  /** Beside the home's own gateway address. */
  readonly binds: readonly BindAddress[]
  readonly services: readonly ProjectService[]
  readonly traces: readonly ValueTrace[]
  /** Undeclared and unused keys: `config check` shows them. */
  readonly notices: readonly ValueFinding[]
  readonly warnings: readonly string[]
}

export interface LoadOptions extends Abortable {
  readonly folder: string
  readonly environment: string
  /** The caller's environment: where git is found. */
  readonly processEnvironment: Readonly<Record<string, string | undefined>>
  /** Asked for service names where fairway.yaml names none. */
  readonly detectServices: (folder: string, go: { readonly version?: string }) => Promise<readonly string[]>
  /** Keys given by `fairway secret set`, with the version in force. */
  readonly stored?: (project: string, environment: string) => Promise<ReadonlyMap<string, number>>
}

/** For `config check`: the findings instead of an error. */
export interface InspectedProject extends Project {
  readonly findings: readonly ValueFinding[]
}

/**
 * @throws FairwayError SOURCE_NOT_GO (no such folder), CONFIG_INVALID, ENVIRONMENT_UNKNOWN, VALUES_INVALID, SECRET_EXPOSED
 */
export async function readProject(options: LoadOptions): Promise<Project> {
  const { findings, ...project } = await inspectProject(options)
  const fatal = findings.filter(({ kind }) => kind !== 'undeclared' && kind !== 'unused')
  const [first] = fatal
  if (first === undefined) return project
  const more = fatal.length === 1 ? '' : ` (and ${fatal.length - 1} more)`
  throw new FairwayError('VALUES_INVALID', `${first.message}${more}`, {
    hint: `\`fairway config explain ${first.key} --env ${project.environment}\` shows where a value comes from.`,
    details: [...new Set(fatal.map(({ message }) => message))],
  })
}

/** As readProject, but missing and ill-typed values come out as findings. */
export async function inspectProject(options: LoadOptions): Promise<InspectedProject> {
  const { environment, processEnvironment, signal } = options
  const folder = await projectFolder(options.folder)
  const { file, source } = await readProjectFile(folder)
  checkEnvironment(environment, file)
  const { name, from } = await nameProject(file, folder)
  const goVersion = file.go?.version === undefined ? {} : { version: file.go.version }
  const named = Object.keys(file.services ?? {})
  const names = named.length > 0 ? named : await options.detectServices(folder, goVersion)
  const specified = specify(file, { project: name, environment, names })
  if (specified.complaints.length > 0) throw explainComplaints(specified, source)
  const layers = await readLayers(folder, environment)
  const tracked = await trackedFiles(
    folder,
    layers.map((layer) => layer.name),
    { environment: processEnvironment, signal },
  )
  const exposures = findExposures(layers, specified.services, tracked)
  if (exposures.exposed[0] !== undefined) {
    const { message, hint } = exposures.exposed[0]
    throw new FairwayError('SECRET_EXPOSED', message, { hint, details: exposures.exposed.map((it) => it.message) })
  }
  const resolved = resolveValues({
    environment,
    services: specified.services,
    layers,
    stored: (await options.stored?.(name, environment)) ?? new Map<string, number>(),
    lineOf: (service, key) => lineOf(source, environment, service, key),
  })
  const warnings = [...specified.warnings, ...exposures.warnings]
  warnings.push(...(await findStrayLayers(folder, ['dev', ...Object.keys(file.environments ?? {})])))
  const overlay = file.environments?.[environment]
  return {
    name,
    nameFrom: from,
    folder,
    environment,
    protected: overlay?.protected ?? false,
    runtime: 'process',
    ...(goVersion.version === undefined ? {} : { goVersion: goVersion.version }),
    binds: (overlay?.gateway?.bind ?? []).flatMap((text) => parseBind(text) ?? []),
    services: assemble(specified, resolved),
    traces: resolved.traces,
    notices: resolved.findings.filter(({ kind }) => kind === 'undeclared' || kind === 'unused'),
    findings: resolved.findings,
    warnings,
  }
}

function assemble({ services }: Specified, { values }: ResolvedValues): ProjectService[] {
  return services.map(({ service, build, go, files, run, desired, needs, said }) => ({
    specification: { service, run, desired, needs, values: values.get(service) ?? {} },
    ...(build === undefined ? {} : { build }),
    go,
    files,
    said,
  }))
}

async function projectFolder(folder: string): Promise<string> {
  try {
    const real = await realpath(folder)
    if ((await stat(real)).isDirectory()) return real
  } catch (error) {
    const errno = errnoOf(error)
    if (errno !== 'ENOENT' && errno !== 'ENOTDIR' && errno !== 'ELOOP') throw error
  }
  throw new FairwayError('SOURCE_NOT_GO', `${folder} is not a folder`, {
    hint: 'Name the folder of a Go module, or go there: fairway up [FOLDER]',
  })
}

/** @see load.ts */
export async function declarationsOf(
  folder: string,
  environment: string,
  key: string | undefined,
): Promise<ReadonlyMap<string, Declaration>> {
  const { file } = await readProjectFile(folder)
  checkEnvironment(environment, file)
  const names = Object.keys(file.services ?? {})
  const { services } = specify(file, { project: file.project ?? 'project', environment, names })
  const found = services.flatMap(({ service, declarations }): [string, Declaration][] => {
    const declaration = key === undefined ? undefined : declarations.get(key)
    return declaration === undefined ? [] : [[service, declaration]]
  })
  return new Map(found)
}

/** @throws FairwayError ENVIRONMENT_UNKNOWN unless it is dev or declared */
function checkEnvironment(environment: string, file: ProjectFile): void {
  const known = [...new Set(['dev', ...Object.keys(file.environments ?? {})])]
  if (known.includes(environment)) return
  if (environment === 'local') {
    throw new FairwayError('ENVIRONMENT_UNKNOWN', '`local` cannot be an environment: `.env.local` would be ambiguous', {
      hint: 'Use `dev`, and name this machine’s own values `.env.dev.local`.',
    })
  }
  throw new FairwayError(
    'ENVIRONMENT_UNKNOWN',
    `There is no environment ${JSON.stringify(environment)}${didYouMean(environment, known) || `; known: ${known.join(', ')}`}`,
    {
      hint: `Declare it in fairway.yaml: environments: { ${namePattern.test(environment) ? environment : 'NAME'}: {} } (${nameRule}).`,
    },
  )
}

async function nameProject(file: ProjectFile, folder: string): Promise<{ name: string; from: string }> {
  if (file.project !== undefined) return { name: file.project, from: 'fairway.yaml' }
  const goMod = await readInputFile(join(folder, 'go.mod'), { code: 'CONFIG_INVALID', name: 'go.mod' })
  const fromModule = nameFromModule(goMod?.text)
  if (fromModule !== undefined) return { name: fromModule, from: 'the module’s path in go.mod' }
  const fromFolder = validName(basename(folder))
  if (fromFolder !== undefined) return { name: fromFolder, from: 'the folder’s name' }
  throw new FairwayError(
    'CONFIG_INVALID',
    `No name for the project can be made of the folder’s, ${JSON.stringify(basename(folder))}`,
    {
      hint: `Write \`project: NAME\` in fairway.yaml: ${nameRule}.`,
    },
  )
}

function explainComplaints({ complaints }: Specified, source: YamlSource): FairwayError {
  return configInvalid(
    complaints.map(({ paths, message }) => {
      // The environment's own line, where it has one; else the service's.
      const path = paths.find((candidate) => source.has(candidate)) ?? paths.at(-1) ?? []
      return { ...source.locate(path), message }
    }),
  )
}

function lineOf(source: YamlSource, environment: string, service: string, key: string): number {
  const tail = ['services', service, 'config', key]
  const own = ['environments', environment, ...tail]
  return source.locate(source.has(own) ? own : tail).line
}

/** The layers that exist, the weakest first. @throws FairwayError VALUES_INVALID naming every bad line */
async function readLayers(folder: string, environment: string): Promise<LayerFile[]> {
  const layers: LayerFile[] = []
  const problems: string[] = []
  for (const [name, local] of [
    ['.env', false],
    [`.env.${environment}`, false],
    [`.env.${environment}.local`, true],
  ] as const) {
    const file = await readInputFile(join(folder, name), { code: 'VALUES_INVALID', name })
    if (file === undefined) continue
    const parsed = parseDotenv(file.text)
    problems.push(...parsed.problems.map(({ line, message }) => `${name}:${line}: ${message}`))
    layers.push({ name, local, entries: parsed.entries, mode: file.mode })
  }
  if (problems[0] === undefined) return layers
  const [first] = problems
  throw new FairwayError('VALUES_INVALID', first, {
    hint: 'A line is KEY=VALUE, a comment or blank; quote what holds spaces at its ends, # or line breaks (\'…\' as it stands, "…" with \\n).',
    details: problems.slice(0, 20),
  })
}

/** Files that look like layers of values and that no environment reads. */
async function findStrayLayers(folder: string, environments: readonly string[]): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => name.startsWith('.env.')).toSorted()
  return names.flatMap((name) => {
    if (name === '.env.local')
      return ['.env.local is not read: it does not say for which environment; name it .env.dev.local']
    const environment = name.slice('.env.'.length).replace(/\.local$/, '')
    if (environments.includes(environment)) return []
    const near = nearestWord(environment, environments) // `.env.example` is nobody's typo
    return near === undefined ? [] : [`${name} is read in no environment${didYouMean(environment, environments)}`]
  })
}
