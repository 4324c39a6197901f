import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Abortable } from '../base/bounds.ts'
import type { Clock } from '../base/clock.ts'
import { FairwayError } from '../base/error.ts'
import { ChecksumDatabase } from './checksum-database.ts'
import { openChecksumStore } from './checksum-store.ts'
import { HttpClient } from './http.ts'
import { findPathFault } from './module-path.ts'
import { ModuleSources, newestFirst, type VersionInfo } from './module-sources.ts'
import { type ModuleVariables, parseChecksumSource, storeFirst } from './settings.ts'

/** Sources and the database that proves what they send, as the go command's variables name them. */
export interface ModuleAccess {
  readonly variables: ModuleVariables
  readonly sources: ModuleSources
  /** undefined with GOSUMDB=off. */
  readonly database: ChecksumDatabase | undefined
}

/**
 * @param home heads of logs are remembered below it for good; `cache/` below it may be emptied
 * @throws FairwayError USAGE for variables that cannot be read
 */
export function openModuleAccess({
  home,
  environment,
  clock,
  variables,
  goPath,
  silentMs,
}: {
  home: string
  environment: Readonly<Record<string, string | undefined>>
  clock: Pick<Clock, 'sleep'>
  variables: ModuleVariables
  /** Of the machine's go, which keeps a head of its own there. */
  goPath?: string | undefined
  silentMs?: number | undefined
}): ModuleAccess {
  const checksums = parseChecksumSource(variables.GOSUMDB)
  const http = new HttpClient({ environment, ...(silentMs === undefined ? {} : { silentMs }) })
  const stored = { ...variables, GOPROXY: storeFirst(home, variables.GOPROXY) }
  const sources = new ModuleSources({ http, clock, variables: stored })
  if (checksums === undefined) return { variables, sources, database: undefined }
  const { key } = checksums
  const store = openChecksumStore({
    name: key.name,
    headFolder: `${home}/sumdb`,
    cacheFolder: `${home}/modules/download/sumdb`,
  })
  const others = {
    ofGo: () =>
      goPath === undefined ? Promise.resolve(undefined) : readFile(join(goPath, 'pkg/sumdb', key.name, 'latest')),
    siblings: ({ path }: { path: string }, options: Abortable) =>
      sources.listVersions(path, options).then(newestFirst, () => []),
  }
  const remote = sources.checksumRemote(checksums)
  return { variables, sources, database: new ChecksumDatabase({ key, remote, store, others }) }
}

export interface PossibleModule extends VersionInfo {
  readonly path: string
}

/**
 * The modules that could hold a package, the one with the longest path first: any start of a package's path may be a
 * module's. A source that has none of them is asked once for each, all at the same time.
 * @throws FairwayError MODULE_UNKNOWN with the newest version there is, or what the sources said; MODULE_UNAVAILABLE when one
 * failed and no module is known
 */
export async function findModules(
  sources: ModuleSources,
  packagePath: string,
  query: string,
  options: Abortable = {},
): Promise<PossibleModule[]> {
  const parts = packagePath.split('/')
  const paths = parts
    .map((_, index) => parts.slice(0, parts.length - index).join('/'))
    .filter((path) => findPathFault(path) === undefined)
  const settled = await Promise.allSettled(paths.map((path) => sources.resolve(path, query, options)))
  options.signal?.throwIfAborted()
  const found = settled.flatMap((one, index) =>
    one.status === 'fulfilled' ? [{ path: paths[index] ?? '', ...one.value }] : [],
  )
  if (found.length > 0) return found
  const errors = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []))
  const other = errors.find((error) => !(error instanceof FairwayError))
  if (other !== undefined) throw other
  const failures = errors.filter((error) => error instanceof FairwayError)
  const failed = failures.find(({ code }) => code === 'MODULE_UNAVAILABLE')
  if (failed !== undefined) throw failed
  const known = await findNewest(sources, paths, query, options)
  if (known !== undefined) {
    throw new FairwayError('MODULE_UNKNOWN', `${known.path} has no version ${query}; the newest is ${known.version}`, {
      hint: `Write ${packagePath}@${known.version}, or ${packagePath}@latest.`,
    })
  }
  // What was said of each is the same again and again; most modules are at HOST/OWNER/NAME.
  const likely = paths.findIndex((path) => path.split('/').length === 3)
  const said = failures[likely < 0 ? 0 : likely]?.details ?? []
  const distant = said.filter((line) => !line.endsWith(': no such file')) // the home's own modules are the first source
  throw new FairwayError('MODULE_UNKNOWN', `No source has ${packagePath}@${query}, under any module path`, {
    details: distant.length > 0 ? distant : said,
    hint: 'Look at its spelling; a private module needs a source that has it in GOPROXY.',
  })
}

/** Of the module that could hold the package, whichever version it has; the one with the longest path. */
async function findNewest(
  sources: ModuleSources,
  paths: readonly string[],
  query: string,
  options: Abortable,
): Promise<PossibleModule | undefined> {
  if (query === 'latest') return undefined
  const settled = await Promise.allSettled(paths.map((path) => sources.resolve(path, 'latest', options)))
  options.signal?.throwIfAborted()
  return settled.flatMap((one, index) =>
    one.status === 'fulfilled' ? [{ path: paths[index] ?? '', ...one.value }] : [],
  )[0]
}
