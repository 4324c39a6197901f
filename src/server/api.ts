import type { FairwayEvent, ResultEvent } from '../base/event.ts'

/**
 * What goes over the wire between the control plane and its faces. `apiVersion` grows when an older client could
 * misunderstand something; the version is the program's.
 */
export const apiVersion = 1
export const version = '0.1.0'

export interface VersionAnswer {
  readonly version: string
  readonly api: number
  readonly pid: number
  /** Random, made with the home: tells one control plane from another. */
  readonly home: string
  /** In force, with port 0 resolved. */
  readonly addresses: { readonly api: string; readonly gateway: readonly string[]; readonly socket: string }
  readonly startedAt: number
  /** What its machine runs, itself first: 'linux/amd64'. Absent where it is older than the question. */
  readonly runs?: readonly string[]
}

/** One frame of an operation's stream: its events, a job's output, and at last the result. */
export type OperationFrame =
  | FairwayEvent
  | { readonly kind: 'operation'; readonly operation: number }
  | { readonly kind: 'output'; readonly stream: 'out' | 'err'; readonly text: string }
  | ResultEvent

/** One frame of `logs`. */
export interface LogFrame {
  readonly kind: 'log'
  readonly service: string
  /** '12-3.1' */
  readonly instance: string
  readonly stream: 'out' | 'err'
  readonly text: string
}

export type { PlanView } from '../release/plan-view.ts'
export type { ReleaseSummary, RolloutSummary, ServiceStatus } from '../release/status.ts'
