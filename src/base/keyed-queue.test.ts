import { setTimeout as delay } from 'node:timers/promises'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { KeyedQueue } from './keyed-queue.ts'

test('work on one key never overlaps and keeps its order, failures or not; different keys do not wait', async () => {
  const jobs = fc.array(fc.record({ key: fc.constantFrom('a', 'b', 'c'), ms: fc.nat(3), fails: fc.boolean() }), {
    maxLength: 12,
  })
  await fc.assert(
    fc.asyncProperty(jobs, async (all) => {
      const queue = new KeyedQueue()
      const active = new Set<string>()
      const order: number[] = []
      const results = await Promise.allSettled(
        all.map(({ key, ms, fails }, index) =>
          queue.run(key, async () => {
            expect(active.has(key)).toBe(false)
            active.add(key)
            await delay(ms)
            active.delete(key)
            order.push(index)
            if (fails) throw new Error(String(index))
            return index
          }),
        ),
      )
      expect(results.map(({ status }) => status === 'rejected')).toEqual(all.map(({ fails }) => fails))
      for (const key of ['a', 'b', 'c']) {
        const mine = order.filter((index) => all[index]?.key === key)
        expect(mine).toEqual(mine.toSorted((a, b) => a - b))
      }
    }),
    { numRuns: 30 },
  )
})

test('a key is busy while something is asked of it, and forgotten afterwards', async () => {
  const queue = new KeyedQueue()
  const { promise, resolve } = Promise.withResolvers<void>()
  const running = queue.run('a', () => promise)
  expect([queue.isBusy('a'), queue.isBusy('b')]).toEqual([true, false])
  await queue.run('b', async () => {}) // does not wait for a
  resolve()
  await running
  await delay(0)
  expect(queue.isBusy('a')).toBe(false)
})
