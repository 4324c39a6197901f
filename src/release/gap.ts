import { scopeKey } from '../config/index.ts'
import type { RolloutRecord, Stage } from './release.ts'
import type { World } from './world.ts'

/** The time in which `recreate` has nobody who serves: announced when it begins, counted when it ends. */
export class Gap {
  readonly #record: RolloutRecord
  readonly #world: World
  #begun: { at: number; failures: number } | undefined

  constructor(record: RolloutRecord, { world }: { world: World }) {
    this.#record = record
    this.#world = world
  }

  async before(stage: Stage): Promise<void> {
    const { rollout, scope, id, operation } = this.#record
    const takesAll = stage.some(({ kind }) => kind === 'drain')
    if (rollout.strategy.kind !== 'recreate' || this.#begun !== undefined || !takesAll) return
    if ((await this.#world.services.find(scope))?.check === null) return // a worker: nobody asks it
    this.#begun = { at: this.#world.clock.monotonicMs(), failures: await this.#world.gateway.failures(scope) }
    this.#world.report({ kind: 'gap-begun', scope: scopeKey(scope), rollout: id }, operation)
  }

  async after(stage: Stage): Promise<void> {
    const { scope, id, operation } = this.#record
    if (this.#begun === undefined || !stage.some(({ kind }) => kind === 'admit')) return
    const { at, failures } = this.#begun
    this.#begun = undefined
    const tookMs = this.#world.clock.monotonicMs() - at
    // A reload meanwhile would have begun the count anew.
    const refused = Math.max(0, (await this.#world.gateway.failures(scope)) - failures)
    this.#world.report({ kind: 'gap-ended', scope: scopeKey(scope), rollout: id, tookMs, refused }, operation)
  }
}
