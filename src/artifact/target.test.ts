import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseTarget, targetEnvironment, targetName } from './target.ts'

test.each([
  ['linux/amd64', { GOOS: 'linux', GOARCH: 'amd64' }],
  ['linux/amd64/v3', { GOOS: 'linux', GOARCH: 'amd64', GOAMD64: 'v3' }],
  ['linux/arm/v7', { GOOS: 'linux', GOARCH: 'arm', GOARM: '7' }],
  ['linux/arm64/v8', { GOOS: 'linux', GOARCH: 'arm64', GOARM64: 'v8.0' }],
  ['linux/arm64/v8.2', { GOOS: 'linux', GOARCH: 'arm64', GOARM64: 'v8.2' }],
  ['linux/mipsle/softfloat', { GOOS: 'linux', GOARCH: 'mipsle', GOMIPS: 'softfloat' }],
])('%s is told to go as %o', (text, environment) => {
  expect(targetEnvironment(parseTarget(text))).toEqual(environment)
  expect(targetName(parseTarget(text))).toBe(text)
})

test.each([
  '',
  'linux',
  'linux/',
  '/amd64',
  'linux/amd64/',
  'linux/amd64/v9',
  'linux/s390x/v1',
  'linux/arm/7',
  'a/b/c/d',
  'linux/amd64 ',
])('%j is no target', (text) => {
  expect(() => parseTarget(text)).toThrow(expect.objectContaining({ code: 'USAGE' }))
})

test('whatever is written, it is a target that is spelled the same, or refused', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        expect(targetName(parseTarget(text))).toBe(text)
      } catch (error) {
        expect(error).toMatchObject({ code: 'USAGE' })
      }
    }),
  )
})
