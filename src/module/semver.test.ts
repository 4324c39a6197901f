import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalVersion, compareVersions, latestVersion, parsePseudoVersion, parseSemver } from './semver.ts'

/** From low to high: golang.org/x/mod/semver's own table, and toolchains. */
const ascending = [
  'v0.0.1-go1.9.linux-amd64',
  'v0.0.1-go1.25.13.linux-amd64',
  'v0.0.1',
  'v1.0.0-alpha',
  'v1.0.0-alpha.1',
  'v1.0.0-alpha.beta',
  'v1.0.0-beta',
  'v1.0.0-beta.2',
  'v1.0.0-beta.11',
  'v1.0.0-rc.1',
  'v1.0.0',
  'v1.2.0',
  'v1.2.3-456',
  'v1.2.3-456.789',
  'v1.2.3-456-789',
  'v1.2.3-pre',
  'v1.2.3',
  'v1.10.0',
  'v2.0.0',
]
// By semver's rules 'go1' is before 'go9' as text, and the number behind it after: as the reference sorts them.
const sorted = ascending.toSorted((a, b) => compareVersions(a, b))

test('versions are in the order semver gives them', () => {
  const [a, b, ...rest] = sorted
  expect(new Set([a, b])).toEqual(new Set(ascending.slice(0, 2)))
  expect(rest).toEqual(ascending.slice(2))
})

const version = fc
  .tuple(
    fc.nat(3),
    fc.nat(12),
    fc.nat(12),
    fc.option(fc.array(fc.constantFrom('0', '1', '10', 'a', 'rc', '-', 'A9'), { minLength: 1, maxLength: 3 })),
  )
  .map(([major, minor, patch, words]) => `v${major}.${minor}.${patch}${words === null ? '' : `-${words.join('.')}`}`)

test('comparing is an order: antisymmetric, transitive, equal only to itself', () => {
  fc.assert(
    fc.property(version, version, version, (a, b, c) => {
      expect(Math.sign(compareVersions(a, b))).toBe(-Math.sign(compareVersions(b, a)) + 0)
      if (compareVersions(a, b) === 0) expect(a).toBe(b)
      if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0) expect(compareVersions(a, c)).toBeLessThanOrEqual(0)
    }),
  )
})

test('short forms have one canonical form, which is its own', () => {
  expect(canonicalVersion('v1')).toBe('v1.0.0')
  expect(canonicalVersion('v1.2')).toBe('v1.2.0')
  expect(canonicalVersion('v1.2.3+meta')).toBe('v1.2.3')
  expect(canonicalVersion('v2.0.0+incompatible')).toBe('v2.0.0+incompatible')
  fc.assert(fc.property(version, (each) => canonicalVersion(each) === each))
})

test('anything else is no version', () => {
  const wrong = [
    '',
    'v',
    '1.2.3',
    'v01.2.3',
    'v1.2.3-',
    'v1.2.3-01',
    'v1.2.3-a..b',
    'v1.2.3+',
    'v1.2-rc',
    'v1.2.3 ',
    'main',
  ]
  expect(wrong.filter((text) => parseSemver(text) !== undefined)).toEqual([])
})

test('a pseudo-version names a commit', () => {
  expect(parsePseudoVersion('v1.8.1-0.20250910200901-e86405a8674e')).toEqual({
    time: '20250910200901',
    revision: 'e86405a8674e',
  })
  expect(parsePseudoVersion('v0.0.0-20161208181325-20d25e280405')?.revision).toBe('20d25e280405')
  expect(parsePseudoVersion('v1.2.3-pre.0.20161208181325-20d25e280405')?.revision).toBe('20d25e280405')
  expect(parsePseudoVersion('v1.2.3')).toBeUndefined()
  expect(parsePseudoVersion('v1.2.3-20161208181325-20d25e280405')).toBeUndefined()
})

test('the latest is the highest release; a pre-release only where there is no other', () => {
  expect(latestVersion(['v1.9.0', 'v1.10.0', 'v1.11.0-rc.1', 'v1.12.0-0.20250910200901-e86405a8674e'])).toBe('v1.10.0')
  expect(latestVersion(['v1.0.0-rc.1', 'v1.0.0-rc.2'])).toBe('v1.0.0-rc.2')
  expect(latestVersion([])).toBeUndefined()
})
