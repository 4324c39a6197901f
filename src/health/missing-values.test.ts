import fc from 'fast-check'
import { expect, test } from 'vitest'
import { findMissingValues } from './output-clues.ts'

test.for<[string, string[]]>([
  ['error: -bind and -data-dir are required', ['-bind', '-data-dir']],
  ['flags -a, -b must be set', ['-a', '-b']],
  ['both -a and -b are required', ['-a', '-b']],
  ['missing required flags: --a, --b', ['--a', '--b']],
  ['missing -name', ['-name']],
  ['shop: missing -name flag', ['-name']],
  ['Error: required flag(s) "listen", "name", "storage-dir" not set', ['listen', 'name', 'storage-dir']],
  ['Required flags "token, region" not set', ['token', 'region']],
  ['Required flag "token" not set', ['token']],
  ['shop: error: missing flags: --bind=STRING, --token=STRING', ['--bind', '--token']],
  ['shop: error: required flag --a not provided, try --help', ['--a']],
  ["shop: error: required flag(s) '--password', '--site' not provided, try --help", ['--password', '--site']],
  ["the required flags `-a, --aa' and `--bb' were not specified", ['--aa', '--bb']],
  ['addr and token required', ['addr', 'token']],
  ['public-ip is required', []],
  ['STRIPE_API_KEY and REGION must be set', ['STRIPE_API_KEY', 'REGION']],
  ['set REGION', ['REGION']],
  ['2026/11/23 03:20:00 environment variable REGION not set', ['REGION']],
  ['REGION is required', ['REGION']],
  ['missing required environment variables: [SHOP_A B]', ['SHOP_A', 'B']],
  ['missing required environment variables:\n  - SHOP_A\n  - REGION: where it is\nbye', ['SHOP_A', 'REGION']],
  ['SHOP_A is required\nREGION must not be empty', ['SHOP_A', 'REGION']],
  ['env: required environment variable "A_B" is not set; required environment variable "C" is not set', ['A_B', 'C']],
  ['either --token or SHOP_TOKEN is required', ['SHOP_TOKEN']],
  ['--a or --b is required', ['--a']],
  ['SHOP_CACHE not set, using default', []],
  ['WARN: SHOP_CACHE is not set, cache disabled\nSHOP_A is required', ['SHOP_A']],
  ['TLS is required', []],
  ['  -name string\n    \tthe name is required (required)', []],
  ['the store is required', []],
  ['the file is missing', []],
])('what is lacking: %s', ([text, expected]) => {
  expect(findMissingValues(text.split('\n'), { keys: [], flags: ['addr', 'token'] })).toEqual(expected)
})

const flagNames = fc.uniqueArray(fc.stringMatching(/^[a-z]{2,8}(?:-[a-z]{2,6})?$/), { minLength: 1, maxLength: 4 })
const variableNames = fc.uniqueArray(fc.stringMatching(/^[A-Z]{2,8}_[A-Z]{2,6}$/), { minLength: 1, maxLength: 4 })

test('however many are named in one sentence, all are found, in their order', () => {
  const joined = (names: readonly string[]) =>
    names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`
  const dashed = flagNames
    .filter((names) => !names.includes('help'))
    .chain((names) => fc.constantFrom('-', '--').map((dash) => names.map((each) => `${dash}${each}`)))
  fc.assert(
    fc.property(fc.oneof(dashed, variableNames), (names) => {
      for (const sentence of [
        `error: ${joined(names)} are required`,
        `${names.join(', ')} must be set`,
        `missing: ${names.join(', ')}`,
        `please provide ${joined(names)}`,
      ])
        expect(findMissingValues([sentence], { keys: [] })).toEqual(names)
    }),
  )
})

test('any text is read, and in a moment', () => {
  const begin = performance.now()
  for (const text of [
    'a, '.repeat(30_000),
    `missing ${'-a and '.repeat(20_000)}`,
    'A or '.repeat(30_000),
    '"'.repeat(60_000),
  ])
    findMissingValues([text, `${text} is`, ''], { keys: ['A'] })
  for (const list of ['a, ', '-a=b, ', '--ab & ', '"a", and '])
    findMissingValues(
      Array.from({ length: 50 }, () => `missing ${list.repeat(330)}`),
      { keys: [] },
    )
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 300 }), { maxLength: 10 }), (lines) => {
      findMissingValues(lines, { keys: [] })
    }),
  )
  expect(performance.now() - begin).toBeLessThan(3_000)
})
