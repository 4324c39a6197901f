import { readdir, stat } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { errnoOf, FairwayError } from '../base/error.ts'
import { readText, specialFile } from '../base/read-file.ts'
import { findOldProject, modernize } from './before-modules.ts'
import { parseGoMod } from './go-mod.ts'
import { plainGoVersion } from './version.ts'

export interface Module {
  /** Absolute; where its go.mod lies. */
  readonly folder: string
  /** 'example.com/shop' */
  readonly path: string
  readonly go?: string
}

/** A line that asks for a version of Go, at least. */
export interface WantedGo {
  /** '1.26.0', '1.26' */
  readonly version: string
  /** `toolchain` lines only suggest: who was told to take what there is may pass over them. */
  readonly line: 'go' | 'toolchain'
  /** 'go.mod:3', as the message shows it: absolute. */
  readonly place: string
}

/** Where Go code is found from a project's folder. */
export interface Source {
  /** Absolute, without symbolic links. */
  readonly folder: string
  readonly modules: readonly Module[]
  readonly kind: 'module' | 'workspace' | 'nested'
  /** All lines that ask for a version of Go, of every file that counts. */
  readonly wanted: readonly WantedGo[]
}

const skipped = /^(?:[._].*|vendor|testdata|node_modules)$/

/**
 * The workspace or module the folder belongs to, as go itself finds it; else the modules below it.
 * Read without any Go: its files say which one is needed.
 * @throws FairwayError SOURCE_NOT_GO; GO_MISSING for a `go` or `toolchain` line that names none
 */
export async function findSource(folder: string): Promise<Source> {
  const work = await findUp(folder, 'go.work')
  const own = await findUp(folder, 'go.mod')
  if (work !== undefined) {
    const workText = await readText(work)
    const wanted = wantedBy(workText, work)
    const folders = parseGoMod(workText).uses.map((use) => resolve(dirname(work), use))
    // From inside one of its modules, that one is meant.
    const meant = folders.filter((each) => own !== undefined && each === dirname(own))
    const read = await readModules(meant.length > 0 ? meant : folders.filter((each) => within(each, folder)))
    // In a workspace the toolchain lines of its modules do not count.
    const inside = read.wanted.filter(({ line }) => line === 'go')
    if (read.modules.length > 0)
      return { folder, modules: read.modules, kind: 'workspace', wanted: [...wanted, ...inside] }
  }
  if (own !== undefined) return { folder, kind: 'module', ...(await readModules([dirname(own)])) }
  const below = await findBelow(folder, 4)
  if (below.length > 0) return { folder, kind: 'nested', ...(await readModules(below)) }
  const old = await findOldProject(folder)
  throw new FairwayError(
    'SOURCE_NOT_GO',
    `${folder} holds no Go module: there is no go.mod in it, above it or below it`,
    {
      hint: old !== undefined ? modernize(old) : 'Go to the folder of a Go service, or name it: fairway up FOLDER',
    },
  )
}

export async function readModules(folders: readonly string[]): Promise<{ modules: Module[]; wanted: WantedGo[] }> {
  const modules: Module[] = []
  const wanted: WantedGo[] = []
  for (const folder of folders) {
    const path = join(folder, 'go.mod')
    const text = await readText(path).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return undefined // a `use` of a folder that is gone: go will say so
      throw error
    })
    if (text === undefined) continue
    wanted.push(...wantedBy(text, path))
    const { module = '', go } = parseGoMod(text)
    modules.push({ folder, path: module, ...(go === undefined ? {} : { go: go.version }) })
  }
  return { modules, wanted }
}

function wantedBy(text: string, path: string): WantedGo[] {
  const { go, toolchain } = parseGoMod(text)
  const wanted: WantedGo[] = []
  if (go !== undefined)
    wanted.push({ version: asVersion(go.version, `${path}:${go.line}`), line: 'go', place: `${path}:${go.line}` })
  if (toolchain !== undefined && toolchain.name !== 'default') {
    const place = `${path}:${toolchain.line}`
    const name = toolchain.name.startsWith('go') ? toolchain.name : ''
    wanted.push({ version: asVersion(name, place, toolchain.name), line: 'toolchain', place })
  }
  return wanted
}

function asVersion(text: string, place: string, written = text): string {
  const version = plainGoVersion(text)
  if (version !== undefined) return version
  throw new FairwayError('GO_MISSING', `${place} asks for ${JSON.stringify(written)}, which is no version of Go`, {
    hint: 'Expected `go 1.26.0`, and `toolchain go1.26.8` or no toolchain line.',
  })
}

/** The nearest such file in the folder or above it. */
async function findUp(folder: string, name: string): Promise<string | undefined> {
  for (let current = folder; ; current = dirname(current)) {
    const path = join(current, name)
    if (await isFile(path)) return path
    if (current === dirname(current)) return undefined
  }
}

async function findBelow(folder: string, depth: number): Promise<string[]> {
  const found: string[] = []
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isDirectory() || skipped.test(entry.name)) continue
    const path = join(folder, entry.name)
    if (await isFile(join(path, 'go.mod'))) found.push(path)
    else if (depth > 1) found.push(...(await findBelow(path, depth - 1)))
  }
  return found.sort()
}

async function isFile(path: string): Promise<boolean> {
  try {
    const entry = await stat(path)
    if (entry.isFile()) return true
    if (entry.isDirectory()) return false
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'EACCES' || errno === 'ELOOP') return false
    throw error
  }
  throw specialFile(path) // go would wait for what comes out of it
}

export function within(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`)
}

/** As fairway.yaml and go write it: './cmd/web', '.' */
export function relativePackage(folder: string, path: string): string {
  const text = relative(folder, path).split(sep).join('/')
  return text === '' ? '.' : text === '..' || text.startsWith('../') ? text : `./${text}`
}
