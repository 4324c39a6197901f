import { createReadStream, createWriteStream } from 'node:fs'
import { type FileHandle, mkdir, open, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { errnoOf, explainWriteError, FairwayError } from '../base/error.ts'
import { writeOutput } from '../base/output-file.ts'
import { ChecksumDatabase, type ChecksumStore, escapeText, type ModuleVersion } from '../module/index.ts'
import type { ModuleFile } from './request.ts'
import { readTar, TarWriter } from './tar.ts'
import type { ModuleProxy } from './open.ts'

/** A module version, and whether its files are needed or its go.mod alone, as a go.sum tells. */
export interface NeededModule extends ModuleVersion {
  readonly isWhole: boolean
}

export interface BundleResult {
  readonly modules: number
  readonly bytes: number
  /** Of the toolchains in it: '1.26.8' */
  readonly toolchains: readonly string[]
  /** Named by the go.sum and not to be had, nor needed for this build. */
  readonly skipped: readonly string[]
}

const toolchainPath = 'golang.org/toolchain'

/** The lines of a go.sum; of what has a line of its own also the files. */
export function neededModules(goSum: string): NeededModule[] {
  const needed = new Map<string, NeededModule>()
  for (const line of goSum.split('\n')) {
    const [path = '', about = '', h1 = ''] = line.split(' ')
    if (!h1.startsWith('h1:')) continue
    const version = about.replace(/\/go\.mod$/, '')
    const key = `${path} ${version}`
    needed.set(key, { path, version, isWhole: needed.get(key)?.isWhole === true || version === about })
  }
  return [...needed.values()]
}

const atOnce = 8

/**
 * Writes what a build needs into one file: modules, toolchain, and the checksum database's proofs of all of them, in the
 * layout of a module proxy. What is not in the store is fetched first.
 * @param mustHave of what the build links: without one of these there is no bundle
 * @throws FairwayError as ModuleCache.file; DISK_FULL
 */
export async function exportBundle(
  file: string,
  { cache, checks }: Pick<ModuleProxy, 'cache' | 'checks'>,
  needed: readonly NeededModule[],
  mustHave: (module: ModuleVersion) => boolean,
): Promise<BundleResult> {
  const files: { name: string; path: string; bytes: number }[] = []
  const skipped: string[] = []
  const got: NeededModule[] = []
  await inParallel(needed, async (module) => {
    try {
      const kinds: ModuleFile[] = module.isWhole ? ['info', 'mod', 'zip'] : ['mod', 'info']
      for (const kind of kinds) {
        const { path, bytes } = await cache.file(module, kind)
        files.push({ name: nameOf(module, kind), path, bytes })
      }
      got.push(module)
    } catch (error) {
      if (!(error instanceof FairwayError) || error.code === 'DISK_FULL' || mustHave(module)) throw error
      skipped.push(`${module.path}@${module.version}`)
    }
  })
  const proofs = await collectProofs(checks, got)
  files.sort((a, b) => (a.name < b.name ? -1 : 1))
  await writeOutput(file, async (target) => {
    const tar = new TarWriter(target)
    for (const [name, content] of [...proofs].toSorted(([a], [b]) => (a < b ? -1 : 1)))
      await tar.add(name, content.length, [content])
    for (const { name, path, bytes } of files) await tar.add(name, bytes, createReadStream(path))
    await tar.end()
  })
  return { modules: got.length, bytes: (await stat(file)).size, toolchains: toolchainsOf(got), skipped }
}

function nameOf({ path, version }: ModuleVersion, kind: string): string {
  return `${escapeText(path)}/@v/${escapeText(version)}.${kind}`
}

function toolchainsOf(modules: readonly ModuleVersion[]): string[] {
  return modules.flatMap(({ path, version }) => {
    const go = /^v0\.0\.1-go([^-]*?)\.[a-z0-9]+-[a-z0-9]+$/.exec(version)?.[1]
    return path === toolchainPath && go !== undefined ? [go] : []
  })
}

/**
 * Everything the database is asked for when somebody who knows nothing yet verifies these modules: he shall find it in the
 * bundle.
 */
async function collectProofs(
  checks: ModuleProxy['checks'],
  modules: readonly NeededModule[],
): Promise<ReadonlyMap<string, Buffer>> {
  const proofs = new Map<string, Buffer>()
  const { source } = checks
  if (source === undefined) return proofs
  const base = `sumdb/${source.key.name}`
  proofs.set(`${base}/supported`, Buffer.alloc(0))
  await followNow(checks) // the further a bundle's proofs reach, the fewer homes are ahead of them
  const asked = new Map<string, Buffer>()
  const database = new ChecksumDatabase({
    key: source.key,
    store: forgetfulStore(),
    remote: async (path) => {
      const answer = asked.get(path) ?? (await checks.read(path))
      if (answer !== undefined) asked.set(path, answer)
      return answer
    },
  })
  for (const module of modules) {
    if (checks.isUnrecorded(module.path)) continue
    await database.lookup(module)
  }
  // Whoever took in an earlier bundle knows its head, and must be shown how this one follows from it.
  for (const earlier of await checks.bundled())
    await database.readGrowth(earlier).catch((error: unknown) => {
      if (!isUnavailable(error)) throw error // a mirror may have tiles of its own time alone
    })
  const size = await database.size()
  if (size !== undefined) await checks.rememberBundled(size)
  for (const [path, content] of asked) proofs.set(`${base}/${path}`, content)
  return proofs
}

/** Nothing is known before: not even what was just found out, but for the head. */
function forgetfulStore(): ChecksumStore {
  let head: Buffer | undefined
  return {
    readHead: () => Promise.resolve(head),
    replaceHead(_old, next) {
      head = next
      return Promise.resolve(true)
    },
    readAnswer: () => Promise.resolve(undefined),
    writeAnswer: () => Promise.resolve(),
  }
}

/**
 * Unpacks a bundle into a folder that is a module proxy: nothing in it is believed. Only names that a proxy has are taken.
 * @throws FairwayError USAGE for a file that cannot be read, MODULE_INVALID for what is no bundle; DISK_FULL
 */
export async function unpackBundle(file: string, folder: string): Promise<NeededModule[]> {
  const modules = new Map<string, NeededModule>()
  await using source = await openBundle(file)
  try {
    for await (const { name, bytes, offset } of readTar(source)) {
      const isPlain = /^[\w.!~+-]+(?:\/[\w.!@~+-]+)+$/.test(name) && !/(?:^|\/)\.{1,2}(?:\/|$)/.test(name)
      const [, escapedPath = '', escapedVersion = '', kind = ''] =
        /^(.+)\/@v\/([^/]+)\.(info|mod|zip)$/.exec(name) ?? []
      if (!isPlain || (kind === '' && !name.startsWith('sumdb/')))
        throw new Error(`${JSON.stringify(name)} is nothing a module proxy has`)
      const target = join(folder, name)
      await mkdir(dirname(target), { recursive: true })
      if (bytes === 0) await (await open(target, 'w', 0o600)).close()
      else
        await pipeline(
          createReadStream(file, { start: offset, end: offset + bytes - 1 }),
          createWriteStream(target, { mode: 0o600 }),
        )
      if (kind === '') continue
      const key = `${escapedPath} ${escapedVersion}`
      const module = { path: unescaped(escapedPath), version: unescaped(escapedVersion) }
      modules.set(key, { ...module, isWhole: modules.get(key)?.isWhole === true || kind === 'zip' })
    }
  } catch (error) {
    const explained = explainWriteError(error, folder)
    if (explained instanceof FairwayError) throw explained
    const why = error instanceof Error ? error.message : String(error)
    throw new FairwayError('MODULE_INVALID', `${file} is no bundle of modules: ${why}`, {
      hint: '`fairway bundle export` makes one.',
    })
  }
  return [...modules.values()]
}

async function openBundle(file: string): Promise<FileHandle> {
  try {
    if ((await stat(file)).isFile()) return await open(file, 'r')
    throw Object.assign(new Error('no file'), { code: 'EISDIR' })
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    throw new FairwayError(
      'USAGE',
      errno === 'ENOENT' ? `${file} does not exist` : `${file} cannot be read (${errno})`,
      {
        hint: 'Name the file that `fairway bundle export` made, and that was copied here.',
        cause: error,
      },
    )
  }
}

function unescaped(text: string): string {
  return text.replaceAll(/!([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

/** Takes unpacked modules into the store, verified as if they came from any other source. */
export async function importModules(
  { cache, checks }: Pick<ModuleProxy, 'cache' | 'checks'>,
  modules: readonly NeededModule[],
): Promise<{ modules: number; toolchains: string[] }> {
  // To the bundle's own head first: it has the tiles of that tree, and of no other.
  const isLinked = await followNow(checks)
  await inParallel(modules, async (module) => {
    for (const kind of module.isWhole ? (['info', 'zip'] as const) : (['mod', 'info'] as const))
      await cache.file(module, kind).catch((error: unknown) => {
        throw !isLinked && isUnavailable(error) ? unlinked(module, error) : error
      })
  })
  return { modules: modules.length, toolchains: toolchainsOf(modules) }
}

/** @returns whether it could be asked, and shows how it follows from what is known */
async function followNow(checks: ModuleProxy['checks']): Promise<boolean> {
  try {
    await checks.follow()
    return true
  } catch (error) {
    if (isUnavailable(error)) return false
    throw error
  }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof FairwayError && error.code === 'MODULE_UNAVAILABLE'
}

function unlinked({ path, version }: ModuleVersion, cause: unknown): FairwayError {
  const message = `${path}@${version}: the bundle does not show how its state of the checksum database and the one that this home knows belong together`
  return new FairwayError('MODULE_UNAVAILABLE', message, {
    hint: 'Export it again, on the machine that made the bundles this home has taken in: it knows what they ended with.',
    cause,
  })
}

async function inParallel<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const rest = items.values()
  const results = await Promise.allSettled(
    Array.from({ length: atOnce }, async () => {
      for (const item of rest) await work(item)
    }),
  )
  for (const result of results) if (result.status === 'rejected') throw result.reason
}
