import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatAddress, parseAddress } from './host.ts'

test('an address comes back from its text', () => {
  const addresses = fc.record({ host: fc.oneof(fc.ipV4(), fc.ipV6()), port: fc.nat(65_535) })
  fc.assert(
    fc.property(addresses, (address) => {
      expect(parseAddress(formatAddress(address))).toEqual(address)
    }),
  )
})

test('a text that is none is refused', () => {
  for (const text of ['', '127.0.0.1', ':80', '::1:80', '127.0.0.1:65536', '127.0.0.1:x', '[127.0.0.1]:80']) {
    expect(parseAddress(text)).toBeUndefined()
  }
  fc.assert(fc.property(fc.string(), (text) => parseAddress(text) === undefined || text.includes(':')))
})
