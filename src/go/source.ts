import { readdir, readFile, stat } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { errnoOf, FairwayError } from '../base/error.ts'
import { parseGoMod } from './go-mod.ts'
import type { Toolchain } from './toolchain.ts'
import { compareGoVersions } from './version.ts'

export interface Module {
  /** Absolute; where its go.mod lies. */
  readonly folder: string
  /** 'example.com/shop' */
  readonly path: string
  readonly go?: string
}

/** Where Go code is found from a project's folder. */
export interface Source {
  /** Absolute, without symbolic links. */
  readonly folder: string
  readonly modules: readonly Module[]
  readonly kind: 'module' | 'workspace' | 'nested'
}

const skipped = /^(?:[._].*|vendor|testdata|node_modules)$/

/**
 * The workspace or module the folder belongs to, as go itself finds it; else the modules below it.
 * @throws FairwayError SOURCE_NOT_GO; GO_MISSING when a module asks for a newer Go than this
 */
export async function findSource(folder: string, toolchain: Toolchain): Promise<Source> {
  const work = await findUp(folder, 'go.work')
  const own = await findUp(folder, 'go.mod')
  if (work !== undefined) {
    const workText = await readFile(work, 'utf8')
    checkGoLine(workText, work, toolchain)
    const folders = parseGoMod(workText).uses.map((use) => resolve(dirname(work), use))
    // From inside one of its modules, that one is meant.
    const meant = folders.filter((each) => own !== undefined && each === dirname(own))
    const modules = await readModules(
      meant.length > 0 ? meant : folders.filter((each) => within(each, folder)),
      toolchain,
    )
    if (modules.length > 0) return { folder, modules, kind: 'workspace' }
  }
  if (own !== undefined) return { folder, modules: await readModules([dirname(own)], toolchain), kind: 'module' }
  const below = await findBelow(folder, 4)
  if (below.length > 0) return { folder, modules: await readModules(below, toolchain), kind: 'nested' }
  const names = await readdir(folder)
  const hasGo = names.some((name) => name.endsWith('.go'))
  throw new FairwayError(
    'SOURCE_NOT_GO',
    `${folder} holds no Go module: there is no go.mod in it, above it or below it`,
    {
      hint: hasGo
        ? 'It holds Go files; make it a module: go mod init example.com/NAME && go mod tidy'
        : 'Go to the folder of a Go service, or name it: fairway up FOLDER',
    },
  )
}

async function readModules(folders: readonly string[], toolchain: Toolchain): Promise<Module[]> {
  const modules: Module[] = []
  for (const folder of folders) {
    const path = join(folder, 'go.mod')
    const text = await readFile(path, 'utf8').catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return undefined // a `use` of a folder that is gone: go will say so
      throw error
    })
    if (text === undefined) continue
    checkGoLine(text, path, toolchain)
    const { module = '', go } = parseGoMod(text)
    modules.push({ folder, path: module, ...(go === undefined ? {} : { go: go.version }) })
  }
  return modules
}

function checkGoLine(text: string, path: string, { version, mayUpgrade }: Toolchain): void {
  const { go } = parseGoMod(text)
  if (go === undefined || mayUpgrade || compareGoVersions(version, go.version) >= 0) return
  throw new FairwayError('GO_MISSING', `${path}:${go.line} asks for Go ${go.version}, this machine has ${version}`, {
    hint: 'Install that Go, or let go fetch it by itself: GOTOOLCHAIN=auto fairway up',
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
    return (await stat(path)).isFile()
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'EACCES' || errno === 'ELOOP') return false
    throw error
  }
}

export function within(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`)
}

/** As fairway.yaml and go write it: './cmd/web', '.' */
export function relativePackage(folder: string, path: string): string {
  const text = relative(folder, path).split(sep).join('/')
  return text === '' ? '.' : text.startsWith('..') ? text : `./${text}`
}
