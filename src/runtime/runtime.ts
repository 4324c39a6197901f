import type { Abortable, Bounded } from '../base/bounds.ts'
import type { Argv, ExecResult } from '../base/exec.ts'
import type { Secret } from '../base/secret.ts'
import type { Limits, ServiceScope } from '../config/index.ts'
import type { Address } from '../host/index.ts'

/** The third running copy of release 12, at its first start: `shop.production.web.12-3`, incarnation 1. */
export interface InstanceId {
  readonly scope: ServiceScope
  readonly release: number
  readonly ordinal: number
}

/** One start of an Instance: in log paths, journal keys and HAProxy server names, `12-3.1`. */
export interface Incarnation extends InstanceId {
  readonly incarnation: number
}

export interface InstanceSpec {
  readonly id: Incarnation
  /** The artifact's folder, read-only; also the working directory. */
  readonly folder: string
  readonly argv: readonly [string, ...string[]]
  /** The whole environment. Secrets in it are wrapped until the moment of the start. */
  readonly env: Readonly<Record<string, string | Secret>>
  /**
   * By the name of their variable: `TLS_KEY` is written to a file that the instance alone can read, its path stands in
   * `TLS_KEY_FILE`, which the runtime adds to `env`; gone with `forget`.
   */
  readonly secretFiles: Readonly<Record<string, Secret>>
  /** undefined for a worker or a job. */
  readonly address?: Address
  /** undefined shares the machine's. */
  readonly network?: OwnNetwork
  readonly limits: Limits
  /** Numeric ids; undefined keeps Fairway's own user. */
  readonly user?: { readonly uid: number; readonly gid: number }
  /** Kept over releases; made and given to `user` by the runtime. */
  readonly dataFolder?: string
}

/** A network of the instance's own: its ports are nobody else's, and 127.0.0.1 is itself. */
export interface OwnNetwork {
  /** Where the machine reaches it, '10.83.16.3': one that the runtime's range has. */
  readonly host: string
  /** Reached there, whether the program listens on all addresses or on 127.0.0.1 alone. */
  readonly ports: readonly number[]
  /** From within, 127.0.0.1 with such a port is the machine's: a database. */
  readonly machinePorts: readonly MachinePort[]
}

export interface MachinePort {
  readonly port: number
  /** false: the text that names it may mean the instance itself; the machine's where something listens there at the start. */
  readonly certain: boolean
}

/** How a process ended, as far as is known: `unknown` when nobody was left to see it. */
export type ExitStatus =
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'signal'; readonly signal: string }
  | { readonly kind: 'out-of-memory' }
  | { readonly kind: 'unknown' }

export type InstanceState =
  | { readonly kind: 'running'; readonly pid: number }
  | { readonly kind: 'exited'; readonly status: ExitStatus; readonly exitedAt?: number }

/** As observed, not as wished. */
export interface Instance {
  readonly id: Incarnation
  readonly state: InstanceState
  readonly startedAt: number
  readonly address?: Address
}

export interface LogLine {
  readonly id: Incarnation
  readonly stream: 'out' | 'err'
  readonly text: string
  /** Byte offset of the line's first byte in its file. */
  readonly offset: number
  /** Bytes that are no longer there, or that made the line too long to show: `text` says so in words. */
  readonly cutBytes?: number
}

/** Where Instances live. One contract test holds every driver to these promises. */
export interface Runtime {
  readonly name: 'process' | 'systemd' | 'supervisord' | 'docker' | 'kubernetes'
  /**
   * Starting what already runs is a success; what has ended under this incarnation is not run twice, but returned.
   * @throws FairwayError START_FAILED, PORT_TAKEN, DISK_FULL, VALUES_INVALID; TypeError for an id that is no name
   */
  start(spec: InstanceSpec, options?: Abortable): Promise<Instance>
  /** SIGTERM, then SIGKILL of the whole group after `graceMs`. Stopping what is gone is a success. Aborted, it leaves off waiting. */
  stop(id: Incarnation, options: Abortable & { graceMs: number }): Promise<ExitStatus>
  /** All of a scope, or of the home; exited ones stay listed until forgotten. */
  list(scope?: ServiceScope, options?: Abortable): Promise<Instance[]>
  /** One of them, without a look at all the others; undefined when nothing of it is left. */
  find(id: Incarnation): Promise<Instance | undefined>
  /** What this very instance listens on, observed and not believed. */
  listening(id: Incarnation, options?: Abortable): Promise<Address[]>
  /** Resolves when it has ended; at once when it is gone. */
  exited(id: Incarnation, options?: Abortable): Promise<ExitStatus>
  /**
   * Runs a command beside a running instance, as it does: in its folder and network, with its values and as its user. For
   * probes.
   * @throws FairwayError COMMAND_FAILED when it has ended, or the command cannot be started or prints more than 64 KiB;
   * COMMAND_TIMEOUT
   */
  exec(id: Incarnation, argv: Argv, options?: Bounded & { readonly maxOutputBytes?: number }): Promise<ExecResult>
  /** Drops what is kept of an ended incarnation (not its logs). Forgetting what is gone is a success. */
  forget(id: Incarnation): Promise<void>
  /** The last lines of both streams, oldest first, bounded in count and bytes. */
  tail(id: Incarnation, options: { lines: number }): Promise<LogLine[]>
  /** From the start, or the last `lines`; follows until aborted or the instance has ended and all was read. */
  logs(id: Incarnation, options?: Abortable & { follow?: boolean; lines?: number }): AsyncIterable<LogLine>
  /** Gives back what logs hold above their cap, counted: for a slow tick. Where logs cap themselves it does nothing. */
  enforceLogCap(options?: Abortable): Promise<{ readonly cutBytes: number }>
  /** Removes what no instance owns, and makes good what somebody took away: for the start and a slow tick. */
  tend(options?: Abortable): Promise<void>
  /** Removes logs of a whole release. */
  removeLogs(scope: ServiceScope, release: number): Promise<void>
}

/** '12-3.1': unique within a scope. */
export function incarnationName({ release, ordinal, incarnation }: Incarnation): string {
  return `${release}-${ordinal}.${incarnation}`
}

/** 'shop.production.web.12-3' */
export function instanceName({ scope, release, ordinal }: InstanceId): string {
  return `${scope.project}.${scope.environment}.${scope.service}.${release}-${ordinal}`
}
