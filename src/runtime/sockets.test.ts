import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseListeningSockets, reaches } from './sockets.ts'

const head = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n'
const row = (local: string, state = '0A', inode = 1651) =>
  `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 000000009ec968fe 100 0 0 10 0\n`
const hosts = (...locals: string[]) =>
  parseListeningSockets(head + locals.map((local) => row(local)).join('')).map(({ address }) => address.host)

test('addresses are read as people write them', () => {
  expect(parseListeningSockets(head + row('0100007F:4E21'))).toEqual([
    { address: { host: '127.0.0.1', port: 20001 }, inode: 1651 },
  ])
  expect(hosts('00000000:0050', `${'0'.repeat(32)}:0050`)).toEqual(['0.0.0.0', '::'])
  expect(hosts(`${'0'.repeat(24)}01000000:0050`)).toEqual(['::1'])
  expect(hosts('B80D0120000000000000000001000000:0050')).toEqual(['2001:db8::1'])
})

test('an IPv4 address in IPv6 clothes is that IPv4 address', () => {
  expect(hosts('0000000000000000FFFF00000100007F:0050')).toEqual(['127.0.0.1'])
})

test('only listening sockets count', () => {
  expect(parseListeningSockets(head + row('0100007F:4E21', '01') + row('0100007F:4E22', '06'))).toEqual([])
})

test('every IPv4 address and port comes back', () => {
  const octet = fc.nat(255)
  fc.assert(
    fc.property(fc.tuple(octet, octet, octet, octet), fc.nat(65_535), (octets, port) => {
      const hex = (value: number, digits: number) => value.toString(16).toUpperCase().padStart(digits, '0')
      const local = [...octets]
        .reverse()
        .map((value) => hex(value, 2))
        .join('')
      const [socket] = parseListeningSockets(row(`${local}:${hex(port, 4)}`))
      expect(socket?.address).toEqual({ host: octets.join('.'), port })
    }),
  )
})

test('every IPv6 address is one that URL parsing takes as it is', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant(0), fc.nat(255)), { minLength: 16, maxLength: 16 }), (bytes) => {
      const hex = bytes.map((value) => value.toString(16).toUpperCase().padStart(2, '0'))
      const words = [0, 4, 8, 12]
        .map((at) =>
          hex
            .slice(at, at + 4)
            .reverse()
            .join(''),
        )
        .join('')
      const [host = ''] = hosts(`${words}:0050`)
      if (host.includes(':')) expect(new URL(`http://[${host}]`).hostname).toBe(`[${host}]`)
    }),
  )
})

test('no text makes the parser throw', () => {
  fc.assert(fc.property(fc.string(), (text) => Array.isArray(parseListeningSockets(text))))
})

test('a wildcard reaches what it covers', () => {
  const wanted = { host: '127.0.0.1', port: 20001 }
  expect(reaches([{ host: '127.0.0.1', port: 20001 }], wanted)).toBe(true)
  expect(reaches([{ host: '0.0.0.0', port: 20001 }], wanted)).toBe(true)
  expect(reaches([{ host: '::', port: 20001 }], wanted)).toBe(true)
  expect(reaches([{ host: '127.0.0.2', port: 20001 }], wanted)).toBe(false)
  expect(reaches([{ host: '::', port: 20002 }], wanted)).toBe(false)
  expect(reaches([{ host: '0.0.0.0', port: 20001 }], { host: '::1', port: 20001 })).toBe(false)
  expect(reaches([], wanted)).toBe(false)
})
