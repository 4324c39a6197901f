import type { RolloutFailure } from '../base/event.ts'
import type { Outcome } from '../base/outcome.ts'
import { type ServiceScope, scopeKey } from '../config/index.ts'
import { formatAddress } from '../host/index.ts'
import { incarnationName } from '../runtime/index.ts'
import type { ReleaseEngine } from './engine.ts'
import { jobsAmong, type JobStatus } from './jobs.ts'
import { whyOne } from './network.ts'
import { type Release, type RolloutRecord, type ServiceState, parseInstanceRef } from './release.ts'
import { incarnationOf } from './world.ts'

/** The service's own state; how the last rollout ended is another field: "aborted, old release healthy" is not degraded. */
/** `scaled-to-zero`: a release is chosen, and no instance of it is wanted. */
export type ServiceCondition =
  | 'healthy'
  | 'degraded'
  | 'unavailable'
  | 'changing'
  | 'crash-loop'
  | 'scaled-to-zero'
  | 'down'

export interface InstanceStatus {
  /** '12-3.1' */
  readonly name: string
  readonly release: number
  readonly state: 'running' | 'exited'
  readonly address: string | null
  /** What the gateway does with it; 'none' for a worker. */
  readonly traffic: 'ready' | 'drain' | 'shut' | 'none'
  readonly up: boolean
  readonly pid: number | null
  readonly startedAt: number | null
}

export interface ServiceStatus {
  readonly scope: string
  readonly service: string
  readonly condition: ServiceCondition
  readonly release: number | null
  readonly since: number | null
  readonly healthy: number
  readonly instances: number
  /** What the file says, where `scale` made it another number. */
  readonly declared: number
  /** Why there is one instance, whatever the file says; null where there may be several. */
  readonly onlyOne: { readonly why: string; readonly hint: string } | null
  readonly url: string | null
  readonly internalUrl: string | null
  readonly lastRollout: RolloutSummary | null
  readonly list: readonly InstanceStatus[]
  /** Instances that should serve and do not, and what is the matter. */
  readonly troubles: readonly InstanceTrouble[]
  /** Under way at this moment. */
  readonly jobs: readonly JobStatus[]
}

export interface InstanceTrouble {
  /** '12-3' */
  readonly instance: string
  readonly what: string
  /** null: it runs, or is started at once. */
  readonly nextStartInMs: number | null
}

export interface RolloutSummary {
  readonly id: number
  readonly verb: string
  readonly from: number | null
  readonly to: number | null
  readonly phase: string
  readonly stage: number
  readonly stages: number
  readonly outcome: Outcome | null
  readonly who: string
  readonly startedAt: number
  readonly tookMs: number | null
  readonly switchedMs: number | null
  readonly why: string | null
  readonly failure: RolloutFailure | null
}

export interface ReleaseSummary {
  readonly number: number
  readonly serving: boolean
  readonly createdAt: number
  readonly who: string
  readonly from: string
  readonly commit: string | null
  readonly dirty: boolean
  readonly artifact: string
  readonly goVersion: string
  readonly kept: boolean
  readonly rollouts: readonly RolloutSummary[]
}

export async function serviceStatus(engine: ReleaseEngine, state: ServiceState): Promise<ServiceStatus> {
  const { world } = engine
  const { scope, check, serving } = state
  const release = serving === null ? undefined : await world.releases.find(scope, serving)
  const onlyOne = release === undefined ? undefined : await whyOne(world, release.run)
  const wanted = onlyOne === undefined ? state.desired.instances : Math.min(state.desired.instances, 1)
  const [instances, records, servers, rollouts] = await Promise.all([
    world.runtime.list(scope),
    world.incarnations.list(scope),
    world.gateway.observe(scope),
    world.rollouts.list(scope, 1),
  ])
  const byName = new Map(instances.map((instance) => [incarnationName(instance.id), instance]))
  const list = records
    .filter(({ instance }) => parseInstanceRef(instance).ordinal > 0)
    .map(({ instance, incarnation, address, healthyAt }): InstanceStatus => {
      const name = incarnationName(incarnationOf(scope, instance, incarnation))
      const seen = byName.get(name)
      const server = servers.find((one) => one.name === name)
      const running = seen?.state.kind === 'running' ? seen.state : null
      return {
        name,
        release: parseInstanceRef(instance).release,
        state: running === null ? 'exited' : 'running',
        address: address === null ? null : formatAddress(address),
        traffic: server?.mode ?? 'none',
        up: running !== null && (address === null ? healthyAt !== null : (server?.up ?? false)),
        pid: running?.pid ?? null,
        startedAt: seen?.startedAt ?? null,
      }
    })
  const healthy = list.filter(
    ({ release, up, traffic, address }) => release === state.serving && up && (traffic === 'ready' || address === null),
  ).length
  const last = rollouts[0]
  return {
    scope: scopeKey(scope),
    service: scope.service,
    condition: condition(engine, state, { healthy, wanted }),
    release: state.serving,
    since: state.servingSince,
    healthy,
    instances: state.serving === null ? 0 : wanted,
    declared: state.declaredInstances,
    onlyOne: onlyOne ?? null,
    url: state.serving === null ? null : serviceUrl(engine, state),
    internalUrl: check !== null && state.serving !== null ? world.gateway.internalUrl(scope) : null,
    lastRollout: last === undefined ? null : summarizeRollout(last),
    list,
    troubles: engine.isBusy(scope) ? [] : engine.keeper.troubles(scope),
    jobs: jobsAmong(instances, engine.jobCommands),
  }
}

function condition(
  engine: ReleaseEngine,
  { scope, serving }: ServiceState,
  { healthy, wanted }: { healthy: number; wanted: number },
): ServiceCondition {
  if (engine.isBusy(scope)) return 'changing'
  if (serving === null) return 'down'
  if (wanted === 0) return 'scaled-to-zero'
  if (healthy >= wanted) return 'healthy'
  if (engine.keeper.crashLoops(scope).length > 0) return 'crash-loop'
  return healthy === 0 ? 'unavailable' : 'degraded'
}

/** The address for a browser: the route's host at the gateway's first bind. */
export function serviceUrl(
  engine: ReleaseEngine,
  { scope, desired, check }: Pick<ServiceState, 'scope' | 'desired' | 'check'>,
): string | null {
  if (check?.kind === 'stream') return engine.world.gateway.internalUrl(scope) // no host leads to it
  const bind = engine.world.gateway.binds[0]
  if (desired.route === undefined || bind === undefined) return null
  const port = bind.port === 80 ? '' : `:${bind.port}`
  return `http://${desired.route.host}${port}${desired.route.path}`
}

export async function releaseHistory(engine: ReleaseEngine, scope: ServiceScope): Promise<ReleaseSummary[]> {
  const { world } = engine
  const [releases, rollouts, state] = await Promise.all([
    world.releases.list(scope),
    world.rollouts.list(scope, 500),
    world.services.find(scope),
  ])
  return releases.map((release: Release) => ({
    number: release.number,
    serving: state?.serving === release.number,
    createdAt: release.createdAt,
    who: release.who,
    from: release.source.from,
    commit: release.source.commit ?? null,
    dirty: release.source.dirty ?? false,
    artifact: release.artifact,
    goVersion: release.goVersion,
    kept: release.prunedAt === null,
    rollouts: rollouts.filter(({ to }) => to === release.number).map(summarizeRollout),
  }))
}

export function summarizeRollout(record: RolloutRecord): RolloutSummary {
  return {
    id: record.id,
    verb: record.verb,
    from: record.from,
    to: record.to,
    phase: record.phase,
    stage: record.stage,
    stages: record.stages.length,
    outcome: record.phase === 'ended' ? record.outcome : null,
    who: record.who,
    startedAt: record.startedAt,
    tookMs: record.endedAt === null ? null : Math.max(0, record.endedAt - record.startedAt),
    switchedMs: record.switchedMs,
    why: record.why,
    failure: record.failure,
  }
}
