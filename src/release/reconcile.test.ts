import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type ObservedIncarnation, reconcile, restartDelayMs } from './reconcile.ts'
import { type InstanceRef, instanceRef, type Role } from './release.ts'

const desired = (...entries: [InstanceRef, Role][]) => new Map(entries)
const seen = (instance: InstanceRef, change: Partial<ObservedIncarnation> = {}): ObservedIncarnation => ({
  instance,
  incarnation: 1,
  alive: true,
  gateway: 'ready',
  ...change,
})
const none = new Map<InstanceRef, number[]>()

test('what is as desired is left alone', () => {
  expect(reconcile(desired(['1-1', 'serving']), [seen('1-1')], none, 0).actions).toEqual([])
  expect(reconcile(desired(['1-1', 'warm']), [seen('1-1', { gateway: 'shut' })], none, 0).actions).toEqual([])
})

test('an instance that ended is taken out of the gateway and started again at once', () => {
  const { actions } = reconcile(desired(['1-1', 'serving']), [seen('1-1', { alive: false })], none, 0)
  expect(actions).toEqual([
    { kind: 'clear', instance: '1-1', incarnation: 1 },
    { kind: 'start', instance: '1-1', thenAdmit: true },
  ])
})

test('what the gateway forgot is admitted again', () => {
  const { actions } = reconcile(desired(['1-1', 'serving']), [seen('1-1', { gateway: 'none' })], none, 0)
  expect(actions).toEqual([{ kind: 'admit', instance: '1-1' }])
})

test('what nobody asked for is removed', () => {
  const { actions } = reconcile(desired(), [seen('1-1')], none, 0)
  expect(actions).toEqual([{ kind: 'remove', instance: '1-1', incarnation: 1 }])
})

test('of two copies of one instance the newer stays', () => {
  const { actions } = reconcile(desired(['1-1', 'serving']), [seen('1-1'), seen('1-1', { incarnation: 2 })], none, 0)
  expect(actions).toEqual([{ kind: 'remove', instance: '1-1', incarnation: 1 }])
})

test('a crash loop is restarted ever more slowly, never more than once a minute nor never again', () => {
  const delays = Array.from({ length: 20 }, (_, exits) => restartDelayMs(exits))
  expect(delays).toEqual([...delays].sort((a, b) => a - b))
  expect(restartDelayMs(1)).toBe(0)
  expect(Math.max(...delays)).toBe(60_000)
  const exits = new Map<InstanceRef, number[]>([['1-1', [0, 100, 200, 300, 400]]])
  const result = reconcile(desired(['1-1', 'serving']), [], exits, 500)
  expect(result.actions).toEqual([])
  expect(result.waiting).toEqual([{ instance: '1-1', at: 8400, exits: 5 }])
})

test('doing what it says ends with nothing left to do', () => {
  const refs = fc.constantFrom<InstanceRef>('1-1', '1-2', '2-1', '2-2')
  const observed = fc.record({
    instance: refs,
    incarnation: fc.integer({ min: 1, max: 3 }),
    alive: fc.boolean(),
    gateway: fc.constantFrom('none', 'drain', 'ready', 'shut'),
  }) satisfies fc.Arbitrary<ObservedIncarnation>
  const world = fc.uniqueArray(observed, { selector: ({ instance, incarnation }) => `${instance}.${incarnation}` })
  const roles = fc.constantFrom<Role>('starting', 'serving', 'draining', 'warm')
  fc.assert(
    fc.property(fc.array(fc.tuple(refs, roles)), world, (wishes, start) => {
      const wanted = new Map(wishes)
      let now = [...start]
      for (const action of reconcile(wanted, now, none, 0).actions) {
        if (action.kind === 'clear' || action.kind === 'remove') {
          now = now.filter((one) => one.instance !== action.instance || one.incarnation !== action.incarnation)
        } else if (action.kind === 'start') {
          now.push(seen(action.instance, { incarnation: 9, gateway: action.thenAdmit ? 'ready' : 'none' }))
        } else {
          now = now.map((one) => (one.instance === action.instance && one.alive ? { ...one, gateway: 'ready' } : one))
        }
      }
      expect(reconcile(wanted, now, none, 0)).toEqual({ actions: [], waiting: [] })
      for (const ref of [instanceRef(1, 1), instanceRef(2, 2)]) {
        const live = now.filter((one) => one.instance === ref && one.alive)
        if (wanted.get(ref) === 'serving') expect(live).toHaveLength(1)
        if (!wanted.has(ref)) expect(live).toHaveLength(0)
      }
    }),
  )
})
