import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { FairwayError } from '../../base/error.ts'
import type { Report, ResultEvent } from '../../base/event.ts'
import { readText } from '../../base/read-file.ts'
import {
  type BinaryLicences,
  findLicences,
  findOutdated,
  findReason,
  type JudgedReplace,
  judgeReplace,
  parseReplaceLines,
  type Reason,
  tidyDiff,
} from '../../dependency/index.ts'
import { ProjectSource, type Source, type Toolchain } from '../../go/index.ts'
import { locateServices, openGoSource, openSource } from '../../pipeline/index.ts'
import type { CommandInput, CommandModule } from '../command.ts'
import { compareReleases } from '../compare-releases.ts'
import type { CommandContext } from '../context.ts'
import { palette } from '../report/colour.ts'
import { describeEvent } from '../report/describe.ts'
import { coloursOn } from '../report/open-reporter.ts'
import { table } from '../report/table.ts'
import { visibleText } from '../report/visible.ts'
import { sourceOptions } from '../source-options.ts'

/** mod outdated, why, diff, tidy, replace, licences: all of them only read. */
export const run: CommandModule['run'] = async (input, context) => {
  const { data, text } = await ask(input, context)
  if (context.options.json === true) {
    context.stdout.write(`${JSON.stringify({ kind: 'result', outcome: 'done', data } satisfies ResultEvent)}\n`)
  } else context.stdout.write(text)
  return 0
}

/** That a toolchain is fetched takes a while: it is said. */
function tell({ options, stderr }: CommandContext): Report {
  return (event) => {
    const text = options.json === true ? undefined : describeEvent(event)
    if (text !== undefined) stderr.write(`${text}\n`)
  }
}

interface Answer {
  readonly data: object
  readonly text: string
}

async function ask(input: CommandInput, context: CommandContext): Promise<Answer> {
  if (input.words === 'mod diff') return diff(input, context)
  const { folder, home, environment } = context
  const { source, toolchain } = await openGoSource({
    folder,
    home,
    processEnvironment: environment,
    report: tell(context),
  })
  switch (input.words) {
    case 'mod outdated':
      return outdated(input, source, toolchain, context)
    case 'mod why':
      return why(input.positionals[0] ?? '', source, toolchain)
    case 'mod tidy':
      return tidy(source, toolchain)
    case 'mod replace':
      return replaced(source)
    default:
      return licences(context, source, toolchain)
  }
}

async function outdated(
  { options }: CommandInput,
  { modules, folder: projectFolder }: Source,
  toolchain: Toolchain,
  context: CommandContext,
): Promise<Answer> {
  const found = []
  for (const { folder, path } of modules) {
    const all = await findOutdated(folder, { toolchain, projectFolder })
    found.push({
      module: path,
      outdated: options['all'] === true ? all : all.filter((one) => one.isDirect || one.isUsed),
    })
  }
  const { stdout, environment } = context
  const paint = palette(coloursOn(stdout, environment))
  const text = found.map(({ module, outdated: rows }) => {
    if (rows.length === 0) return `${module}: nothing is outdated\n`
    const cells = rows.map((one) => [
      one.path,
      one.version,
      one.newest ?? (one.unknown === undefined ? '-' : '?'),
      one.newestAt?.slice(0, 10) ?? '',
      [
        one.isDirect ? 'direct' : one.isUsed ? 'indirect' : 'not used',
        ...(one.retracted === undefined ? [] : [`retracted: ${one.retracted}`]),
        ...(one.deprecated === undefined ? [] : [`deprecated: ${one.deprecated}`]),
        ...(one.unknown === undefined ? [] : [`could not be asked: ${one.unknown}`]),
      ].join('; '),
    ])
    const head = ['MODULE', 'HERE', 'NEWEST', 'OF', 'WHAT']
    const shown = table([head, ...cells], { isTerminal: stdout.isTTY, width: stdout.columns, numbers: [], dispensable: [3], paintHead: paint.dim }) // prettier-ignore
    return `${module}\n${shown}`
  })
  return { data: { modules: found }, text: text.join('\n') }
}

async function why(asked: string, { modules, folder: projectFolder }: Source, toolchain: Toolchain): Promise<Answer> {
  const reasons: { module: string; reason: Reason }[] = []
  for (const { folder, path } of modules)
    reasons.push({ module: path, reason: await findReason(asked, folder, { toolchain, projectFolder }) })
  const known = reasons.filter(({ reason }) => reason.kind !== 'absent')
  if (known.length === 0) {
    throw new FairwayError('USAGE', `${asked} is no module of ${modules.map(({ path }) => path).join(', ')}`, {
      hint: 'A module is named without its version; `fairway mod outdated --all` shows some, `go list -m all` shows all.',
    })
  }
  const text = known.map(({ module, reason }) => {
    if (reason.kind === 'absent') return ''
    const steps = reason.path.map((step, index) => `${'  '.repeat(index)}${index === 0 ? '' : reason.kind === 'imports' ? 'imports ' : 'requires '}${step}\n`) // prettier-ignore
    const head =
      reason.kind === 'requires'
        ? `${module}: nothing imports it; it stands in a go.mod on the way\n`
        : reason.inTests
          ? `${module}: tests alone import it\n`
          : ''
    return `${head}${steps.join('')}`
  })
  return { data: { asked, modules: reasons }, text: visibleText(text.join('\n')) }
}

async function tidy({ modules, folder: projectFolder }: Source, toolchain: Toolchain): Promise<Answer> {
  const diffs = []
  for (const { folder, path } of modules)
    diffs.push({ module: path, diff: await tidyDiff(folder, { toolchain, projectFolder }) })
  const text = diffs.map(({ module, diff: change }) => (change === '' ? `${module}: tidy\n` : change))
  return { data: { modules: diffs }, text: visibleText(text.join('')) }
}

async function replaced(source: Source): Promise<Answer> {
  const repository = findRepository(source.folder)
  const files = new Set(source.modules.map(({ folder }) => join(folder, 'go.mod')))
  const work = join(source.folder, 'go.work')
  if (existsSync(work)) files.add(work)
  const found: JudgedReplace[] = []
  for (const file of files) {
    for (const line of parseReplaceLines(await readText(file))) {
      found.push(judgeReplace(line, { file, projectFolder: source.folder, repository, exists: existsSync }))
    }
  }
  const rank = { elsewhere: 0, inside: 1, module: 2 }
  const sorted = found.toSorted((a, b) => rank[a.kind] - rank[b.kind])
  const text = sorted.map(({ file, line, module, version, target, targetVersion, kind, isMissing, why: reason }) => {
    const mark = isMissing ? '✗' : kind === 'elsewhere' ? '!' : ' '
    const from = version === undefined ? module : `${module} ${version}`
    const to = targetVersion === undefined ? target : `${target} ${targetVersion}`
    return `${mark} ${file}:${line}: ${from} => ${to}\n    ${reason}\n`
  })
  return { data: { replaces: sorted }, text: visibleText(text.length === 0 ? 'Nothing is replaced.\n' : text.join('')) }
}

/** The nearest folder with `.git` in it, a worktree's file too. */
function findRepository(folder: string): string {
  for (let current = folder; ; current = dirname(current)) {
    if (existsSync(join(current, '.git'))) return current
    if (current === dirname(current)) return folder
  }
}

async function licences(context: CommandContext, source: Source, toolchain: Toolchain): Promise<Answer> {
  const binaries: BinaryLicences[] = []
  for (const main of await findBinaries(context, source, toolchain))
    binaries.push(await findLicences(main, { toolchain }))
  const text = binaries.map(({ name, modules }) => {
    const rows = modules.map(({ module, version, ids, restrictions, files, unknown }) => [
      module,
      version,
      [
        ids.length > 0
          ? ids.join(', ')
          : files.length === 0
            ? 'unknown: no licence file'
            : `unknown: ${unknown.join(', ')}`,
        ...(ids.length > 0 && unknown.length > 0 ? [`and ${unknown.join(', ')}, unknown`] : []),
        ...restrictions.map((one) => `with ${one}`),
      ].join('; '),
    ])
    const { stdout, environment } = context
    const paint = palette(coloursOn(stdout, environment))
    const head = ['MODULE', 'VERSION', 'LICENCE']
    return `${name}\n${table([head, ...rows], { isTerminal: stdout.isTTY, numbers: [], paintHead: paint.dim })}`
  })
  return { data: { binaries }, text: text.join('\n') }
}

/** The services' main packages; where none is known, all there are. */
async function findBinaries(context: CommandContext, source: Source, toolchain: Toolchain) {
  try {
    const opened = await openSource(sourceOptions(undefined, context, tell(context)))
    const located = await locateServices(opened, undefined)
    return located.map(({ main }) => ({
      name: main.service,
      mainPackage: main.mainFolder,
      moduleFolder: main.moduleFolder,
    }))
  } catch (error) {
    if (!(error instanceof FairwayError) || error.code !== 'MAIN_AMBIGUOUS') throw error
    const { candidates } = await ProjectSource.of(source, toolchain).choice()
    return candidates.map(({ candidate }) => ({ name: candidate.importPath, mainPackage: candidate.folder, moduleFolder: candidate.moduleFolder })) // prettier-ignore
  }
}

interface ModuleDifference {
  readonly service: string
  readonly go: { before: string; after: string } | null
  readonly modules: readonly { path: string; before?: string; after?: string }[]
}

async function diff(input: CommandInput, context: CommandContext): Promise<Answer> {
  const [from = '', to = ''] = input.positionals
  const { data } = await compareReleases('module-diff', input, context)
  const { services: compared } = data as { services: ModuleDifference[] }
  const text = compared.map(({ service, go, modules }) => {
    const lines = [
      ...(go === null ? [] : [`  Go: ${go.before} → ${go.after}`]),
      ...modules.map(({ path, before, after }) => `  ${path}: ${before ?? 'new'} → ${after ?? 'gone'}`),
    ]
    return `${service}: ${from} → ${to}\n${lines.length === 0 ? '  no difference' : lines.join('\n')}\n`
  })
  return { data: { services: compared }, text: visibleText(text.join('')) }
}
