import type { ExitStatus } from '../runtime/index.ts'

/** One answer of a probe, as evidence. */
export type ProbeAnswer =
  | { readonly kind: 'good'; readonly tookMs: number; readonly status?: number }
  | {
      readonly kind: 'status'
      readonly status: number
      readonly location?: string
      readonly body: string
      readonly tookMs: number
    }
  /** `stranger`: it answered well, but it was not this instance that listens there. */
  | { readonly kind: 'refused' | 'timeout' | 'closed' | 'stranger'; readonly detail: string; readonly tookMs: number }
  | { readonly kind: 'exec'; readonly exitCode: number | null; readonly output: string; readonly tookMs: number }

/** What is known of a start that failed; text is masked already. */
export interface Evidence {
  /** The last ones, both streams. 50 are worth keeping; a diagnosis likes 500, for a panic's message may lie that far back. */
  readonly lines: readonly string[]
  readonly exit?: ExitStatus
  /** The last few answers, oldest first. */
  readonly answers: readonly ProbeAnswer[]
  /** Addresses the program was seen listening on, '127.0.0.1:8080'. */
  readonly listening: readonly string[]
  /** What it was told to listen on. */
  readonly expected?: string
}

/** A cause with its evidence and what to do, in words. */
export interface Diagnosis {
  readonly cause:
    | 'needs-arguments'
    | 'exited'
    | 'out-of-memory'
    | 'panic'
    | 'wrong-port'
    | 'wrong-address'
    | 'nothing-listens'
    | 'probe-redirect'
    | 'probe-unauthorized'
    | 'probe-not-found'
    | 'probe-error'
    | 'probe-slow'
    | 'missing-value'
    | 'missing-file'
    | 'unknown-flag'
    | 'not-executable'
    | 'port-in-use'
    | 'loopback'
    | 'permission'
    | 'killed'
    | 'unknown'
  /** 'exited at once with status 2 after printing its usage' */
  readonly what: string
  /** What to do, with the line of fairway.yaml to write where there is one. */
  readonly hint: string
}
