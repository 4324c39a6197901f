import type { Clock } from '../base/clock.ts'
import type { Report } from '../base/event.ts'
import type { Checkpoint, Journal } from '../base/journal.ts'
import type { Secret } from '../base/secret.ts'
import type { Digest } from '../artifact/index.ts'
import type { ServiceScope } from '../config/index.ts'
import type { Gateway } from '../gateway/index.ts'
import type { Address, NetworkAbility } from '../host/index.ts'
import type { Incarnation, Runtime } from '../runtime/index.ts'
import type { ReleaseValue } from './release.ts'
import type { IncarnationStore } from './store/incarnation-store.ts'
import type { ReleaseStore } from './store/release-store.ts'
import type { RolloutStore } from './store/rollout-store.ts'
import type { ServiceStore } from './store/service-store.ts'

/** Where artifacts are kept, as far as starting one needs it. */
export interface ArtifactSource {
  /** The folder with its files laid out, read-only. */
  folder(digest: Digest): string
  holds(digest: Digest): Promise<boolean>
  remove(digest: Digest): Promise<void>
}

export interface SecretSource {
  /** @throws FairwayError STATE_CORRUPT when it cannot be decrypted */
  reveal(scope: ServiceScope, key: string, value: Exclude<ReleaseValue, { kind: 'plain' }>): Promise<Secret>
}

export interface NetworkSource {
  ability(): Promise<NetworkAbility>
  /** An address that is in none of `taken`. @throws FairwayError PORT_TAKEN when the range is used up */
  choose(taken: ReadonlySet<string>): Promise<string>
}

/** Folders of one service on this machine. */
export interface InstancePlace {
  readonly user?: { readonly uid: number; readonly gid: number }
  readonly homeFolder: string
  readonly temporaryFolder: string
  readonly dataFolder: string
}

/** Everything a rollout and the keeper touch, by their interfaces: app.ts picks the drivers. */
export interface World {
  readonly runtime: Runtime
  readonly gateway: Gateway
  readonly artifacts: ArtifactSource
  readonly secrets: SecretSource
  readonly place: (scope: ServiceScope, run: { user?: string }) => Promise<InstancePlace>
  /** Whether an instance may run as this `user:`; where not it runs as the control plane does. */
  readonly mayRunAs: (user: string) => boolean
  /** A free address that is in none of `taken`. @throws FairwayError PORT_TAKEN when the range is used up */
  readonly choosePort: (taken: ReadonlySet<string>) => Promise<Address>
  /** Networks of instances' own. */
  readonly networks: NetworkSource
  readonly timeZone: string
  readonly releases: ReleaseStore
  readonly services: ServiceStore
  readonly incarnations: IncarnationStore
  readonly rollouts: RolloutStore
  readonly journal: Journal
  readonly report: Report
  readonly clock: Clock
  readonly bootId: string
  readonly checkpoint?: Checkpoint | undefined
}

export function incarnationOf(scope: ServiceScope, instance: string, incarnation: number): Incarnation {
  const [release = 0, ordinal = 0] = instance.split('-').map(Number)
  return { scope, release, ordinal, incarnation }
}
