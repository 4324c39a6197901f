import { join } from 'node:path'
import { ArtifactStore } from '../../artifact/index.ts'
import { systemClock } from '../../base/clock.ts'
import { counted } from '../../base/counted.ts'
import { errorCatalogue, FairwayError } from '../../base/error.ts'
import { parseSize, readHomeConfig, sizeRule } from '../../config/index.ts'
import { type CacheReport, evict, ModuleStore, pinnedModules, storeFolder, verifyStore } from '../../goproxy/index.ts'
import { openHomeModules } from '../../pipeline/modules.ts'
import type { CommandInput, CommandModule } from '../command.ts'
import { connect } from '../connect.ts'
import type { CommandContext } from '../context.ts'
import { formatBytes } from '../report/describe.ts'

/** cache status, verify, prune: straight on the home’s files, whether a control plane runs or not. */
export const run: CommandModule['run'] = async (input, context) => {
  const now = Date.now()
  const store = await ModuleStore.open(storeFolder(context.home), { now })
  switch (input.words) {
    case 'cache verify':
      return verify(store, input.options['repair'] === true, context, now)
    case 'cache prune':
      return prune(store, input, context)
    default:
      return status(store, context)
  }
}

async function pinsOfHome({ home }: CommandContext): Promise<ReadonlySet<string>> {
  return pinnedModules(await ArtifactStore.open(join(home, 'artifacts'), { now: Date.now() }))
}

async function status(store: ModuleStore, context: CommandContext): Promise<number> {
  const { modules } = await readHomeConfig(context.home, context.environment)
  const pins = await pinsOfHome(context)
  const figures = await connect(context, 'never').then(
    (client) => client.json<Record<string, number>>('GET', '/v1/modules'),
    () => undefined, // no control plane runs: nobody was served
  )
  let [versions, zips, pinned, pinnedBytes] = [0, 0, 0, 0]
  for await (const version of store.versions()) {
    versions += 1
    if (version.hasZip) zips += 1
    if (!pins.has(`${version.path} ${version.version}`)) continue
    pinned += 1
    pinnedBytes += version.bytes
  }
  const bytes = await store.bytes()
  const { quota, offline } = modules
  const data = {
    folder: store.folder,
    versions,
    zips,
    bytes,
    quota,
    pinned,
    pinnedBytes,
    offline,
    figures: figures ?? null,
  }
  const lines = [
    `${counted(versions, 'module version')}, ${zips} of them whole: ${formatBytes(bytes)} of ${formatBytes(quota)}`,
    `${pinned} of them (${formatBytes(pinnedBytes)}) ${pinned === 1 ? 'is needed by a kept release and stays' : 'are needed by kept releases and stay'}`,
    ...(pinnedBytes > quota ? ['that is more than the quota: raise modules.quota in HOME/config.yaml'] : []),
    ...(offline ? ['offline: no upstream is asked'] : []),
    ...(figures === undefined || figures['hits'] === undefined
      ? []
      : [
          `since the control plane began: ${counted(figures['hits'], 'hit')}, ${counted(figures['misses'] ?? 0, 'miss', 'misses')}, ${formatBytes(figures['bytesServed'] ?? 0)} given out, ${counted(figures['upstreamErrors'] ?? 0, 'upstream error')}, ${counted(figures['evictions'] ?? 0, 'eviction')}`,
        ]),
  ]
  return print(context, data, lines)
}

async function verify(store: ModuleStore, repair: boolean, context: CommandContext, now: number): Promise<number> {
  const { home, environment } = context
  // What was recorded counts as far as it lies here: nobody is asked.
  const modules = await openHomeModules({
    home,
    environment,
    clock: systemClock,
    warn: () => {},
    isOffline: true,
  }).catch(() => undefined)
  const report: CacheReport = await verifyStore(store, {
    recorded: async (module) => modules?.checks.expected(module).catch(() => undefined),
    repair,
    now,
  })
  await modules?.[Symbol.asyncDispose]()
  const { findings, versions, files, bytes } = report
  const lines = [
    ...findings.map(({ kind, file, why }) => `${kind}  ${file}: ${why}`),
    `${counted(versions, 'version')} in ${counted(files, 'file')}, ${formatBytes(bytes)}: ${
      findings.length === 0
        ? 'all as they should be'
        : repair
          ? `${findings.length} removed`
          : `${findings.length} ${findings.length === 1 ? 'is not as it' : 'are not as they'} should be; \`fairway cache verify --repair\` removes ${findings.length === 1 ? 'it' : 'them'}`
    }`,
  ]
  const isWhole = findings.length === 0 || repair
  if (context.options.json === true && !isWhole) {
    const error = {
      code: 'ARTIFACT_CORRUPT' as const,
      message: `${counted(findings.length, 'file')} of the module store ${findings.length === 1 ? 'is not as it' : 'are not as they'} should be`,
      details: findings.slice(0, 20).map(({ kind, file, why }) => `${kind} ${file}: ${why}`),
      hint: 'fairway cache verify --repair',
    }
    context.stdout.write(`${JSON.stringify({ kind: 'result', outcome: 'refused', error, data: report })}\n`)
  } else print(context, report, lines)
  return isWhole ? 0 : errorCatalogue.ARTIFACT_CORRUPT.exit
}

async function prune(store: ModuleStore, { options }: CommandInput, context: CommandContext): Promise<number> {
  const { modules } = await readHomeConfig(context.home, context.environment)
  const asked = options['to']
  const target = typeof asked === 'string' ? parseSize(asked) : modules.quota
  if (target === undefined)
    throw new FairwayError('USAGE', `--to: expected ${sizeRule}, found ${JSON.stringify(asked)}`, {
      hint: 'A number with one of k, M, G, T (thousands) or Ki, Mi, Gi, Ti (1024s) behind it: fairway cache prune --to 5Gi',
    })
  const isPlan = options['plan'] === true
  const { removed, bytes: freed } = await evict(store, { target, pins: await pinsOfHome(context), isPlan })
  const swept = isPlan ? 0 : await store.sweep()
  const bytes = freed + swept
  const named = removed.map(({ path, version, bytes: size }) => ({ path, version, bytes: size }))
  const lines = isPlan ? named.map((one) => `would remove ${one.path}@${one.version}: ${formatBytes(one.bytes)}`) : []
  const total = `${counted(named.length, 'module version')}, ${formatBytes(bytes)}`
  return print(context, { versions: named.length, bytes, isPlan, removed: named }, [
    ...lines,
    named.length === 0 && bytes === 0 ? 'Nothing to remove.' : isPlan ? `would remove ${total}` : `removed ${total}`,
  ])
}

function print({ stdout, options }: CommandContext, data: object, lines: readonly string[]): number {
  if (options.json === true) stdout.write(`${JSON.stringify({ kind: 'result', outcome: 'done', data })}\n`)
  else stdout.write(`${lines.join('\n')}\n`)
  return 0
}
