import type { RolloutFailure } from '../base/event.ts'
import type { Outcome } from '../base/outcome.ts'
import type { Digest } from '../artifact/index.ts'
import type { GatewayService } from '../gateway/index.ts'
import type { DesiredState, RunSpecification, ServiceScope, Strategy } from '../config/index.ts'

/** A value of a release; a secret's text is not in it. Fingerprints are HMACs under the home's key. */
export type ReleaseValue =
  | { readonly kind: 'plain'; readonly value: string; readonly asFile: boolean }
  /** From a file of the source: encrypted here, base64. */
  | { readonly kind: 'sealed'; readonly sealed: string; readonly fingerprint: string; readonly asFile: boolean }
  /** By `fairway secret set`, this version. */
  | { readonly kind: 'stored'; readonly version: number; readonly fingerprint: string; readonly asFile: boolean }

/** Where it was made, for the history. */
export interface Source {
  /** 'hello', the last part of the folder; a MODULE@VERSION later. */
  readonly from: string
  readonly commit?: string
  readonly dirty?: boolean
}

/** One Artifact and one configuration, frozen together. To roll back is to point at an older one. */
export interface Release {
  readonly scope: ServiceScope
  readonly number: number
  /** Of artifact, values and run specification: a known digest is that release again. */
  readonly digest: string
  readonly artifact: Digest
  readonly binary: string
  readonly run: RunSpecification
  readonly values: Readonly<Record<string, ReleaseValue>>
  readonly goVersion: string
  readonly source: Source
  readonly createdAt: number
  readonly who: string
  /** An instance of it was healthy here once: coming back, one good answer is enough. */
  readonly provenAt: number | null
  readonly prunedAt: number | null
}

/** What makes a release this release and no other. */
export type ReleaseContent = Pick<Release, 'artifact' | 'values' | 'run'>

/** An instance within its service: '12-3' is the third of release 12. Ordinal 0 is a job's. */
export type InstanceRef = `${number}-${number}`

export function instanceRef(release: number, ordinal: number): InstanceRef {
  return `${release}-${ordinal}`
}

export function parseInstanceRef(ref: InstanceRef): { release: number; ordinal: number } {
  const [release = 0, ordinal = 0] = ref.split('-').map(Number)
  return { release, ordinal }
}

/** What is wished of one instance when nothing is under way in its stage. */
export type Role =
  | 'starting' // runs, not yet given traffic
  | 'serving'
  | 'draining' // runs, no longer given traffic
  | 'warm' // the same, kept for a quick way back
export type DesiredInstances = ReadonlyMap<InstanceRef, Role>

export interface Rollout {
  readonly strategy: Strategy
  readonly old: readonly InstanceRef[]
  readonly fresh: readonly InstanceRef[]
  /** Old instances are left running without traffic instead of being stopped. */
  readonly keepWarm: boolean
  /** The job that runs once before the first fresh instance. */
  readonly before: boolean
}

export type RolloutStep =
  | {
      readonly kind: 'start' | 'await-healthy' | 'admit' | 'drain' | 'stop' | 'keep-warm'
      readonly instance: InstanceRef
    }
  | { readonly kind: 'before'; readonly release: number }

/** What is done at once; the next stage begins when all of it holds. */
export type Stage = readonly RolloutStep[]

/** Why a rollout exists: its word in the history. */
export type Verb = 'up' | 'rollback' | 'scale' | 'down'

/** `forward` may turn into `reverting` once; an ended rollout has an outcome. */
export type RolloutPhase = 'forward' | 'reverting' | 'ended'

export interface RolloutRecord {
  readonly id: number
  readonly operation: number
  readonly scope: ServiceScope
  readonly verb: Verb
  readonly who: string
  readonly from: number | null
  readonly to: number | null
  readonly rollout: Rollout
  readonly stages: readonly Stage[]
  /** Index of the stage that is next. */
  readonly stage: number
  readonly phase: RolloutPhase
  readonly startedAt: number
  readonly endedAt: number | null
  readonly outcome: Outcome | null
  /** Why it was reverted or aborted, in words. */
  readonly why: string | null
  readonly failure: RolloutFailure | null
  /** From the beginning to the last drain order: when the last new request went to the old release. */
  readonly switchedMs: number | null
}

export type GatewayCheck = GatewayService['check']

/** What the environment wishes of a service; survives rollouts and rollbacks. */
export interface ServiceState {
  readonly scope: ServiceScope
  readonly desired: DesiredState
  /** What the file said last: `scale` holds until the file says something else. */
  readonly declaredInstances: number
  /** The release that has the traffic; null before the first and after `down`. */
  readonly serving: number | null
  /** Services of the same environment, by which the order of an `up` is found again. */
  readonly needs: readonly string[]
  readonly servingSince: number | null
  /** How the gateway checks its servers now; null for a worker, which the gateway does not know. */
  readonly check: GatewayCheck | null
}
