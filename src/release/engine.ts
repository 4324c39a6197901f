import { FairwayError, reportError } from '../base/error.ts'
import { KeyedQueue } from '../base/keyed-queue.ts'
import { type Outcome, type ServiceOutcome, worstOutcome } from '../base/operation.ts'
import { type DesiredState, type Route, type RunSpecification, type ServiceScope, scopeKey } from '../config/index.ts'
import type { GatewayService } from '../gateway/index.ts'
import type { Address } from '../host/index.ts'
import { type Incarnation, incarnationName } from '../runtime/index.ts'
import { abortedBy, Interrupted } from './abort.ts'
import { Keeper } from './keeper.ts'
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
import { incarnationOf, type World } from './world.ts'

const diskFullRetryMs = 1000

interface Running {
  readonly operation: OperationRecord
  readonly abort: AbortController
  readonly done: Promise<OperationEnd>
}

export interface OperationEnd {
  readonly outcome: Outcome
  readonly services: readonly ServiceOutcome[]
}

/** Makes changes happen, one operation at a time for each service, and finishes what an earlier control plane began. */
export class ReleaseEngine implements AsyncDisposable {
  readonly world: World
  readonly keeper: Keeper
  readonly #queue = new KeyedQueue()
  readonly #running = new Map<number, Running>()
  readonly #ends = new AbortController()

  constructor(world: World) {
    this.world = world
    this.keeper = new Keeper(world, this.#queue)
  }

  /** Adopts what runs, restores the gateway, and goes on with what was under way. */
  async begin(): Promise<{ adopted: number }> {
    await this.world.gateway.setExtraBinds(await this.world.services.binds())
    await this.world.gateway.restore(await this.#gatewayServices())
    // Unfinished operations hold their services before the keeper looks at them.
    for (const operation of await this.world.rollouts.unfinishedOperations()) this.#run(operation)
    const instances = await this.world.runtime.list()
    const adopted = instances.filter(({ state }) => state.kind === 'running').length
    for (const { id } of instances) if (id.ordinal === 0) this.#forgetAfterItsEnd(id)
    await this.keeper.begin()
    return { adopted }
  }

  /** A job of a control plane that is gone: it may end as it likes; nobody waits for its status any more. */
  #forgetAfterItsEnd(id: Incarnation): void {
    if (this.isBusy(id.scope)) return // it may be the job of a rollout that goes on
    const { runtime, incarnations } = this.world
    const forget = async () => {
      await runtime.exited(id, { signal: this.#ends.signal })
      await runtime.forget(id)
      await incarnations.remove(id.scope, { instance: instanceRef(id.release, 0), incarnation: id.incarnation })
    }
    forget().catch(() => {}) // ended first; the next start looks again
  }

  /**
   * Records an operation and starts it; it goes on whether or not anybody waits for it.
   * @throws FairwayError ROLLOUT_BUSY while another works on one of the services
   */
  async start(name: string, who: string, changes: readonly PlannedChange[]): Promise<OperationRecord> {
    for (const { scope } of changes) this.refuseBusy(scope)
    const startedAt = this.world.clock.now()
    // Reserved before anything is awaited: two at once must not both pass the check above.
    for (const { scope } of changes) this.#reserved.set(scopeKey(scope), { who, startedAt, name })
    try {
      const recorded = await Promise.all(changes.map((change) => this.#withWishBefore(change)))
      const operation = await this.world.rollouts.createOperation({ name, who, changes: recorded, startedAt })
      this.#run(operation)
      return operation
    } catch (error) {
      for (const { scope } of changes) this.#reserved.delete(scopeKey(scope))
      throw error
    }
  }

  async #withWishBefore(change: PlannedChange): Promise<RecordedChange> {
    const state = await this.world.services.find(change.scope)
    if (state === undefined) return { ...change, before: null }
    const { desired, declaredInstances, needs } = state
    return { ...change, before: { desired, declaredInstances, needs } }
  }

  readonly #reserved = new Map<string, { who: string; startedAt: number; name: string }>()

  /** @throws FairwayError ROLLOUT_BUSY with who is at work since when */
  refuseBusy(scope: ServiceScope): void {
    const busy = this.#reserved.get(scopeKey(scope))
    if (busy === undefined) return
    const since = new Date(busy.startedAt).toISOString()
    throw new FairwayError(
      'ROLLOUT_BUSY',
      `${busy.who} is at work on ${scopeKey(scope)} since ${since} (${busy.name})`,
      {
        hint: 'Wait for it with --wait, watch it with `fairway events -f`, or end it with `fairway rollout abort`.',
      },
    )
  }

  /** Resolves when none of these services is worked on. */
  async idle(scopes: readonly ServiceScope[], { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    for (;;) {
      const busy = [...this.#running.values()].find(({ operation }) =>
        operation.changes.some(({ scope }) => scopes.some((other) => scopeKey(other) === scopeKey(scope))),
      )
      if (busy === undefined) return
      signal?.throwIfAborted()
      const aborted = new Promise<never>((_, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
      })
      await Promise.race([busy.done.catch(() => {}), aborted])
    }
  }

  isBusy(scope: ServiceScope): boolean {
    return this.#reserved.has(scopeKey(scope))
  }

  /** @throws Interrupted when the control plane ended before it did */
  async wait(operation: number): Promise<OperationEnd> {
    const running = this.#running.get(operation)
    if (running !== undefined) return running.done
    const record = await this.world.rollouts.operation(operation)
    if (record === undefined || record.outcome === null) {
      throw new FairwayError('ROLLOUT_NONE', `operation ${operation} is not known`)
    }
    return { outcome: record.outcome, services: record.services }
  }

  /** Turns back whatever works on this service. @throws FairwayError ROLLOUT_NONE */
  async abort(scope: ServiceScope, who: string): Promise<OperationEnd> {
    const running = [...this.#running.values()].find(({ operation }) =>
      operation.changes.some((change) => scopeKey(change.scope) === scopeKey(scope)),
    )
    if (running === undefined) {
      throw new FairwayError('ROLLOUT_NONE', `Nothing is under way on ${scopeKey(scope)}`, {
        hint: 'To go back to an earlier release: fairway rollback.',
      })
    }
    return this.#abortRunning(running, who)
  }

  async abortOperation(operation: number, who: string): Promise<OperationEnd> {
    const running = this.#running.get(operation)
    return running === undefined ? this.wait(operation) : this.#abortRunning(running, who)
  }

  #abortRunning({ abort, done }: Running, who: string): Promise<OperationEnd> {
    abort.abort(abortedBy(who))
    return done
  }

  /** Nothing serves and nothing is under way: the gateway has nobody to serve. */
  async isIdle(): Promise<boolean> {
    const all = await this.world.services.list()
    return this.#running.size === 0 && all.every(({ serving }) => serving === null)
  }

  /** Leaves everything as it is: instances and gateway serve on, what is under way is gone on with at the next start. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ends.abort()
    const running = [...this.#running.values()]
    for (const { abort } of running) abort.abort(new Interrupted('the control plane ends'))
    await this.keeper[Symbol.asyncDispose]()
    await Promise.allSettled(running.map(({ done }) => done))
  }

  #run(operation: OperationRecord): void {
    const abort = new AbortController()
    for (const { scope } of operation.changes) {
      this.#reserved.set(scopeKey(scope), operation)
      this.keeper.pause(scope)
      this.keeper.forgive(scope)
    }
    const done = this.#performToItsEnd(operation, abort.signal).finally(() => {
      this.#running.delete(operation.id)
      for (const { scope } of operation.changes) {
        this.#reserved.delete(scopeKey(scope))
        this.keeper.resume(scope)
      }
    })
    done.catch(() => {}) // whoever waits sees it; nobody need wait
    this.#running.set(operation.id, { operation, abort, done })
  }

  /** A state that cannot be written stops the work where it stands, and it goes on from there once there is room. */
  async #performToItsEnd(operation: OperationRecord, signal: AbortSignal): Promise<OperationEnd> {
    for (let isFirst = true; ; isFirst = false) {
      try {
        return await this.#perform(operation, signal)
      } catch (error) {
        if (!isDiskFull(error) || this.#ends.signal.aborted) throw error
        const { message } = reportError(error)
        const hint = `Free some space: ${operation.name} goes on from where it stands.`
        if (isFirst) this.world.report({ kind: 'warning', message, hint }, operation.id)
        await this.world.clock.sleep(diskFullRetryMs, { signal: this.#ends.signal })
      }
    }
  }

  /** Services one after another; a failure stops those not begun. */
  async #perform(operation: OperationRecord, signal: AbortSignal): Promise<OperationEnd> {
    const ended: ServiceOutcome[] = []
    await this.#introduce(operation.changes)
    const past = await this.world.rollouts.ofOperation(operation.id)
    for (const change of operation.changes) {
      const known = past.find((record) => scopeKey(record.scope) === scopeKey(change.scope))
      let outcome: Outcome
      try {
        if (known === undefined) signal.throwIfAborted() // one that had begun is turned back
        outcome =
          known?.phase === 'ended' && known.outcome !== null
            ? known.outcome
            : await this.#change(operation, change, known, signal)
        await this.#settle(change, outcome)
      } catch (error) {
        if (error instanceof Interrupted || isDiskFull(error)) throw error
        if (error instanceof FairwayError && error.code === 'LEASE_LOST') throw error
        outcome = signal.aborted ? 'aborted' : 'failed'
        if (!signal.aborted) {
          const scope = scopeKey(change.scope)
          this.world.report(
            {
              kind: 'rollout-failed',
              scope,
              rollout: 0,
              release: change.release,
              error: reportError(error),
            },
            operation.id,
          )
        }
      }
      const now = await this.world.services.find(change.scope)
      ended.push({ service: change.scope.service, outcome, release: now?.serving ?? null })
      if (outcome !== 'done' && outcome !== 'unchanged') break
    }
    const outcome = worstOutcome(ended.map((one) => one.outcome))
    await this.world.rollouts.endOperation(operation.id, { outcome, services: ended, at: this.world.clock.now() })
    return { outcome, services: ended }
  }

  /** Services that are new have their address before any instance starts: SERVICE_URL_… of the others names it. */
  async #introduce(changes: readonly PlannedChange[]): Promise<void> {
    for (const { scope, release, desired, declaredInstances, needs } of changes) {
      if (release === null || (await this.world.services.find(scope)) !== undefined) continue
      const target = await this.world.releases.find(scope, release)
      const check = target === undefined ? null : checkOf(target.run)
      await this.world.services.save(scope, { desired, declaredInstances, needs, check })
      if (check !== null) await this.world.gateway.setService({ scope, check, ...routeOf(desired) })
    }
  }

  async #change(
    operation: OperationRecord,
    change: RecordedChange,
    known: RolloutRecord | undefined,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const { world } = this
    const { scope } = change
    const before = await world.services.find(scope)
    const target = change.release === null ? undefined : await world.releases.find(scope, change.release)
    const wanted: GatewayCheck | null = (target === undefined ? null : checkOf(target.run)) ?? before?.check ?? null
    // While two releases stand side by side, a check only one of them answers would take the other out.
    const interim =
      before?.check !== null &&
      before?.serving !== null &&
      before !== undefined &&
      wanted !== null &&
      !sameCheck(before.check, wanted)
        ? ({ kind: 'tcp' } as const)
        : wanted
    await world.services.save(scope, { ...change, check: interim })
    if (interim !== null && change.release !== null) {
      await world.gateway.setService({
        scope,
        check: interim,
        ...routeOf(change.desired),
      })
    }
    const record = known ?? (await this.#createRollout(operation, change, before?.serving ?? null))
    let outcome: Outcome = 'done'
    if (record !== undefined) {
      const ended = await runRollout(record, {
        world,
        keeper: this.keeper,
        queue: this.#queue,
        signal,
        patience: { drainMs: change.desired.drainMs },
        keepWarmMs: change.desired.keepWarmMs,
      })
      outcome = ended.outcome ?? 'failed'
    }
    return outcome
  }

  /**
   * After a change, whichever way it ended: what is wished from now on (of a failed one, what was wished before), and the
   * gateway's check of the release that serves. Done again where a control plane was killed in the middle of it.
   */
  async #settle({ before, ...change }: RecordedChange, outcome: Outcome): Promise<void> {
    const { world } = this
    const { scope } = change
    const state = await world.services.find(scope)
    const serving = state?.serving ?? null
    const release = serving === null ? undefined : await world.releases.find(scope, serving)
    const check = release === undefined ? (state?.check ?? null) : checkOf(release.run)
    const wish = outcome === 'done' ? change : (before ?? change)
    await world.services.save(scope, { ...wish, check })
    if (serving === null || check === null) await this.#removeFromGateway(scope)
    else await world.gateway.setService({ scope, check, ...routeOf(wish.desired) })
    if (outcome === 'done') await this.#prune(scope)
  }

  async #removeFromGateway(scope: ServiceScope): Promise<void> {
    const { gateway, services } = this.world
    await gateway.removeService(scope)
    const others = await services.list({ project: scope.project, environment: scope.environment })
    if (others.every(({ serving }) => serving === null)) await this.applyBinds(scope, [])
  }

  /** Old files that could not be removed are no failure of the rollout: it is over. */
  async #prune(scope: ServiceScope): Promise<void> {
    try {
      await pruneReleases(this.world, scope)
    } catch (error) {
      const message = `old releases could not be removed: ${reportError(error).message}`
      this.world.report({ kind: 'warning', scope: scopeKey(scope), message })
    }
  }

  /** undefined when every instance that is wanted serves already. */
  async #createRollout(
    operation: OperationRecord,
    change: PlannedChange,
    serving: number | null,
  ): Promise<RolloutRecord | undefined> {
    const { world } = this
    const { scope, release, verb, desired } = change
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
    const before =
      verb === 'up' &&
      isOther &&
      fresh.length > 0 &&
      (await world.releases.find(scope, release))?.run.before !== undefined
    const rollout: Rollout = {
      strategy: allAtOnce ? { kind: 'rolling', batch: 'all' } : desired.strategy,
      old,
      fresh,
      keepWarm: desired.keepWarmMs > 0 && isOther && release !== null,
      before: before && (await world.rollouts.job(scope, release))?.state !== 'done',
    }
    const stages = planRollout(rollout)
    const record = await world.rollouts.create(
      {
        operation: operation.id,
        scope,
        verb,
        who: operation.who,
        from: serving,
        to: release,
        rollout,
        stages,
        startedAt: world.clock.now(),
      },
      withoutOtherWarm(current, target),
      { until: world.clock.monotonicMs() + desired.keepWarmMs, bootId: world.bootId },
    )
    world.report(
      {
        kind: 'rollout-begun',
        scope: scopeKey(scope),
        rollout: record.id,
        verb,
        from: serving,
        to: release,
        stages: stages.length,
        who: operation.who,
      },
      operation.id,
    )
    return record
  }

  /** The addresses a project's environment adds to the gateway's; none once nothing of it serves. */
  async applyBinds({ project, environment }: Omit<ServiceScope, 'service'>, binds: readonly Address[]): Promise<void> {
    const owner = `${project}/${environment}`
    await this.world.gateway.setExtraBinds([...(await this.world.services.binds(owner)), ...binds])
    await this.world.services.saveBinds(owner, binds)
  }

  /** Those that serve or have instances; what was taken down has no route. */
  async #gatewayServices(): Promise<GatewayService[]> {
    const known: GatewayService[] = []
    for (const state of await this.world.services.list()) {
      if (state.check === null) continue
      const service = await this.#gatewayService(state)
      if (state.serving !== null || service.servers.length > 0) known.push(service)
    }
    return known
  }

  /** As it was last wished of the gateway: a control plane killed between the wish and the order finds the wish. */
  async #gatewayService({
    scope,
    desired,
    check,
  }: {
    scope: ServiceScope
    desired: PlannedChange['desired']
    check: GatewayCheck | null
  }): Promise<GatewayService> {
    const records = await this.world.incarnations.list(scope)
    return {
      scope,
      check: check ?? { kind: 'tcp' },
      ...routeOf(desired),
      servers: records.flatMap(({ instance, incarnation, address, gateway }) =>
        address === null || gateway === 'none'
          ? []
          : [{ name: incarnationName(incarnationOf(scope, instance, incarnation)), address, mode: gateway }],
      ),
    }
  }
}

/** How the gateway itself checks a release's instances; null for a worker. */
function checkOf({ listen, probe }: Pick<RunSpecification, 'listen' | 'probe'>): GatewayCheck | null {
  if (listen.kind === 'none') return null
  return probe.target.kind === 'http' ? probe.target : { kind: 'tcp' }
}

function isDiskFull(error: unknown): boolean {
  return error instanceof FairwayError && error.code === 'DISK_FULL'
}

function routeOf({ route }: DesiredState): { route?: Route } {
  return route === undefined ? {} : { route }
}

function sameCheck(a: GatewayCheck | null, b: GatewayCheck | null): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

/** Warm instances of a release that is not the one before or after this rollout have had their time. */
function withoutOtherWarm(current: DesiredInstances, target: ReadonlySet<InstanceRef>): DesiredInstances {
  return new Map([...current].filter(([ref, role]) => role !== 'warm' || target.has(ref)))
}
