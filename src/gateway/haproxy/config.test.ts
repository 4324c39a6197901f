import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Route } from '../../config/index.ts'
import { capacity, internalEntries, renderConfig, renderMap, renderServerState, routeEntries } from './config.ts'
import type { DesiredGateway, DesiredService } from './desired.ts'
import { gatewayFiles } from './files.ts'
import { backendName, checkRoute, checkPath, serverName } from './names.ts'
import { parseServersState } from './parse.ts'

const files = gatewayFiles('/srv/fairway/gateway')
const machine = { threads: 2, maxconn: 1000 }

const name = fc.stringMatching(/^[a-z]([a-z0-9-]{0,8}[a-z0-9])?$/)
const scope = fc.record({ project: name, environment: name, service: name })
const segment = fc.stringMatching(/^[A-Za-z0-9._~%-]{1,6}$/)
const path = fc.array(segment, { maxLength: 3 }).map((segments) => `/${segments.join('/')}`)
const hostName = fc.stringMatching(/^[a-z]([a-z0-9-]{0,5}[a-z0-9])?(\.[a-z]{2,4}){1,2}$/)
const port = fc.integer({ min: 1, max: 65_535 })
const address = fc.record({ host: fc.oneof(fc.ipV4(), fc.ipV6()), port })
/** Anything printable may stand in a probe's path. */
const probePath = fc.string({ unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)) })
const service: fc.Arbitrary<DesiredService> = fc.record({
  scope,
  route: fc.option(fc.record({ host: hostName, path }).map(checkRoute), { nil: undefined }),
  check: fc.oneof(
    fc.constantFrom({ kind: 'tcp' as const }, { kind: 'stream' as const }),
    probePath.map((rest) => ({ kind: 'http' as const, path: `/${rest}` })),
  ),
  backendId: fc.integer({ min: 1001, max: 9999 }),
  internalPort: port,
  servers: fc.uniqueArray(
    fc.record({
      name: fc.stringMatching(/^[1-9][0-9]?-[1-9]\.[1-9]$/),
      id: fc.integer({ min: 1, max: 1000 }),
      address,
      mode: fc.constantFrom('ready' as const, 'drain' as const, 'shut' as const),
    }),
    { selector: (server) => server.name, maxLength: 4 },
  ),
})
const gateways: fc.Arbitrary<DesiredGateway> = fc.record({
  binds: fc.array(address, { minLength: 1, maxLength: 2 }),
  services: fc.uniqueArray(service, { selector: (one) => backendName(one.scope), maxLength: 5 }),
})

/** As HAProxy takes a line apart: spaces, `\` and both quotes. @see HAProxy Configuration Manual 2.6, 2.2 "Quoting and escaping" */
function words(line: string): string[] {
  const found: string[] = []
  let word: string | undefined
  let quote = ''
  for (let at = 0; at < line.length; at += 1) {
    const char = line.charAt(at)
    if (quote === "'") {
      if (char === "'") quote = ''
      else word = (word ?? '') + char
    } else if (char === '\\') {
      at += 1
      word = (word ?? '') + line.charAt(at)
    } else if (char === "'" || char === '"') {
      word ??= ''
      quote = quote === '' ? char : quote === char ? '' : quote
    } else if (quote === '' && char === '#') break
    else if (quote === '' && char === ' ') {
      if (word !== undefined) found.push(word)
      word = undefined
    } else word = (word ?? '') + char
  }
  return word === undefined ? found : [...found, word]
}

const sections = ['global', 'defaults', 'frontend', 'backend']

test('no name, path or address makes a line or a word of its own', () => {
  const empty = renderConfig({ binds: [], services: [] }, files, machine).text.split('\n').map(words)
  const known = new Set(empty.map(([first]) => first))
  for (const keyword of [
    'bind',
    'mode',
    'timeout',
    'no',
    'retry-on',
    'default_backend',
    'frontend',
    'backend',
    'id',
    'use-server',
    'option',
    'http-check',
    'server',
  ])
    known.add(keyword)
  fc.assert(
    fc.property(gateways, (desired) => {
      const lines = renderConfig(desired, files, machine).text.split('\n').map(words)
      for (const [first] of lines) expect(known).toContain(first)
      const backends = lines.filter(([first]) => first === 'backend').map(([, backend]) => backend)
      const expected = desired.services.map(({ scope }) => backendName(scope)).toSorted()
      expect(backends).toEqual(['unrouted', 'unrouted-internal', ...expected])
      const checked = lines.filter(([first, second]) => first === 'http-check' && second === 'send')
      const paths = desired.services.flatMap(({ check }) => (check.kind === 'http' ? [checkPath(check.path)] : []))
      expect(checked.map((line) => line[5] ?? '').toSorted()).toEqual(paths.toSorted())
      const servers = lines.filter(([first, second]) => first === 'server' && second !== 'relay')
      expect(servers.length).toBe(desired.services.reduce((total, { servers }) => total + servers.length, 0))
      for (const line of servers) expect(line.length).toBe(26)
    }),
  )
})

test('servers come and go, drain and return without a change of structure; all else changes it', () => {
  fc.assert(
    fc.property(gateways, service, (desired, other) => {
      const { structure } = renderConfig(desired, files, machine)
      const emptied = { ...desired, services: desired.services.map((one) => ({ ...one, servers: [] })) }
      expect(renderConfig(emptied, files, machine).structure).toBe(structure)
      const shuffled = { ...desired, services: desired.services.toReversed() }
      expect(renderConfig(shuffled, files, machine)).toEqual(renderConfig(desired, files, machine))
      fc.pre(desired.services.every((one) => backendName(one.scope) !== backendName(other.scope)))
      const extended = { ...desired, services: [...desired.services, other] }
      expect(renderConfig(extended, files, machine).structure).not.toBe(structure)
    }),
  )
})

test('the sections are those of a haproxy.cfg, and nothing of a user stands before them', () => {
  const { text } = renderConfig({ binds: [{ host: '127.0.0.1', port: 8480 }], services: [] }, files, machine)
  const heads = text.split('\n').filter((line) => /^[a-z]/.test(line))
  expect(heads.every((line) => sections.includes(words(line)[0] ?? ''))).toBe(true)
})

test('the routes that HAProxy looks up are those that were asked for: longest path, whole segments', () => {
  // Few hosts and segments, so that they meet.
  const close = fc.record({
    host: fc.constantFrom('a.test', 'b.test'),
    path: fc
      .array(fc.constantFrom('api', 'apix', 'v1', 'API'), { maxLength: 3 })
      .map((segments) => `/${segments.join('/')}`),
  })
  const routes = fc.uniqueArray(close, { selector: ({ host, path }) => `${host}${path}`, minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(routes, close, fc.constantFrom('', '/', '/more'), (all, asked, rest) => {
      const services = all.map((route, at) => routedService(route, at))
      const request = { host: asked.host, path: `${asked.path === '/' ? '' : asked.path}${rest}` || '/' }
      const matching = services
        .filter(({ route }) => route !== undefined && covers(route, request))
        .toSorted((a, b) => (b.route?.path.length ?? 0) - (a.route?.path.length ?? 0))[0]
      expect(lookUp(services, request)).toBe(matching === undefined ? undefined : backendName(matching.scope))
    }),
  )
})

function routedService(route: Route, at: number): DesiredService {
  const scope = { project: 'p', environment: 'e', service: `s${at}` }
  const check = { kind: 'tcp' } as const
  return { scope, route: checkRoute(route), check, backendId: 1001 + at, internalPort: 30_000 + at, servers: [] }
}

function covers(route: Route, request: Route): boolean {
  const prefix = route.path === '/' ? '' : route.path
  return route.host === request.host && (request.path === prefix || request.path.startsWith(`${prefix}/`))
}

/** What the configuration's expression does: map_str where all routes are whole hosts, else map_beg. */
function lookUp(services: readonly DesiredService[], { host, path }: Route): string | undefined {
  const entries = routeEntries(services)
  const { text } = renderConfig({ binds: [], services }, files, machine)
  if (text.includes(`,map_str(${files.routes})`)) return entries.get(host)
  const key = `${host}${path}/`
  const prefixes = [...entries.keys()].filter((entry) => key.startsWith(entry))
  return entries.get(prefixes.toSorted((a, b) => b.length - a.length)[0] ?? '')
}

test('maps hold one entry a line, of two words', () => {
  fc.assert(
    fc.property(gateways, ({ services }) => {
      for (const entries of [routeEntries(services), internalEntries(services)]) {
        const lines = renderMap(entries).split('\n').slice(0, -1)
        expect(lines.length).toBe(entries.size)
        for (const line of lines) expect(line).toMatch(/^[^\s#]\S* \S+$/)
      }
    }),
  )
})

test('the server-state-file says of each server what is desired, in words HAProxy itself uses', () => {
  fc.assert(
    fc.property(gateways, (desired) => {
      const states = parseServersState(renderServerState(desired, []))
      const told = states.map(({ backend, name, id, mode, address }) => ({ backend, name, id, mode, address }))
      const expected = desired.services.flatMap(({ scope, servers }) =>
        servers.map(({ name, id, mode, address }) => ({ backend: backendName(scope), name, id, mode, address })),
      )
      expect(new Set(told.map((one) => JSON.stringify(one)))).toEqual(
        new Set(expected.map((one) => JSON.stringify(one))),
      )
      expect(states.every(({ running, checkEnabled }) => running && checkEnabled)).toBe(true)
    }),
  )
})

test('a server that was down stays down over a reload', () => {
  const one = routedService({ host: 'a.test', path: '/' }, 0)
  const server = { name: '1-1.1', id: 1, address: { host: '127.0.0.1', port: 80 }, mode: 'ready' } as const
  const desired = { binds: [], services: [{ ...one, servers: [server] }] }
  const known = parseServersState(renderServerState(desired, [])).map((state) => ({ ...state, running: false }))
  expect(parseServersState(renderServerState(desired, known))[0]?.running).toBe(false)
})

test('names that are not names are refused', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const bad = { project: 'p', environment: 'e', service: text }
      if (/^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$/.test(text)) expect(backendName(bad)).toBe(`p.e.${text}`)
      else expect(() => backendName(bad)).toThrow(TypeError)
      if (/[^A-Za-z0-9._-]/.test(text)) expect(() => serverName(text)).toThrow(TypeError)
    }),
  )
  expect(() => checkRoute({ host: 'a b', path: '/' })).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  expect(() => checkRoute({ host: 'a.test:80', path: '/' })).toThrow(
    expect.objectContaining({ hint: expect.stringContaining('without a port') }),
  )
  expect(() => checkRoute({ host: 'a.test', path: '/a b' })).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID' }),
  )
  expect(() => checkPath('/a b')).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  expect(checkRoute({ host: 'A.Test.', path: '/api/' })).toEqual({ host: 'a.test', path: '/api' })
})

test('connections fit into the open files, with room for checks', () => {
  fc.assert(
    fc.property(fc.integer({ min: 256, max: 2 ** 30 }), fc.integer({ min: 1, max: 256 }), (openFiles, cores) => {
      const { maxconn, threads } = capacity({ cores, openFiles })
      expect(2 * maxconn).toBeLessThanOrEqual(openFiles * 0.9)
      expect(maxconn).toBeLessThanOrEqual(20_000)
      expect(threads).toBeGreaterThanOrEqual(1)
      expect(threads).toBeLessThanOrEqual(Math.max(1, cores / 2))
    }),
  )
})
