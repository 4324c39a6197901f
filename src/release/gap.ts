import { scopeKey } from '../config/index.ts'
import type { RolloutRecord, Stage } from './release.ts'
import type { World } from './world.ts'

/** The time in which `recreate` has nobody who serves: announced when it begins, counted when it ends. */
export class Gap {
  readonly #record: RolloutRecord
  readonly #world: World
  #begun: { at: number; failures: number | undefined } | undefined

  constructor(record: RolloutRecord, { world }: { world: World }) {
    this.#record = record
    this.#world = world
  }

  async before(stage: Stage): Promise<void> {
    const { rollout, scope, id, operation } = this.#record
    const takesAll = stage.some(({ kind }) => kind === 'drain')
    if (rollout.strategy.kind !== 'recreate' || this.#begun !== undefined || !takesAll) return
    if ((await this.#world.services.find(scope))?.check === null) return // a worker: nobody asks it
    this.#begun = { at: this.#world.clock.monotonicMs(), failures: await this.#failures() }
    this.#world.report({ kind: 'gap-begun', scope: scopeKey(scope), rollout: id }, operation)
  }

  async after(stage: Stage): Promise<void> {
    const { scope, id, operation } = this.#record
    if (this.#begun === undefined || !stage.some(({ kind }) => kind === 'admit')) return
    const { at, failures } = this.#begun
    this.#begun = undefined
    const tookMs = this.#world.clock.monotonicMs() - at
    const last = await this.#failures()
    // A reload meanwhile would have begun the count anew.
    const refused = failures === undefined || last === undefined ? {} : { refused: Math.max(0, last - failures) }
    this.#world.report({ kind: 'gap-ended', scope: scopeKey(scope), rollout: id, tookMs, ...refused }, operation)
  }

  /** A gateway that does not answer just now leaves a count out; it turns no rollout back. */
  #failures(): Promise<number | undefined> {
    return this.#world.gateway.failures(this.#record.scope).catch(() => undefined)
  }
}
