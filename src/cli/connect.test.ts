import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { isOlder } from './connect.ts'

const versions = fc.tuple(fc.nat(20), fc.nat(20), fc.nat(20))

test('versions are compared by their numbers, not as text', () => {
  expect(isOlder('0.9.0', '0.10.0')).toBe(true)
  expect(isOlder('0.10.0', '0.9.9')).toBe(false)
  fc.assert(
    fc.property(versions, versions, (a, b) => {
      const [left, right] = [a.join('.'), b.join('.')]
      expect(isOlder(left, left)).toBe(false)
      if (left !== right) expect(isOlder(left, right)).toBe(!isOlder(right, left))
      if (a[0] < b[0]) expect(isOlder(left, right)).toBe(true)
    }),
  )
})
