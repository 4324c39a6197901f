import { cp, mkdir } from 'node:fs/promises'
import { dirname, isAbsolute, join, relative, resolve } from 'node:path'
import type { Abortable } from '../base/bounds.ts'
import { FairwayError } from '../base/error.ts'
import { exec, execOk } from '../base/exec.ts'
import { readText } from '../base/read-file.ts'
import { parseGoMod } from './go-mod.ts'
import { within } from './source.ts'
import type { ProcessEnvironment, Toolchain } from './toolchain.ts'

/** A project's Go code, laid out elsewhere as it lies here. */
export interface SourceCopy {
  /** Absolute, of the project in the copy. */
  readonly folder: string
  readonly mainFolder: string
  readonly moduleFolder: string
}

export interface CopyOrder {
  readonly folder: string
  readonly mainFolder: string
  readonly moduleFolder: string
}

/**
 * Copies the project with every module its go.mod and go.work lead to by a path (`use ../x`, `replace => ../x`), at the same
 * places relative to each other. Without git's own files; without what npm installed, unless it is asked for.
 * @throws FairwayError BUILD_FAILED when they lie too far apart to be copied together
 */
export async function copySource(
  order: CopyOrder,
  to: string,
  { toolchain, withPackages, signal }: Abortable & { toolchain: Toolchain; withPackages: boolean },
): Promise<SourceCopy> {
  const asked = await toolchain.run(['env', 'GOWORK'], { cwd: order.moduleFolder, signal })
  const work = asked.stdout.trim()
  const roots = await collectRoots([order.folder, order.moduleFolder], isAbsolute(work) ? work : undefined)
  const top = commonFolder(isAbsolute(work) ? [...roots, dirname(work)] : roots)
  if (top.split('/').length < 3 && roots.length > 1) {
    throw new FairwayError(
      'BUILD_FAILED',
      `The modules of this build lie too far apart to be copied: ${roots.join(', ')}`,
      {
        hint: 'They have only the root of the file system in common; bring them below one folder.',
      },
    )
  }
  const outer = roots.filter((root) => !roots.some((other) => other !== root && within(root, other)))
  for (const root of outer) {
    signal?.throwIfAborted()
    const target = join(to, relative(top, root))
    await mkdir(dirname(target), { recursive: true })
    await cp(root, target, {
      recursive: true,
      preserveTimestamps: true,
      verbatimSymlinks: true,
      filter: (path) => {
        const name = path.split('/').at(-1)
        return name !== '.git' && (withPackages || name !== 'node_modules')
      },
    })
  }
  if (isAbsolute(work) && !outer.some((root) => within(work, root))) {
    await mkdir(join(to, relative(top, dirname(work))), { recursive: true })
    for (const name of [work, work.replace(/\.work$/, '.work.sum')]) {
      await cp(name, join(to, relative(top, name))).catch(() => {}) // go.work.sum need not be
    }
  }
  const moved = (path: string) => join(to, relative(top, path))
  return { folder: moved(order.folder), mainFolder: moved(order.mainFolder), moduleFolder: moved(order.moduleFolder) }
}

async function collectRoots(first: readonly string[], work: string | undefined): Promise<string[]> {
  const roots = new Set(first)
  if (work !== undefined) {
    const text = await readText(work).catch(() => '')
    for (const use of parseGoMod(text).uses) roots.add(resolve(dirname(work), use))
    for (const path of parseReplaced(text)) roots.add(resolve(dirname(work), path))
  }
  for (const root of roots) {
    const text = await readText(join(root, 'go.mod')).catch(() => '')
    for (const path of parseReplaced(text)) roots.add(resolve(root, path)) // a Set is walked to what is added meanwhile
  }
  return [...roots]
}

/** The paths of `replace … => ../x`. Pure. */
export function parseReplaced(text: string): string[] {
  return text.split('\n').flatMap((raw) => {
    const line = raw.replace(/\/\/.*$/, '')
    const path = /=>\s*["`]?(\.{1,2}(?:\/[^\s"`]*)?|\/[^\s"`]+)["`]?\s*$/.exec(line)?.[1]
    return path === undefined ? [] : [path]
  })
}

/** The innermost folder that all of them lie in. */
export function commonFolder(paths: readonly string[]): string {
  const [first = [], ...rest] = paths.map((path) => path.split('/'))
  let common = first
  for (const parts of rest) {
    const end = common.findIndex((part, index) => parts[index] !== part)
    if (end >= 0) common = common.slice(0, end)
  }
  const path = common.join('/')
  return path === '' ? '/' : path
}

/**
 * The project as it was at a commit.
 * @returns undefined where git does not have the commit
 */
export async function checkOut(
  { folder, mainFolder, moduleFolder }: CopyOrder,
  commit: string,
  to: string,
  { environment, signal }: Abortable & { environment: ProcessEnvironment },
): Promise<SourceCopy | undefined> {
  const { PATH = '', HOME = '' } = environment
  const options = { cwd: folder, env: { PATH, HOME, LC_ALL: 'C' }, signal }
  const git = ['git', '-c', 'safe.directory=*'] as const
  const top = (await exec([...git, 'rev-parse', '--show-toplevel'], options)).stdout.trim()
  if (top === '' || !within(moduleFolder, top)) return undefined
  const known = await exec([...git, 'cat-file', '-e', `${commit}^{commit}`], options)
  if (known.exitCode !== 0) return undefined
  const archive = join(to, 'source.tar')
  await execOk([...git, '-C', top, 'archive', '--format=tar', '-o', archive, commit], options)
  const place = join(to, 'source')
  await mkdir(place)
  await execOk(['tar', '-xf', archive, '-C', place], options)
  const moved = (path: string) => join(place, relative(top, path))
  return { folder: moved(folder), mainFolder: moved(mainFolder), moduleFolder: moved(moduleFolder) }
}
