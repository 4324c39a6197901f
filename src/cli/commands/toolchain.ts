import { systemClock } from '../../base/clock.ts'
import { errorCatalogue, type ErrorReport, FairwayError, reportError } from '../../base/error.ts'
import {
  choosePruned,
  compareGoVersions,
  findSource,
  type GoSupply,
  isGoRelease,
  languageLine,
  plainGoVersion,
  isUnsupported,
  supportedLines,
} from '../../go/index.ts'
import { openSupply } from '../../pipeline/index.ts'
import type { CommandInput, CommandModule } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { Interrupt } from '../interrupt.ts'
import { palette } from '../report/colour.ts'
import { formatBytes, formatTime } from '../report/describe.ts'
import { failureText } from '../report/failure.ts'
import { coloursOn, openReporter } from '../report/open-reporter.ts'
import { table } from '../report/table.ts'

interface Output {
  readonly data: unknown
  /** For people. */
  readonly text: string
  /** What was asked for was done, and this came out. */
  readonly error?: ErrorReport
}

/** toolchain list, install, use, prune, verify: Go's own toolchains, side by side below the home. */
export const run: CommandModule['run'] = async (input, context) => {
  const reporter = await openReporter(context)
  using interrupt = new Interrupt('aborted: what has come is kept, and gone on from next time')
  try {
    const { home, environment: processEnvironment } = context
    const supply = openSupply({ home, processEnvironment, report: reporter.event, signal: interrupt.signal })
    const { data, text, error } = await act(input, supply, context, interrupt.signal)
    if (context.options.json === true) {
      const outcome = error === undefined ? { outcome: 'done' as const } : { outcome: 'refused' as const, error }
      reporter.result({ kind: 'result', ...outcome, data })
    } else {
      reporter.close()
      context.stdout.write(text)
      if (error !== undefined) context.stderr.write(failureText(error))
    }
    return error === undefined ? 0 : error.code === 'INTERNAL' ? 70 : errorCatalogue[error.code].exit
  } finally {
    reporter.close()
  }
}

async function act(
  { words, positionals, options }: CommandInput,
  supply: GoSupply,
  context: CommandContext,
  signal: AbortSignal,
): Promise<Output> {
  const [version = ''] = positionals
  switch (words) {
    case 'toolchain install':
      return install(version, supply, signal)
    case 'toolchain use':
      return use(version, supply, signal)
    case 'toolchain prune':
      return prune(supply, options['plan'] === true)
    case 'toolchain verify':
      return verify(version, supply, signal)
    default:
      return list(supply, context, { isRemote: options['remote'] === true, signal })
  }
}

interface Row {
  readonly version: string
  readonly where: 'installed' | 'machine' | 'source'
  readonly folder?: string
  readonly usedAt?: number
  /** `toolchain use` named it. */
  readonly isDefault: boolean
  /** This project would be built with it; absent where it asks for none of these. */
  readonly isWanted: boolean
  /** null: it is not known which lines are. */
  readonly isSupported: boolean | null
}

async function list(
  supply: GoSupply,
  context: CommandContext,
  { isRemote, signal }: { isRemote: boolean; signal: AbortSignal },
): Promise<Output> {
  const { store } = supply
  const [installed, machine, preferred] = await Promise.all([store.list(), supply.machine(), store.preferred()])
  const remote = isRemote ? await store.listRemote({ signal }) : []
  const supported = supportedLines(await store.known())
  const wanted = await wantedLine(context.folder)
  const describe = (version: string) => ({
    version,
    isDefault: version === preferred,
    isWanted: wanted !== undefined && languageLine(version) === wanted,
    isSupported: supported.length === 0 ? null : !isUnsupported(version, supported.at(-1)),
  })
  const rows: Row[] = [
    ...(machine === undefined
      ? []
      : [{ ...describe(machine.version), where: 'machine' as const, folder: machine.folder }]),
    ...installed.map(({ version, folder, usedAt }) => ({
      ...describe(version),
      where: 'installed' as const,
      folder,
      usedAt,
    })),
    ...remote
      .filter((version) => !installed.some((one) => one.version === version))
      .map((version) => ({ ...describe(version), where: 'source' as const })),
  ]
  const data = { toolchains: rows, supported, wanted: wanted ?? null }
  if (rows.length === 0)
    return {
      data,
      text: 'There is no Go here yet. `fairway up` fetches the one a project asks for; so does `fairway toolchain install latest`.\n',
    }
  const out = palette(coloursOn(context.stdout, context.environment))
  const cells = rows.map((row) => [
    row.version,
    row.where,
    [
      row.isDefault ? 'the default' : '',
      row.isWanted ? 'of this project’s language' : '',
      row.isSupported === false ? 'out of support' : '',
    ]
      .filter((note) => note !== '')
      .join(', '),
    row.usedAt === undefined ? '' : formatTime(row.usedAt),
    row.folder ?? '',
  ])
  const text = table([['GO', 'WHERE', 'NOTE', 'USED', 'FOLDER'], ...cells], {
    isTerminal: context.stdout.isTTY,
    width: context.stdout.isTTY ? context.stdout.columns : undefined,
    numbers: [],
    dispensable: [4, 3],
    paintHead: out.dim,
  })
  return { data, text }
}

/** Of the project one stands in, if one does. */
async function wantedLine(folder: string): Promise<string | undefined> {
  const source = await findSource(folder).catch(() => undefined)
  const versions = source?.wanted.map(({ version }) => version).toSorted((a, b) => compareGoVersions(b, a)) ?? []
  return versions[0] === undefined ? undefined : languageLine(versions[0])
}

async function install(asked: string, { store }: GoSupply, signal: AbortSignal): Promise<Output> {
  const version = plainGoVersion(asked)
  if (asked !== 'latest' && version === undefined) throw unclear(asked)
  const why = `\`toolchain install ${asked}\``
  const { version: done, folder } =
    version !== undefined && (isGoRelease(version) || /rc|beta/.test(version))
      ? await store.installExactly(version, { signal })
      : await store.installNewest(version ?? 'newest', '', why, { signal })
  return { data: { version: done, folder }, text: `go${done}  ${folder}\n` }
}

async function use(asked: string, supply: GoSupply, signal: AbortSignal): Promise<Output> {
  if (asked === 'none') {
    await supply.store.prefer(undefined)
    return { data: { version: null }, text: 'No default: each project’s own files say which Go.\n' }
  }
  const { data } = await install(asked, supply, signal)
  const { version } = data as { version: string }
  await supply.store.prefer(version)
  return {
    data,
    text: `go${version} is used for every project it is new enough for. \`fairway toolchain use none\` ends that.\n`,
  }
}

const nothingToRemove =
  'Nothing to remove: each is the newest of its line, the default, or was used within the last hour.\n'

async function prune({ store }: GoSupply, isPlan: boolean): Promise<Output> {
  const pruned = choosePruned(await store.list(), { preferred: await store.preferred(), now: systemClock.now() })
  const removed: { version: string; why: string; bytes: number }[] = []
  for (const { version, why } of pruned) removed.push({ version, why, bytes: await store.bytes(version) })
  if (!isPlan) for (const { version } of pruned) await store.remove(version)
  const lines = removed.map(
    ({ version, why, bytes }) => `${isPlan ? 'would remove' : 'removed'} go${version}, ${formatBytes(bytes)}: ${why}\n`,
  )
  return { data: { removed, plan: isPlan }, text: lines.length === 0 ? nothingToRemove : lines.join('') }
}

async function verify(asked: string, supply: GoSupply, signal: AbortSignal): Promise<Output> {
  const [installed, machine] = [await supply.store.list(), await supply.machine()]
  const all = [
    ...(machine === undefined ? [] : [{ version: machine.version, folder: machine.folder }]),
    ...installed.map(({ version, folder }) => ({ version, folder })),
  ]
  const version = asked === '' ? undefined : plainGoVersion(asked)
  if (asked !== '' && version === undefined) throw unclear(asked)
  const isMeant = (one: string) =>
    one === version || (version === languageLine(version ?? '') && languageLine(one) === version)
  const meant = version === undefined ? all : all.filter((one) => isMeant(one.version))
  if (meant.length === 0) {
    throw new FairwayError(
      'GO_MISSING',
      version === undefined ? 'There is no Go here to verify' : `Go ${version} is not here`,
      {
        hint:
          all.length === 0
            ? 'fairway toolchain install latest'
            : `Here: ${all.map((one) => one.version).join(', ')}; to have it: fairway toolchain install ${version ?? 'latest'}`,
      },
    )
  }
  const verified: { version: string; folder: string; h1: string }[] = []
  const failed: { version: string; folder: string; error: ErrorReport }[] = []
  const lines: string[] = []
  for (const one of meant) {
    const { version: name, folder } = one
    try {
      const { h1 } = await supply.store.verify(name, folder, { signal })
      verified.push({ ...one, h1 })
      lines.push(`go${name}  ${folder}  as recorded: ${h1}`)
    } catch (cause) {
      signal.throwIfAborted()
      if (!(cause instanceof FairwayError)) throw cause
      failed.push({ ...one, error: reportError(cause) })
      lines.push(`go${name}  ${folder}  ${cause.code === 'MODULE_UNVERIFIED' ? 'not as recorded' : 'not verified'}`)
    }
  }
  const text = lines.map((line) => `${line}\n`).join('')
  const [first, ...more] = failed
  if (first === undefined) return { data: { verified, failed }, text }
  if (more.length === 0) return { data: { verified, failed }, text, error: first.error }
  const details = failed.flatMap(({ error }) => [error.message, ...(error.details ?? []).map((line) => `  ${line}`)])
  const message = `${failed.length} of ${meant.length} toolchains could not be verified`
  return { data: { verified, failed }, text, error: { ...first.error, message, details } }
}

function unclear(asked: string): FairwayError {
  return new FairwayError('USAGE', `${JSON.stringify(asked)} is no version of Go`, {
    hint: 'Like 1.26.8, 1.26 for the newest patch of that line, or latest; `fairway toolchain list --remote` shows what there is.',
  })
}
