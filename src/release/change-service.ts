import { reportError } from '../base/error.ts'
import type { KeyedQueue } from '../base/keyed-queue.ts'
import type { Outcome } from '../base/outcome.ts'
import { type ServiceScope, scopeKey } from '../config/index.ts'
import { applyBinds, checkOf, routeOf, sameCheck } from './gateway-wish.ts'
import type { Keeper } from './keeper.ts'
import { holdToMachine } from './network.ts'
import { planRollout } from './plan.ts'
import { pruneReleases } from './prune.ts'
import {
  type DesiredInstances,
  type GatewayCheck,
  instanceRef,
  type InstanceRef,
  type Rollout,
  type RolloutRecord,
} from './release.ts'
import { runRollout } from './run-rollout.ts'
import type { OperationRecord, PlannedChange, RecordedChange } from './store/rollout-store.ts'
import type { World } from './world.ts'

/** Services that are new have their address before any instance starts: SERVICE_URL_… of the others names it. */
export async function introduceServices(world: World, changes: readonly PlannedChange[]): Promise<void> {
  for (const { scope, release, desired, declaredInstances, needs } of changes) {
    if (release === null || (await world.services.find(scope)) !== undefined) continue
    const target = await world.releases.find(scope, release)
    const check = target === undefined ? null : checkOf(target.run)
    await world.services.save(scope, { desired, declaredInstances, needs, check })
    if (check !== null) await world.gateway.setService({ scope, check, ...routeOf(desired) })
  }
}

export interface ServiceChangeRun {
  readonly world: World
  readonly keeper: Keeper
  readonly queue: KeyedQueue
  readonly operation: OperationRecord
  readonly signal: AbortSignal
}

/**
 * What is wished of one service takes effect: its gateway, then its instances.
 * @param known the rollout that an earlier control plane began for it
 * @throws Interrupted, LEASE_LOST
 */
export async function changeService(
  change: RecordedChange,
  known: RolloutRecord | undefined,
  run: ServiceChangeRun,
): Promise<Outcome> {
  const { world, keeper, queue, signal } = run
  const { scope, release } = change
  const before = await world.services.find(scope)
  const target = release === null ? undefined : await world.releases.find(scope, release)
  const desired = target === undefined ? change.desired : await holdToMachine(world, target.run, change.desired)
  const wanted = (target === undefined ? null : checkOf(target.run)) ?? before?.check ?? null
  const check = before?.serving == null ? wanted : checkForBoth(before.check, wanted)
  await world.services.save(scope, { ...change, check })
  if (check !== null && release !== null) await world.gateway.setService({ scope, check, ...routeOf(desired) })
  const record = known ?? (await beginRollout({ ...change, desired }, before?.serving ?? null, run))
  if (record === undefined) return 'done'
  const { drainMs, keepWarmMs } = desired
  const { outcome } = await runRollout(record, { world, keeper, queue, signal, patience: { drainMs }, keepWarmMs })
  return outcome ?? 'failed'
}

/** While two releases stand side by side, a check that only one of them answers would take the other out. */
function checkForBoth(old: GatewayCheck | null, fresh: GatewayCheck | null): GatewayCheck | null {
  return old === null || fresh === null || sameCheck(old, fresh) ? fresh : { kind: 'tcp' }
}

/** undefined when every instance that is wanted serves already. */
async function beginRollout(
  { scope, release, verb, desired }: PlannedChange,
  serving: number | null,
  { world, operation }: ServiceChangeRun,
): Promise<RolloutRecord | undefined> {
  const current = await world.rollouts.desired(scope, { bootId: world.bootId, now: world.clock.monotonicMs() })
  const target = new Set(
    release === null ? [] : Array.from({ length: desired.instances }, (_, index) => instanceRef(release, index + 1)),
  )
  const serves = (ref: InstanceRef) => current.get(ref) === 'serving'
  const old = [...current.keys()].filter((ref) => !target.has(ref) && (serves(ref) || current.get(ref) !== 'warm'))
  const fresh = [...target].filter((ref) => !serves(ref))
  if (old.length === 0 && fresh.length === 0 && serving === release) return undefined
  const allAtOnce = verb !== 'up' && desired.strategy.kind === 'rolling'
  const isOther = release !== null && release !== serving
  const mayHaveJob = verb === 'up' && isOther && fresh.length > 0
  const rollout: Rollout = {
    strategy: allAtOnce ? { kind: 'rolling', batch: 'all' } : desired.strategy,
    old,
    fresh,
    keepWarm: desired.keepWarmMs > 0 && isOther,
    before: mayHaveJob && (await hasJobToDo(world, scope, release)),
  }
  const stages = planRollout(rollout)
  const { who, id } = operation
  const record = await world.rollouts.create(
    { operation: id, scope, verb, who, from: serving, to: release, rollout, stages, startedAt: world.clock.now() },
    withoutOtherWarm(current, target),
    { until: world.clock.monotonicMs() + desired.keepWarmMs, bootId: world.bootId },
  )
  const what = { scope: scopeKey(scope), rollout: record.id, verb, from: serving, to: release, stages: stages.length }
  world.report({ kind: 'rollout-begun', ...what, who }, id)
  return record
}

async function hasJobToDo({ releases, rollouts }: World, scope: ServiceScope, release: number): Promise<boolean> {
  if ((await releases.find(scope, release))?.run.before === undefined) return false
  return (await rollouts.job(scope, release))?.state !== 'done'
}

/** Warm instances of a release that is not the one before or after this rollout have had their time. */
function withoutOtherWarm(current: DesiredInstances, target: ReadonlySet<InstanceRef>): DesiredInstances {
  return new Map([...current].filter(([ref, role]) => role !== 'warm' || target.has(ref)))
}

/**
 * After a change, whichever way it ended: what is wished from now on (of a failed one, what was wished before), and the
 * gateway's check of the release that serves. Done again where a control plane was killed in the middle of it.
 */
export async function settleService(
  world: World,
  { before, ...change }: RecordedChange,
  outcome: Outcome,
): Promise<void> {
  const { scope } = change
  const state = await world.services.find(scope)
  const serving = state?.serving ?? null
  const release = serving === null ? undefined : await world.releases.find(scope, serving)
  const check = release === undefined ? (state?.check ?? null) : checkOf(release.run)
  const wish = outcome === 'done' ? change : (before ?? change)
  await world.services.save(scope, { ...wish, check })
  if (serving === null || check === null) await removeFromGateway(world, scope)
  else await world.gateway.setService({ scope, check, ...routeOf(wish.desired) })
  if (outcome === 'done') await prune(world, scope)
}

async function removeFromGateway(world: World, scope: ServiceScope): Promise<void> {
  const { gateway, services } = world
  await gateway.removeService(scope)
  const others = await services.list({ project: scope.project, environment: scope.environment })
  if (others.every(({ serving }) => serving === null)) await applyBinds(world, scope, [])
}

/** Old files that could not be removed are no failure of the rollout: it is over. */
async function prune(world: World, scope: ServiceScope): Promise<void> {
  try {
    await pruneReleases(world, scope)
  } catch (error) {
    const message = `old releases could not be removed: ${reportError(error).message}`
    world.report({ kind: 'warning', scope: scopeKey(scope), message })
  }
}
