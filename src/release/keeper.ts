import { runStep } from '../base/journal.ts'
import type { KeyedQueue } from '../base/keyed-queue.ts'
import { type ServiceScope, scopeKey } from '../config/index.ts'
import { incarnationName } from '../runtime/index.ts'
import { Interrupted } from './abort.ts'
import { journaledStep } from './execute.ts'
import { describeExit, InstanceFailure } from './instance-failure.ts'
import { crashLoopExits, exitMemoryMs, type KeeperAction, type ObservedIncarnation, reconcile } from './reconcile.ts'
import type { DesiredInstances, InstanceRef, RolloutStep } from './release.ts'
import { incarnationOf, type World } from './world.ts'

/** How long a look without any event may be off. */
const slowTickMs = 5000
const glanceMs = 1000

export interface HoldOptions {
  readonly signal: AbortSignal
  /** Instances of a rollout under way: one of these that ended fails the rollout instead of being restarted. */
  readonly onTrial?: ReadonlySet<string> | undefined
  /** Instances of a rollout that is being turned back: where they ended, or have no traffic, it stays so. */
  readonly leaving?: ReadonlySet<string> | undefined
}

interface Trouble {
  /** 'ended: exit status 1' */
  readonly what: string
  /** Monotonic; null: at once, or it runs. */
  readonly nextStartAt: number | null
}

/** Holds what is desired between rollouts, and between the stages of one: woken by events, and by a slow tick. */
export class Keeper implements AsyncDisposable {
  readonly #world: World
  readonly #queue: KeyedQueue
  readonly #stop = new AbortController()
  readonly #exits = new Map<string, Map<InstanceRef, number[]>>()
  readonly #watched = new Map<string, AbortController>()
  readonly #inLoop = new Set<string>()
  readonly #warned = new Set<string>()
  readonly #seenExits = new Set<string>()
  /** Of each scope: what is the matter with instances that should serve and do not. */
  readonly #troubles = new Map<string, Map<InstanceRef, Trouble>>()
  /** Services a rollout works on: it holds them itself, and does not wait for what the keeper had begun. */
  readonly #paused = new Set<string>()
  readonly #keeping = new Map<string, AbortController>()
  #nextWake = Infinity
  #timer: NodeJS.Timeout | undefined
  #isReleased = false

  constructor(world: World, queue: KeyedQueue) {
    this.#world = world
    this.#queue = queue
  }

  /** From now on: every service at once, then on each event and tick. */
  async begin(): Promise<void> {
    this.#isReleased = true
    this.#world.gateway.onRestart(() => {
      this.pokeAll()
    })
    await this.#tick()
  }

  /** Something happened to this service: look soon. */
  poke(scope: ServiceScope): void {
    if (this.#stop.signal.aborted || !this.#isReleased) return
    void this.#queue.run(scopeKey(scope), () => this.#keep(scope)).catch((error: unknown) => this.#warn(scope, error))
  }

  pokeAll(): void {
    this.#tick().catch((error: unknown) => this.#warn(undefined, error))
  }

  /** A rollout takes over: what the keeper had begun for this service is left off at once. */
  pause(scope: ServiceScope): void {
    this.#paused.add(scopeKey(scope))
    this.#keeping.get(scopeKey(scope))?.abort(new Interrupted('a rollout took over'))
  }

  resume(scope: ServiceScope): void {
    this.#paused.delete(scopeKey(scope))
    this.poke(scope)
  }

  /** What a person did on purpose forgets earlier crashes: the next start is not delayed. */
  forgive(scope: ServiceScope): void {
    this.#exits.delete(scopeKey(scope))
    this.#troubles.delete(scopeKey(scope))
    for (const key of this.#inLoop) if (key.startsWith(`${scopeKey(scope)}/`)) this.#inLoop.delete(key)
  }

  /** What is the matter with the instances of a scope that should serve and do not. */
  troubles(scope: ServiceScope): { instance: InstanceRef; what: string; nextStartInMs: number | null }[] {
    const now = this.#world.clock.monotonicMs()
    return [...(this.#troubles.get(scopeKey(scope)) ?? [])].map(([instance, { what, nextStartAt }]) => ({
      instance,
      what,
      nextStartInMs: nextStartAt === null ? null : Math.max(0, nextStartAt - now),
    }))
  }

  #note(scope: ServiceScope, instance: InstanceRef, trouble: Partial<Trouble>): void {
    const ofScope = this.#troubles.get(scopeKey(scope)) ?? new Map<InstanceRef, Trouble>()
    this.#troubles.set(scopeKey(scope), ofScope)
    ofScope.set(instance, { what: 'ended', nextStartAt: null, ...ofScope.get(instance), ...trouble })
  }

  /** Instances of a scope whose restart waits. */
  crashLoops(scope: ServiceScope): InstanceRef[] {
    const prefix = `${scopeKey(scope)}/`
    return [...this.#inLoop]
      .filter((key) => key.startsWith(prefix))
      .map((key) => key.slice(prefix.length) as InstanceRef)
  }

  /**
   * Makes the world as desired, within the caller's turn of the queue.
   * @throws InstanceFailure of an instance on trial
   */
  async hold(scope: ServiceScope, desired: DesiredInstances, { onTrial, leaving, signal }: HoldOptions): Promise<void> {
    const observed = await this.#observe(scope)
    const { actions, waiting } = reconcile(
      desired,
      observed,
      this.#exits.get(scopeKey(scope)) ?? new Map(),
      this.#world.clock.monotonicMs(),
    )
    for (const action of actions) {
      if (action.kind === 'start' && onTrial?.has(action.instance)) {
        await this.#act(scope, { kind: 'await-healthy', instance: action.instance }, signal) // throws, with the evidence
      }
    }
    for (const action of actions) {
      const bringsUp = action.kind === 'start' || action.kind === 'admit'
      if (!bringsUp || !leaving?.has(action.instance)) await this.#perform(scope, action, desired, signal)
    }
    const known = this.#troubles.get(scopeKey(scope))
    for (const instance of known?.keys() ?? []) if (desired.get(instance) !== 'serving') known?.delete(instance)
    for (const { instance, at, exits } of waiting) {
      this.#wakeAt(at)
      if (desired.get(instance) === 'serving') this.#note(scope, instance, { nextStartAt: at })
      if (exits < crashLoopExits || this.#inLoop.has(`${scopeKey(scope)}/${instance}`)) continue
      this.#inLoop.add(`${scopeKey(scope)}/${instance}`)
      const nextInMs = at - this.#world.clock.monotonicMs()
      this.#world.report({ kind: 'instance-crash-loop', scope: scopeKey(scope), instance, exits, nextInMs })
    }
    await this.#watch(scope)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    clearTimeout(this.#timer)
    for (const watch of this.#watched.values()) watch.abort()
  }

  async #keep(scope: ServiceScope): Promise<void> {
    const key = scopeKey(scope)
    if (this.#stop.signal.aborted || this.#paused.has(key)) return
    const { rollouts, bootId, clock } = this.#world
    const keeping = new AbortController()
    this.#keeping.set(key, keeping)
    try {
      const signal = AbortSignal.any([this.#stop.signal, keeping.signal])
      await this.hold(scope, await rollouts.desired(scope, { bootId, now: clock.monotonicMs() }), { signal })
    } catch (error) {
      if (!keeping.signal.aborted) throw error
    } finally {
      this.#keeping.delete(key)
    }
  }

  async #tick(): Promise<void> {
    const all = await this.#world.services.list()
    await Promise.all(
      all.map(({ scope }) =>
        this.#queue.run(scopeKey(scope), () => this.#keep(scope)).catch((error: unknown) => this.#warn(scope, error)),
      ),
    )
    this.#wakeAt(this.#world.clock.monotonicMs() + slowTickMs)
    const warmEnd = await this.#world.rollouts.nextWarmEnd(this.#world.bootId)
    if (warmEnd !== null) this.#wakeAt(warmEnd + 1)
  }

  #wakeAt(at: number): void {
    if (this.#stop.signal.aborted || at >= this.#nextWake) return
    this.#nextWake = at
    clearTimeout(this.#timer)
    this.#timer = setTimeout(
      () => {
        this.#nextWake = Infinity
        this.#tick().catch((error: unknown) => this.#warn(undefined, error))
      },
      Math.max(0, at - this.#world.clock.monotonicMs()),
    ).unref()
  }

  async #observe(scope: ServiceScope): Promise<ObservedIncarnation[]> {
    const [instances, records, servers] = await Promise.all([
      this.#world.runtime.list(scope),
      this.#world.incarnations.list(scope),
      this.#world.gateway.observe(scope),
    ])
    const alive = new Set(
      instances.filter(({ state }) => state.kind === 'running').map(({ id }) => incarnationName(id)),
    )
    const modes = new Map(servers.map(({ name, mode }) => [name, mode]))
    const seen = records
      .filter(({ instance }) => !instance.endsWith('-0'))
      .map(({ instance, incarnation }) => {
        const name = incarnationName(incarnationOf(scope, instance, incarnation))
        return { instance, incarnation, alive: alive.has(name), gateway: modes.get(name) ?? ('none' as const) }
      })
    for (const one of seen) if (!one.alive) await this.#recordExit(scope, one, instances)
    return seen
  }

  async #recordExit(
    scope: ServiceScope,
    { instance, incarnation }: ObservedIncarnation,
    instances: Awaited<ReturnType<World['runtime']['list']>>,
  ): Promise<void> {
    const key = `${scopeKey(scope)}/${instance}.${incarnation}`
    if (this.#seenExits.has(key)) return
    this.#seenExits.add(key)
    const found = instances.find(({ id }) => incarnationName(id) === `${instance}.${incarnation}`)
    const status = found?.state.kind === 'exited' ? found.state.status : ({ kind: 'unknown' } as const)
    this.#world.report({ kind: 'instance-exited', scope: scopeKey(scope), instance, status: describeExit(status) })
    this.#note(scope, instance, { what: `ended: ${describeExit(status)}`, nextStartAt: null })
    const now = this.#world.clock.monotonicMs()
    const ofScope = this.#exits.get(scopeKey(scope)) ?? new Map<InstanceRef, number[]>()
    this.#exits.set(scopeKey(scope), ofScope)
    ofScope.set(instance, [...(ofScope.get(instance) ?? []).filter((at) => now - at < exitMemoryMs), now])
  }

  async #perform(
    scope: ServiceScope,
    action: KeeperAction,
    desired: DesiredInstances,
    signal: AbortSignal,
  ): Promise<void> {
    const { instance } = action
    switch (action.kind) {
      case 'clear':
        // `start` clears what is dead of an instance; one that is no longer desired is cleared here.
        if (!desired.has(instance)) await this.#act(scope, { kind: 'stop', instance }, signal)
        return
      case 'remove':
        await this.#act(scope, { kind: 'drain', instance }, signal)
        await this.#act(scope, { kind: 'stop', instance }, signal)
        this.#world.report({ kind: 'instance-removed', scope: scopeKey(scope), instance, why: 'nobody asked for it' })
        return
      case 'start': {
        await this.#act(scope, { kind: 'start', instance }, signal)
        const attempt = this.#exits.get(scopeKey(scope))?.get(instance)?.length ?? 1
        this.#world.report({ kind: 'instance-restarted', scope: scopeKey(scope), instance, attempt })
        if (action.thenAdmit) await this.#bringIn(scope, instance, signal)
        return
      }
      case 'admit':
        await this.#bringIn(scope, instance, signal)
        return
    }
  }

  /** A restarted instance that does not become healthy is not given up: the next exit or tick tries again. */
  async #bringIn(scope: ServiceScope, instance: InstanceRef, signal: AbortSignal): Promise<void> {
    const key = `${scopeKey(scope)}/${instance}`
    try {
      await this.#act(scope, { kind: 'await-healthy', instance }, signal)
      await this.#act(scope, { kind: 'admit', instance }, signal)
      this.#inLoop.delete(key)
      this.#warned.delete(key)
      this.#troubles.get(scopeKey(scope))?.delete(instance)
    } catch (error) {
      if (!(error instanceof InstanceFailure)) throw error
      this.#note(scope, instance, { what: error.failure.what, nextStartAt: null })
      if (this.#warned.has(key)) return
      this.#warned.add(key)
      const { failure } = error
      this.#world.report({
        kind: 'warning',
        scope: scopeKey(scope),
        message: `${failure.instance} ${failure.what}`,
        hint: failure.hint,
      })
    }
  }

  async #act(scope: ServiceScope, step: RolloutStep, signal: AbortSignal): Promise<void> {
    const service = await this.#world.services.find(scope)
    const patience = {
      drainMs: service?.desired.drainMs ?? 0,
      // One that was warned about is looked at again on each tick: a glance must not hold up the others.
      ...('instance' in step && this.#warned.has(`${scopeKey(scope)}/${step.instance}`)
        ? { healthyWithinMs: glanceMs }
        : {}),
    }
    const journaled = journaledStep(this.#world, scope, step, {
      prefix: 'keeper',
      patience,
      report: this.#world.report,
    })
    await runStep(journaled, this.#world.journal, { signal, checkpoint: this.#world.checkpoint })
  }

  /** Each live instance is waited for; its end wakes the keeper. */
  async #watch(scope: ServiceScope): Promise<void> {
    const instances = await this.#world.runtime.list(scope)
    for (const { id, state } of instances) {
      const key = `${scopeKey(scope)}/${incarnationName(id)}`
      if (state.kind !== 'running' || id.ordinal === 0 || this.#watched.has(key)) continue
      const watch = new AbortController()
      this.#watched.set(key, watch)
      void this.#world.runtime
        .exited(id, { signal: watch.signal })
        .then(() => this.poke(scope))
        .catch(() => {}) // aborted at the end
        .finally(() => this.#watched.delete(key))
    }
  }

  #warn(scope: ServiceScope | undefined, error: unknown): void {
    if (this.#stop.signal.aborted) return
    this.#world.report({
      kind: 'warning',
      ...(scope === undefined ? {} : { scope: scopeKey(scope) }),
      message: `the keeper could not finish: ${error instanceof Error ? error.message : String(error)}`,
    })
  }
}
