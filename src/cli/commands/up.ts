import { createReadStream, existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { machineRuns, machineTarget, parseTarget, requireRunnable, type Target } from '../../artifact/index.ts'
import { FairwayError } from '../../base/error.ts'
import type { ResultEvent } from '../../base/event.ts'
import { makeFolder } from '../../base/make-folder.ts'
import {
  type BuiltService,
  buildServices,
  findStarts,
  type LocatedService,
  locateServices,
  type OpenedSource,
  openSource,
  parseModuleSource,
} from '../../pipeline/index.ts'
import type { VersionAnswer } from '../../server/api.ts'
import type { Client } from '../client.ts'
import type { CommandInput, CommandModule } from '../command.ts'
import { connect } from '../connect.ts'
import { type CommandContext, serverAddress } from '../context.ts'
import { exitOf, followOperation } from '../follow.ts'
import { Interrupt } from '../interrupt.ts'
import { ask, requireTerminal } from '../permission.ts'
import type { Reporter } from '../report/reporter.ts'
import { openReporter } from '../report/open-reporter.ts'
import { namedSource } from '../source-options.ts'
import { planText } from '../report/plan.ts'
import { askStoredKeys } from '../stored-keys.ts'

/** Source → artifact → release: everything of this machine is read here; what travels is complete. */
export const run: CommandModule['run'] = async (input, context) => {
  const [named] = input.positionals
  const isModule = named !== undefined && parseModuleSource(named) !== undefined
  const folder = named === undefined || isModule ? context.options.project : named
  const options = { ...context.options, ...(folder === undefined ? {} : { project: folder }) }
  const reporter = await openReporter({ ...context, options })
  const abort = new AbortController()
  using interrupt = new Interrupt('aborted before anything was released')
  const signal = AbortSignal.any([abort.signal, interrupt.signal])
  try {
    // The control plane starts while we read and compile; in a home nobody used yet only once the folder is known to be
    // good, so that a mistake in it touches nothing.
    let connecting = (await mayHoldSecrets(context)) ? connect(context, 'always') : undefined
    connecting?.catch(() => {}) // awaited below, after what is wrong with the folder was said
    const opened = await openSource({
      source: named === undefined ? context.folder : namedSource(named, context.cwd, 'up'),
      configuredIn: context.folder,
      home: context.home,
      environment: context.options.env,
      processEnvironment: context.environment,
      report: reporter.event,
      signal,
      stored: async (project, environment) =>
        connecting === undefined ? new Map() : askStoredKeys(await connecting, project, environment),
    })
    if (mustAsk(opened, input)) requireTerminal(question(context), context) // said before anything is built
    const target = option(input, 'target')
    const services = await locateServices(opened, option(input, 'only'))
    await requireTarget(target === undefined ? machineTarget() : parseTarget(target), services, { connecting, context })
    for (const message of opened.project.warnings) reporter.event({ kind: 'warning', message })
    await makeFolder(context.home, 0o755)
    connecting ??= connect(context, 'always')
    connecting.catch((error: unknown) => abort.abort(error)) // nobody to release to: no use in compiling on
    const built = await buildServices(opened, services, {
      cacheFolder: `${context.home}/cache`,
      processEnvironment: context.environment,
      report: reporter.event,
      now: Date.now,
      processors: availableParallelism(),
      targets: target === undefined ? undefined : [parseTarget(target)],
      signal,
    })
    try {
      const ready = await findStarts(opened, built, {
        cacheFolder: `${context.home}/cache`,
        processEnvironment: context.environment,
        report: reporter.event,
        now: Date.now,
        signal,
      })
      const client = await connecting
      interrupt[Symbol.dispose]() // from here on Ctrl-C turns the rollout back, and the others end the command alone
      return await release(opened, ready, { input, client, context, reporter })
    } finally {
      for (const service of built) await service[Symbol.asyncDispose]()
    }
  } catch (error) {
    if (!signal.aborted) throw error
    const { reason } = signal as { reason: unknown }
    if (!(reason instanceof FairwayError && reason.code === 'ABORTED')) throw reason
    const result: ResultEvent = { kind: 'result', outcome: 'aborted' }
    reporter.result(result)
    return exitOf(result)
  } finally {
    reporter.close()
  }
}

/** A control plane elsewhere, or a home that was used before. */
async function mayHoldSecrets(context: CommandContext): Promise<boolean> {
  const address = await serverAddress(context)
  return address.kind === 'tcp' || existsSync(`${context.home}/state.db`)
}

/** What the control plane's machine could not run is not even built. @throws FairwayError MACHINE_UNFIT */
async function requireTarget(
  target: Target,
  services: readonly LocatedService[],
  { connecting, context }: { readonly connecting: Promise<Client> | undefined; readonly context: CommandContext },
): Promise<void> {
  const isHere = (await serverAddress(context)).kind === 'socket'
  const answer = isHere ? undefined : await (await connecting)?.json<VersionAnswer>('GET', '/v1/version')
  const runs = isHere ? machineRuns() : answer?.runs
  if (runs === undefined) return // it will say so itself
  for (const { specification } of services) requireRunnable(specification.service, target, runs)
}

function mustAsk({ project }: OpenedSource, { options }: CommandInput): boolean {
  return project.protected && options['yes'] !== true && options['plan'] !== true
}

function question({ options }: CommandContext): string {
  return `${options.env} is protected. Release?`
}

async function release(
  opened: OpenedSource,
  built: readonly BuiltService[],
  {
    input,
    client,
    context,
    reporter,
  }: { input: CommandInput; client: Client; context: CommandContext; reporter: Reporter },
): Promise<number> {
  const { project } = opened
  const body = {
    project: project.name,
    environment: project.environment,
    services: built.map(({ delivery }) => delivery),
    binds: project.binds,
    // Of a module from elsewhere one program was asked for: its others were left out, not dropped.
    isWhole: opened.module === undefined && built.length === project.services.length,
    wait: input.options['wait'] === true,
    plan: input.options['plan'] === true,
  }
  const isAsked = mustAsk(opened, input)
  if (isAsked || body.plan) {
    const planned = await followOperation('up', { ...body, plan: true }, { client, context, reporter })
    if (planned.error !== undefined || context.options.json === true) reporter.result(planned)
    else context.stdout.write(planText(planned.data))
    if (body.plan || planned.error !== undefined) return exitOf(planned)
    if (!(await ask(question(context), context))) {
      reporter.result({ kind: 'result', outcome: 'aborted' })
      return exitOf({ kind: 'result', outcome: 'aborted' })
    }
  }
  for (const service of built) await upload(service, client, reporter)
  const result = await followOperation('up', body, { client, context, reporter })
  reporter.result(result)
  return exitOf(result)
}

/** Files by digest; what the control plane holds already is not sent. */
async function upload({ service, artifact, sources }: BuiltService, client: Client, reporter: Reporter): Promise<void> {
  const begin = Date.now()
  const files = artifact.files.map(({ digest, size, executable }) => ({ digest, size, executable }))
  const { missing } = await client.json<{ missing: typeof files }>('POST', '/v1/blobs/missing', { body: { files } })
  let bytes = 0
  for (const { digest, size, executable } of missing) {
    const path = artifact.files.find((file) => file.digest === digest && file.executable === executable)?.path ?? ''
    const place = sources.get(path)
    if (place === undefined) throw new Error(`no content for ${path}`)
    const query = `size=${size}&executable=${executable ? 1 : 0}`
    await client.json('PUT', `/v1/blobs/${digest}?${query}`, {
      content: { stream: createReadStream(place, { highWaterMark: 1024 * 1024 }), size },
    })
    bytes += size
  }
  reporter.event({ kind: 'upload-done', service, bytes, tookMs: Date.now() - begin })
}

function option(input: CommandInput, name: string): string | undefined {
  const value = input.options[name]
  return typeof value === 'string' ? value : undefined
}
