import { FairwayError, reportError } from '../base/error.ts'
import { KeyedQueue } from '../base/keyed-queue.ts'
import { type Outcome, type ServiceOutcome, worstOutcome } from '../base/outcome.ts'
import { type Route, type ServiceScope, scopeKey } from '../config/index.ts'
import type { Incarnation } from '../runtime/index.ts'
import { abortedBy, Interrupted } from './abort.ts'
import { changeService, introduceServices, settleService } from './change-service.ts'
import { gatewayServices } from './gateway-wish.ts'
import { endJobs, type JobCommands } from './jobs.ts'
import { Keeper } from './keeper.ts'
import { instanceRef, type RolloutRecord } from './release.ts'
import { RouteClaims } from './route-claims.ts'
import type { OperationRecord, PlannedChange, RecordedChange } from './store/rollout-store.ts'
import type { World } from './world.ts'

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
  /** Of jobs that this control plane began by hand. */
  readonly jobCommands: JobCommands = new Map()
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
    await this.world.gateway.restore(await gatewayServices(this.world))
    // Unfinished operations hold their services before the keeper looks at them.
    for (const operation of await this.world.rollouts.unfinishedOperations()) this.#run(operation)
    await this.#tendNetworks()
    const instances = await this.world.runtime.list()
    const adopted = instances.filter(({ state }) => state.kind === 'running').length
    for (const { id } of instances) if (id.ordinal === 0) this.#forgetAfterItsEnd(id)
    await this.keeper.begin()
    return { adopted }
  }

  /** What cannot be made good now is tried again with the slow tick; nobody waits for it to serve. */
  async #tendNetworks(): Promise<void> {
    await this.world.runtime.tend().catch((error: unknown) => {
      this.world.report({
        kind: 'warning',
        message: `networks could not be looked after: ${reportError(error).message}`,
      })
    })
  }

  /** A job of a control plane that is gone: it may end as it likes; nobody waits for its status any more. */
  #forgetAfterItsEnd(id: Incarnation): void {
    const { runtime, incarnations, rollouts } = this.world
    const isBusy = this.isBusy(id.scope)
    const forget = async () => {
      const before = isBusy ? await rollouts.job(id.scope, id.release) : undefined
      if (before?.state === 'begun' && before.incarnation === id.incarnation) return // a rollout goes on with it
      await runtime.exited(id, { signal: this.#ends.signal })
      await runtime.forget(id)
      await incarnations.remove(id.scope, { instance: instanceRef(id.release, 0), incarnation: id.incarnation })
    }
    forget().catch(() => {}) // ended first; the next start looks again
  }

  /**
   * Records an operation and starts it; it goes on whether or not anybody waits for it.
   * @throws FairwayError ROLLOUT_BUSY while another works on one of the services; ROUTE_TAKEN
   */
  async start(name: string, who: string, changes: readonly PlannedChange[]): Promise<OperationRecord> {
    for (const { scope } of changes) this.refuseBusy(scope)
    const startedAt = this.world.clock.now()
    // Reserved before anything is awaited: two at once must not both pass the checks.
    for (const change of changes) {
      this.#reserved.set(scopeKey(change.scope), { who, startedAt, name })
      this.#routes.claim(change)
    }
    try {
      for (const { scope, release, desired } of changes) {
        if (release !== null && desired.route !== undefined) await this.refuseTaken(desired.route, scope)
      }
      const recorded = await Promise.all(changes.map((change) => this.#withWishBefore(change)))
      const operation = await this.world.rollouts.createOperation({ name, who, changes: recorded, startedAt })
      this.#run(operation)
      return operation
    } catch (error) {
      for (const { scope } of changes) this.#letGo(scope)
      throw error
    }
  }

  #letGo(scope: ServiceScope): void {
    this.#reserved.delete(scopeKey(scope))
    this.#routes.drop(scope)
  }

  /** The other service a host and path belong to, or will belong to once what is under way has ended. */
  async routeOwner(route: Route, asking: ServiceScope): Promise<ServiceScope | undefined> {
    return this.#routes.owner(route, asking) ?? this.world.services.routeOwner(route, asking)
  }

  /** @throws FairwayError ROUTE_TAKEN */
  async refuseTaken(route: Route, asking: ServiceScope): Promise<void> {
    const owner = await this.routeOwner(route, asking)
    if (owner === undefined) return
    const isSibling = owner.project === asking.project && owner.environment === asking.environment
    throw new FairwayError('ROUTE_TAKEN', `${route.host}${route.path} belongs to ${scopeKey(owner)}`, {
      hint: isSibling
        ? `To move it from ${owner.service} to ${asking.service}: release ${owner.service} without it first, then ${asking.service} with it.`
        : `Give ${asking.service} another host or path in fairway.yaml: route: { host: …, path: … }.`,
    })
  }

  async #withWishBefore(change: PlannedChange): Promise<RecordedChange> {
    const state = await this.world.services.find(change.scope)
    if (state === undefined) return { ...change, before: null }
    const { desired, declaredInstances, needs } = state
    return { ...change, before: { desired, declaredInstances, needs } }
  }

  readonly #routes = new RouteClaims()
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

  /** Once nothing serves: a job that was begun while its service went down. */
  endJobs(): Promise<void> {
    return endJobs(this.world)
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
    for (const change of operation.changes) {
      const { scope } = change
      this.#reserved.set(scopeKey(scope), operation)
      this.#routes.claim(change)
      this.keeper.pause(scope)
      this.keeper.forgive(scope)
    }
    const done = this.#performToItsEnd(operation, abort.signal).finally(() => {
      this.#running.delete(operation.id)
      for (const { scope } of operation.changes) {
        this.#letGo(scope)
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
    const { world } = this
    const ended: ServiceOutcome[] = []
    const past = await world.rollouts.ofOperation(operation.id)
    let failed: ServiceOutcome | undefined
    const obstacle = await introduceServices(world, operation.changes).then(
      () => undefined,
      (error: unknown) => ({ error }),
    )
    for (const change of operation.changes) {
      const known = past.find((record) => scopeKey(record.scope) === scopeKey(change.scope))
      const outcome =
        failed === undefined ? await this.#performOne(operation, change, { known, obstacle, signal }) : 'unchanged'
      const now = await world.services.find(change.scope)
      const { service } = change.scope
      const one: ServiceOutcome = { service, outcome, release: now?.serving ?? null }
      ended.push(one)
      if (failed !== undefined) await this.#leave(operation, change, failed)
      else if (outcome !== 'done' && outcome !== 'unchanged') failed = one
    }
    const outcome = worstOutcome(ended.map((one) => one.outcome))
    await world.rollouts.endOperation(operation.id, { outcome, services: ended, at: world.clock.now() })
    return { outcome, services: ended }
  }

  /**
   * @param known how far an earlier control plane came with it
   * @param obstacle what kept all of them from beginning
   */
  async #performOne(
    operation: OperationRecord,
    change: RecordedChange,
    {
      known,
      obstacle,
      signal,
    }: { known: RolloutRecord | undefined; obstacle: { error: unknown } | undefined; signal: AbortSignal },
  ): Promise<Outcome> {
    const { world, keeper } = this
    const run = { world, keeper, queue: this.#queue, operation, signal }
    const ended = known?.phase === 'ended' ? known.outcome : null
    // What fails before a rollout began, or beside it, has moved nothing: settling brings the old wish back.
    const failed = (error: unknown): Outcome => {
      this.#reportFailure(operation, change, error)
      return 'reverted'
    }
    const perform = async (): Promise<Outcome> => {
      if (obstacle !== undefined) return failed(obstacle.error)
      if (known === undefined && signal.aborted) return 'aborted' // one that had begun is turned back
      return ended ?? (await changeService(change, known, run).catch(failed))
    }
    const outcome = await perform()
    try {
      await settleService(world, change, outcome)
      if (change.release === null && outcome === 'done') await endJobs(world, change.scope)
      return outcome
    } catch (error) {
      this.#reportFailure(operation, change, error)
      return 'failed'
    }
  }

  /** @throws what is no failure of the change: it is then somebody else's, or goes on later */
  #reportFailure({ id }: OperationRecord, { scope, release }: PlannedChange, error: unknown): void {
    if (error instanceof Interrupted || isDiskFull(error) || isLeaseLost(error)) throw error
    const what = { scope: scopeKey(scope), rollout: 0, release, error: reportError(error) }
    this.world.report({ kind: 'rollout-failed', ...what }, id)
  }

  /** Not begun, since another failed; the gateway need not know one that never served. */
  async #leave({ id, name }: OperationRecord, change: RecordedChange, failed: ServiceOutcome): Promise<void> {
    const { scope, before } = change
    if (before === null) await settleService(this.world, change, 'unchanged')
    const message = `${scope.service} was left as it is, since ${failed.service} is ${failed.outcome}`
    const hint = `Once ${failed.service} is mended, ${name} again.`
    this.world.report({ kind: 'warning', scope: scopeKey(scope), message, hint }, id)
  }
}

function isDiskFull(error: unknown): boolean {
  return error instanceof FairwayError && error.code === 'DISK_FULL'
}

function isLeaseLost(error: unknown): boolean {
  return error instanceof FairwayError && error.code === 'LEASE_LOST'
}
