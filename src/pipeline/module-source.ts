import { randomUUID } from 'node:crypto'
import { chmod, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Abortable } from '../base/bounds.ts'
import { systemClock } from '../base/clock.ts'
import { errnoOf, explainWriteError, FairwayError } from '../base/error.ts'
import type { Report } from '../base/event.ts'
import { withFileLock } from '../base/file-lock.ts'
import { makeFolder } from '../base/make-folder.ts'
import { readText } from '../base/read-file.ts'
import { moduleName, validName } from '../config/index.ts'
import { type GoSupply, parseGoMod } from '../go/index.ts'
import {
  escapeText,
  findModules,
  findPackageFault,
  isQuery,
  isUnrecorded,
  type ModuleAccess,
  type ModuleVersion,
  type PossibleModule,
  readModuleZip,
} from '../module/index.ts'

/** 'example.com/shop/cmd/web@v1.2.0', taken apart. */
export interface RemotePackage {
  readonly path: string
  readonly query: string
}

/** A main package of a module from elsewhere, unpacked. */
export interface ModuleSourceFolder extends ModuleVersion {
  /** Read-only. */
  readonly folder: string
  /** From there: './cmd/web' */
  readonly main: string
  /** What its service is called. */
  readonly service: string
}

/** undefined for what is a folder's name. @throws FairwayError USAGE for what is neither */
export function parseModuleSource(text: string): RemotePackage | undefined {
  const [, path, query] = /^([^/@\s]+\.[^/@\s]+(?:\/[^@\s]*)?)@([^@\s]+)$/.exec(text) ?? []
  if (path === undefined || query === undefined) return undefined
  const fault = findPackageFault(path) ?? (isQuery(query) ? undefined : `${JSON.stringify(query)} can be no version`)
  if (fault === undefined) return { path, query }
  throw new FairwayError('USAGE', `${text}: ${fault}`, {
    hint: 'Like example.com/shop/cmd/web@v1.2.0, …@latest, or a folder.',
  })
}

/** What could be a package of a module, but for the version: 'example.com/shop/cmd/web'. */
export function isModulePath(text: string): boolean {
  return /^[^./@\s][^/@\s]*\.[^/@\s]+\//.test(text) && findPackageFault(text) === undefined
}

const progressMs = 500

interface Context extends Abortable {
  readonly supply: GoSupply
  readonly home: string
  readonly report: Report
}

/**
 * Finds the module that holds a package, fetches it, proves it and unpacks it; what was proven before is taken as it lies.
 * @throws FairwayError MODULE_UNKNOWN, MODULE_UNAVAILABLE, MODULE_UNVERIFIED, MODULE_INVALID, MAIN_NOT_FOUND
 */
export async function fetchModuleSource(
  { path, query }: RemotePackage,
  { supply, home, report, signal }: Context,
): Promise<ModuleSourceFolder> {
  const access = await supply.access()
  const context = { supply, access, home, report, signal }
  const without: string[] = []
  for (const module of await findModules(access.sources, path, query, { signal })) {
    if (module.retracted !== undefined) report({ kind: 'warning', message: describeRetraction(module) })
    const folder = await unpackModule(module, context)
    const below = path.slice(module.path.length + 1)
    if (!(await hasGoFiles(join(folder, below)))) {
      without.push(`${module.path}@${module.version}`)
      continue
    }
    await checkPath(folder, module)
    const service = validName(moduleName(path)) ?? 'web'
    return { path: module.path, version: module.version, folder, main: below === '' ? '.' : `./${below}`, service }
  }
  throw new FairwayError('MAIN_NOT_FOUND', `${without.join(' and ')} holds no package ${path}`, {
    hint: 'Name the package whole: its module’s path, and the folder below it.',
  })
}

function describeRetraction({ path, version, retracted }: PossibleModule): string {
  const why = retracted?.why === '' ? '' : ` (${retracted?.why ?? ''})`
  return `${path}@${retracted?.version ?? ''} was taken back by its author${why}: ${version} is taken`
}

async function unpackModule(
  module: ModuleVersion,
  { supply, access, home, report, signal }: Context & { access: ModuleAccess },
): Promise<string> {
  const parent = join(home, 'cache/sources')
  const name = `${escapeText(module.path).replaceAll('/', '+')}@${escapeText(module.version)}`
  const folder = join(parent, name)
  if (await isFolder(folder)) return folder
  await makeFolder(join(parent, '.work'), 0o755)
  const onWait = () =>
    report({ kind: 'waiting', message: `${module.path} is being fetched by another process: waiting for it` })
  const zip = join(parent, '.work', `${name}.zip`)
  const work = join(parent, '.work', `tree-${randomUUID()}`)
  const unpack = async () => {
    if (await isFolder(folder)) return
    try {
      await makeFolder(work, 0o755)
      await fill(work, zip, module, { supply, access, report, signal })
      await makeReadOnly(work)
      await rename(work, folder)
      await chmod(folder, 0o555)
    } catch (error) {
      await rm(work, { recursive: true, force: true })
      const isBad = error instanceof FairwayError && /^MODULE_(?:UNVERIFIED|INVALID)$/.test(error.code)
      if (isBad) await rm(zip, { force: true })
      throw explainWriteError(error, folder)
    }
    await rm(zip, { force: true })
  }
  await withFileLock(join(parent, '.work', `${name}.lock`), unpack, { signal, onWait })
  return folder
}

/** What of the zip is missing to build it as a main module is put beside it. */
async function fill(
  folder: string,
  zip: string,
  module: ModuleVersion,
  { supply, access, report, signal }: Omit<Context, 'home'> & { access: ModuleAccess },
): Promise<void> {
  const { path, version } = module
  const begin = systemClock.monotonicMs()
  let saidAt = begin
  report({ kind: 'module-fetching', module: path, version, bytes: 0 })
  const onProgress = (progress: { bytes: number; total?: number }) => {
    if (systemClock.monotonicMs() - saidAt < progressMs) return
    saidAt = systemClock.monotonicMs()
    report({ kind: 'module-fetching', module: path, version, ...progress })
  }
  const { bytes } = await access.sources.downloadZip(module, zip, { onProgress, signal })
  const read = await readModuleZip(zip, module, { unpackTo: folder, mode: 0o444, signal })
  await prove(module, read.h1, access, report, signal)
  report({
    kind: 'module-fetched',
    module: path,
    version,
    bytes,
    tookMs: Math.round(systemClock.monotonicMs() - begin),
  })
  // Its packages did not come along, only their list: go would look for them there.
  await rm(join(folder, 'vendor'), { recursive: true, force: true })
  if (read.files.some((file) => file.path === 'go.mod')) {
    await checkReplacements(folder, module)
    const hasSums = read.files.some((file) => file.path === 'go.sum')
    if (!hasSums && /^\s*require\b/m.test(await readText(join(folder, 'go.mod')))) {
      // As `go install` does: the checksum database says what its authors left unsaid. A package that fails is the build's to name.
      const toolchain = await supply.choose({ wanted: [], pin: undefined })
      const list = ['list', '-mod=mod', '-e', '-deps', './...']
      await toolchain.run(list, { cwd: folder, signal, deadlineMs: 600_000 })
    }
    return
  }
  await writeFile(join(folder, 'go.mod'), await access.sources.readGoMod(module, { signal }))
  report({
    kind: 'warning',
    message: `${path}@${version} is from before modules and names no versions: it is built with the latest of all it imports`,
  })
  const toolchain = await supply.choose({ wanted: [], pin: undefined })
  // What only its tests import may be gone by now.
  const { exitCode, stderr } = await toolchain.run(['mod', 'tidy', '-e'], { cwd: folder, signal, deadlineMs: 600_000 })
  if (exitCode === 0) return
  throw new FairwayError('MODULE_UNAVAILABLE', `What ${path}@${version} imports cannot be found`, {
    details: stderr
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('go: downloading '))
      .slice(0, 20),
  })
}

async function prove(
  module: ModuleVersion,
  h1: string,
  { variables, database }: ModuleAccess,
  report: Report,
  signal: AbortSignal | undefined,
): Promise<void> {
  const why = isUnrecorded(variables, module.path)
    ? 'GONOSUMDB or GOPRIVATE names it'
    : database === undefined
      ? 'GOSUMDB=off'
      : undefined
  if (why !== undefined || database === undefined) {
    report({
      kind: 'warning',
      message: `${module.path}@${module.version} is not held against the checksum database: ${why ?? ''}`,
    })
    return
  }
  await database.check(module, h1, { signal })
}

/** As `go install` does: a fork that kept the name is another module than its address says. @throws FairwayError MODULE_INVALID */
async function checkPath(folder: string, { path, version }: ModuleVersion): Promise<void> {
  const { module = path } = parseGoMod(await readText(join(folder, 'go.mod')))
  if (module === path) return
  throw new FairwayError('MODULE_INVALID', `${path}@${version} calls itself ${module} in its go.mod`, {
    hint: `Name it so, if that is what you want: ${module}@latest. Or, to build this one: check out its repository (git clone), and in that folder: fairway up`,
  })
}

/** A zip holds its module alone; what lies beside it in the repository did not come along. @throws FairwayError MODULE_INVALID */
async function checkReplacements(folder: string, { path, version }: ModuleVersion): Promise<void> {
  const { replacements } = parseGoMod(await readText(join(folder, 'go.mod')))
  const outside = replacements.find(({ folder: target }) => target.startsWith('/') || leaves(target))
  if (outside === undefined) return
  throw new FairwayError(
    'MODULE_INVALID',
    `${path}@${version} cannot be built by itself: go.mod:${outside.line} replaces ${outside.module} by ${outside.folder}, which is outside of it`,
    {
      hint: 'Build it from its repository: git clone it, then fairway up FOLDER.',
    },
  )
}

function leaves(target: string): boolean {
  let depth = 0
  for (const part of target.split('/')) {
    depth += part === '..' ? -1 : part === '.' || part === '' ? 0 : 1
    if (depth < 0) return true
  }
  return false
}

async function makeReadOnly(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue
    await makeReadOnly(join(folder, entry.name))
    await chmod(join(folder, entry.name), 0o555)
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then((entry) => entry.isDirectory(), () => false) // prettier-ignore
}

async function hasGoFiles(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).some((name) => name.endsWith('.go'))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return false
    throw error
  }
}
