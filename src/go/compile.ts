import { rm, stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { type CompilerRecord, type Target, targetEnvironment } from '../artifact/index.ts'
import { writeFileAtomic } from '../base/atomic-file.ts'
import type { Abortable } from '../base/bounds.ts'
import { errnoOf, FairwayError } from '../base/error.ts'
import { readText } from '../base/read-file.ts'
import type { GoSettings } from '../config/index.ts'
import { checkBinary } from './binary.ts'
import { examineCgo, withCgo } from './cgo.ts'
import { type Compiler, findCompiler, type KnownCompiler, recordCompiler } from './compiler.ts'
import { type BuildFinding, buildText, parseBuildText } from './compiler-output.ts'
import { type Dependency, listDependencies } from './dependencies.ts'
import { findUnmetEmbeds, type UnmetEmbed } from './embed.ts'
import { buildFlags, type CgoMode, isStamped, type Stamp } from './flags.ts'
import { findRecordedCgo, readRecorded } from './mentions.ts'
import { relativePackage, within } from './source.ts'
import type { ProcessEnvironment, Toolchain } from './toolchain.ts'
import { compareGoVersions } from './version.ts'
import { readStamp } from './work-tree.ts'

export interface CompileOrder {
  /** The project's; absolute. */
  readonly folder: string
  /** Of the main package; absolute. */
  readonly mainFolder: string
  readonly moduleFolder: string
  readonly settings: GoSettings
  /** undefined: this machine. */
  readonly target: Target | undefined
  /** Where the binary is written; unless go finds it up to date. */
  readonly output: string
  /** What was found out is noted beside it. */
  readonly noteFile: string
  readonly temporaryFolder: string
  /** How many things go does at once; by default as many as there are processors. */
  readonly parallel?: number | undefined
}

export interface CompileContext extends Abortable {
  readonly toolchain: Toolchain
  readonly environment: ProcessEnvironment
}

/** A binary that was built, and how. */
export interface Compiled {
  readonly mode: CgoMode
  readonly flags: readonly string[]
  /** Embedded files that are another build's and are not there. */
  readonly unmet: readonly UnmetEmbed[]
  readonly compiler?: CompilerRecord
  /** What go was told of C. */
  readonly environment?: Readonly<Record<string, string>>
}

/** What the compiler did not like; the signal of a `go` that was ended among it. */
export interface Refused {
  readonly findings: readonly BuildFinding[]
}

/** Of the last build at this place: what holds as long as the binary is the same. */
interface Note {
  readonly mode: CgoMode
  readonly unmet: readonly UnmetEmbed[]
  /** Whether a package has C in it: then more than the binary decides, a compiler or a Dockerfile. */
  readonly hasC: boolean
  readonly compiler?: KnownCompiler
  readonly environment?: Readonly<Record<string, string>>
  /** Inode, size and time of the binary. */
  readonly binary: string
}

/** A build that links nothing anew is over by then, and what it takes in need not be asked. */
const headStartMs = 120

/**
 * Without cgo where no package needs it: a static file then. Which packages do takes go a moment to say, so that is asked
 * while the more likely of the two builds runs; the wrong one is ended.
 * @throws FairwayError BUILD_FAILED where a C compiler is missing, or the binary is not what was asked for; the signal's reason
 */
export async function compile(order: CompileOrder, context: CompileContext): Promise<Compiled | Refused> {
  const { settings, mainFolder, moduleFolder, target } = order
  const asked = settings.cgo
  const note = await readNote(order.noteFile)
  const stamp = isStamped(settings) ? await readStamp(order.folder, context) : undefined
  const expected: CgoMode = asked === false ? 'off' : asked === true ? 'on' : (note?.mode ?? 'off')
  const wrong = new AbortController()
  const signal = context.signal === undefined ? wrong.signal : AbortSignal.any([context.signal, wrong.signal])
  let current = attempt(expected, order, { ...context, signal }, stamp)
  const outcome = current.then(
    () => undefined,
    (error: unknown) => ({ error }),
  )
  await Promise.race([outcome, pause(headStartMs)])
  if (note?.mode === expected && !note.hasC && (await isOver(outcome)) && (await outcome) === undefined) {
    // go left the file as it was: it takes in what it took in then.
    const result = await current
    if (isBuilt(result) && note.binary === (await fingerprint(order.output)))
      return compiled(note, expected, order, stamp)
  }
  const question = {
    mainFolder,
    moduleFolder,
    tags: settings.tags ?? [],
    environment: target === undefined ? {} : targetEnvironment(target),
  }
  let dependencies: Dependency[] | undefined
  let mode: CgoMode = expected
  try {
    dependencies = await listDependencies(question, context.toolchain, context)
    if (dependencies !== undefined) mode = await decideCgo(dependencies, order, context)
  } catch (error) {
    wrong.abort()
    await outcome
    throw error
  }
  if (mode !== expected) {
    wrong.abort()
    await outcome
    context.signal?.throwIfAborted()
    current = attempt(mode, order, context, stamp)
  }
  const result = await current
  if (!isBuilt(result)) return result
  await checkBinary(order.output, target ?? hostTarget(context.toolchain), mode)
  const { folder } = order
  const isOurs = (path: string) => within(path, folder) && !path.includes('/vendor/')
  const unmet = dependencies === undefined ? [] : await findUnmetEmbeds(dependencies, isOurs)
  const c = result.compiler === undefined ? undefined : await recordCompiler(result.compiler, note?.compiler, context)
  const fresh: Note = {
    mode,
    unmet,
    hasC: dependencies === undefined || withCgo(dependencies).length > 0,
    ...(c === undefined ? {} : { compiler: c, environment: await readCgoEnvironment(result.compiler, context) }),
    binary: await fingerprint(order.output),
  }
  await writeFileAtomic(order.noteFile, `${JSON.stringify(fresh)}\n`, { durable: false })
  return compiled(fresh, mode, order, stamp)
}

function compiled(note: Note, mode: CgoMode, { settings }: CompileOrder, stamp: Stamp | undefined): Compiled {
  return {
    mode,
    flags: buildFlags(settings, mode, stamp),
    unmet: note.unmet,
    ...(note.compiler === undefined ? {} : { compiler: note.compiler.record }),
    ...(note.environment === undefined ? {} : { environment: note.environment }),
  }
}

/** @throws FairwayError BUILD_FAILED where C is needed and its compiler is missing */
async function decideCgo(
  dependencies: readonly Dependency[],
  { settings, target, folder, mainFolder }: CompileOrder,
  { toolchain, environment, signal }: CompileContext,
): Promise<CgoMode> {
  if (settings.cgo === false) return 'off'
  if (settings.cgo === true) return 'on'
  if (withCgo(dependencies).length === 0) return 'off'
  if (settings.cgo === undefined) {
    const importPath = dependencies.find((each) => each.folder === mainFolder)?.importPath ?? ''
    const recorded = findRecordedCgo(folder, { folder: mainFolder, importPath }, await readRecorded(folder))
    if (recorded?.cgo === false) return 'off'
  }
  const compiler = await findCompiler({ target, toolchain, environment, signal })
  if (compiler instanceof FairwayError) {
    const packages = await examineCgo(dependencies)
    // Written in Go once more, all of them: slower at worst.
    if (packages.every(({ without }) => without === 'go')) return 'off'
    const names = packages.filter(({ without }) => without !== 'go').map(({ importPath }) => importPath)
    throw new FairwayError(compiler.code, compiler.message, {
      hint: compiler.hint,
      details: names.map((name) => `${name} has C in it`),
    })
  }
  return settings.cgo === 'static' ? 'static' : 'on'
}

interface Attempt {
  /** With cgo. */
  readonly compiler: Compiler | undefined
}

function isBuilt(result: Attempt | Refused): result is Attempt {
  return !('findings' in result)
}

async function attempt(
  mode: CgoMode,
  order: CompileOrder,
  { toolchain, environment, signal }: CompileContext,
  stamp: Stamp | undefined,
): Promise<Attempt | Refused> {
  const { target, moduleFolder, mainFolder, temporaryFolder, parallel, settings, folder } = order
  const compiler = mode === 'off' ? undefined : await findCompiler({ target, toolchain, environment, signal })
  if (compiler instanceof FairwayError) throw compiler
  const words = [
    'build',
    ...(compareGoVersions(toolchain.version, '1.24') >= 0 ? ['-json'] : []),
    ...(parallel === undefined ? [] : [`-p=${parallel}`]),
    ...buildFlags(settings, mode, stamp),
    '-o',
    order.output,
    relativePackage(moduleFolder, mainFolder),
  ]
  const result = await toolchain.run(words, {
    cwd: moduleFolder,
    cgo: mode !== 'off',
    temporaryFolder,
    environment: {
      ...(target === undefined ? {} : targetEnvironment(target)),
      // What gcc leaves when it is ended is swept with the rest.
      ...(compiler === undefined ? {} : { ...compiler.environment, TMPDIR: temporaryFolder }),
    },
    signal,
  })
  if (result.exitCode === 0) return { compiler }
  const findings = parseBuildText(buildText(result.stdout, result.stderr), { cwd: moduleFolder, folder })
  if (result.signal === null) return { findings }
  const memory = result.signal === 'SIGKILL' ? ': out of memory?' : ''
  return { findings: [{ message: `go was ended by ${result.signal}${memory}` }, ...findings] }
}

/** What go tells a C compiler; another compiler's name is part of it. */
async function readCgoEnvironment(
  compiler: Compiler | undefined,
  { toolchain, signal }: CompileContext,
): Promise<Readonly<Record<string, string>>> {
  const keys = ['CC', 'CXX', 'CGO_CFLAGS', 'CGO_CPPFLAGS', 'CGO_CXXFLAGS', 'CGO_LDFLAGS']
  const result = await toolchain.run(['env', '-json', ...keys], {
    cwd: '/',
    environment: compiler?.environment ?? {},
    signal,
  })
  const parsed: unknown = JSON.parse(result.stdout)
  const entries = Object.entries(typeof parsed === 'object' && parsed !== null ? parsed : {})
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
}

export function hostTarget({ goos, goarch }: Toolchain): Target {
  return { os: goos, arch: goarch }
}

async function fingerprint(path: string): Promise<string> {
  const entry = await stat(path).catch(() => undefined)
  return entry === undefined ? 'none' : `${entry.ino}:${entry.size}:${entry.mtimeMs}`
}

async function readNote(path: string): Promise<Note | undefined> {
  try {
    // Ours alone; what a kill or another version left of it says nothing.
    return JSON.parse(await readText(path)) as Note
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') await rm(path, { force: true })
    return undefined
  }
}

async function pause(ms: number): Promise<void> {
  await delay(ms, undefined, { ref: false })
}

async function isOver(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending')
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending
}
