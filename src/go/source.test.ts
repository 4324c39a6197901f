import { expect, test } from 'vitest'
import { relativePackage } from './source.ts'

test.each([
  ['/shop', '.'],
  ['/shop/cmd/web', './cmd/web'],
  ['/shop/...', './...'], // not `...`, which is all of the standard library too
  ['/', '..'],
  ['/other', '../other'],
])('seen from /shop, %s is %s', (path, expected) => {
  expect(relativePackage('/shop', path)).toBe(expected)
})
