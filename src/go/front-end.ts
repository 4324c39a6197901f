import { stat } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { readText } from '../base/read-file.ts'
import type { GenerateStep } from '../config/index.ts'
import type { UnmetEmbed } from './embed.ts'
import { within } from './source.ts'

/** What is built with Node before it is embedded. */
export interface FrontEnd {
  /** From the project's folder: 'web', '.' */
  readonly folder: string
  readonly steps: readonly GenerateStep[]
  /** 'web/pnpm-lock.yaml'; without one nothing is run: what it would install, nobody has ever seen. */
  readonly lockFile?: string
  /** `engines.node` of its package.json. */
  readonly node?: string
}

const usualFolders = [
  'web',
  'ui',
  'frontend',
  'webui',
  'web-ui',
  'client',
  'app',
  'dashboard',
  'site',
  'www',
  'console',
]

/**
 * The package.json, with a build script, at or above what is embedded, else in one of the usual folders.
 * @param folder the project's; nothing above it is looked at
 */
export async function findFrontEnd(folder: string, unmet: UnmetEmbed): Promise<FrontEnd | undefined> {
  const beginning = join(unmet.folder, fixedPart(unmet.pattern))
  const places: string[] = []
  for (let current = beginning; within(current, folder); current = dirname(current)) places.push(current)
  for (const base of new Set([unmet.folder, dirname(beginning), folder])) {
    places.push(...usualFolders.map((name) => join(base, name)))
  }
  for (const place of places) {
    const found = within(place, folder) ? await readFrontEnd(folder, place) : undefined
    if (found !== undefined) return found
  }
  return undefined
}

/** The folders of a pattern before the first that has a sign in it: 'web/dist' of 'web/dist/*.js'. */
function fixedPart(pattern: string): string {
  const parts = pattern.split('/')
  const sign = parts.findIndex((part) => /[*?[\\]/.test(part))
  return sign < 0 ? pattern : parts.slice(0, sign).join('/')
}

async function readFrontEnd(folder: string, place: string): Promise<FrontEnd | undefined> {
  const manifest = await readManifest(join(place, 'package.json'))
  if (manifest === undefined || !manifest.hasBuild) return undefined
  const inFolder = relative(folder, place)
  const where = inFolder === '' ? '.' : inFolder
  const node = manifest.node === undefined ? {} : { node: manifest.node }
  // In a workspace of packages the lock file lies above.
  for (let current = place; within(current, folder); current = dirname(current)) {
    for (const [name, manager] of lockFiles) {
      if (!(await isFile(join(current, name)))) continue
      const installIn = relative(folder, current)
      const install = await installCommand(manager, current, manifest.packageManager)
      return {
        folder: where,
        steps: [
          { in: installIn === '' ? '.' : installIn, run: install },
          { in: where, run: [manager, 'run', 'build'] },
        ],
        lockFile: relative(folder, join(current, name)),
        ...node,
      }
    }
  }
  const steps = [
    ['npm', 'install'],
    ['npm', 'run', 'build'],
  ].map((run) => ({ in: where, run }))
  return { folder: where, steps, ...node }
}

const lockFiles: readonly (readonly [name: string, manager: 'npm' | 'pnpm' | 'yarn' | 'bun'])[] = [
  ['pnpm-lock.yaml', 'pnpm'],
  ['yarn.lock', 'yarn'],
  ['bun.lock', 'bun'],
  ['bun.lockb', 'bun'],
  ['package-lock.json', 'npm'],
  ['npm-shrinkwrap.json', 'npm'],
]

async function installCommand(
  manager: 'npm' | 'pnpm' | 'yarn' | 'bun',
  folder: string,
  packageManager: string | undefined,
): Promise<readonly string[]> {
  if (manager === 'npm') return ['npm', 'ci']
  if (manager !== 'yarn') return [manager, 'install', '--frozen-lockfile']
  // Yarn 1 knows another word for it than its successors.
  const isModern =
    /^yarn@(?:[2-9]|[1-9][0-9])/.test(packageManager ?? '') || (await isFile(join(folder, '.yarnrc.yml')))
  return ['yarn', 'install', isModern ? '--immutable' : '--frozen-lockfile']
}

interface Manifest {
  readonly hasBuild: boolean
  readonly node?: string
  readonly packageManager?: string
}

async function readManifest(path: string): Promise<Manifest | undefined> {
  try {
    if ((await stat(path)).size > 1024 * 1024) return undefined
    return parseManifest(await readText(path))
  } catch {
    return undefined // there is none, or one that npm would refuse as well
  }
}

/** @returns undefined for what is no object */
export function parseManifest(text: string): Manifest | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  const build = property(property(value, 'scripts'), 'build')
  const node = property(property(value, 'engines'), 'node')
  const packageManager = property(value, 'packageManager')
  if (typeof value !== 'object' || value === null) return undefined
  return {
    hasBuild: typeof build === 'string',
    ...(typeof node === 'string' ? { node } : {}),
    ...(typeof packageManager === 'string' ? { packageManager } : {}),
  }
}

function property(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  return Object.entries(value).find(([name]) => name === key)?.[1]
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}
