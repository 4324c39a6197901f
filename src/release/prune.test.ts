import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { releasesToPrune } from './prune.ts'
import type { Release } from './release.ts'

const release = (number: number, prunedAt: number | null) => ({ number, prunedAt }) as Release

test('the newest ten and whatever is in use are kept; the rest goes once', () => {
  const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 40 })
  fc.assert(
    fc.property(numbers, fc.array(fc.integer({ min: 1, max: 60 })), fc.func(fc.boolean()), (all, used, wasPruned) => {
      const releases = all.map((number) => release(number, wasPruned(number) ? 1 : null))
      const inUse = new Set(used)
      const gone = releasesToPrune(releases, inUse)
      const newest = all.toSorted((a, b) => b - a).slice(0, 10)
      for (const { number, prunedAt } of gone) {
        expect(newest).not.toContain(number)
        expect(inUse.has(number)).toBe(false)
        expect(prunedAt).toBeNull()
      }
      const kept = releases.filter((one) => !gone.includes(one))
      for (const { number, prunedAt } of kept) {
        expect(newest.includes(number) || inUse.has(number) || prunedAt !== null).toBe(true)
      }
    }),
  )
})
