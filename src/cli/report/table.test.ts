import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { palette } from './colour.ts'
import { formatBytes, formatMs } from './describe.ts'
import { outcomeText } from './outcome.ts'
import { table } from './table.ts'

const rows = [
  ['SERVICE', 'STATE', 'RELEASE', 'URL'],
  ['web', '✓ healthy', '12', 'http://web.localhost:8480'],
  ['worker', '! degraded', '3', '-'],
]
const plain = (text: string) => text

test('on a terminal: columns in line, numbers right, no spaces at the ends', () => {
  expect(table(rows, { isTerminal: true, numbers: [2], paintHead: plain })).toBe(
    [
      'SERVICE  STATE       RELEASE  URL',
      'web      ✓ healthy        12  http://web.localhost:8480',
      'worker   ! degraded        3  -',
      '',
    ].join('\n'),
  )
})

test('in a pipe: tabs, uncut, whatever the width', () => {
  const text = table(rows, { isTerminal: false, width: 10, numbers: [2], dispensable: [3, 2], paintHead: plain })
  expect(text.split('\n').map((line) => line.split('\t'))).toEqual([...rows, ['']])
})

test('a narrow terminal drops columns by their rank, and the name never', () => {
  const at = (width: number) =>
    table(rows, { isTerminal: true, width, numbers: [2], dispensable: [3, 2], paintHead: plain }).split('\n')[1]
  expect(at(80)).toBe('web      ✓ healthy        12  http://web.localhost:8480')
  expect(at(50)).toBe('web      ✓ healthy        12')
  expect(at(20)).toBe('web      ✓ healthy')
  expect(at(1)).toBe('web      ✓ healthy')
})

test('durations and sizes have three significant digits and never turn negative or infinite', () => {
  expect([0, 7.4, 999, 1254, 12_540, 200_000].map(formatMs)).toEqual([
    '0 ms', '7 ms', '999 ms', '1.25 s', '12.5 s', '3 min 20 s',
  ]) // prettier-ignore
  expect([0, 999, 1024, 8_283_750, 5 * 1024 ** 3].map(formatBytes)).toEqual([
    '0 B', '999 B', '1.00 KiB', '7.90 MiB', '5.00 GiB',
  ]) // prettier-ignore
  expect(formatBytes(1_023_900)).toBe('0.976 MiB')
  fc.assert(fc.property(fc.nat(), (value) => /^[\d.]+ [KMG]?i?B$/.test(formatBytes(value))))
  fc.assert(
    fc.property(fc.nat(), (value) => {
      expect(formatMs(value)).toMatch(/^[\d.]+ (ms|s)$|^\d+ min ([0-5]?\d) s$/)
    }),
  )
})

test('the last line says the way back of what was just done', () => {
  const scope = 'shop/dev/web'
  const begun = { kind: 'rollout-begun', scope, rollout: 3, stages: 4, who: 'ada@laptop' } as const
  const said = (verb: string, from: number | null, to: number | null) =>
    outcomeText(
      { kind: 'result', outcome: 'done' },
      { rollouts: [{ ...begun, verb, from, to }], out: palette(false) },
    ).out.trim()
  expect(said('up', null, 1)).toBe('done; how it is: fairway status')
  expect(said('up', 1, 2)).toBe('done; back: fairway rollback web --to 1')
  expect(said('rollback', 3, 2)).toBe('done; back: fairway rollback web --to 3')
  expect(said('scale', 2, 2)).toBe('done; how it is: fairway status')
  expect(said('down', 2, null)).toBe('done; back: fairway up')
})
