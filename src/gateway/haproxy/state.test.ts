import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseServersState } from './parse.ts'
import { choosePort, listeningInodes } from './ports.ts'
import { renderServerState } from './config.ts'
import { gatewayFiles } from './files.ts'
import { emptyRecord } from './record.ts'
import { commandLine } from './runtime-client.ts'
import { DesiredState } from './state.ts'

const options = {
  folder: '/srv/gateway',
  binds: [{ host: '127.0.0.1', port: 8480 }],
  internalPorts: { first: 30_000, last: 30_999 },
}
const scope = (service: string) => ({ project: 'shop', environment: 'dev', service })
const check = { kind: 'tcp' } as const
const at = (port: number) => ({ host: '127.0.0.1', port })

test('a route belongs to one service, however it is spelled', () => {
  const state = new DesiredState(emptyRecord, options)
  state.putService({ scope: scope('web'), route: { host: 'shop.example.com', path: '/api' }, check })
  expect(() =>
    state.putService({ scope: scope('api'), route: { host: 'Shop.Example.com.', path: '/api/' }, check }),
  ).toThrow(expect.objectContaining({ code: 'ROUTE_TAKEN', message: expect.stringContaining('shop/dev/web') }))
  state.putService({ scope: scope('api'), route: { host: 'shop.example.com', path: '/' }, check })
  state.putService({ scope: scope('web'), check })
  state.putService({ scope: scope('api'), route: { host: 'shop.example.com', path: '/api' }, check })
})

test('what cannot be routed as it was wished keeps nobody else from serving', () => {
  const state = new DesiredState(emptyRecord, options)
  const route = { host: 'shop.example.com', path: '/' }
  const servers = [{ name: '1-1.1', address: at(20_000), mode: 'ready' as const }]
  const refusals = state.replaceAll(
    [
      { scope: scope('web'), route, check, servers },
      { scope: scope('api'), route, check, servers },
    ],
    [],
  )
  expect(refusals.map(({ code }) => code)).toEqual(['ROUTE_TAKEN'])
  expect(state.service(scope('api'))?.route).toBeUndefined()
  expect(state.service(scope('api'))?.servers).toHaveLength(1)
  expect(state.service(scope('web'))?.route).toEqual(route)
})

test('what HAProxy refused is undone whole', () => {
  const state = new DesiredState(emptyRecord, options)
  state.putService({ scope: scope('web'), check })
  state.addServer({ scope: scope('web'), server: '1-1.1' }, at(20_000))
  const before = state.desired()
  state.putService({ scope: scope('web'), route: { host: 'a.test', path: '/' }, check })()
  state.putService({ scope: scope('new'), check })()
  state.removeService(scope('web'))()
  expect(state.desired()).toEqual(before)
})

test('ports and numbers stay over a restart, and a number is not given twice in a service', () => {
  const first = new DesiredState(emptyRecord, options)
  for (const service of ['web', 'api']) first.putService({ scope: scope(service), check })
  const name = { scope: scope('web'), server: '1-1.1' }
  first.addServer(name, at(20_000))
  first.removeServer(name)
  first.addServer({ ...name, server: '1-2.1' }, at(20_001))
  expect(first.server({ ...name, server: '1-2.1' })?.id).toBe(2)
  const observed = parseServersState(renderServerState(first.desired(), []))

  const second = new DesiredState({ ...emptyRecord, services: first.numbers() }, options)
  const server = (text: string, port: number) => ({ name: text, address: at(port), mode: 'ready' as const })
  second.replaceAll(
    [
      { scope: scope('api'), check, servers: [] },
      { scope: scope('web'), check, servers: [server('2-1.1', 20_002), server('1-2.1', 20_001)] },
    ],
    observed,
  )
  expect(second.server({ ...name, server: '1-2.1' })?.id).toBe(2)
  expect(second.server({ ...name, server: '2-1.1' })?.id).toBe(3)
  for (const service of ['web', 'api']) {
    expect(second.service(scope(service))?.internalPort).toBe(first.service(scope(service))?.internalPort)
    expect(second.service(scope(service))?.backendId).toBe(first.service(scope(service))?.backendId)
  }
})

test('each service has an internal port of its own within the range, also before it is set', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.stringMatching(/^[a-z]{1,6}$/), { maxLength: 40 }), (services) => {
      const state = new DesiredState(emptyRecord, options)
      const ports = services.map((service) => state.numbersOf(scope(service)).internalPort)
      expect(new Set(ports).size).toBe(services.length)
      expect(ports.every((port) => port >= 30_000 && port <= 30_999)).toBe(true)
      expect(services.map((service) => state.numbersOf(scope(service)).internalPort)).toEqual(ports)
    }),
  )
  expect(choosePort({ first: 5, last: 6 }, 'x', new Set([5, 6]))).toBeUndefined()
})

test('a port’s listeners are found in the tables of /proc', () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2120 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1234 1 0000000000000000
   1: 0100007F:2120 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 1235 1 0000000000000000
   2: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1236 1 0000000000000000
`
  expect(listeningInodes(table, 8480)).toEqual(['1234'])
})

test('a folder too long for its sockets is refused with what to do', () => {
  expect(gatewayFiles('/srv/fairway').relaySocket).toBe('/srv/fairway/relay.sock')
  expect(() => gatewayFiles(`/${'x'.repeat(100)}`)).toThrow(expect.objectContaining({ code: 'HOME_UNUSABLE' }))
  expect(() => gatewayFiles("/srv/it's")).toThrow(expect.objectContaining({ code: 'HOME_UNUSABLE' }))
})

test('no word turns into an order', () => {
  fc.assert(
    fc.property(fc.array(fc.string(), { minLength: 1 }), (words) => {
      const harmless = words.every((word) => word !== '' && word !== '<<' && !/[\s;\\]/.test(word))
      if (harmless) expect(commandLine(words).split(' ')).toEqual(words)
      else expect(() => commandLine(words)).toThrow(TypeError)
    }),
  )
})
