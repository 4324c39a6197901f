import fc from 'fast-check'
import { expect, test } from 'vitest'
import { previousRelease, servingHistory } from './history.ts'
import type { RolloutRecord, Verb } from './release.ts'

type Past = Pick<RolloutRecord, 'id' | 'verb' | 'to' | 'outcome'>
const past = (...entries: [Verb, number | null, RolloutRecord['outcome']?][]): Past[] =>
  entries.map(([verb, to, outcome = 'done'], index) => ({ id: index + 1, verb, to, outcome }))

test('rollback goes to the release that served before', () => {
  expect(previousRelease(past(['up', 1], ['up', 2], ['up', 3]), 3)).toBe(2)
})

test('a second rollback goes further back, not forth', () => {
  expect(previousRelease(past(['up', 1], ['up', 2], ['up', 3], ['rollback', 2]), 2)).toBe(1)
})

test('a release that was rolled back from is skipped after the next one', () => {
  expect(previousRelease(past(['up', 1], ['up', 2], ['rollback', 1], ['up', 3]), 3)).toBe(1)
})

test('a rollout that was reverted or aborted never served', () => {
  expect(previousRelease(past(['up', 1], ['up', 2], ['up', 3, 'reverted'], ['up', 4, 'aborted']), 2)).toBe(1)
})

test('after down, rollback brings back what served last', () => {
  expect(previousRelease(past(['up', 1], ['up', 2], ['down', null]), null)).toBe(2)
})

test('the first release has nothing before it', () => {
  expect(previousRelease(past(['up', 1]), 1)).toBeUndefined()
  expect(previousRelease([], null)).toBeUndefined()
})

test('rolling back again and again always ends, at the first release', () => {
  const verbs = fc.constantFrom<Verb>('up', 'rollback', 'scale')
  fc.assert(
    fc.property(fc.array(fc.tuple(verbs, fc.integer({ min: 1, max: 5 })), { maxLength: 30 }), (entries) => {
      const history = past(...entries)
      let serving = servingHistory(history).at(-1) ?? null
      for (let tries = 0; tries <= entries.length; tries += 1) {
        const target = serving === null ? undefined : previousRelease(history, serving)
        if (target === undefined) return
        history.push({ id: history.length + 1, verb: 'rollback', to: target, outcome: 'done' })
        serving = target
      }
      expect.unreachable('it went round in circles')
    }),
  )
})
