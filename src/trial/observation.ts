import type { Address } from '../host/index.ts'
import type { ExitStatus } from '../runtime/index.ts'

/** Where a try starts. Paths are relative to the project's folder. */
export type Place =
  /** As an instance would: the binary and these files, read-only. */
  | { readonly kind: 'artifact'; readonly workdir: string; readonly files: readonly string[] }
  /** A read-only copy of all that is no Go source. */
  | { readonly kind: 'copy'; readonly workdir: string }
  /** An empty folder it may write to. */
  | { readonly kind: 'data' }

/** One start of the program. */
export interface TryPlan {
  /** What it is to tell, in words. */
  readonly question: string
  readonly args: readonly string[]
  /** Beside what every instance gets. */
  readonly env: Readonly<Record<string, string>>
  readonly place: Place
  /** The port it was told in one way or another: once it listens there, nothing more is waited for. */
  readonly told: readonly number[]
  /** `help`: its end is waited for; `serve`: that it listens. */
  readonly until: 'serve' | 'help'
}

/** One answer by HTTP/1.1; a body is compared, never shown. */
export interface HttpAnswer {
  readonly status: number
  readonly type: string
  /** Of the body, with the path that was asked taken out of it: pages that merely repeat the path are equal. */
  readonly digest: string
  /** Its body reads like Prometheus metrics. */
  readonly isMetrics: boolean
}

/** What one listening port answers. */
export interface PortAnswer {
  readonly address: Address
  readonly http?: {
    /** Two paths nobody can have thought of. */
    readonly random: readonly [HttpAnswer, HttpAnswer]
    readonly paths: Readonly<Record<string, HttpAnswer>>
  }
  /** It wants TLS. */
  readonly tls: boolean
  readonly grpc?: 'serving' | 'not-serving' | 'unimplemented' | 'http2'
}

/** What was seen of one try; everything it started is ended. */
export interface Observation {
  /** Of both streams: the first and the last ones of a flood. */
  readonly lines: readonly string[]
  /** Set when it ended by itself. */
  readonly exit?: ExitStatus
  readonly livedMs: number
  /** What it and its children listened on at the end, TCP. */
  readonly ports: readonly PortAnswer[]
  /** Files of the project that were read and folders that were listed; known where the file system keeps access times. */
  readonly read: readonly string[]
}

/** Asked in this order of preference. */
export const healthPaths = [
  '/healthz',
  '/health',
  '/readyz',
  '/livez',
  '/ready',
  '/healthcheck',
  '/api/health',
  '/api/healthz',
  '/_health',
  '/-/healthy',
  '/-/ready',
  '/ping',
  '/status',
  '/up',
  '/api/v1/health',
] as const

/** What tells a port for people from one for machines. */
export const otherPaths = ['/', '/metrics', '/debug/pprof/'] as const
