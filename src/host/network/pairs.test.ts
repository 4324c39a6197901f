import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type AddressRange,
  formatAddressRange,
  overlap,
  parseAddressRange,
  privateBlocks,
  sizeOf,
} from '../../config/index.ts'
import { chooseRange, instanceAddress, linkName, machineEnd, pairsIn, parseRoutes } from './pairs.ts'

const range = (text: string): AddressRange => {
  const parsed = parseAddressRange(text)
  if (parsed === undefined) throw new Error(`no range: ${text}`)
  return parsed
}
const marks = { prefix: 'fw3fa2b1', metric: '1004711' }

const ranges = fc
  .tuple(fc.constantFrom(...privateBlocks), fc.integer({ min: 16, max: 28 }), fc.nat())
  .map(([block, bits, at]) => ({
    first: block.first + (at % 2 ** (bits - block.bits)) * sizeOf({ bits }),
    bits,
  }))

test('every instance of a range has a pair and a link of its own, within the range and with a name the kernel takes', () => {
  fc.assert(
    fc.property(ranges, fc.nat(), fc.nat(), (range, a, b) => {
      const { first, last } = pairsIn(range)
      const [one, other] = [a, b].map((n) => instanceAddress(range, first + (n % (last - first + 1))))
      for (const address of [one ?? '', machineEnd(one ?? '')]) {
        const own = parseAddressRange(address)
        expect(own !== undefined && overlap(own, range)).toBe(true)
      }
      expect(linkName('fw3fa2b1', one ?? '').length).toBeLessThanOrEqual(15)
      expect(linkName('fw3fa2b1', one ?? '') === linkName('fw3fa2b1', other ?? '')).toBe(one === other)
    }),
  )
})

test('the range of a home is the same each time, and in nobody’s way', () => {
  fc.assert(
    fc.property(fc.uuid(), fc.array(ranges, { maxLength: 20 }), (homeId, used) => {
      const chosen = chooseRange(homeId, used)
      expect(chooseRange(homeId, used)).toEqual(chosen)
      for (const other of used) expect(chosen !== undefined && overlap(chosen, other)).toBe(false)
    }),
  )
})

test('a company that routes all of 10.0.0.0/8 leaves other ranges', () => {
  const used = [range('10.0.0.0/8'), range('172.17.0.0/16')]
  expect(formatAddressRange(chooseRange('home', used) ?? range('0.0.0.0/0'))).toMatch(/^172\.(?!17)/)
  expect(chooseRange('home', privateBlocks)).toBeUndefined()
})

test('routes of others are in the way; the default route and our own are not', () => {
  const text = [
    'default via 192.0.2.1 dev eth0 ',
    '10.8.0.0/16 via 10.8.0.5 dev tun0 ',
    '10.83.16.2/31 dev fw3fa2b1-531003 proto kernel scope link src 10.83.16.2 ',
    'unreachable 10.83.16.0/20 metric 1004711 ',
    'unreachable 10.99.0.0/20 metric 1000001 ',
    'local 192.0.2.2 dev eth0 table local proto kernel scope host src 192.0.2.2 ',
    'broadcast 192.0.2.255 dev eth0 table local proto kernel scope link src 192.0.2.2 ',
    '',
  ].join('\n')
  const found = parseRoutes(text, marks).map(formatAddressRange)
  expect(found).toEqual(['10.8.0.0/16', '10.99.0.0/20', '192.0.2.2/32', '192.0.2.255/32'])
})
