import { expect, test } from 'vitest'
import { counted } from './counted.ts'

test.each([
  [0, '0 modules'],
  [1, '1 module'],
  [2, '2 modules'],
])('%i is said as %s', (count, words) => {
  expect(counted(count, 'module')).toBe(words)
})

test('a word that takes no s names its plural', () => {
  expect([1, 2].map((count) => counted(count, 'entry', 'entries'))).toEqual(['1 entry', '2 entries'])
})
