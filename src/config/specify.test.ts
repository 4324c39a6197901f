import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatDuration, parseDuration, parseSize } from './measure.ts'
import { parseProjectFile } from './project-file.ts'
import { findCycle, specify } from './specify.ts'

function specified(text: string, environment = 'dev') {
  return specify(parseProjectFile(text).file, { project: 'shop', environment, names: ['web'] })
}
const service = (text: string, environment?: string) => {
  const { services, complaints } = specified(text, environment)
  expect(complaints).toEqual([])
  const [first] = services
  if (first === undefined) throw new Error('no service')
  return first
}

test('nothing said: one instance that obeys PORT, found healthy by a TCP connect, rolled one by one', () => {
  const { run, desired } = service('')
  expect(run).toEqual({
    args: [],
    listen: { kind: 'env', name: 'PORT' },
    probe: { target: { kind: 'tcp' }, everyMs: 500, timeoutMs: 1000, healthyForMs: 1000, deadlineMs: 60_000 },
    limits: {},
    data: false,
    beforeDeadlineMs: 600_000,
    graceMs: 10_000,
  })
  expect(desired).toEqual({
    instances: 1,
    route: { host: 'web.localhost', path: '/' },
    routeFallback: { host: 'web.shop.localhost', path: '/' },
    strategy: { kind: 'rolling', batch: 1 },
    keepWarmMs: 0,
    drainMs: 30_000,
  })
})

test('an environment is laid over a service key by key', () => {
  const text = `
services:
  web: { instances: 2, probe: { tcp: true, every: 1s }, limits: { memory: 64Mi, cpu: 1 }, config: { A: { type: int, default: 1 }, B: {} } }
environments:
  prod: { services: { web: { instances: 6, probe: { http: /up }, limits: { cpu: 2 }, config: { A: { default: 5 } }, route: { host: a.example } } } }
`
  const { run, desired, declarations } = service(text, 'prod')
  expect(desired).toMatchObject({ instances: 6, route: { host: 'a.example', path: '/' } })
  expect(run.probe).toMatchObject({ target: { kind: 'http', path: '/up' }, everyMs: 1000 })
  expect(run.limits).toEqual({ memoryBytes: 64 * 2 ** 20, cpu: 2 })
  expect(declarations.get('A')).toMatchObject({ type: 'int', default: '5' })
  expect([...declarations.keys()]).toEqual(['A', 'B'])
  expect(service(text).desired.instances).toBe(2)
})

test('outside dev there is a route only where one is said, and none where that is said', () => {
  expect(service('environments: { prod: {} }', 'prod').desired.route).toBeUndefined()
  expect(service('services: { web: { route: none } }').desired.route).toBeUndefined()
  expect(service('services: { web: { route: { path: /api } } }').desired.route).toEqual({
    host: 'web.localhost',
    path: '/api',
  })
})

test('data is kept by recreate and one instance; several are warned of', () => {
  expect(service('services: { web: { data: true } }').desired.strategy).toEqual({ kind: 'recreate' })
  expect(specified('services: { web: { data: true, instances: 2 } }').warnings).toEqual([
    expect.stringContaining('two of them will write to one folder'),
  ])
})

test('arguments may name the folder that is kept, where one is', () => {
  expect(service("services: { web: { data: true, args: ['--dir={{data}}/db'] } }").run.args).toEqual([
    '--dir={{data}}/db',
  ])
  const { complaints } = specified("services: { web: { args: ['--dir={{data}}'] } }")
  expect(complaints.map(({ message }) => message)).toEqual([expect.stringContaining('write `data: true` too')])
})

test('a fixed port and further ones are said; where nothing is, the specification is as it always was', () => {
  expect(service('services: { web: { listen: { port: 8080 }, ports: [9797], network: own } }').run).toMatchObject({
    listen: { kind: 'port', port: 8080 },
    ports: [9797],
    network: 'own',
    probe: { target: { kind: 'tcp' } },
  })
  expect(Object.keys(service('services: { web: { ports: [] } }').run)).toEqual(Object.keys(service('').run))
})

test('a worker is healthy while it lives', () => {
  const { run, desired } = service('services: { web: { listen: none } }')
  expect(run.probe.target).toEqual({ kind: 'alive' })
  expect(desired.route).toBeUndefined()
})

test.each([
  ['services: { web: { listen: none, probe: { http: /x } } }', '`http` asks a port'],
  ['services: { web: { listen: { port: 80 }, ports: [80] } }', '80 is named already'],
  ['services: { web: { ports: [81, 82, 81] } }', '81 is named already'],
  ['services: { web: { listen: none, route: { host: a.b } } }', '`listen: none` answers no requests'],
  ['services: { web: { probe: { healthyFor: 2m } } }', '`deadline` (1m) ends before `healthyFor` (2m) can be over'],
  [
    'services: { web: { config: { A: { secret: true } } } }\nenvironments: { dev: { services: { web: { config: { A: { default: x } } } } } }',
    'no default for a secret',
  ],
  ['services: { web: { needs: [db] } }', '`db` is no service of this project'],
  ['services: { a: { needs: [b] }, b: { needs: [a] } }', 'a needs b needs a: no order fulfils that'],
  [
    'services: { a: { route: { host: x.example } }, b: { route: { host: x.example } } }',
    'x.example/ belongs to `a` already',
  ],
  ['environments: { dev: { services: { wbe: {} } } }', '`wbe` is no service of this project; known: web'],
  ['services: { web: { config: { PORT: {} } } }', 'Fairway itself gives the program `PORT`'],
  ['services: { web: { config: { A: { type: port, default: 0 } } } }', 'its default is not a port from 1 to 65535'],
  ['services: { web: { config: { A: { as: file }, A_FILE: {} } } }', 'gives the program A_FILE, which is declared too'],
])('%s', (text, message) => {
  expect(specified(text).complaints.map((complaint) => complaint.message)).toEqual([expect.stringContaining(message)])
})

test('every duration that is printed is read back', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e11 }), (ms) => {
      expect(parseDuration(formatDuration(ms))).toBe(ms)
    }),
  )
  expect([
    parseDuration('1.5s'),
    parseDuration('1h30m'),
    parseDuration('0'),
    parseDuration('5'),
    parseDuration('-1s'),
  ]).toEqual([1500, 5_400_000, 0, undefined, undefined])
  expect([parseSize('64M'), parseSize('1.5Gi'), parseSize('64')]).toEqual([64e6, 1.5 * 2 ** 30, undefined])
})

test('needs without a cycle have an order; a cycle is one', () => {
  const graph = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.array(fc.constantFrom('a', 'b', 'c', 'd')))
  fc.assert(
    fc.property(graph, (needs) => {
      const cycle = findCycle(new Map(Object.entries(needs)))
      if (cycle === undefined) return
      expect(cycle[0]).toBe(cycle.at(-1))
      for (const [index, name] of cycle.slice(0, -1).entries()) expect(needs[name]).toContain(cycle[index + 1])
    }),
  )
})
