import { stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { type Target, targetEnvironment } from '../artifact/index.ts'
import type { Abortable } from '../base/bounds.ts'
import { FairwayError } from '../base/error.ts'
import type { GenerateStep, GoSettings } from '../config/index.ts'
import { examineCgo } from './cgo.ts'
import { findCompiler } from './compiler.ts'
import { type Dependency, listDependencies } from './dependencies.ts'
import { findDiskReads } from './disk-reads.ts'
import { findUnmetEmbeds } from './embed.ts'
import { readRecorded } from './mentions.ts'
import { findFrontEnds } from './prepare.ts'
import { within } from './source.ts'
import { findStamps } from './stamps.ts'
import type { ProcessEnvironment, Toolchain } from './toolchain.ts'

/** What a line of fairway.yaml says of a service: `go: { cgo: true }` is key ['go', 'cgo'], value true. */
export interface Setting {
  readonly key: readonly string[]
  readonly value: string | boolean | readonly string[] | readonly GenerateStep[]
}

/** One choice of a build. */
export interface BuildFact {
  readonly topic: 'cgo' | 'tags' | 'version' | 'generate' | 'files' | 'vendor'
  /** What is done: 'cgo is on'. */
  readonly says: string
  readonly why: string
  /** What says the same, or the other, in fairway.yaml. */
  readonly setting?: Setting
  /** Whether the setting says what is done anyway: then it can be written down without changing anything. */
  readonly isChosen: boolean
}

export interface ExplainOrder {
  readonly folder: string
  readonly mainFolder: string
  readonly moduleFolder: string
  readonly settings: GoSettings
  readonly files: readonly string[]
  readonly target?: Target | undefined
}

export interface ExplainContext extends Abortable {
  readonly toolchain: Toolchain
  readonly environment: ProcessEnvironment
}

/** Every choice that a build of this service makes, with its reason and the line that overrides it. Nothing is built. */
export async function explainBuild(order: ExplainOrder, context: ExplainContext): Promise<BuildFact[]> {
  const { folder, mainFolder, settings, target } = order
  const question = {
    ...order,
    tags: settings.tags ?? [],
    environment: target === undefined ? {} : targetEnvironment(target),
  }
  const options = { signal: context.signal, tolerant: true }
  const packages = (await listDependencies(question, context.toolchain, options)) ?? []
  const own = packages.filter((each) => within(each.folder, folder) && !each.folder.includes('/vendor/'))
  const main = packages.find((each) => each.folder === mainFolder)
  const recorded = await readRecorded(folder)
  const facts = [await explainCgo(order, packages, context)]
  const tagged = [...recorded.values()].flatMap(({ builds }) => builds).find(({ tags }) => tags.length > 0)
  if (settings.tags !== undefined) facts.push(said('tags', `tags ${settings.tags.join(', ') || 'none'}`))
  else if (tagged !== undefined) {
    facts.push({
      topic: 'tags',
      says: 'no build tags',
      why: `fairway.yaml names none, though ${tagged.where} builds with ${tagged.tags.join(', ')}`,
      setting: { key: ['go', 'tags'], value: tagged.tags },
      isChosen: false,
    })
  }
  if (settings.ldflags !== undefined) facts.push(said('version', `linker flags ${settings.ldflags.join(' ')}`))
  else if (main !== undefined) facts.push(...(await explainVersion(main, own, recorded, folder)))
  facts.push(...(await explainGenerate(order, own)), ...(await explainFiles(order, own)))
  if ((await stat(join(order.moduleFolder, 'vendor/modules.txt')).catch(() => undefined)) !== undefined) {
    const why = 'vendor/modules.txt is there: go takes no module from elsewhere while it agrees with go.mod'
    facts.push({ topic: 'vendor', says: 'modules come from vendor/', why, isChosen: true })
  }
  return facts
}

function said(topic: BuildFact['topic'], says: string): BuildFact {
  return { topic, says, why: 'fairway.yaml says so', isChosen: true }
}

async function explainCgo(
  { settings, target }: ExplainOrder,
  packages: readonly Dependency[],
  context: ExplainContext,
): Promise<BuildFact> {
  if (settings.cgo === true || settings.cgo === false) return said('cgo', `cgo is ${settings.cgo ? 'on' : 'off'}`)
  const examined = await examineCgo(packages)
  if (examined.length === 0) {
    const why = 'no package outside the standard library has C in it: a static file'
    return { topic: 'cgo', says: 'cgo is off', why, setting: { key: ['go', 'cgo'], value: true }, isChosen: false }
  }
  const words = { go: 'is written in Go once more', stub: 'has only a stub without it', none: 'has nothing without it' }
  const list = examined.map(({ importPath, without }) => `${importPath} has C in it, and ${words[without]}`).join('; ')
  const compiler = await findCompiler({ ...context, target })
  if (compiler instanceof FairwayError) {
    const isOff = examined.every(({ without }) => without === 'go')
    const why = `${list}. ${compiler.message}${isOff ? '' : `: ${compiler.hint}`}`
    return {
      topic: 'cgo',
      says: isOff ? 'cgo is off' : 'cgo is needed, and cannot be',
      why,
      setting: { key: ['go', 'cgo'], value: false },
      isChosen: isOff,
    }
  }
  const isStatic = settings.cgo === 'static'
  return {
    topic: 'cgo',
    says: `cgo is on, with ${compiler.name}${isStatic ? ', the C library inside' : ''}`,
    why: list,
    setting: { key: ['go', 'cgo'], value: isStatic ? 'static' : true },
    isChosen: true,
  }
}

async function explainVersion(
  main: Dependency,
  own: readonly Dependency[],
  recorded: Awaited<ReturnType<typeof readRecorded>>,
  folder: string,
): Promise<BuildFact[]> {
  const stamps = await findStamps(main, own, recorded)
  if (stamps.length === 0) return []
  const names = stamps.map(
    ({ variable, where }) => `${variable} (${where.startsWith('/') ? relative(folder, where) : where})`,
  )
  const version = stamps.find(({ variable }) => /version|tag/i.test(variable)) ?? stamps[0]
  return [
    {
      topic: 'version',
      says: 'no version is stamped into the binary',
      why: `with one, a commit that changes nothing would be a new release; the release knows its commit. Meant for it: ${names.join(', ')}`,
      setting: { key: ['go', 'ldflags'], value: [`-X ${version?.variable ?? 'main.version'}={{tag}}`] },
      isChosen: false,
    },
  ]
}

async function explainGenerate({ settings, folder }: ExplainOrder, own: readonly Dependency[]): Promise<BuildFact[]> {
  if (settings.generate !== undefined) {
    const steps = settings.generate.map(({ run }) => run.join(' '))
    return [
      said('generate', steps.length === 0 ? 'nothing runs before the build' : `before the build: ${steps.join(', ')}`),
    ]
  }
  const unmet = await findUnmetEmbeds(own, () => true)
  return (await findFrontEnds(folder, unmet)).map((frontEnd): BuildFact => {
    const steps = frontEnd.steps.map(({ run, in: where }) => `${run.join(' ')}${where === '.' ? '' : ` in ${where}`}`)
    const setting = { key: ['go', 'generate'], value: frontEnd.steps }
    if (frontEnd.lockFile === undefined) {
      const why = `${frontEnd.missing}; ${frontEnd.folder}/package.json makes it, but without a lock file nothing is run by itself`
      return { topic: 'generate', says: 'nothing runs before the build', why, setting, isChosen: false }
    }
    const why = `${frontEnd.missing}, and ${frontEnd.lockFile} says how it is made${frontEnd.node === undefined ? '' : `, with Node ${frontEnd.node}`}`
    return { topic: 'generate', says: `before the build: ${steps.join(', ')}`, why, setting, isChosen: true }
  })
}

async function explainFiles(order: ExplainOrder, own: readonly Dependency[]): Promise<BuildFact[]> {
  const reads = (await findDiskReads(own, order)).filter(({ found }) => found !== undefined)
  if (order.files.length > 0) return [said('files', `beside the binary: ${order.files.join(', ')}`)]
  if (reads.length === 0) return []
  const paths = [...new Set(reads.flatMap(({ found = '' }) => tidyGlob(found)))].sort()
  const outer = paths.filter((path) => !paths.some((other) => path !== other && path.startsWith(`${other}/`)))
  return [
    {
      topic: 'files',
      says: 'nothing goes along with the binary',
      why: `its source reads files by their path: ${reads.map(({ path, where, call }) => `${path} (${where}, ${call})`).join(', ')}`,
      setting: { key: ['files'], value: outer },
      isChosen: false,
    },
  ]
}

/** The folder before the first sign of a pattern, which stands for all below it. */
function tidyGlob(path: string): string {
  const parts = path.split('/')
  const sign = parts.findIndex((part) => /[*?[]/.test(part))
  return sign <= 0 ? path : parts.slice(0, sign).join('/')
}

/** As it stands in fairway.yaml under the service: `go: { tags: [a, b] }`. */
export function settingText({ key, value }: Setting): string {
  const text = inFlow(value)
  const [first = '', second] = key
  return second === undefined ? `${first}: ${text}` : `${first}: { ${second}: ${text} }`
}

function inFlow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inFlow).join(', ')}]`
  if (typeof value === 'object' && value !== null) {
    return `{ ${Object.entries(value)
      .map(([key, item]) => `${key}: ${inFlow(item)}`)
      .join(', ')} }`
  }
  const text = String(value)
  return typeof value !== 'string' || /^[\w./@-][\w./@ :-]*$/.test(text) ? text : JSON.stringify(text)
}
