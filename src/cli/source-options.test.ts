import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { namedSource } from './source-options.ts'

const cwd = join(tmpdir(), 'fairway-nowhere')

test('a module is named with its version, a folder as one is', () => {
  expect(namedSource('example.com/shop/cmd/web@v1.2.0', cwd, 'up')).toBe('example.com/shop/cmd/web@v1.2.0')
  expect(namedSource('cmd/web', cwd, 'up')).toBe(join(cwd, 'cmd/web'))
  expect(namedSource('./example.com/shop', cwd, 'up')).toBe(join(cwd, 'example.com/shop'))
})

test('a module without a version is refused with the command that has one', () => {
  expect(() => namedSource('example.com/shop/cmd/web', cwd, 'up')).toThrow(
    expect.objectContaining({ code: 'SOURCE_NOT_GO', hint: 'fairway up example.com/shop/cmd/web@latest' }),
  )
})
