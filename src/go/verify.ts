import { chmod, mkdir, mkdtemp, realpath, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Digest, hashFile, type Recipe, targetEnvironment } from '../artifact/index.ts'
import type { Abortable } from '../base/bounds.ts'
import { FairwayError } from '../base/error.ts'
import type { Report } from '../base/event.ts'
import { execOk } from '../base/exec.ts'
import type { GoSettings } from '../config/index.ts'
import { compareBinaries, type SectionDifference } from './compare-binaries.ts'
import { buildText, explainBuildFailure, parseBuildText } from './compiler-output.ts'
import { findCompiler, recordCompiler } from './compiler.ts'
import { generate } from './generate.ts'
import { relativePackage } from './source.ts'
import { checkOut, copySource, type SourceCopy } from './source-copy.ts'
import type { ProcessEnvironment, Toolchain } from './toolchain.ts'
import { readWorkTree } from './work-tree.ts'

/** A binary that is to be made again. */
export interface VerifyOrder {
  readonly service: string
  /** The project's; absolute. */
  readonly folder: string
  readonly mainFolder: string
  readonly moduleFolder: string
  readonly settings: GoSettings
  readonly recipe: Recipe
  readonly expected: Digest
  /** Where its bytes lie, if they are here: without them nothing is said of what differs. */
  readonly binary?: string
}

export interface VerifyContext extends Abortable {
  readonly toolchain: Toolchain
  readonly environment: ProcessEnvironment
  /** Where the rebuild lies meanwhile: a folder other users may pass. */
  readonly temporaryFolder: string
  readonly report: Report
  readonly now: () => number
}

export interface Verification {
  readonly service: string
  readonly isSame: boolean
  readonly expected: Digest
  readonly actual: Digest
  /** The causes first. */
  readonly differences: readonly SectionDifference[]
  /** How it was built again, and what could not be held equal. */
  readonly notes: readonly string[]
  readonly tookMs: number
}

/** Nobody: may write nothing of ours. */
const otherUser = { uid: 65_534, gid: 65_534 }

/**
 * Builds a binary again from its recipe: in another folder, with an empty build cache, as another user where we may, from the
 * commit where it was built from one; and compares it with the first.
 * @throws FairwayError BUILD_FAILED when it cannot be built again; the signal's reason
 */
export async function verifyBinary(order: VerifyOrder, context: VerifyContext): Promise<Verification> {
  const begin = context.now()
  const root = await realpath(await mkdtemp(join(context.temporaryFolder, 'fairway-verify-')))
  try {
    await chmod(root, 0o755)
    const notes: string[] = []
    const copy = await layOut(order, root, context, notes)
    await generateAgain(order, copy, root, context)
    const actual = await rebuild(order, copy, root, context, notes)
    const output = join(root, 'out', order.service)
    const isSame = actual === order.expected
    const differences = isSame || order.binary === undefined ? [] : await compareBinaries(order.binary, output)
    if (!isSame && order.binary === undefined)
      notes.push('the first binary is not on this machine: what differs cannot be said')
    return {
      service: order.service,
      isSame,
      expected: order.expected,
      actual,
      differences,
      notes,
      tookMs: context.now() - begin,
    }
  } finally {
    await rm(root, { recursive: true, force: true })
  }
}

async function layOut(
  order: VerifyOrder,
  root: string,
  { toolchain, environment, signal }: VerifyContext,
  notes: string[],
): Promise<SourceCopy> {
  const { commit, dirty } = order.recipe
  const here = await readWorkTree(order.folder, { environment, signal })
  const isHere = commit === undefined || dirty === true || (here.commit === commit && here.dirty !== true)
  const archived = isHere ? undefined : await checkOut(order, commit, root, { environment, signal })
  if (archived !== undefined) {
    notes.push(`from commit ${commit?.slice(0, 12)}`)
    return archived
  }
  if (!isHere) notes.push(`git does not have commit ${commit.slice(0, 12)}: the folder as it is was taken`)
  else if (dirty === true)
    notes.push('it was built from a folder that differed from its commit: the folder as it is was taken')
  const withPackages = (order.settings.generate?.length ?? 0) > 0
  return copySource(order, join(root, 'source'), { toolchain, withPackages, signal })
}

/** What fairway.yaml has run before a build is part of it; a front-end that was found is taken as it was built. */
async function generateAgain(
  order: VerifyOrder,
  copy: SourceCopy,
  root: string,
  context: VerifyContext,
): Promise<void> {
  const { generate: steps = [] } = order.settings
  if (steps.length === 0) return
  const why = 'the build is done again'
  await generate({ service: order.service, folder: copy.folder, steps, why }, { ...context, noteFolder: root })
}

async function rebuild(
  { service, recipe, folder, mainFolder }: VerifyOrder,
  copy: SourceCopy,
  root: string,
  { toolchain, environment, signal }: VerifyContext,
  notes: string[],
): Promise<Digest> {
  if (recipe.goVersion !== `go${toolchain.version}`) {
    notes.push(`it was built with ${recipe.goVersion}, and go${toolchain.version} is here`)
  }
  const { goos, goarch, variant } = recipe
  const isHost = goos === toolchain.goos && goarch === toolchain.goarch && variant === undefined
  const target = { os: goos, arch: goarch, ...(variant === undefined ? {} : { variant }) }
  const places = {
    cache: join(root, 'cache'),
    temporary: join(root, 'tmp'),
    out: join(root, 'out'),
    home: join(root, 'home'),
  }
  for (const path of Object.values(places)) await mkdir(path)
  if (recipe.cgo)
    await compareCompiler({ recipe, target: isHost ? undefined : target, toolchain, environment, signal, notes })
  const modules = await shareModules({ copy, root, recipe, toolchain, signal })
  const user = modules.user
  notes.push(
    user === undefined ? `as this user${modules.why}` : `as uid ${user.uid}`,
    'in another folder, with an empty cache',
  )
  if (user !== undefined)
    await execOk(['chown', '-R', `${user.uid}:${user.gid}`, root], { env: { PATH: environment['PATH'] ?? '' } })
  // Older records name the import path alone.
  const main =
    recipe.package === relativePackage(folder, mainFolder) || recipe.package === undefined
      ? copy.mainFolder
      : join(copy.folder, recipe.package)
  const output = join(places.out, service)
  const result = await toolchain.run(
    ['build', ...recipe.flags, '-o', output, relativePackage(copy.moduleFolder, main)],
    {
      cwd: copy.moduleFolder,
      cgo: recipe.cgo,
      temporaryFolder: places.temporary,
      user,
      signal,
      environment: {
        ...recipe.environment,
        ...(isHost ? {} : targetEnvironment(target)),
        ...modules.environment,
        GOCACHE: places.cache,
        TMPDIR: places.temporary,
        HOME: places.home,
      },
    },
  )
  if (result.exitCode !== 0) {
    const text = buildText(result.stdout, result.stderr)
    throw explainBuildFailure(parseBuildText(text, { cwd: copy.moduleFolder, folder: copy.folder }), service)
  }
  const digest = await hashFile(output)
  if (digest === undefined) throw new FairwayError('BUILD_FAILED', `go built ${service} again and left no file`)
  return digest
}

async function compareCompiler({
  recipe,
  notes,
  ...question
}: Parameters<typeof findCompiler>[0] & { recipe: Recipe; notes: string[] }): Promise<void> {
  const compiler = await findCompiler(question)
  if (compiler instanceof FairwayError) throw compiler
  if (recipe.compiler === undefined) {
    notes.push('no record says which C compiler it was built with')
    return
  }
  const { record } = await recordCompiler(compiler, undefined, question)
  if (record.digest === recipe.compiler.digest) return
  notes.push(
    record.version === recipe.compiler.version
      ? `the C compiler ${record.version} is another file than it was`
      : `the C compiler is ${record.version}, was ${recipe.compiler.version}`,
  )
}

interface SharedModules {
  /** Whose build it is; undefined: ours. */
  readonly user: typeof otherUser | undefined
  /** Why it is ours. */
  readonly why: string
  readonly environment: Readonly<Record<string, string>>
}

/**
 * Another user cannot look into root's home: then the modules are laid out again from the downloads, which go.sum is held
 * against once more.
 */
async function shareModules({
  copy,
  root,
  recipe,
  toolchain,
  signal,
}: {
  copy: SourceCopy
  root: string
  recipe: Recipe
  toolchain: Toolchain
  signal: AbortSignal | undefined
}): Promise<SharedModules> {
  if (process.getuid?.() !== 0) return { user: undefined, why: ': only root may take another', environment: {} }
  const { stdout } = await toolchain.run(['env', 'GOROOT', 'GOMODCACHE'], { cwd: '/', signal })
  const [goroot = '', cache = ''] = stdout.split('\n')
  if (!(await isOpen(goroot))) return { user: undefined, why: `: others may not look into ${goroot}`, environment: {} }
  if (await isOpen(cache)) return { user: otherUser, why: '', environment: { GOMODCACHE: cache, GOPROXY: 'off' } }
  const own = join(root, 'modules')
  await mkdir(own)
  const environment = {
    GOMODCACHE: own,
    GOPROXY: `file://${cache}/cache/download`,
    GOSUMDB: 'off',
    GOFLAGS: '-modcacherw',
  }
  const tags = recipe.flags.filter((flag) => flag.startsWith('-tags='))
  // What cannot be listed the build will say.
  await toolchain.run(['list', '-deps', ...tags, '-f', '', relativePackage(copy.moduleFolder, copy.mainFolder)], {
    cwd: copy.moduleFolder,
    cgo: recipe.cgo,
    environment,
    signal,
  })
  return { user: otherUser, why: '', environment: { ...environment, GOPROXY: 'off' } }
}

/** Whether everybody may pass all folders down to it. */
async function isOpen(path: string): Promise<boolean> {
  if (path === '') return false
  for (let current = path; ; current = dirname(current)) {
    const entry = await stat(current).catch(() => undefined)
    if (entry === undefined || (entry.mode & 0o005) !== 0o005) return false
    if (current === dirname(current)) return true
  }
}
