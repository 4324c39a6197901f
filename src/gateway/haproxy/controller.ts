import { mkdir, readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import type { Abortable } from '../../base/bounds.ts'
import { boundSignal } from '../../base/bounds.ts'
import type { Clock } from '../../base/clock.ts'
import { FairwayError } from '../../base/error.ts'
import type { Report } from '../../base/event.ts'
import type { ServiceScope } from '../../config/index.ts'
import { scopeKey } from '../../config/index.ts'
import type { Address } from '../../host/index.ts'
import { formatAddress } from '../../host/index.ts'
import type { Gateway, GatewayCounters, GatewayService, ObservedServer, ServerMode, ServerName } from '../gateway.ts'
import { capacity } from './config.ts'
import { askThrough } from './confirm.ts'
import { gatewayFiles } from './files.ts'
import type { GatewayFiles } from './files.ts'
import { ManagedHaproxy } from './managed.ts'
import { assertAddress, backendName, checkPath } from './names.ts'
import type { StatRow } from './parse.ts'
import type { PortRange } from './ports.ts'
import { defaultInternalPorts, pickPort, portHolder, probePort } from './ports.ts'
import { HaproxyProcess, requireHaproxy } from './process.ts'
import { SerialQueue } from './queue.ts'
import type { GatewayRecord } from './record.ts'
import { readRecord, writeRecord } from './record.ts'
import { HaproxyRuntimeClient } from './runtime-client.ts'
import { DesiredState } from './state.ts'

export interface HaproxyGatewayOptions {
  /** Of its own: configuration, maps, sockets and record lie here. */
  readonly folder: string
  /** Where users reach it; port 0 is chosen once and kept. */
  readonly binds: readonly Address[]
  /** A path, or a name looked for in the system's folders, sbin included. */
  readonly haproxyPath: string
  readonly clock: Clock
  readonly bootId: string
  readonly report?: Report
  /** Where the internal addresses of services come from. */
  readonly internalPorts?: PortRange
  /** By default what this process sees of the machine. */
  readonly cores?: number
  readonly openFiles?: number
}

/** How long the files may lag behind what the socket was told (managed.ts says why they may). */
const settleMs = 100
/** A start, a reload or a restart is over by then. */
const servingWithinMs = 20_000
const detachWithinMs = 3_000
/** More than HAProxy's own repetitions of a request (`retries 3`). */
const cutAttempts = 6
/** The dying worker of a killed master holds the ports a moment longer. */
const portFreeWithinMs = 1_000

/**
 * Makes the gateway ready to be restored; nothing serves before `restore`.
 * @throws FairwayError HAPROXY_MISSING, HOME_UNUSABLE, STATE_CORRUPT, PORT_TAKEN
 */
export async function openHaproxyGateway(options: HaproxyGatewayOptions): Promise<Gateway> {
  const files = gatewayFiles(options.folder)
  await requireHaproxy(options.haproxyPath)
  await mkdir(files.folder, { recursive: true, mode: 0o700 })
  const record = await readRecord(files.record)
  const binds: Address[] = []
  for (const bind of options.binds) binds.push({ host: bind.host, port: await resolvePort(bind, record) })
  const { clock, bootId, internalPorts = defaultInternalPorts } = options
  const state = new DesiredState(record, { folder: files.folder, binds: binds.map(assertAddress), internalPorts })
  const client = new HaproxyRuntimeClient({ master: files.masterSocket, worker: files.adminSocket, clock })
  const machine = {
    cores: options.cores ?? availableParallelism(),
    openFiles: options.openFiles ?? (await openFilesLimit()),
  }
  const haproxy = new ManagedHaproxy(files, {
    capacity: capacity(machine),
    clock,
    client,
    process: new HaproxyProcess(files, { program: options.haproxyPath, clock, bootId, client }),
  })
  const gateway = new HaproxyGateway({ files, state, haproxy, clock, options, report: options.report ?? (() => {}) })
  await gateway.saveRecord()
  return gateway
}

async function resolvePort({ host, port }: Address, record: GatewayRecord): Promise<number> {
  return port === 0 ? (record.binds[`${host} 0`] ?? (await pickPort(host))) : port
}

/** The hard limit, to which HAProxy raises its own. @see proc(5), /proc/PID/limits */
async function openFilesLimit(): Promise<number> {
  const text = await readFile('/proc/self/limits', 'utf8').catch(() => '')
  const limit = /^Max open files\s+\S+\s+(\S+)/m.exec(text)?.[1]
  return limit === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(limit ?? 1024)
}

interface Parts {
  readonly files: GatewayFiles
  readonly state: DesiredState
  readonly haproxy: ManagedHaproxy
  readonly clock: Clock
  readonly options: HaproxyGatewayOptions
  readonly report: Report
}

/** The owner of truth: every order first changes the desired state, then HAProxy by its socket, then the files. */
class HaproxyGateway implements Gateway {
  readonly #files: GatewayFiles
  readonly #state: DesiredState
  readonly #haproxy: ManagedHaproxy
  readonly #clock: Clock
  readonly #options: HaproxyGatewayOptions
  readonly #report: Report
  readonly #queue = new SerialQueue()
  readonly #listeners = new Set<(reason: string) => void>()
  readonly #disposed = new AbortController()
  /** Held open while HAProxy is away. */
  #serving: PromiseWithResolvers<void> = Promise.withResolvers()
  #watching: Promise<void> | undefined
  #settling: Promise<void> | undefined
  #unsettled = false
  #savedRecord: string | undefined

  constructor({ files, state, haproxy, clock, options, report }: Parts) {
    this.#files = files
    this.#state = state
    this.#haproxy = haproxy
    this.#clock = clock
    this.#options = options
    this.#report = report
  }

  get binds(): readonly Address[] {
    return this.#state.allBinds
  }

  restore(services: readonly GatewayService[]): Promise<void> {
    return this.#queue.run(async () => {
      const adopted = (await this.#haproxy.process.adopt()) && (await this.#answers())
      if (adopted) {
        this.#state.replaceAll(services, await this.#haproxy.client.serversState())
        await this.saveRecord()
        await this.#haproxy.meetWorkers()
        if (await this.#haproxy.hasStructureOf(this.#state.desired())) await this.#haproxy.repair(this.#state.desired())
        else {
          await this.#refuseTakenBinds()
          await this.#reload()
        }
      } else {
        this.#state.replaceAll(services, [])
        await this.#coldStart()
      }
      this.#serving.resolve()
      this.#settle()
      this.#watching ??= this.#watch()
    })
  }

  /**
   * Binds may be other ones than the running HAProxy has. A reload that cannot have one would make the old worker let go
   * of its own for two seconds before it gives up, so it is not tried.
   */
  async #refuseTakenBinds(): Promise<void> {
    const ours = await this.#haproxy.process.pids()
    for (const bind of this.binds) {
      const answer = await probePort(bind)
      const holder = answer === 'EADDRINUSE' ? await portHolder(bind.port) : undefined
      if (answer !== 'free' && (holder === undefined || !ours.includes(holder.pid)))
        throw await explainBind(bind, answer)
    }
  }

  /** One that lives but does not answer is of no use to anyone: it is ended, and makes room. */
  async #answers(): Promise<boolean> {
    const info = await this.#haproxy.client.info().catch(() => undefined)
    if (info === undefined) await this.#haproxy.process.stop()
    return info !== undefined
  }

  setExtraBinds(binds: readonly Address[]): Promise<void> {
    return this.#queue.run(async () => {
      const before = this.#state.extraBinds
      const known = new Set(this.#state.allBinds.map(formatAddress))
      const own = new Set(this.#state.binds.map(formatAddress))
      const wanted = new Map(binds.map((bind) => [formatAddress(assertAddress(bind)), bind]))
      for (const [text, bind] of wanted) {
        if (own.has(text)) wanted.delete(text)
        else if (!known.has(text) && this.#watching !== undefined) await this.#requireFree(bind)
      }
      this.#state.extraBinds = [...wanted.values()]
      // Before `restore` nothing serves yet: it starts with them.
      if (this.#watching !== undefined) await this.#takeEffect(() => (this.#state.extraBinds = before))
    })
  }

  async #requireFree(bind: Address): Promise<void> {
    const answer = await this.#probeUntilFree(bind)
    if (answer !== 'free') throw await explainBind(bind, answer)
  }

  setService(service: Omit<GatewayService, 'servers'>): Promise<void> {
    return this.#queue.run(async () => {
      const isNew = this.#state.service(service.scope) === undefined
      const undo = this.#state.putService(service)
      if (isNew) await this.#avoidTakenPort(service.scope)
      await this.saveRecord()
      await this.#takeEffect(undo)
    })
  }

  removeService(scope: ServiceScope): Promise<void> {
    return this.#queue.run(async () => {
      if (this.#state.service(scope) === undefined) return
      await this.#takeEffect(this.#state.removeService(scope))
    })
  }

  async #takeEffect(undo: () => void): Promise<void> {
    try {
      await this.#withHaproxy(async () => {
        const desired = this.#state.desired()
        if (await this.#haproxy.hasStructureOf(desired)) await this.#haproxy.repairMaps(desired)
        else await this.#reload()
      })
    } catch (error) {
      undo()
      throw error
    } finally {
      this.#settle()
    }
  }

  #reload(): Promise<void> {
    return this.#haproxy.reload(this.#state.desired())
  }

  attach(name: ServerName, address: Address, { signal }: Abortable = {}): Promise<void> {
    return this.#queue.run(async () => {
      signal?.throwIfAborted()
      const present = this.#state.server(name)
      if (present !== undefined && formatAddress(present.address) !== formatAddress(address)) {
        throw new FairwayError(
          'GATEWAY_REFUSED',
          `${describe(name)} is attached at ${formatAddress(present.address)} already`,
        )
      }
      const undo = present === undefined ? this.#state.addServer(name, address) : () => {}
      try {
        await this.#repairService(name.scope, { signal })
      } catch (error) {
        undo()
        throw error
      }
    })
  }

  async confirm(name: ServerName, { signal, deadlineMs }: Abortable & { deadlineMs: number }): Promise<void> {
    const { scope, server } = name
    const backend = backendName(scope)
    const bounded = boundSignal({ signal, deadlineMs })
    let seen = 'it was never asked'
    for (let waitMs = 1; ; waitMs = Math.min(50, waitMs * 2)) {
      try {
        const { check } = this.#state.requireService(scope)
        const id = this.#state.server(name)?.id
        if (id === undefined) throw new FairwayError('GATEWAY_UNCONFIRMED', `${describe(name)} is not attached`)
        const [row] = await this.#haproxy.client.stat({ backend, kind: 4, number: id }, { signal: bounded })
        seen = describeCheck(row)
        if (row !== undefined && isConfirmedUp(row)) {
          // Its own check has just connected to it; without a path there is nothing more to ask a program we do not know.
          if (check.kind === 'tcp') return
          const path = checkPath(check.path)
          const answer = await askThrough(this.#files.confirmSocket, { backend, server, path }, bounded)
          if (answer.server === `${backend}/${server}` && answer.status >= 200 && answer.status < 300) return
          seen = `${answer.server === '' ? 'the gateway itself' : answer.server} answered GET ${path} with ${answer.status}`
        }
      } catch (error) {
        signal?.throwIfAborted()
        if (error instanceof FairwayError && error.code !== 'GATEWAY_UNREACHABLE') throw error
        if (bounded?.aborted !== true) seen = error instanceof Error ? error.message : String(error)
      }
      if (bounded?.aborted === true) break
      await this.#clock.sleep(waitMs, { signal: bounded }).catch(() => {})
      signal?.throwIfAborted()
    }
    throw new FairwayError('GATEWAY_UNCONFIRMED', `The gateway does not see ${describe(name)} answer: ${seen}`, {
      hint: 'Does the program listen on the address it was given, and answer its probe with 2xx when asked by HAProxy?',
    })
  }

  setMode(name: ServerName, mode: ServerMode, { signal }: Abortable = {}): Promise<void> {
    return this.#queue.run(async () => {
      signal?.throwIfAborted()
      if (this.#state.server(name) === undefined) {
        // What is gone gets nothing already.
        if (mode !== 'ready') return
        throw new FairwayError('GATEWAY_REFUSED', `${describe(name)} is not attached`)
      }
      this.#state.setMode(name, mode)
      await this.#repairService(name.scope, { signal })
    })
  }

  async quiet(name: ServerName, { signal, deadlineMs }: Abortable & { deadlineMs: number }): Promise<boolean> {
    const deadline = this.#clock.monotonicMs() + deadlineMs
    let quietLooks = 0
    for (let waitMs = 1; ; waitMs = Math.min(20, waitMs * 2)) {
      signal?.throwIfAborted()
      const { sessions, queued } = await this.#load(name, signal)
      quietLooks = sessions === 0 && queued === 0 ? quietLooks + 1 : 0
      // Between choosing a server and counting the session lies a moment of another thread: one look could fall into it.
      if (quietLooks === 2) return true
      if (this.#clock.monotonicMs() >= deadline) return false
      await this.#clock.sleep(quietLooks === 1 ? 1 : waitMs, { signal })
    }
  }

  async cut(name: ServerName): Promise<void> {
    const backend = backendName(name.scope)
    await this.#queue.run(() =>
      this.#withHaproxy(async () => {
        await this.#haproxy.client.shutdownSessions(`${backend}/${name.server}`)
        await this.#askOldWorkers(async (worker) => {
          for (let attempt = 0; attempt < cutAttempts; attempt += 1) {
            if ((await this.#haproxy.client.shutdownSessionsOf(worker, backend, name.server)) === 0) return
            await this.#clock.sleep(5)
          }
        })
      }),
    )
  }

  async detach(name: ServerName, { signal }: Abortable = {}): Promise<void> {
    if (this.#state.server(name) === undefined) return
    const server = `${backendName(name.scope)}/${name.server}`
    const deadline = this.#clock.monotonicMs() + detachWithinMs
    for (let waitMs = 2; ; waitMs = Math.min(50, waitMs * 2)) {
      try {
        return await this.#queue.run(() =>
          this.#withHaproxy(async () => {
            await this.#haproxy.client.deleteServer(server, { signal })
            this.#state.removeServer(name)
            this.#settle()
          }),
        )
      } catch (error) {
        // HTTP/2 connections to a program take a moment to close.
        const refused = error instanceof FairwayError && error.code === 'GATEWAY_REFUSED'
        if (!refused || this.#clock.monotonicMs() >= deadline) throw error
      }
      await this.#clock.sleep(waitMs, { signal })
    }
  }

  async observe(scope: ServiceScope): Promise<ObservedServer[]> {
    if (this.#state.service(scope) === undefined) return []
    const backend = backendName(scope)
    const states = await this.#haproxy.client.serversState(backend)
    const rows = await this.#rows({ backend, kind: 4 })
    return states.map(({ name, address, mode }) => {
      const mine = rows.filter(({ svname }) => svname === name)
      const up = /^(UP|DRAIN|NOLB|no check)/.test(mine[0]?.['status'] ?? '') && !isFailing(mine[0])
      return { name, address, mode, up, sessions: sum(mine, 'scur'), queued: sum(mine, 'qcur') }
    })
  }

  async counters(): Promise<GatewayCounters> {
    const rows = await this.#rows({ kind: 2 })
    // The way of a replaced worker to the current one is not a retry of anybody's request.
    const services = rows.filter(({ pxname }) => pxname?.includes('.') === true)
    return { retries: sum(services, 'wretr'), redispatches: sum(services, 'wredis') }
  }

  async failures(scope: ServiceScope): Promise<number> {
    const rows = await this.#rows({ backend: backendName(scope), kind: 2 })
    return sum(rows, 'hrsp_5xx')
  }

  onRestart(listener: (reason: string) => void): void {
    this.#listeners.add(listener)
  }

  internalUrl(scope: ServiceScope): string {
    return `http://127.0.0.1:${this.#state.numbersOf(scope).internalPort}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed.abort()
    await this.#queue.idle()
    await this.#watching
    await this.#settling
  }

  async shutdown(): Promise<void> {
    await this[Symbol.asyncDispose]()
    await this.#haproxy.process.stop()
  }

  /** Ports and numbers stand on disk before anybody is told of them. */
  async saveRecord(): Promise<void> {
    const binds = this.#options.binds.map((asked, at) => [
      `${asked.host} ${asked.port}`,
      this.#state.binds[at]?.port ?? asked.port,
    ])
    const record = { version: 1, binds: Object.fromEntries(binds), services: this.#state.numbers() } as const
    const text = JSON.stringify(record)
    if (text === this.#savedRecord) return
    await writeRecord(this.#files.record, record)
    this.#savedRecord = text
  }

  /** Brings one service's servers to what is desired; the state was changed before. */
  async #repairService(scope: ServiceScope, options: Abortable): Promise<void> {
    const service = this.#state.requireService(scope)
    await this.#withHaproxy(() => this.#haproxy.repairService(service, options))
    this.#settle()
  }

  /** Once more, when HAProxy was away meanwhile: it has come back from a memory that held the order already. */
  async #withHaproxy(order: () => Promise<void>): Promise<void> {
    if (this.#watching === undefined) throw new TypeError('the gateway was not restored yet')
    await this.#untilServing()
    try {
      await order()
    } catch (error) {
      if (!(error instanceof FairwayError) || error.code !== 'GATEWAY_UNREACHABLE') throw error
      await this.#untilServing()
      await order()
    }
  }

  async #untilServing(): Promise<void> {
    const waiting = new AbortController()
    const tooLate = this.#clock.sleep(servingWithinMs, { signal: waiting.signal }).then(
      () => {
        throw new FairwayError('GATEWAY_UNREACHABLE', 'HAProxy ended and could not be started again so far', {
          hint: `Its last words are in ${this.#files.log}`,
        })
      },
      () => {},
    )
    try {
      await Promise.race([this.#serving.promise, tooLate])
    } finally {
      waiting.abort()
    }
  }

  /** The files follow soon, together for all orders of that time; at once when disposed. */
  #settle(): void {
    this.#unsettled = true
    this.#settling ??= this.#writeUntilSettled()
      .catch((error: unknown) => {
        const message = error instanceof Error ? error.message : String(error)
        this.#report({ kind: 'warning', message: `The gateway's files could not be written: ${message}` })
      })
      .finally(() => (this.#settling = undefined))
  }

  async #writeUntilSettled(): Promise<void> {
    while (this.#unsettled) {
      await this.#clock.sleep(settleMs, { signal: this.#disposed.signal }).catch(() => {})
      this.#unsettled = false
      const known = await this.#haproxy.client.serversState(undefined, { deadlineMs: 500 }).catch(() => [])
      await this.#haproxy.writeFiles(this.#state.desired(), known)
      await this.saveRecord()
    }
  }

  /** Starts HAProxy again whenever it ends, until disposed. */
  async #watch(): Promise<void> {
    const { signal } = this.#disposed
    while (!signal.aborted) {
      try {
        await this.#haproxy.process.ended({ signal, onReload: () => this.#afterReload() })
      } catch {
        return // disposed
      }
      this.#serving = Promise.withResolvers()
      const reason = 'HAProxy ended unexpectedly and was started again'
      await this.#startAgain(signal)
      if (signal.aborted) return
      this.#serving.resolve()
      this.#report({ kind: 'gateway-restarted', why: reason })
      for (const listener of this.#listeners) listener(reason)
    }
  }

  async #startAgain(signal: AbortSignal): Promise<void> {
    for (let waitMs = 20; !signal.aborted; waitMs = Math.min(2_000, waitMs * 2)) {
      try {
        return await this.#coldStart()
      } catch (error) {
        const { message, hint } = error instanceof FairwayError ? error : { message: String(error), hint: undefined }
        this.#report({
          kind: 'warning',
          message: `HAProxy ended and cannot be started again: ${message}`,
          ...(hint === undefined ? {} : { hint }),
        })
        await this.#clock.sleep(waitMs, { signal }).catch(() => {})
      }
    }
  }

  /** An operator may reload by hand: then what came from the files is compared with what we know. */
  #afterReload(): void {
    void this.#queue
      .run(async () => {
        if (this.#disposed.signal.aborted || !(await this.#haproxy.meetWorkers())) return
        const desired = this.#state.desired()
        if (await this.#haproxy.hasStructureOf(desired)) await this.#haproxy.repair(desired)
        else await this.#reload()
      })
      .catch((error: unknown) => {
        const message = error instanceof Error ? error.message : String(error)
        this.#report({ kind: 'warning', message: `After a reload the gateway could not be compared: ${message}` })
      })
  }

  async #coldStart(): Promise<void> {
    await this.#freeBinds()
    for (const { scope } of this.#state.desired().services) await this.#avoidTakenPort(scope)
    await this.saveRecord()
    await this.#haproxy.start(this.#state.desired())
  }

  /** @throws FairwayError PORT_TAKEN and its kin, unless the port was ours to choose */
  async #freeBinds(): Promise<void> {
    const binds: Address[] = []
    for (const [at, bind] of this.#state.binds.entries()) {
      const answer = await this.#probeUntilFree(bind)
      const ours = this.#options.binds[at]?.port === 0 && answer === 'EADDRINUSE'
      if (answer !== 'free' && !ours) throw await explainBind(bind, answer)
      binds.push(ours ? { host: bind.host, port: await pickPort(bind.host) } : bind)
    }
    this.#state.binds = binds
    for (const bind of this.#state.extraBinds) await this.#requireFree(bind)
  }

  async #probeUntilFree(address: Address): Promise<string> {
    const deadline = this.#clock.monotonicMs() + portFreeWithinMs
    for (;;) {
      const answer = await probePort(address)
      if (answer !== 'EADDRINUSE' || this.#clock.monotonicMs() >= deadline) return answer
      await this.#clock.sleep(10)
    }
  }

  /** Nobody serves on the port yet; if a stranger has it the service gets another, rather than HAProxy not starting. */
  async #avoidTakenPort(scope: ServiceScope): Promise<void> {
    const taken = new Set<number>()
    for (;;) {
      const port = this.#state.numbersOf(scope).internalPort
      if ((await this.#probeUntilFree({ host: '127.0.0.1', port })) === 'free') break
      taken.add(port)
      this.#state.changeInternalPort(scope, taken)
    }
    if (taken.size === 0) return
    const message = `The internal address of ${scopeKey(scope)} is now ${this.internalUrl(scope)}: its port was taken`
    this.#report({ kind: 'warning', scope: scopeKey(scope), message, hint: 'Restart the services that call it.' })
  }

  /** Sessions and queue of a server in all workers: one that was replaced may still be answering from it. */
  async #load(
    { scope, server }: ServerName,
    signal: AbortSignal | undefined,
  ): Promise<{ sessions: number; queued: number }> {
    const number = this.#state.server({ scope, server })?.id
    const rows = await this.#rows(
      { backend: backendName(scope), kind: 4, ...(number === undefined ? {} : { number }) },
      signal,
    )
    const mine = rows.filter(({ svname }) => svname === server)
    return { sessions: sum(mine, 'scur'), queued: sum(mine, 'qcur') }
  }

  /** Of the current worker first, then of those that were replaced. */
  async #rows(what: { backend?: string; kind: 2 | 4; number?: number }, signal?: AbortSignal): Promise<StatRow[]> {
    const current = await this.#haproxy.client.stat(what, { signal })
    // An old worker may have given the number to nobody or, after a restart of all, to another: there the name decides.
    const { number: _, ...byName } = what
    const old = await this.#askOldWorkers((worker) => this.#haproxy.client.stat(byName, { signal, worker }))
    return [...current, ...old.flat()]
  }

  async #askOldWorkers<T>(ask: (worker: number) => Promise<T>): Promise<T[]> {
    const answers: T[] = []
    for (const worker of this.#haproxy.oldWorkers) {
      try {
        answers.push(await ask(worker))
      } catch (error) {
        if (!(error instanceof FairwayError) || error.code !== 'GATEWAY_UNREACHABLE') throw error
        this.#haproxy.forgetWorker(worker)
      }
    }
    return answers
  }
}

function describe({ scope, server }: ServerName): string {
  return `${scopeKey(scope)} ${server}`
}

function sum(rows: readonly StatRow[], column: string): number {
  return rows.reduce((total, row) => total + Number(row[column] ?? 0), 0)
}

/** Not the state a server begins with: an answer of the check was seen, and it was good. */
function isConfirmedUp(row: StatRow): boolean {
  return (
    /^(\* )?(L7OK|L7OKC|L4OK|L6OK)$/.test(row['check_status'] ?? '') && /^(UP|DRAIN|NOLB)/.test(row['status'] ?? '')
  )
}

/** In `drain`, HAProxy says DRAIN also of a server whose checks fail. */
function isFailing(row: StatRow | undefined): boolean {
  return row === undefined || Number(row['check_health'] ?? 0) < Number(row['check_rise'] ?? 0)
}

function describeCheck(row: StatRow | undefined): string {
  if (row === undefined) return 'HAProxy does not know it'
  const { check_status: status = '', check_code: code = '', check_desc: said = '', last_chk: last = '' } = row
  if (status === '' || status.includes('INI')) return 'its first check has not ended'
  return [`its check says ${status}`, code, [said, last].filter((part) => part !== '').join(': ')]
    .filter((part) => part !== '')
    .join(' ')
}

async function explainBind(bind: Address, answer: string): Promise<FairwayError> {
  const where = formatAddress(bind)
  switch (answer) {
    case 'EADDRINUSE': {
      const holder = await portHolder(bind.port)
      return new FairwayError(
        'PORT_TAKEN',
        `${where} is taken${holder === undefined ? '' : ` by ${holder.command} (pid ${holder.pid})`}`,
        {
          hint: 'Free it, or choose another with FAIRWAY_GATEWAY or `gateway:` in the home’s config.yaml.',
        },
      )
    }
    case 'EACCES':
      return new FairwayError('MACHINE_UNFIT', `This user may not listen on ${where}`, {
        hint: 'Ports below 1024 need root, or: sudo sysctl net.ipv4.ip_unprivileged_port_start=80',
      })
    default:
      return new FairwayError('HOME_CONFIG_INVALID', `The gateway cannot listen on ${where} (${answer})`, {
        hint: 'Is it an address of this machine? See `gateway:` in the home’s config.yaml.',
      })
  }
}
