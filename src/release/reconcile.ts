import type { ServerMode } from '../gateway/index.ts'
import type { DesiredInstances, InstanceRef } from './release.ts'

/** One incarnation as seen now: by the runtime whether it lives, by the gateway how it is treated. */
export interface ObservedIncarnation {
  readonly instance: InstanceRef
  readonly incarnation: number
  readonly alive: boolean
  /** `none`: the gateway does not know it. */
  readonly gateway: ServerMode | 'none'
}

/** How often and when an instance of a release ended by itself lately; monotonic ms, oldest first. */
export type ExitHistory = ReadonlyMap<InstanceRef, readonly number[]>

export type KeeperAction =
  /** Gone: take it out of the gateway and forget it. */
  | { readonly kind: 'clear'; readonly instance: InstanceRef; readonly incarnation: number }
  | { readonly kind: 'start'; readonly instance: InstanceRef; readonly thenAdmit: boolean }
  | { readonly kind: 'admit'; readonly instance: InstanceRef }
  /** Runs, but nobody asked for it. */
  | { readonly kind: 'remove'; readonly instance: InstanceRef; readonly incarnation: number }

export interface Reconciliation {
  readonly actions: readonly KeeperAction[]
  /** Instances whose restart waits, with the monotonic time it may happen at. */
  readonly waiting: readonly { readonly instance: InstanceRef; readonly at: number; readonly exits: number }[]
}

/** An exit is forgiven after this long without another. */
export const exitMemoryMs = 10 * 60_000
/** From this many exits within `exitMemoryMs` on, it is a crash loop: a state that is shown, not a storm. */
export const crashLoopExits = 5

/** The first restart is at once; then 1 s, 2 s, 4 s … to a minute. */
export function restartDelayMs(exits: number): number {
  return exits <= 1 ? 0 : Math.min(60_000, 1000 * 2 ** (exits - 2))
}

/** Desired against observed; decides, touches nothing. `now` is monotonic, in ms. */
export function reconcile(
  desired: DesiredInstances,
  observed: readonly ObservedIncarnation[],
  exits: ExitHistory,
  now: number,
): Reconciliation {
  const actions: KeeperAction[] = []
  const waiting: { instance: InstanceRef; at: number; exits: number }[] = []
  const newest = new Map<InstanceRef, ObservedIncarnation>()
  for (const seen of observed) {
    if (!seen.alive) {
      actions.push({ kind: 'clear', instance: seen.instance, incarnation: seen.incarnation })
      continue
    }
    const other = newest.get(seen.instance)
    if (!desired.has(seen.instance)) actions.push(remove(seen))
    else if (other === undefined) newest.set(seen.instance, seen)
    else if (other.incarnation < seen.incarnation) {
      newest.set(seen.instance, seen)
      actions.push(remove(other))
    } else actions.push(remove(seen))
  }
  for (const [instance, role] of desired) {
    const live = newest.get(instance)
    if (live === undefined) {
      if (role === 'draining') continue // it was on its way out
      const recent = (exits.get(instance) ?? []).filter((at) => now - at < exitMemoryMs)
      const at = (recent.at(-1) ?? now) + restartDelayMs(recent.length)
      if (at <= now) actions.push({ kind: 'start', instance, thenAdmit: role === 'serving' })
      else waiting.push({ instance, at, exits: recent.length })
    } else if (role === 'serving' && live.gateway !== 'ready') actions.push({ kind: 'admit', instance })
  }
  return { actions, waiting }
}

function remove({ instance, incarnation }: ObservedIncarnation): KeeperAction {
  return { kind: 'remove', instance, incarnation }
}
