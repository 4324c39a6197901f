import type { Abortable } from '../base/bounds.ts'
import type { ProbeTarget, Route, ServiceScope } from '../config/index.ts'
import type { Address } from '../host/index.ts'

/** One incarnation of an instance as the gateway knows it: '12-3.1' within its scope. */
export interface ServerName {
  readonly scope: ServiceScope
  readonly server: string
}

/**
 * `ready` gets traffic; `drain` finishes what it has and gets nothing new; `shut` gets nothing at all.
 * A server that is attached begins in `drain`: checked, able to be asked, without traffic.
 */
export type ServerMode = 'ready' | 'drain' | 'shut'

export interface GatewayServer {
  readonly name: string
  readonly address: Address
  readonly mode: ServerMode
}

/**
 * How HAProxy itself checks a server: the probe's path, or a connect. `grpc`: its servers are spoken to by HTTP/2 and checked by
 * a connect; with `health` one is confirmed by a health check through the gateway. `stream`: connections are passed on as they
 * are, whatever is spoken on them, and servers are checked by a connect.
 */
export type GatewayCheck =
  | Extract<ProbeTarget, { kind: 'http' | 'tcp' }>
  | { readonly kind: 'grpc'; readonly health: boolean }
  | { readonly kind: 'stream' }

/** What the gateway is to do for one service; `route` undefined: reached only from inside, at its internal address. */
export interface GatewayService {
  readonly scope: ServiceScope
  readonly route?: Route
  readonly check: GatewayCheck
  readonly servers: readonly GatewayServer[]
}

export interface ObservedServer {
  readonly name: string
  readonly address: Address
  readonly mode: ServerMode
  /** By the gateway's own check. */
  readonly up: boolean
  readonly sessions: number
  readonly queued: number
}

/** What the gateway itself counted since it started or was reloaded: asserted to stay 0 in a planned rollout. */
export interface GatewayCounters {
  readonly retries: number
  readonly redispatches: number
}

/**
 * Who gets traffic. The controller is the only owner of truth: every change is made at once by the runtime socket and
 * written to the files a reload or a crash starts from. All orders go through one queue.
 */
export interface Gateway {
  /** The addresses users reach, the home's own first, resolved from port 0 where that was asked. */
  readonly binds: readonly Address[]
  /**
   * Takes the whole desired state after a start of the control plane: adopts a running gateway or starts one, compares,
   * repairs; a server that is right is not touched.
   */
  restore(services: readonly GatewayService[]): Promise<void>
  /**
   * Addresses beside the home's own, of all projects together: every route is reached at each of them.
   * @throws FairwayError PORT_TAKEN; those before stay in force then
   */
  setExtraBinds(binds: readonly Address[]): Promise<void>
  /** Adds a service or changes its route or check (its servers are left as they are); reloads only when structure changed. @throws FairwayError ROUTE_TAKEN */
  setService(service: Omit<GatewayService, 'servers'>): Promise<void>
  /** Ends routes and servers of a service. Removing what is gone is a success. */
  removeService(scope: ServiceScope): Promise<void>
  /** Registers a server in `drain`. Attaching what is attached, at the same address, is a success. */
  attach(name: ServerName, address: Address, options?: Abortable): Promise<void>
  /**
   * Waits until the gateway's own check calls it up and one request of the check's path *through* the gateway was
   * answered by that very server. Works while it gets no traffic. Not counted as traffic.
   * @throws FairwayError GATEWAY_UNCONFIRMED
   */
  confirm(name: ServerName, options: Abortable & { deadlineMs: number }): Promise<void>
  setMode(name: ServerName, mode: ServerMode, options?: Abortable): Promise<void>
  /** Waits until no session is open and nothing queued; false when the deadline passed first. */
  quiet(name: ServerName, options: Abortable & { deadlineMs: number }): Promise<boolean>
  /** Ends the sessions that are left, at once. */
  cut(name: ServerName): Promise<void>
  /** Forgets a server that is `shut`; only when this returned is its port free. Detaching what is gone is a success. */
  detach(name: ServerName, options?: Abortable): Promise<void>
  observe(scope: ServiceScope): Promise<ObservedServer[]>
  counters(): Promise<GatewayCounters>
  /** Answers of 500 and above that users of this service got since HAProxy started or was reloaded, its own 503s among them. */
  failures(scope: ServiceScope): Promise<number>
  /** Called when HAProxy ended and was started again by the supervisor. */
  onRestart(listener: (reason: string) => void): void
  /** An address on this machine by which other services of the environment reach it, without a route. */
  internalUrl(scope: ServiceScope): string
  /** Leaves HAProxy serving; stops supervising. */
  [Symbol.asyncDispose](): Promise<void>
  /** Ends HAProxy too. */
  shutdown(): Promise<void>
}
