import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '../base/atomic-file.ts'
import { errnoOf, explainOutputError, FairwayError } from '../base/error.ts'
import { makeFolder } from '../base/make-folder.ts'
import { readText } from '../base/read-file.ts'
import { findProgram } from './find-program.ts'
import { packageName, planScaffold, requiredModules, servicesIn } from './plan-scaffold.ts'
import type { Ground, NewService, ScaffoldFile, ScaffoldOrder } from './scaffold.ts'

/**
 * What would be written into the folder. Nothing that stands there is ever replaced, but fairway.yaml gets the services.
 * @throws FairwayError CONFIG_INVALID; USAGE when a file of that name is there already
 */
export async function prepareScaffold(folder: string, order: ScaffoldOrder): Promise<ScaffoldFile[]> {
  const files = planScaffold(order, await readGround(folder), await readTemplate())
  const taken: string[] = []
  for (const { path, isChange } of files) {
    if (isChange !== true && (await exists(join(folder, path)))) taken.push(path)
  }
  if (taken.length === 0) return files
  throw new FairwayError(
    'USAGE',
    `${taken.length === 1 ? 'A file is' : 'Files are'} there already: ${taken.join(', ')}`,
    {
      hint: 'Nothing was written. Name another service (fairway init --service NAME), or another folder: fairway init FOLDER',
    },
  )
}

/**
 * What a project that is there runs already: a service of fairway.yaml, or a main package.
 * @returns in words, for whoever asked for no service by name
 */
export async function findInhabitant(folder: string): Promise<string | undefined> {
  const { projectFile } = await readGround(folder)
  const [service] = servicesIn(projectFile)
  if (service !== undefined) return `fairway.yaml has a service ${service}`
  const program = await findProgram(folder)
  return program === undefined ? undefined : program === '.' ? 'a program lies in it' : `a program lies in ${program}`
}

/** Whether fairway.yaml names services; else they are detected. */
export async function hasServices(folder: string): Promise<boolean> {
  return servicesIn((await readGround(folder)).projectFile).length > 0
}

/** What the new services import, for a go.mod that was there before. */
export async function importsOf(services: readonly NewService[]): Promise<{
  readonly packages: readonly string[]
  readonly modules: readonly { readonly path: string; readonly version: string }[]
}> {
  const packages = services.flatMap((service) => [`./cmd/${service.name}`, `./internal/${packageName(service)}`])
  return { packages, modules: requiredModules(services, await readTemplate()) }
}

/** @throws FairwayError DISK_FULL, USAGE */
export async function writeScaffold(folder: string, files: readonly ScaffoldFile[]): Promise<void> {
  try {
    for (const { path, text } of files) {
      const place = join(folder, path)
      await makeFolder(join(place, '..'), 0o755)
      await writeFileAtomic(place, text, { mode: 0o644 })
    }
  } catch (error) {
    throw explainOutputError(error, folder)
  }
}

async function readGround(folder: string): Promise<Ground> {
  const projectFile = await readText(join(folder, 'fairway.yaml')).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined
    throw error
  })
  return {
    projectFile,
    hasModule: await exists(join(folder, 'go.mod')),
    hasHttpServer: await exists(join(folder, 'internal', 'httpserver')),
    hasReadme: await exists(join(folder, 'README.md')),
    hasGitignore: await exists(join(folder, '.gitignore')),
  }
}

/** Every file of the template by its path: a Go module of its own, tested as it stands. */
async function readTemplate(): Promise<ReadonlyMap<string, string>> {
  const root = join(import.meta.dirname, 'template')
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  const files = new Map<string, string>()
  for (const entry of entries) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    files.set(path.slice(root.length + 1), await readText(path))
  }
  return files
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return false
    throw error
  }
}
