import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ArtifactStore, parseDigest, type Recipe } from '../../artifact/index.ts'
import { systemClock } from '../../base/clock.ts'
import { counted } from '../../base/counted.ts'
import { FairwayError } from '../../base/error.ts'
import { makeFolder } from '../../base/make-folder.ts'
import { exportBundle, importModules, type NeededModule, neededModules, unpackBundle } from '../../goproxy/index.ts'
import { describeBuildList, openSource, openSupply } from '../../pipeline/index.ts'
import { openHomeModules } from '../../pipeline/modules.ts'
import type { ReleaseSummary } from '../../server/api.ts'
import type { CommandInput, CommandModule } from '../command.ts'
import { connect } from '../connect.ts'
import type { CommandContext } from '../context.ts'
import { projectName } from '../project-name.ts'
import { formatBytes } from '../report/describe.ts'
import { openReporter } from '../report/open-reporter.ts'
import { wholeNumber } from './change.ts'
import { sourceOptions } from '../source-options.ts'

/** bundle export, import: a build’s needs as one file, from a machine with a network to one without. */
export const run: CommandModule['run'] = async (input, context) => {
  const reporter = await openReporter(context)
  try {
    const { data, text } =
      input.words === 'bundle import'
        ? await take(input, context, reporter.event)
        : await give(input, context, reporter.event)
    if (context.options.json === true) reporter.result({ kind: 'result', outcome: 'done', data })
    else context.stdout.write(`${text}\n`)
    return 0
  } finally {
    reporter.close()
  }
}

type Report = Awaited<ReturnType<typeof openReporter>>['event']

/** What is to be built, as its go.sum and its toolchain say. */
interface Need {
  readonly goSum: string
  /** Without these there is no build: 'path version'. */
  readonly linked: ReadonlySet<string>
  readonly toolchain: string
}

async function give({ positionals, options }: CommandInput, context: CommandContext, report: Report) {
  const [name = '', service] = positionals
  const file = resolve(context.cwd, name)
  const release = typeof options['release'] === 'string' ? wholeNumber(options['release'], '--release N', { from: 1 }) : undefined // prettier-ignore
  const need =
    service === undefined && release === undefined
      ? await needOfFolder(context, report)
      : await needOfRelease(service, release, context)
  const toolchain: NeededModule = { path: 'golang.org/toolchain', version: need.toolchain, isWhole: true }
  const { home, environment } = context
  const warn = (message: string) => report({ kind: 'warning', message })
  await using modules = await openHomeModules({ home, environment, clock: systemClock, warn })
  const needed = [toolchain, ...neededModules(need.goSum)]
  const mustHave = (module: { path: string; version: string }) =>
    module === toolchain || need.linked.has(`${module.path} ${module.version}`)
  const data = await exportBundle(file, modules, needed, mustHave)
  if (data.skipped.length > 0) warn(`not to be had, and not part of the build: ${data.skipped.join(', ')}`)
  const text = `${file}: ${counted(data.modules, 'module')} with Go ${data.toolchains.join(', ')}, ${formatBytes(data.bytes)}`
  return { data: { file, ...data }, text }
}

async function needOfFolder(context: CommandContext, report: Report): Promise<Need> {
  const { toolchain, source } = await openSource({
    ...sourceOptions(undefined, context, report),
    areValuesNeeded: false,
  })
  const { goSum, linked } = await describeBuildList(source, toolchain)
  return { goSum, linked, toolchain: `v0.0.1-go${toolchain.version}.${toolchain.goos}-${toolchain.goarch}` }
}

/** @throws FairwayError RELEASE_UNKNOWN, RELEASE_PRUNED */
async function needOfRelease(
  service: string | undefined,
  release: number | undefined,
  context: CommandContext,
): Promise<Need> {
  const body = {
    project: await projectName(context, service === undefined ? [] : [service]),
    environment: context.options.env,
    services: service === undefined ? [] : [service],
  }
  const client = await connect(context, 'if-used')
  const result = await client.json<{ data: { services: { service: string; releases: ReleaseSummary[] }[] } }>(
    'POST',
    '/v1/operations/releases',
    { body },
  )
  const { services } = result.data
  if (service === undefined && services.length > 1) {
    throw new FairwayError(
      'USAGE',
      `Which service’s release is meant? There are ${services.map((one) => one.service).join(', ')}.`,
      {
        hint: `fairway bundle export FILE ${services[0]?.service ?? 'web'}${release === undefined ? '' : ` --release ${release}`}`,
      },
    )
  }
  const wanted = services[0]?.releases.find((each) => (release === undefined ? each.serving : each.number === release))
  if (wanted === undefined) {
    const what = release === undefined ? 'release that serves' : `release ${release}`
    const kept = services[0]?.releases.map(({ number }) => number) ?? []
    throw new FairwayError(
      'RELEASE_UNKNOWN',
      `There is no ${what}${services[0] === undefined ? '' : ` of ${services[0].service}`}`,
      {
        hint:
          kept.length === 0
            ? 'Nothing was released here yet; of the folder as it is: fairway bundle export FILE'
            : `There are ${kept.join(', ')}: fairway releases ${services[0]?.service ?? ''}`,
      },
    )
  }
  const artifacts = await ArtifactStore.open(join(context.home, 'artifacts'), { now: Date.now() })
  const recipe: Recipe | undefined = (await artifacts.find(parseDigest(wanted.artifact)))?.recipe
  if (recipe === undefined)
    throw new FairwayError(
      'RELEASE_PRUNED',
      `The files of release ${wanted.number} are no longer kept, nor how it was built`,
    )
  const { goSum, goVersion, modules } = recipe
  if (goSum === undefined && modules.length > 0)
    throw new FairwayError('RELEASE_PRUNED', `Release ${wanted.number} was built before its go.sum was kept`, {
      hint: 'Check its commit out, and there: fairway bundle export FILE',
    })
  // The toolchain is that of this machine, whatever the release was built for.
  const { thisMachine } = await import('../../go/index.ts')
  return {
    goSum: goSum ?? '',
    linked: new Set(modules.map(({ path, version }) => `${path} ${version}`)),
    toolchain: `v0.0.1-${goVersion}.${thisMachine.goos}-${thisMachine.goarch}`,
  }
}

async function take({ positionals }: CommandInput, context: CommandContext, report: Report) {
  const { home, environment } = context
  const file = resolve(context.cwd, positionals[0] ?? '')
  const folder = join(home, 'modules', 'incoming', randomUUID())
  await makeFolder(folder, 0o700)
  try {
    const needed = await unpackBundle(file, folder)
    const warn = (message: string) => report({ kind: 'warning', message })
    const source = pathToFileURL(folder).href
    await using modules = await openHomeModules({ home, environment, clock: systemClock, warn, source })
    const data = await importModules(modules, needed)
    const supply = openSupply({ home, processEnvironment: { ...environment, GOPROXY: source }, report })
    for (const version of data.toolchains) await supply.store.install(version)
    const text = `${counted(data.modules, 'module')} verified and kept in ${home}; Go ${data.toolchains.join(', ')} is installed`
    return { data, text }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
