import type { ErrorReport } from './error.ts'
import type { Outcome, ServiceOutcome } from './outcome.ts'

/**
 * Everything that happens, as one union: the live view, plain lines, `--json`, the history and the dashboard are all
 * made from these. Events are ordered by their sequence number, never by time.
 */
export type FairwayEventBody =
  /** Client side: before anything travels. */
  | {
      readonly kind: 'build-begun'
      readonly service: string
      readonly mainPackage: string
      readonly goVersion: string
      /** 'linux/arm64', where one was asked for. */
      readonly target?: string
    }
  | {
      readonly kind: 'build-done'
      readonly service: string
      readonly artifact: string
      readonly tookMs: number
      readonly bytes: number
      /** 'linux/arm64', where one was asked for. */
      readonly target?: string
    }
  /** A command before the build: a front-end, generated code. `in` is below the project's folder. */
  | {
      readonly kind: 'generate-begun'
      readonly service: string
      readonly in: string
      readonly command: readonly string[]
      readonly why: string
    }
  | { readonly kind: 'generate-output'; readonly service: string; readonly line: string }
  | {
      readonly kind: 'generate-done'
      readonly service: string
      readonly in: string
      readonly command: readonly string[]
      readonly tookMs: number
    }
  /** Again and again while it comes. */
  | { readonly kind: 'toolchain-fetching'; readonly version: string; readonly bytes: number; readonly total?: number }
  | {
      readonly kind: 'toolchain-installed'
      readonly version: string
      /** Unpacked. */
      readonly bytes: number
      readonly tookMs: number
    }
  /** The zip of what is to be built, where a module was named: again and again while it comes. */
  | {
      readonly kind: 'module-fetching'
      readonly module: string
      readonly version: string
      readonly bytes: number
      readonly total?: number
    }
  | {
      readonly kind: 'module-fetched'
      readonly module: string
      readonly version: string
      readonly bytes: number
      readonly tookMs: number
    }
  /** What fairway.yaml leaves unsaid of how it starts is found out in a sandbox. */
  | { readonly kind: 'trial-begun'; readonly service: string }
  | {
      readonly kind: 'trial-done'
      readonly service: string
      /** In words: 'listens where --port says, health at /healthz'. */
      readonly found: string
      readonly evidence: readonly string[]
      readonly tries: number
      readonly tookMs: number
    }
  | { readonly kind: 'check-begun'; readonly module: string; readonly packages: number; readonly goVersion: string }
  | { readonly kind: 'package-begun'; readonly package: string }
  | {
      readonly kind: 'package-done'
      readonly package: string
      readonly outcome: 'pass' | 'fail' | 'flaky' | 'no-tests' | 'none-ran' | 'build-failed'
      readonly tookMs: number
      readonly passed: number
      readonly failed: number
      readonly skipped: number
      /** Nothing it depends on has changed since it passed. */
      readonly isCached: boolean
    }
  | {
      readonly kind: 'tests-retried'
      readonly package: string
      readonly tests: readonly string[]
      readonly attempt: number
    }
  | { readonly kind: 'check-finding'; readonly finding: CheckFinding }
  | { readonly kind: 'upload-done'; readonly service: string; readonly bytes: number; readonly tookMs: number }
  | {
      readonly kind: 'image-written'
      readonly service: string
      /** '-' is the standard output. */
      readonly file: string
      readonly digest: string
      readonly bytes: number
      readonly tookMs: number
    }
  /** At most about one a second. */
  | {
      readonly kind: 'push-progress'
      readonly service: string
      readonly repository: string
      readonly bytes: number
      readonly totalBytes: number
    }
  | {
      readonly kind: 'push-done'
      readonly service: string
      readonly repository: string
      readonly digest: string
      readonly bytes: number
      readonly mountedBytes: number
      readonly heldBytes: number
      readonly tookMs: number
    }
  /** Control plane. `scope` is 'project/environment/service'. */
  | {
      readonly kind: 'rollout-begun'
      readonly scope: string
      readonly rollout: number
      readonly verb: string
      readonly from: number | null
      readonly to: number | null
      readonly stages: number
      readonly who: string
    }
  | {
      readonly kind: 'stage-begun'
      readonly scope: string
      readonly rollout: number
      readonly stage: number
      readonly stages: number
      readonly reverting: boolean
      readonly steps: readonly { readonly kind: string; readonly instance: string }[]
    }
  | {
      readonly kind: 'step-done'
      readonly scope: string
      readonly rollout: number
      readonly step: string
      readonly instance: string
      readonly tookMs: number
      /** There was nothing to do: it was so already. */
      readonly held?: boolean
    }
  | {
      readonly kind: 'stage-done'
      readonly scope: string
      readonly rollout: number
      readonly stage: number
      readonly stages: number
      readonly tookMs: number
    }
  | {
      readonly kind: 'job-begun' | 'job-done'
      readonly scope: string
      readonly release: number
      readonly command: readonly string[]
      readonly tookMs?: number
      readonly exit?: string
    }
  | {
      readonly kind: 'rollout-failed'
      readonly scope: string
      readonly rollout: number
      readonly release: number | null
      readonly error: ErrorReport
      readonly failure?: RolloutFailure
    }
  | {
      readonly kind: 'rollout-reverting'
      readonly scope: string
      readonly rollout: number
      readonly to: number | null
      readonly why: string
    }
  /** `recreate` only: from the last stop to the first admission nobody serves; users get 503 and Retry-After. */
  | { readonly kind: 'gap-begun'; readonly scope: string; readonly rollout: number }
  | {
      readonly kind: 'gap-ended'
      readonly scope: string
      readonly rollout: number
      readonly tookMs: number
      /** How many requests were answered so meanwhile; absent where the gateway did not say. */
      readonly refused?: number
    }
  | {
      readonly kind: 'rollout-ended'
      readonly scope: string
      readonly rollout: number
      readonly outcome: Outcome
      readonly serving: number | null
      readonly tookMs: number
      readonly switchedMs?: number
    }
  | { readonly kind: 'instance-exited'; readonly scope: string; readonly instance: string; readonly status: string }
  | { readonly kind: 'instance-restarted'; readonly scope: string; readonly instance: string; readonly attempt: number }
  | {
      readonly kind: 'instance-crash-loop'
      readonly scope: string
      readonly instance: string
      readonly exits: number
      readonly nextInMs: number
    }
  | { readonly kind: 'instance-removed'; readonly scope: string; readonly instance: string; readonly why: string }
  | { readonly kind: 'gateway-restarted'; readonly why: string }
  | { readonly kind: 'server-started'; readonly pid: number; readonly version: string; readonly adopted: number }
  | { readonly kind: 'warning'; readonly scope?: string; readonly message: string; readonly hint?: string }
  | { readonly kind: 'waiting'; readonly message: string }

/** What the history keeps of a failed start, and the CLI shows. */
export interface RolloutFailure {
  readonly instance: string
  readonly cause: string
  readonly what: string
  readonly hint: string
  readonly lines: readonly string[]
  readonly exit?: string
  readonly answers: readonly string[]
}

/** One thing that a check has to say, with its place. */
export interface CheckFinding {
  readonly check: 'test' | 'vet' | 'coverage' | 'vulnerability' | 'layout'
  /** `block` fails the check; `warn` is only said. */
  readonly severity: 'block' | 'warn'
  /** 'example.com/shop/cart TestCart/empty', 'printf', 'GO-2026-1234' */
  readonly what: string
  /** 'cart/cart_test.go:12', from the project's folder */
  readonly place?: string
  readonly message: string
  /** What the test printed. */
  readonly lines?: readonly string[]
  readonly hint?: string
}

/** The last line of every command with `--json`. */
export interface ResultEvent {
  readonly kind: 'result'
  readonly outcome: Outcome
  readonly services?: readonly ServiceOutcome[]
  readonly data?: unknown
  readonly error?: ErrorReport
}

export type FairwayEvent = FairwayEventBody & {
  readonly seq: number
  readonly at: number
  /** The operation it belongs to, when it belongs to one. */
  readonly operation?: number
}

/** Takes typed events, with the operation they belong to; a reporter prints, streams or stores them. */
export type Report = (event: FairwayEventBody, operation?: number) => void
