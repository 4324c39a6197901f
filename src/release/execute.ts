import type { Bounded } from '../base/bounds.ts'
import type { Report } from '../base/event.ts'
import type { JournaledStep } from '../base/journal.ts'
import { type ServiceScope, scopeKey } from '../config/index.ts'
import type { ObservedServer, ServerName } from '../gateway/index.ts'
import { awaitHealthy, type ProbeAnswer } from '../health/index.ts'
import { type ExitStatus, type Incarnation, incarnationName } from '../runtime/index.ts'
import { runBeforeJob } from './before-job.ts'
import { explainFailure } from './explain-failure.ts'
import type { InstanceFailure } from './instance-failure.ts'
import { instanceSpec } from './instance-spec.ts'
import { choosePlace, listenAddress } from './network.ts'
import { type InstanceRef, parseInstanceRef, type Release, type RolloutStep } from './release.ts'
import type { IncarnationRecord } from './store/incarnation-store.ts'
import { incarnationOf, type World } from './world.ts'

/** A request that was open at the drain deadline may still be answered after SIGTERM, this long, before it is cut. */
const farewellMs = 1000
/** The gateway's own check and one request through it: both happen within milliseconds on a healthy machine. */
const confirmDeadlineMs = 10_000

/** Enough for the gateway to look twice. */
const lookAgainMs = 50

export interface Patience {
  /** How long open requests may take to end. */
  readonly drainMs: number
  /** In place of the probe's own deadline: for one that is asked a second time. */
  readonly healthyWithinMs?: number
}

/** A step of a plan as a state to reach: it looks at the world first, so running it again is safe. */
export function journaledStep(
  world: World,
  scope: ServiceScope,
  step: RolloutStep,
  { prefix, patience, report }: { prefix: string; patience: Patience; report: Report },
): JournaledStep {
  if (step.kind === 'before') {
    return {
      key: `${scopeKey(scope)}/${prefix}/before/${step.release}`,
      holds: async () => (await world.rollouts.job(scope, step.release))?.state === 'done',
      act: (options) => runBeforeJob(world, scope, step.release, { ...options, report }),
    }
  }
  const { kind, instance } = step
  const state = new InstanceState(world, scope, instance, { patience, report })
  const key = `${scopeKey(scope)}/${prefix}/${kind}/${instance}`
  switch (kind) {
    case 'start':
      return { key, holds: () => state.isAlive(), act: (options) => state.start(options) }
    case 'await-healthy':
      return { key, holds: () => state.isHealthy(), act: (options) => state.awaitHealthy(options) }
    case 'admit':
      return { key, holds: () => state.isAdmitted(), act: (options) => state.admit(options) }
    case 'drain':
      return { key, holds: () => state.isDrained(), act: (options) => state.drain(options) }
    case 'keep-warm':
      return { key, holds: () => state.isDrained(), act: (options) => state.shut(options) }
    case 'stop':
      return { key, holds: () => state.isGone(), act: (options) => state.stop(options) }
  }
}

/** One instance of a scope: what holds of it now, and how to make it hold. */
class InstanceState {
  readonly #world: World
  readonly #scope: ServiceScope
  readonly #instance: InstanceRef
  readonly #patience: Patience
  readonly #report: Report

  constructor(
    world: World,
    scope: ServiceScope,
    instance: InstanceRef,
    { patience, report }: { patience: Patience; report: Report },
  ) {
    this.#world = world
    this.#scope = scope
    this.#instance = instance
    this.#patience = patience
    this.#report = report
  }

  async isAlive(): Promise<boolean> {
    return (await this.#live()) !== undefined
  }

  async isHealthy(): Promise<boolean> {
    return ((await this.#live())?.healthyAt ?? null) !== null
  }

  async isAdmitted(): Promise<boolean> {
    const live = await this.#live()
    if (live === undefined) return false
    if (live.address === null) return true // a worker: nobody sends it traffic
    const server = await this.#server(live)
    return server?.mode === 'ready' && server.up
  }

  async isDrained(): Promise<boolean> {
    const live = await this.#live()
    if (live === undefined || live.address === null) return true
    const server = await this.#server(live)
    return server === undefined || server.mode === 'shut'
  }

  async isGone(): Promise<boolean> {
    return (await this.#records()).length === 0
  }

  async start({ signal }: Bounded): Promise<void> {
    await this.#clearDead()
    const release = await this.#release()
    const place = await choosePlace(this.#world, release.run)
    const record = await this.#world.incarnations.plan(this.#scope, this.#instance, place)
    const spec = await instanceSpec(this.#world, release, record)
    await this.#world.runtime.start(spec, { signal })
  }

  /** @throws InstanceFailure with evidence and diagnosis */
  async awaitHealthy({ signal }: Bounded): Promise<void> {
    const world = this.#world
    const release = await this.#release()
    const record = (await this.#live()) ?? (await this.#records()).at(-1)
    if (record === undefined) throw new Error(`${this.#instance} was never started`)
    const id = this.#id(record)
    const { probe } = release.run
    let isSaid = false
    const { healthy, answers, exit } = await awaitHealthy(
      {
        address: record.address ?? undefined,
        listenAddress: listenAddress(record) ?? undefined,
        exited: (options) => world.runtime.exited(id, options),
        listening: (options) => world.runtime.listening(id, options),
        exec: (argv, options) => world.runtime.exec(id, argv, options),
      },
      { ...probe, deadlineMs: this.#patience.healthyWithinMs ?? probe.deadlineMs },
      {
        clock: world.clock,
        quick: release.provenAt !== null,
        stillWaiting: async (seen, { isEarly }) => {
          const { failure } = await this.#failure(release, record, seen)
          const wasSaid = isSaid
          // Where it listens instead is known as soon as it does; anything else may merely take its time.
          isSaid = isEarly && (failure.cause === 'wrong-port' || failure.cause === 'wrong-address')
          if (isEarly ? isSaid : !wasSaid) this.#sayWhatKeeps(failure)
        },
        signal,
      },
    )
    if (!healthy) throw await this.#failure(release, record, answers, exit)
    const at = world.clock.now()
    await world.incarnations.update(this.#scope, record, { healthyAt: at })
  }

  async admit({ signal }: Bounded): Promise<void> {
    const world = this.#world
    const live = await this.#live()
    if (live === undefined) throw await this.#failure(await this.#release(), (await this.#records()).at(-1), [])
    if (live.address === null) return
    const name = this.#name(live)
    // The wish is recorded before the order: whoever takes over restores what was wished.
    await world.incarnations.update(this.#scope, live, { gateway: 'drain' })
    await world.gateway.attach(name, live.address, { signal })
    await world.gateway.setMode(name, 'drain', { signal })
    await world.gateway.confirm(name, { signal, deadlineMs: confirmDeadlineMs })
    await world.incarnations.update(this.#scope, live, { gateway: 'ready' })
    await world.gateway.setMode(name, 'ready', { signal })
  }

  /** No new requests; open ones may end until the deadline. Past it the server stays in `drain`: `stop` says farewell first. */
  async drain({ signal }: Bounded): Promise<void> {
    const live = await this.#live()
    if (live === undefined || live.address === null || (await this.#server(live)) === undefined) return
    const name = this.#name(live)
    await this.#world.incarnations.update(this.#scope, live, { gateway: 'drain' })
    await this.#world.gateway.setMode(name, 'drain', { signal })
    const until = this.#world.clock.monotonicMs() + this.#patience.drainMs
    while (await this.#world.gateway.quiet(name, { signal, deadlineMs: until - this.#world.clock.monotonicMs() })) {
      await this.#world.gateway.setMode(name, 'shut', { signal })
      // A persistent session may have slipped in between the look and the order: look again.
      if (await this.#world.gateway.quiet(name, { signal, deadlineMs: lookAgainMs })) {
        await this.#world.incarnations.update(this.#scope, live, { gateway: 'shut' })
        return
      }
      await this.#world.gateway.setMode(name, 'drain', { signal })
      if (this.#world.clock.monotonicMs() >= until) return
    }
  }

  /** For one that is kept warm: what is still open at the drain deadline is cut, the program lives on. */
  async shut({ signal }: Bounded): Promise<void> {
    const live = await this.#live()
    if (live === undefined || live.address === null) return
    const name = this.#name(live)
    await this.#world.incarnations.update(this.#scope, live, { gateway: 'shut' })
    await this.#world.gateway.setMode(name, 'shut', { signal })
    await this.#world.gateway.cut(name)
  }

  async stop({ signal }: Bounded): Promise<void> {
    const { graceMs } = (await this.#release()).run
    for (const record of await this.#records()) await this.#end(record, await this.#lives(record), { graceMs, signal })
  }

  /** Incarnations that ended by themselves leave the gateway before the next one starts. */
  async #clearDead(): Promise<void> {
    for (const record of await this.#records()) {
      if (!(await this.#lives(record))) await this.#end(record, false, { graceMs: 0 })
    }
  }

  async #end(
    record: IncarnationRecord,
    isAlive: boolean,
    { graceMs, signal }: { graceMs: number; signal?: AbortSignal | undefined },
  ): Promise<void> {
    const { runtime, gateway, incarnations, clock } = this.#world
    const id = this.#id(record)
    const name = this.#name(record)
    const server = record.address === null ? undefined : await this.#server(record)
    if (isAlive) {
      const stopped = runtime.stop(id, { graceMs, signal })
      stopped.catch(() => {}) // awaited below; nothing may be lost in between
      // Past the drain deadline: SIGTERM came first, so that the program can tell its clients.
      if (server !== undefined && server.mode !== 'shut')
        await Promise.race([stopped, clock.sleep(farewellMs, { signal })])
      if (server !== undefined) await this.#takeOut(name)
      await stopped
    } else if (server !== undefined) await this.#takeOut(name)
    if (server !== undefined) await gateway.detach(name, { signal })
    await runtime.forget(id)
    await incarnations.remove(this.#scope, record)
  }

  async #takeOut(name: ServerName): Promise<void> {
    await this.#world.gateway.setMode(name, 'shut')
    await this.#world.gateway.cut(name)
  }

  #failure(
    release: Release,
    record: IncarnationRecord | undefined,
    answers: readonly ProbeAnswer[],
    exit?: ExitStatus,
  ): Promise<InstanceFailure> {
    return explainFailure(this.#world, { release, instance: this.#instance, record, answers, exit })
  }

  #sayWhatKeeps({ instance, what, hint }: InstanceFailure['failure']): void {
    const message = `${this.#scope.service}: ${instance} is not healthy yet: ${what} → ${hint}`
    this.#report({ kind: 'waiting', message })
  }

  /** Its newest incarnation, if that is alive. */
  async #live(): Promise<IncarnationRecord | undefined> {
    for (const record of (await this.#records()).toReversed()) if (await this.#lives(record)) return record
    return undefined
  }

  async #lives(record: IncarnationRecord): Promise<boolean> {
    return (await this.#world.runtime.find(this.#id(record)))?.state.kind === 'running'
  }

  async #records(): Promise<IncarnationRecord[]> {
    return (await this.#world.incarnations.list(this.#scope)).filter((record) => record.instance === this.#instance)
  }

  async #server(record: IncarnationRecord): Promise<ObservedServer | undefined> {
    const wanted = this.#name(record).server
    return (await this.#world.gateway.observe(this.#scope)).find(({ name }) => name === wanted)
  }

  async #release(): Promise<Release> {
    const { release } = parseInstanceRef(this.#instance)
    const found = await this.#world.releases.find(this.#scope, release)
    if (found === undefined) throw new Error(`${scopeKey(this.#scope)}#${release} is not in the state`)
    return found
  }

  #id(record: IncarnationRecord): Incarnation {
    return incarnationOf(this.#scope, record.instance, record.incarnation)
  }

  #name(record: IncarnationRecord): ServerName {
    return { scope: this.#scope, server: incarnationName(this.#id(record)) }
  }
}
