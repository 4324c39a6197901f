import type { Abortable } from '../../base/bounds.ts'
import type { Clock } from '../../base/clock.ts'
import { FairwayError } from '../../base/error.ts'
import type { Report } from '../../base/event.ts'
import type { ServiceScope } from '../../config/index.ts'
import { scopeKey } from '../../config/index.ts'
import type { Address } from '../../host/index.ts'
import { formatAddress } from '../../host/index.ts'
import type { Gateway, GatewayCounters, GatewayService, ObservedServer, ServerMode, ServerName } from '../gateway.ts'
import { freeBinds, probeUntilFree, refuseTakenBinds, requireFree } from './binds.ts'
import type { Capacity } from './config.ts'
import { confirmServer } from './confirm.ts'
import { observeServer } from './evidence.ts'
import type { GatewayFiles } from './files.ts'
import type { ManagedHaproxy } from './managed.ts'
import { assertAddress, backendName } from './names.ts'
import { LaggingFiles } from './lagging-files.ts'
import { SerialQueue } from './queue.ts'
import { writeRecord } from './record.ts'
import type { ServerState } from './parse.ts'
import { type ServerLoad, Sessions } from './sessions.ts'
import type { DesiredState } from './state.ts'

/** A start, a reload or a restart is over by then. */
const servingWithinMs = 20_000
const detachWithinMs = 3_000

export interface GatewayParts {
  readonly files: GatewayFiles
  readonly state: DesiredState
  readonly haproxy: ManagedHaproxy
  readonly clock: Clock
  /** As asked, port 0 included. */
  readonly asked: readonly Address[]
  /** Of this process, or of the one with this pid. */
  readonly capacity: (pid?: number) => Promise<Capacity>
  readonly report: Report
}

/** The owner of truth: every order first changes the desired state, then HAProxy by its socket, then the files. */
export class HaproxyGateway implements Gateway {
  readonly #files: GatewayFiles
  readonly #state: DesiredState
  readonly #haproxy: ManagedHaproxy
  readonly #sessions: Sessions
  readonly #writing: LaggingFiles
  readonly #clock: Clock
  readonly #asked: readonly Address[]
  readonly #capacity: GatewayParts['capacity']
  readonly #report: Report
  readonly #queue = new SerialQueue()
  readonly #listeners = new Set<(reason: string) => void>()
  readonly #disposed = new AbortController()
  /** Held open while HAProxy is away. */
  #serving: PromiseWithResolvers<void> = Promise.withResolvers()
  #watching: Promise<void> | undefined
  #savedRecord: string | undefined

  constructor({ files, state, haproxy, clock, asked, capacity, report }: GatewayParts) {
    this.#files = files
    this.#state = state
    this.#haproxy = haproxy
    this.#clock = clock
    this.#asked = asked
    this.#capacity = capacity
    this.#report = report
    this.#sessions = new Sessions(haproxy, clock)
    this.#writing = new LaggingFiles(() => this.#writeFiles(), { clock, report })
  }

  get binds(): readonly Address[] {
    return this.#state.allBinds
  }

  restore(services: readonly GatewayService[]): Promise<void> {
    return this.#queue.run(async () => {
      const adopted = (await this.#haproxy.process.adopt()) && (await this.#answers())
      if (adopted) {
        // It has the limits it was started with, whatever ours are.
        this.#haproxy.capacity = await this.#capacity(this.#haproxy.process.pid)
        this.#recall(services, await this.#haproxy.client.serversState())
        await this.saveRecord()
        await this.#haproxy.meetWorkers()
        if (await this.#haproxy.hasStructureOf(this.#state.desired())) await this.#haproxy.repair(this.#state.desired())
        else {
          await refuseTakenBinds(this.binds, await this.#haproxy.process.pids())
          await this.#reload()
        }
      } else {
        this.#haproxy.capacity = await this.#capacity()
        this.#recall(services, [])
        await this.#coldStart()
      }
      this.#serving.resolve()
      this.#writing.follow()
      this.#watching ??= this.#watch()
    })
  }

  /** What cannot be routed as it was wished must not keep the others from serving. */
  #recall(services: readonly GatewayService[], observed: readonly ServerState[]): void {
    for (const { message, hint } of this.#state.replaceAll(services, observed)) {
      this.#report({ kind: 'warning', message, ...(hint === undefined ? {} : { hint }) })
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
        else if (!known.has(text) && this.#watching !== undefined) await requireFree(bind, this.#clock)
      }
      this.#state.extraBinds = [...wanted.values()]
      // Before `restore` nothing serves yet: it starts with them.
      if (this.#watching !== undefined) await this.#takeEffect(() => (this.#state.extraBinds = before))
    })
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
      this.#writing.follow()
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
    const { check } = this.#state.requireService(scope)
    const id = this.#state.server(name)?.id
    if (id === undefined) throw new FairwayError('GATEWAY_UNCONFIRMED', `${describe(name)} is not attached`)
    const target = { backend: backendName(scope), server, id, check }
    await confirmServer(target, {
      client: this.#haproxy.client,
      socketPath: this.#files.confirmSocket,
      clock: this.#clock,
      signal,
      deadlineMs,
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
      const { sessions, queued } = await this.#withHaproxy(() => this.#load(name, { signal }))
      quietLooks = sessions === 0 && queued === 0 ? quietLooks + 1 : 0
      // Between choosing a server and counting the session lies a moment of another thread: one look could fall into it.
      if (quietLooks === 2) return true
      if (this.#clock.monotonicMs() >= deadline) return false
      await this.#clock.sleep(quietLooks === 1 ? 1 : waitMs, { signal })
    }
  }

  async cut({ scope, server }: ServerName): Promise<void> {
    await this.#queue.run(() => this.#withHaproxy(() => this.#sessions.cut(backendName(scope), server)))
  }

  #load({ scope, server }: ServerName, { signal }: Abortable): Promise<ServerLoad> {
    const number = this.#state.server({ scope, server })?.id
    return this.#sessions.load(backendName(scope), server, { signal, ...(number === undefined ? {} : { number }) })
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
            this.#writing.follow()
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
    return this.#withHaproxy(async () => {
      const states = await this.#haproxy.client.serversState(backend)
      const rows = await this.#sessions.ofBackend(backend)
      return states.map((state) => observeServer(state, rows))
    })
  }

  counters(): Promise<GatewayCounters> {
    return this.#withHaproxy(() => this.#sessions.counters())
  }

  failures(scope: ServiceScope): Promise<number> {
    return this.#sessions.failures(scope)
  }

  onRestart(listener: (reason: string) => void): void {
    this.#listeners.add(listener)
  }

  internalUrl(scope: ServiceScope): string {
    const protocol = this.#state.service(scope)?.check.kind === 'stream' ? 'tcp' : 'http'
    return `${protocol}://127.0.0.1:${this.#state.numbersOf(scope).internalPort}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed.abort()
    await this.#queue.idle()
    await this.#watching
    await this.#writing[Symbol.asyncDispose]()
  }

  async shutdown(): Promise<void> {
    await this[Symbol.asyncDispose]()
    await this.#haproxy.process.stop()
  }

  /** Ports and numbers stand on disk before anybody is told of them. */
  async saveRecord(): Promise<void> {
    const binds = this.#asked.map((asked, at) => [
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
    this.#writing.follow()
  }

  /** Once more, when HAProxy was away meanwhile: it has come back from a memory that held the order already. */
  async #withHaproxy<T>(order: () => Promise<T>): Promise<T> {
    if (this.#watching === undefined) throw new TypeError('the gateway was not restored yet')
    await this.#untilServing()
    try {
      return await order()
    } catch (error) {
      if (!(error instanceof FairwayError) || error.code !== 'GATEWAY_UNREACHABLE') throw error
      await this.#untilServing()
      return order()
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

  async #writeFiles(): Promise<void> {
    const known = await this.#haproxy.client.serversState(undefined, { deadlineMs: 500 }).catch(() => [])
    await this.#haproxy.writeFiles(this.#state.desired(), known)
    await this.saveRecord()
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
    let told = ''
    for (let waitMs = 20; !signal.aborted; waitMs = Math.min(2_000, waitMs * 2)) {
      try {
        return await this.#coldStart()
      } catch (error) {
        const { message, hint } = error instanceof FairwayError ? error : { message: String(error), hint: undefined }
        await this.#clock.sleep(waitMs, { signal }).catch(() => {})
        if (message === told) continue
        told = message
        this.#report({
          kind: 'warning',
          message: `HAProxy ended and cannot be started again: ${message}`,
          ...(hint === undefined ? {} : { hint }),
        })
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
    this.#state.binds = await freeBinds(this.#state.binds, this.#asked, this.#clock)
    for (const bind of this.#state.extraBinds) await requireFree(bind, this.#clock)
    for (const { scope } of this.#state.desired().services) await this.#avoidTakenPort(scope)
    await this.saveRecord()
    await this.#haproxy.start(this.#state.desired())
  }

  /** Nobody serves on the port yet; if a stranger has it the service gets another, rather than HAProxy not starting. */
  async #avoidTakenPort(scope: ServiceScope): Promise<void> {
    const taken = new Set<number>()
    for (;;) {
      const port = this.#state.numbersOf(scope).internalPort
      if ((await probeUntilFree({ host: '127.0.0.1', port }, this.#clock)) === 'free') break
      taken.add(port)
      this.#state.changeInternalPort(scope, taken)
    }
    if (taken.size === 0) return
    const message = `The internal address of ${scopeKey(scope)} is now ${this.internalUrl(scope)}: its port was taken`
    this.#report({ kind: 'warning', scope: scopeKey(scope), message, hint: 'Restart the services that call it.' })
  }
}

function describe({ scope, server }: ServerName): string {
  return `${scopeKey(scope)} ${server}`
}
