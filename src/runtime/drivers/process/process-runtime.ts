import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { type Abortable, type Bounded, boundSignal } from '../../../base/bounds.ts'
import { errnoOf, FairwayError } from '../../../base/error.ts'
import { type Argv, exec, type ExecResult } from '../../../base/exec.ts'
import { isAlive, type ProcessIdentity } from '../../../base/process-identity.ts'
import { scopeKey, type ServiceScope } from '../../../config/index.ts'
import { type Address, formatAddress } from '../../../host/index.ts'
import {
  type ExitStatus,
  type Incarnation,
  type Instance,
  type InstanceSpec,
  type LogLine,
  type Runtime,
} from '../../runtime.ts'
import { parseListeningSockets, reaches } from '../../sockets.ts'
import { groupMembers, removeGroup, unheldLimits } from './cgroup.ts'
import { ChangeWatch } from './change-watch.ts'
import type { ProcessContext } from './context.ts'
import {
  checkIncarnation,
  folderName,
  folderPaths,
  logPath,
  parseFolderName,
  type ProcessRecord,
  releaseLogFolder,
} from './instance-folder.ts'
import { checkSpec, launch } from './launch.ts'
import { capLog, findLogs, tailFile } from './log-file.ts'
import { followLogs } from './log-follow.ts'
import { mergeTails, type StreamLine } from './log-lines.ts'
import { observe, type Observation } from './observe.ts'
import { listeningAddresses, readCircumstances, sessionMembers } from './processes.ts'
import { networkAddresses } from './own-network.ts'
import { besideCommand, ownValues } from './shim.ts'
import { identifyFamily, killRemains, sendSignal } from './remains.ts'

/** Should a watch miss something. */
const lookAgainMs = 5000
/** Nobody but root ends a shim, and nothing tells us: one look at /proc does. */
const shimCheckMs = 500
/** A start that has not reported by then never will. */
const startDeadlineMs = 10_000
/** By a command beside an instance: a probe says little, and what prints without end would fill our memory. */
const mostPrintedBytes = 64 * 1024
/** SIGKILL works at once, but for a process the kernel holds (a dead disk). */
const killDeadlineMs = 10_000

/** @see open.ts, which makes it */
export class ProcessRuntime implements Runtime {
  readonly name = 'process'
  readonly #context: ProcessContext
  readonly #starting = new Map<string, Promise<Instance>>()
  readonly #warned = new Set<string>()

  constructor(context: ProcessContext) {
    this.#context = context
  }

  async start(spec: InstanceSpec, { signal }: Abortable = {}): Promise<Instance> {
    checkIncarnation(spec.id)
    checkSpec(spec)
    signal?.throwIfAborted()
    const name = folderName(spec.id)
    const running = this.#starting.get(name)
    if (running !== undefined) return running
    const start = this.#start(spec).finally(() => this.#starting.delete(name))
    this.#starting.set(name, start)
    return start
  }

  async #start(spec: InstanceSpec): Promise<Instance> {
    const { clock } = this.#context
    const before = await this.#settleStored(spec.id)
    if (before.kind === 'running' || before.kind === 'ended') return describe(spec.id, before)
    await this.#remove(spec.id, before) // what an earlier attempt left
    if (spec.address !== undefined && spec.network === undefined) await this.#checkFree(spec.address)
    for (const limit of unheldLimits(this.#context.cgroups, spec.limits)) this.#warnUnheld(limit)
    try {
      await launch(spec, this.#context)
      const deadline = clock.monotonicMs() + startDeadlineMs
      for (;;) {
        using watch = this.#watch(spec.id)
        const seen = await this.#observe(spec.id)
        if (seen.kind === 'running' || seen.kind === 'ended') return describe(spec.id, seen)
        if (seen.kind !== 'starting' || clock.monotonicMs() > deadline) throw await this.#explainUnstarted(spec)
        await watch.wait(100)
      }
    } catch (error) {
      const left = await this.#observe(spec.id)
      if (left.kind !== 'running' && left.kind !== 'ended') await this.#remove(spec.id, left)
      throw error
    }
  }

  async #explainUnstarted({ id, argv }: InstanceSpec): Promise<FairwayError> {
    const lines = await this.tail(id, { lines: 10 })
    return new FairwayError('START_FAILED', `${argv[0]} could not be started`, {
      details: lines.map(({ text }) => text),
    })
  }

  /** @throws FairwayError PORT_TAKEN before anything is touched; a race is left to the program, which says so itself */
  async #checkFree(address: Address): Promise<void> {
    const { procRoot } = this.#context
    const tables = await Promise.all(
      ['tcp', 'tcp6'].map((table) => readFile(`${procRoot}/self/net/${table}`, 'utf8').catch(() => '')),
    )
    const taken = tables.flatMap(parseListeningSockets).map((socket) => socket.address)
    if (!reaches(taken, address)) return
    throw new FairwayError('PORT_TAKEN', `Something listens on ${formatAddress(address)} already`, {
      hint: `See what it is with \`ss -ltnp 'sport = :${address.port}'\`.`,
    })
  }

  #warnUnheld(limit: string): void {
    if (this.#warned.has(limit)) return
    this.#warned.add(limit)
    const { cgroups } = this.#context
    const why = cgroups.kind === 'none' ? ` (${cgroups.why})` : ''
    this.#context.warn(`${limit} limits are not enforced: this user may not make control groups here${why}.`)
  }

  async stop(id: Incarnation, { graceMs, signal }: Abortable & { graceMs: number }): Promise<ExitStatus> {
    checkIncarnation(id)
    signal?.throwIfAborted()
    const seen = await this.#settled(id)
    if (seen.kind === 'running') await this.#end(id, seen, { graceMs, signal })
    const left = await this.#observe(id)
    await killRemains(id, left, this.#context)
    return left.kind === 'ended' ? left.status : { kind: 'unknown' }
  }

  async #end(id: Incarnation, { pid }: { pid: number }, { graceMs, signal }: Abortable & { graceMs: number }) {
    const family = await identifyFamily(pid, this.#context)
    await this.#signal(id, 'SIGTERM')
    if (!(await this.#endsWithin(id, graceMs, signal))) {
      family.push(...(await identifyFamily(pid, this.#context)))
      await writeFile(folderPaths(this.#context.runFolder, id).killed, '')
      await this.#signal(id, 'SIGKILL')
    }
    const ended = await this.#endsWithin(id, killDeadlineMs, signal)
    for (const member of family) if (await this.#lives(member)) sendSignal(member.pid, 'SIGKILL')
    if (ended) return
    throw new FairwayError('COMMAND_TIMEOUT', `Process ${pid} (${folderName(id)}) did not end on SIGKILL`, {
      hint: `The kernel holds it: see /proc/${pid}/stack and dmesg (a disk or network file system that does not answer).`,
    })
  }

  #lives(identity: ProcessIdentity): Promise<boolean> {
    return isAlive(identity, this.#context.bootId, this.#context.procRoot)
  }

  /** To the whole group; identity is checked at this very moment, for a pid alone may be a stranger's. */
  async #signal(id: Incarnation, name: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const seen = await this.#observe(id)
    if (seen.kind === 'running') sendSignal(-seen.pid, name)
  }

  async #endsWithin(id: Incarnation, ms: number, signal: AbortSignal | undefined): Promise<boolean> {
    const ended = await this.#awaitEnd(id, boundSignal({ signal, deadlineMs: ms }))
    signal?.throwIfAborted()
    return ended !== undefined
  }

  async list(scope?: ServiceScope, { signal }: Abortable = {}): Promise<Instance[]> {
    const ids = (await readdir(this.#context.runFolder)).flatMap((name) => parseFolderName(name) ?? [])
    const wanted = scope === undefined ? ids : ids.filter((id) => scopeKey(id.scope) === scopeKey(scope))
    const found = await Promise.all(
      wanted.map(async (id) => {
        signal?.throwIfAborted()
        const seen = await this.#settled(id)
        return seen.kind === 'absent' ? [] : [describe(id, seen)]
      }),
    )
    return found.flat()
  }

  async find(id: Incarnation): Promise<Instance | undefined> {
    checkIncarnation(id)
    const seen = await this.#settled(id)
    return seen.kind === 'absent' ? undefined : describe(id, seen)
  }

  async listening(id: Incarnation): Promise<Address[]> {
    checkIncarnation(id)
    const { procRoot } = this.#context
    const seen = await this.#observe(id)
    if (seen.kind !== 'running') return []
    const { groups, shim } = seen.record
    const members = groups.length > 0 ? await groupMembers(groups) : await sessionMembers(seen.pid, procRoot)
    return listeningAddresses([seen.pid, ...members.filter((pid) => pid !== seen.pid && pid !== shim?.pid)], procRoot)
  }

  async exec(
    id: Incarnation,
    argv: Argv,
    options: Bounded & { readonly maxOutputBytes?: number } = {},
  ): Promise<ExecResult> {
    checkIncarnation(id)
    const seen = await this.#observe(id)
    const gone = () => new FairwayError('COMMAND_FAILED', `${folderName(id)} has ended`)
    if (seen.kind !== 'running') throw gone()
    const { cwd, env } = await readCircumstances(seen.pid, this.#context).catch((cause: unknown) => {
      throw ['ENOENT', 'ESRCH'].includes(errnoOf(cause) ?? '') ? gone() : cause
    })
    if ((await this.#observe(id)).kind !== 'running') throw gone() // it may have been a stranger's
    const { user, network } = seen.record // on its way to becoming the program, the process is still root's
    const bounds = { endAboveBytes: mostPrintedBytes, ...options, cwd }
    if (network === undefined) return exec(argv, { ...bounds, env: ownValues(env), user })
    const beside = besideCommand(this.#context.tools, seen.pid, argv, ownValues(env), user)
    return exec(beside.argv, { ...bounds, env: beside.env })
  }

  async exited(id: Incarnation, { signal }: Abortable = {}): Promise<ExitStatus> {
    checkIncarnation(id)
    const status = await this.#awaitEnd(id, signal)
    signal?.throwIfAborted()
    return status ?? { kind: 'unknown' }
  }

  /** undefined when the signal came first. */
  async #awaitEnd(id: Incarnation, signal: AbortSignal | undefined): Promise<ExitStatus | undefined> {
    await this.#starting.get(folderName(id))?.catch(() => {})
    for (;;) {
      if (signal?.aborted === true) return undefined
      using watch = this.#watch(id)
      const seen = await this.#observe(id)
      if (seen.kind === 'ended') return seen.status
      if (seen.kind === 'absent' || seen.kind === 'unstarted') return { kind: 'unknown' }
      // The shim writes when the program ends. Only where somebody killed it, looking again must tell.
      const { shim } = seen.record
      if (seen.kind === 'starting' || seen.shimAlive) await this.#untilToldOrAlone(watch, shim, signal)
      else await watch.wait(50, { signal })
    }
  }

  async #untilToldOrAlone(
    watch: ChangeWatch,
    shim: ProcessRecord['shim'],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { bootId } = this.#context
    for (let waitedMs = 0; waitedMs < lookAgainMs; waitedMs += shimCheckMs) {
      if ((await watch.wait(shimCheckMs, { signal })) || signal?.aborted === true) return
      if (shim === undefined || !(await this.#lives({ ...shim, bootId }))) return
    }
  }

  async forget(id: Incarnation): Promise<void> {
    checkIncarnation(id)
    const seen = await this.#settled(id)
    if (seen.kind === 'running') throw new Error(`${folderName(id)} still runs: stop it first`)
    await this.#remove(id, seen)
    if (!('record' in seen) || seen.record?.network === undefined) return
    const { networks } = this.#context
    await networks?.leave(() => networkAddresses(this.#context)).catch((error: unknown) => this.#warnOfNetwork(error))
  }

  async tend({ signal }: Abortable = {}): Promise<void> {
    await this.#context.networks?.tend(() => networkAddresses(this.#context), { signal })
  }

  async #remove(id: Incarnation, seen: Observation): Promise<void> {
    const { runFolder, clock } = this.#context
    await killRemains(id, seen, this.#context)
    if ('record' in seen && seen.record !== undefined) {
      const { groups, network } = seen.record
      await removeGroup(groups, (ms) => clock.sleep(ms))
      if (network !== undefined) await this.#disconnect(network.host)
    }
    await rm(folderPaths(runFolder, id).folder, { recursive: true, force: true })
  }

  /** What could not be removed is nobody's from here on, and the next look at what there is removes it. */
  async #disconnect(host: string): Promise<void> {
    await this.#context.networks?.disconnect(host).catch((error: unknown) => this.#warnOfNetwork(error))
  }

  #warnOfNetwork(error: unknown): void {
    const why = error instanceof Error ? error.message : String(error)
    this.#context.warn(`Something of an instance's network is left, and will be removed later: ${why}`)
  }

  async tail(id: Incarnation, { lines }: { lines: number }): Promise<LogLine[]> {
    const { out, err } = this.#logPaths(id)
    const [last, lastErr] = await Promise.all([tailFile(out, lines), tailFile(err, lines)])
    return mergeTails(last, lastErr, lines).map((line) => toLogLine(id, line))
  }

  async *logs(
    id: Incarnation,
    { follow = false, lines, signal }: Abortable & { follow?: boolean; lines?: number } = {},
  ): AsyncGenerator<LogLine> {
    const hasEnded = async () => (await this.#settled(id)).kind !== 'running'
    const source = {
      ...this.#logPaths(id),
      lines,
      signal,
      hasEnded: follow ? hasEnded : undefined,
      sleep: (ms: number) => this.#context.clock.sleep(ms),
    }
    for await (const line of followLogs(source)) yield toLogLine(id, line)
  }

  async enforceLogCap({ signal }: Abortable = {}): Promise<{ cutBytes: number }> {
    const { logFolder, logCapBytes: capBytes, tools } = this.#context
    let cutBytes = 0
    for (const path of await findLogs(logFolder)) {
      signal?.throwIfAborted()
      try {
        cutBytes += await capLog(path, { capBytes, fallocate: tools.fallocate, signal })
      } catch (error) {
        signal?.throwIfAborted()
        if (this.#warned.has('log cap')) continue
        this.#warned.add('log cap')
        const why = error instanceof Error ? error.message : String(error)
        this.#context.warn(`Logs grow without bound: the file system under ${logFolder} gives nothing back (${why}).`)
      }
    }
    return { cutBytes }
  }

  async removeLogs(scope: ServiceScope, release: number): Promise<void> {
    checkIncarnation({ scope, release, ordinal: 0, incarnation: 0 })
    await rm(releaseLogFolder(this.#context.logFolder, { scope, release }), { recursive: true, force: true })
  }

  #logPaths(id: Incarnation) {
    checkIncarnation(id)
    const { logFolder } = this.#context
    return { out: logPath(logFolder, id, 'out'), err: logPath(logFolder, id, 'err') }
  }

  #observe(id: Incarnation): Promise<Observation> {
    return observe(id, this.#context)
  }

  #watch(id: Incarnation): ChangeWatch {
    return new ChangeWatch([folderPaths(this.#context.runFolder, id).status])
  }

  /** As it stands once a start of our own that is under way is through. */
  async #settled(id: Incarnation): Promise<Observation> {
    await this.#starting.get(folderName(id))?.catch(() => {})
    return this.#settleStored(id)
  }

  /** A start of a control plane that is gone: its gate is shut, or it opened it just before. A moment tells which. */
  async #settleStored(id: Incarnation): Promise<Observation> {
    const { clock } = this.#context
    const deadline = clock.monotonicMs() + startDeadlineMs
    for (;;) {
      const seen = await this.#observe(id)
      if (seen.kind !== 'starting') return seen
      if (clock.monotonicMs() > deadline) {
        const { shim, bootId } = seen.record
        if (shim !== undefined && (await this.#lives({ ...shim, bootId }))) sendSignal(shim.pid, 'SIGKILL')
        return { kind: 'unstarted', record: seen.record }
      }
      await clock.sleep(5)
    }
  }
}

function describe(id: Incarnation, seen: Exclude<Observation, { kind: 'absent' }>): Instance {
  const { startedAt = 0, address } = seen.record ?? {}
  const known = { id, startedAt, ...(address === undefined ? {} : { address }) }
  switch (seen.kind) {
    case 'running':
      return { ...known, state: { kind: 'running', pid: seen.pid } }
    case 'starting':
      return { ...known, state: { kind: 'running', pid: seen.shim } }
    case 'unstarted':
      return { ...known, state: { kind: 'exited', status: { kind: 'unknown' } } }
    case 'ended': {
      const { status, exitedAt } = seen
      return { ...known, state: { kind: 'exited', status, ...(exitedAt === undefined ? {} : { exitedAt }) } }
    }
  }
}

function toLogLine(id: Incarnation, { stream, text, offset, cutBytes }: StreamLine): LogLine {
  return { id, stream, text, offset, ...(cutBytes === undefined ? {} : { cutBytes }) }
}
