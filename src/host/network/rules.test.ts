import { expect, test } from 'vitest'
import { planResolver } from './resolver.ts'
import { acceptRules, instanceRules, ownHandles, strictChains } from './rules.ts'

const chain = (more: object) => ({ chain: { family: 'ip', table: 'filter', name: 'FORWARD', handle: 1, ...more } })
const list = (...chains: object[]) => JSON.stringify({ nftables: [{ metainfo: { version: '1.0.6' } }, ...chains] })

test('a chain that drops what it does not know is found; Docker’s own way in is taken where there is one', () => {
  const strict = chain({ hook: 'forward', policy: 'drop' })
  expect(strictChains(list(strict), 'fairway_1')).toMatchObject([{ name: 'FORWARD', hook: 'forward' }])
  const docker = chain({ name: 'DOCKER-USER' })
  expect(strictChains(list(strict, docker), 'fairway_1')).toMatchObject([{ name: 'DOCKER-USER' }])
  const input = chain({ family: 'inet', table: 'firewall', name: 'input', hook: 'input', policy: 'drop' })
  expect(strictChains(list(input), 'fairway_1')).toEqual([
    { family: 'inet', table: 'firewall', name: 'input', hook: 'input' },
  ])
  const harmless = [
    chain({ hook: 'forward', policy: 'accept' }),
    chain({ hook: 'output', policy: 'drop' }),
    chain({ family: 'ip6', hook: 'forward', policy: 'drop' }),
    chain({ table: 'fairway_1', hook: 'forward', policy: 'drop' }),
  ]
  expect(strictChains(list(...harmless), 'fairway_1')).toEqual([])
})

test('what was put there is found again, and nobody else’s', () => {
  const rules = acceptRules(
    { family: 'ip', table: 'filter', name: 'DOCKER-USER', hook: 'forward' },
    { prefix: 'fw3fa2b1', comment: 'fairway_3fa2b1' },
  )
  expect(rules.split('\n').filter((line) => line !== '')).toHaveLength(2)
  const listing = `
	chain DOCKER-USER { # handle 3
		iifname "fw3fa2b1-*" counter packets 0 bytes 0 accept comment "fairway_3fa2b1" # handle 17
		iifname "fw000000-*" counter packets 0 bytes 0 accept comment "fairway_000000" # handle 18
		counter packets 1 bytes 60 return # handle 4`
  expect(ownHandles(listing, 'fairway_3fa2b1')).toEqual([17])
})

test('an instance without ports or neighbours has no rule about them', () => {
  const rules = instanceRules({ address: '10.83.16.3', ports: [], machinePorts: [], nameservers: [] })
  expect(rules).not.toMatch(/dport|dnat/)
})

test.for<[string, string, string | undefined, ReturnType<typeof planResolver>]>([
  ['a nameserver of the network needs no help', 'nameserver 192.0.2.53', undefined, []],
  ['dnsmasq on the machine', 'nameserver 127.0.0.1', undefined, [{ from: '127.0.0.1', to: undefined }]],
  [
    'systemd-resolved answers on the loopback alone: whom it asks is asked',
    '# by systemd-resolved\nnameserver 127.0.0.53\noptions edns0',
    'nameserver fd00::53\nnameserver 192.0.2.53\nnameserver 192.0.2.54',
    [{ from: '127.0.0.53', to: '192.0.2.53' }],
  ],
  ['systemd-resolved without another', 'nameserver 127.0.0.53', '', [{ from: '127.0.0.53', to: undefined }]],
  [
    'of several, those on the loopback',
    'nameserver 192.0.2.53\nnameserver 127.0.0.1',
    undefined,
    [{ from: '127.0.0.1', to: undefined }],
  ],
])('%s', ([, own, upstream, detours]) => {
  expect(planResolver(own, upstream)).toEqual(detours)
})
