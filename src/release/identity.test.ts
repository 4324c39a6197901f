import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalJson } from './identity.ts'

test('the text of a value does not depend on the order its keys were written in, and is its JSON', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = canonicalJson(value)
      expect(canonicalJson(reversed(value))).toBe(text)
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
    }),
  )
})

test('another value has another text', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
      const areEqual = fc.stringify(JSON.parse(canonicalJson(a))) === fc.stringify(JSON.parse(canonicalJson(b)))
      expect(canonicalJson(a) === canonicalJson(b)).toBe(areEqual)
    }),
  )
})

test('a field that is left out is the same as one that is undefined', () => {
  expect(canonicalJson({ b: 1, a: undefined })).toBe(canonicalJson({ b: 1 }))
})

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, field]) => [key, reversed(field)]),
  )
}
