import fc from 'fast-check'
import { expect, test } from 'vitest'
import { desiredAfter, planRevert, planRollout } from './plan.ts'
import { instanceRef, type InstanceRef, type Role, type Rollout, type Stage } from './release.ts'

const refs = (release: number, count: number) => Array.from({ length: count }, (_, i) => instanceRef(release, i + 1))

const rollouts = (strategy: fc.Arbitrary<Rollout['strategy']>): fc.Arbitrary<Rollout> =>
  fc
    .record({
      strategy,
      old: fc.nat(7),
      fresh: fc.nat(7),
      keepWarm: fc.boolean(),
      before: fc.boolean(),
    })
    .map(({ old, fresh, ...rest }) => ({
      ...rest,
      old: refs(1, old),
      fresh: refs(2, fresh),
      before: rest.before && fresh > 0,
    }))

const rolling = rollouts(
  fc.oneof(
    fc.constant({ kind: 'rolling', batch: 'all' } as const),
    fc.integer({ min: 1, max: 8 }).map((batch) => ({ kind: 'rolling', batch }) as const),
  ),
)
const recreate = rollouts(fc.constant({ kind: 'recreate' } as const))

const servingAtStart = (old: readonly InstanceRef[]) => new Map<InstanceRef, Role>(old.map((ref) => [ref, 'serving']))

/** Every state of the world a prefix of the plan can leave, the first included. */
function* statesAlong(old: readonly InstanceRef[], plan: readonly Stage[]): Generator<Map<InstanceRef, Role>> {
  let state = servingAtStart(old)
  yield state
  for (const stage of plan) {
    state = desiredAfter(state, stage)
    yield state
  }
}

const count = (state: Map<InstanceRef, Role>, role: Role) => [...state.values()].filter((r) => r === role).length
const named = (state: Map<InstanceRef, Role>, role: Role) =>
  [...state]
    .filter(([, r]) => r === role)
    .map(([ref]) => ref)
    .sort()

test('a rolling rollout never serves with fewer instances than the smaller of the two releases', () => {
  fc.assert(
    fc.property(rolling, (rollout) => {
      const floor = Math.min(rollout.old.length, rollout.fresh.length)
      for (const state of statesAlong(rollout.old, planRollout(rollout))) {
        expect(count(state, 'serving')).toBeGreaterThanOrEqual(floor)
      }
    }),
  )
})

test('a rolling rollout never runs more than a batch beyond the larger of the two releases', () => {
  fc.assert(
    fc.property(rolling, (rollout) => {
      const size = rollout.strategy.kind === 'rolling' ? rollout.strategy.batch : 1
      const batch = size === 'all' ? rollout.fresh.length : size
      const ceiling = Math.max(rollout.old.length, rollout.fresh.length) + batch
      for (const state of statesAlong(rollout.old, planRollout(rollout))) {
        expect(state.size - count(state, 'warm')).toBeLessThanOrEqual(ceiling)
      }
    }),
  )
})

test('recreate never runs two releases at once', () => {
  fc.assert(
    fc.property(recreate, (rollout) => {
      for (const state of statesAlong(rollout.old, planRollout(rollout))) {
        expect(new Set([...state.keys()].map((ref) => ref.split('-')[0])).size).toBeLessThanOrEqual(1)
      }
    }),
  )
})

test('a finished rollout serves with exactly the fresh instances', () => {
  fc.assert(
    fc.property(fc.oneof(rolling, recreate), (rollout) => {
      const end = [...statesAlong(rollout.old, planRollout(rollout))].at(-1) ?? new Map()
      expect(named(end, 'serving')).toEqual([...rollout.fresh].sort())
      const warm = rollout.keepWarm && rollout.strategy.kind === 'rolling' ? [...rollout.old].sort() : []
      expect(named(end, 'warm')).toEqual(warm)
      expect(end.size).toBe(rollout.fresh.length + warm.length)
    }),
  )
})

test('a rollout that fails after any stage ends with all traffic on the old release', () => {
  fc.assert(
    fc.property(fc.oneof(rolling, recreate), fc.nat(40), (rollout, cut) => {
      const plan = planRollout(rollout)
      let state = servingAtStart(rollout.old)
      for (const stage of plan.slice(0, cut % (plan.length + 1))) state = desiredAfter(state, stage)
      for (const stage of planRevert(rollout)) state = desiredAfter(state, stage)
      expect(state).toEqual(servingAtStart(rollout.old))
    }),
  )
})

test('an instance is drained before it is stopped and healthy before it is admitted', () => {
  fc.assert(
    fc.property(fc.oneof(rolling, recreate), (rollout) => {
      const seen = new Set<string>()
      for (const stage of [...planRollout(rollout), ...planRevert(rollout)]) {
        for (const step of stage) {
          if (step.kind === 'before') continue
          if (step.kind === 'admit') expect(seen).toContain(`await-healthy ${step.instance}`)
          if (step.kind === 'await-healthy') expect(seen).toContain(`start ${step.instance}`)
          if (step.kind === 'stop' || step.kind === 'keep-warm') expect(seen).toContain(`drain ${step.instance}`)
        }
        for (const step of stage) if (step.kind !== 'before') seen.add(`${step.kind} ${step.instance}`)
      }
    }),
  )
})

test('the job runs alone, before anything of the fresh release', () => {
  fc.assert(
    fc.property(fc.oneof(rolling, recreate), (rollout) => {
      const plan = planRollout(rollout)
      const places = plan.flatMap((stage, index) => (stage.some((step) => step.kind === 'before') ? [index] : []))
      expect(places).toEqual(rollout.before ? [0] : [])
      if (rollout.before) expect(plan[0]).toEqual([{ kind: 'before', release: 2 }])
    }),
  )
})
