/**
 * What a service's part of fairway.yaml comes to once the environment is laid over it and everything has its default.
 * `RunSpecification` belongs to a Release's identity; `Desired` is the environment's and is applied in place.
 */

/** How the program learns its port; `none` is a worker. */
export type Listen =
  /** What the variable holds: `template` with `{{port}}` and `{{host}}` in it; absent: by the variable's name. */
  | { readonly kind: 'env'; readonly name: string; readonly template?: string }
  /** `{{port}}` and `{{host}}` stand for the instance's address; several words are several arguments. */
  | { readonly kind: 'arg'; readonly template: string }
  /** Whatever it is told, it listens there. */
  | { readonly kind: 'port'; readonly port: number }
  | { readonly kind: 'none' }

export type ProbeTarget =
  | { readonly kind: 'http'; readonly path: string }
  | { readonly kind: 'tcp' }
  /** `grpc.health.v1.Health/Check` answers SERVING, over HTTP/2 without TLS. */
  | { readonly kind: 'grpc' }
  /** A whole command, run in the artifact's folder; 0 is healthy. */
  | { readonly kind: 'exec'; readonly command: readonly string[] }
  /** A worker without a probe: healthy while it lives. */
  | { readonly kind: 'alive' }

export interface ProbeSpecification {
  readonly target: ProbeTarget
  readonly everyMs: number
  /** One answer may take this long. */
  readonly timeoutMs: number
  /** Good answers for this long, without a bad one, are healthy. */
  readonly healthyForMs: number
  /** From the start of the instance. */
  readonly deadlineMs: number
}

/** What the program speaks; the gateway routes the first two. */
export type Protocol = 'http' | 'grpc' | 'tcp'

/** The folder kept over releases: as a working directory, and within arguments. */
export const dataWorkdir = '{{data}}'

export interface Limits {
  readonly memoryBytes?: number
  /** In cores. */
  readonly cpu?: number
}

export interface RunSpecification {
  /** `{{data}}` in them stands for the folder of `data: true`. */
  readonly args: readonly string[]
  readonly listen: Listen
  /** Below the artifact's folder, where the program is started; `{{data}}` is the folder of `data: true`. Absent: the artifact's folder. */
  readonly workdir?: string
  /** Absent: http. */
  readonly protocol?: Exclude<Protocol, 'http'>
  /** Further ones it listens on by itself, beside `listen`. */
  readonly ports?: readonly number[]
  /** undefined: own where a fixed port makes it necessary. Where the machine allows none, the host's all the same. */
  readonly network?: 'own' | 'host'
  readonly probe: ProbeSpecification
  readonly limits: Limits
  /** undefined: the service's own unprivileged uid when Fairway is root, else Fairway's own user. */
  readonly user?: string
  /** A folder kept over releases, STATE_DIRECTORY. */
  readonly data: boolean
  /** Run once per release before its first instance. */
  readonly before?: readonly string[]
  readonly beforeDeadlineMs: number
  /** From SIGTERM to SIGKILL. */
  readonly graceMs: number
}

/** A host and path belong to one service. */
export interface Route {
  readonly host: string
  /** A prefix that begins with `/`. */
  readonly path: string
}

export type Strategy = { readonly kind: 'recreate' } | { readonly kind: 'rolling'; readonly batch: number | 'all' } // instances at a time

export interface DesiredState {
  readonly instances: number
  readonly route?: Route
  /** In dev, where `route` was chosen by rule: the one to take where another project has it. */
  readonly routeFallback?: Route
  readonly strategy: Strategy
  readonly keepWarmMs: number
  /** How long open requests may take to end once an instance gets no new ones. */
  readonly drainMs: number
}

/** One value of a release. */
export type ResolvedValue =
  | {
      readonly value: string
      readonly secret: boolean
      /** Reaches the program as a file whose path stands in KEY_FILE. */
      readonly asFile: boolean
    }
  /** Given by `fairway secret set`: whoever has the source knows its version, only the control plane its value. */
  | { readonly storedVersion: number; readonly secret: true; readonly asFile: boolean }

/** All that travels from the source to the control plane for one service, beside the artifact. */
export interface ServiceSpecification {
  readonly service: string
  readonly run: RunSpecification
  readonly desired: DesiredState
  readonly values: Readonly<Record<string, ResolvedValue>>
  readonly needs: readonly string[]
}
