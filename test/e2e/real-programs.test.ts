import { cp, mkdir, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { isRunning, TestFairway } from '../harness/fairway.ts'
import { fillBy, fillModuleCache, startModuleUpstream } from '../harness/module-upstream.ts'
import { changeProgram, copyModule } from '../harness/real-program.ts'
import { startLoad } from '../load/raw-client.ts'
import { askByTls, callGrpc, hearGreeting, settled, startStreamLoad } from '../load/stream-load.ts'

/**
 * Programs nobody here wrote, as their authors published them, by the module proxy; docs/tried-programs.md lists these and others.
 * Nothing in src/ knows one of them.
 */
interface RealProgram {
  readonly module: string
  /** Below the module; '' is its root. */
  readonly main: string
  /** A second one replaces the first; else the first, with a file more. */
  readonly versions: readonly [string] | readonly [string, string]
  readonly service: string
  readonly asked: Asked
  /** What the first `up` found, in its words. */
  readonly found: string
  readonly needs?: Needs
  /** Its module has others, which nothing tells from it. */
  readonly isOneOfMany?: boolean
}

type Asked =
  | { readonly kind: 'http'; readonly path: string }
  | { readonly kind: 'grpc'; readonly path: string }
  | { readonly kind: 'greeting'; readonly says: RegExp }
  | { readonly kind: 'tls'; readonly path: string }

interface Needs {
  /** In the error's words. */
  readonly named: RegExp
  readonly values?: Readonly<Record<string, string>>
}

/** Their make is in their titles. */
const programs: Readonly<Record<string, RealProgram>> = {
  'go-httpbin: cmd/, obeys PORT': {
    module: 'github.com/mccutchen/go-httpbin/v2',
    main: 'cmd/go-httpbin',
    versions: ['v2.25.0', 'v2.26.0'],
    service: 'go-httpbin',
    asked: { kind: 'http', path: '/get' },
    found: 'listens on the port in PORT, health at /',
  },
  'podinfo: two mains, a port by a flag': {
    module: 'github.com/stefanprodan/podinfo',
    main: 'cmd/podinfo',
    versions: ['v1.8.1-0.20250910200901-e86405a8674e'],
    service: 'podinfo',
    asked: { kind: 'http', path: '/version' },
    found: 'listens where --port says, health at /healthz',
  },
  'statsd_exporter: its main in the root, two ports': {
    module: 'github.com/prometheus/statsd_exporter',
    main: '',
    versions: ['v0.30.0', 'v0.31.0'],
    service: 'statsd-exporter',
    asked: { kind: 'http', path: '/metrics' },
    found: 'listens where --web.listen-address says, and on 9125 besides, health at /-/healthy',
  },
  'blackbox_exporter: a configuration file of its repository': {
    module: 'github.com/prometheus/blackbox_exporter',
    main: '',
    versions: ['v0.27.0'],
    service: 'blackbox-exporter',
    asked: { kind: 'http', path: '/config' },
    found: 'listens where --web.listen-address says, health at /-/healthy',
  },
  'cfssl: SQLite by cgo, eight mains, a subcommand, an embedded front-end, go 1.18': {
    module: 'github.com/cloudflare/cfssl',
    main: 'cmd/cfssl',
    versions: ['v1.6.5'],
    service: 'cfssl',
    asked: { kind: 'http', path: '/' },
    found: 'with serve, listens where --port says, health at /',
  },
  'present: templates and files that it reads, loopback alone': {
    module: 'golang.org/x/tools',
    main: 'cmd/present',
    versions: ['v0.51.0', 'v0.52.0'],
    service: 'present',
    asked: { kind: 'http', path: '/' },
    found: 'listens where -http says, starts in cmd/present, health at /',
  },
  'zitadel’s example server: below example/, PORT, sign-in pages': {
    module: 'github.com/zitadel/oidc/v3',
    main: 'example/server',
    versions: ['v3.51.17'],
    service: 'server',
    isOneOfMany: true,
    asked: { kind: 'http', path: '/.well-known/openid-configuration' },
    found: 'listens on the port in PORT, health at /healthz',
  },
  'grpc’s interoperability server: gRPC, go 1.26': {
    module: 'google.golang.org/grpc',
    main: 'interop/server',
    versions: ['v1.84.0', 'v1.85.0'],
    service: 'server',
    asked: { kind: 'grpc', path: '/grpc.testing.TestService/EmptyCall' },
    found: 'listens where -port says, speaks gRPC, no health path',
  },
  'nats-server: a protocol of its own, root main, a toolchain line that cannot be had': {
    module: 'github.com/nats-io/nats-server/v2',
    main: '',
    versions: ['v2.15.1', 'v2.15.2'],
    service: 'nats-server',
    asked: { kind: 'greeting', says: /^INFO \{/ },
    found: 'listens where --port says, speaks neither HTTP nor gRPC',
  },
  'pebble: a fixed port and another, TLS, a configuration with certificates': {
    module: 'github.com/letsencrypt/pebble/v2',
    main: 'cmd/pebble',
    versions: ['v2.10.0', 'v2.10.1'],
    service: 'pebble',
    asked: { kind: 'tls', path: '/dir' },
    found: 'listens on 14000 whatever it is told, and on 15000 besides, wants TLS',
  },
  'pebble’s challenge server: five ports': {
    module: 'github.com/letsencrypt/pebble/v2',
    main: 'cmd/pebble-challtestsrv',
    versions: ['v2.10.1'],
    service: 'pebble-challtestsrv',
    asked: { kind: 'http', path: '/' },
    isOneOfMany: true,
    found: 'listens where -http01 says, and on 5001 and 5003 and 8053 and 8055 besides',
  },
  'http-echo: a value without which it does not start': {
    module: 'github.com/hashicorp/http-echo',
    main: '',
    versions: ['v1.0.0'],
    service: 'http-echo',
    asked: { kind: 'http', path: '/' },
    found: 'listens where -listen says, health at /health',
    needs: { named: /http-echo needs ECHO_TEXT, which has no value/, values: { ECHO_TEXT: 'hello' } },
  },
  'gofakes3: a flag that it requires': {
    module: 'github.com/johannesboyne/gofakes3',
    main: 'cmd/gofakes3',
    versions: ['v1.2.0'],
    service: 'gofakes3',
    asked: { kind: 'http', path: '/' },
    found: 'listens where -host says',
    needs: { named: /gofakes3 needs -backend: .*of memory, bolt, directfs, fs/ },
  },
}

/** What statsd_exporter is built of, at the version that it names. */
const library = 'github.com/prometheus/client_model@v0.6.2'

/** Its authors publish no go.sum. */
const withoutSums = 'github.com/newrelic/go-agent/v3@v3.42.0'

const upstreamOf = (module: string, versions: readonly string[], main: string) =>
  versions.map((version) => ({ module: `${module}@${version}`, build: main === '' ? '.' : `./${main}` }))

let cache = ''
beforeAll(async () => {
  cache = await fillModuleCache([
    ...Object.values(programs).flatMap(({ module, versions, main }) => upstreamOf(module, versions, main)),
    { module: library, build: './go' },
    { module: withoutSums, build: './...' },
  ])
}, 600_000)

test.for(Object.entries(programs))('%s', async ([, program]) => {
  await using upstream = await startModuleUpstream(cache)
  await using fairway = await fairwayWith(upstream.url)
  const { module, main, versions, service, asked, needs } = program
  const path = main === '' ? module : `${module}/${main}`
  // Named like the module: a fairway.yaml in it is then of the same project.
  const cwd = join(fairway.root, 'here', basename(module.replace(/\/v\d+$/, '')).replaceAll('_', '-'))
  await mkdir(cwd, { recursive: true })
  const up = async (version: string) => fairway.run(['up', `${path}@${version}`], { cwd })

  let first = await up(versions[0])
  const tried = first.events.find((event) => event.kind === 'trial-done')
  expect(tried).toMatchObject({ found: expect.stringContaining(program.found) as unknown })
  if (needs !== undefined) {
    expect(first.result).toMatchObject({ outcome: 'refused', error: { code: 'START_UNKNOWN' } })
    const { message = '', details = [] } = first.result.error ?? {}
    expect([message, ...details].join('\n')).toMatch(needs.named)
    await writeProposed(cwd, first.result.error?.hint ?? '', needs)
    first = await up(versions[0])
  }
  expect(first.result.services).toMatchObject([{ service, outcome: 'done', release: 1 }])
  await fairway.ok(['scale', '2', service], { cwd })

  const load = await askAll(fairway, { cwd, service, asked })
  await settled()
  const second = await replace(fairway, { program, path, cwd })
  expect(second.services).toMatchObject([{ service, outcome: 'done', release: 2 }])
  await settled()
  expect(await load.stop()).toEqual({ failures: [], hasAsked: true })

  const [status] = await statusOf(fairway, cwd)
  expect(status).toMatchObject({ condition: 'healthy', release: 2, healthy: 2, instances: 2 })
  const pids = (status?.list ?? []).flatMap(({ pid }) => pid ?? [])
  expect(pids).toHaveLength(2)
  await fairway.ok(['down', service], { cwd })
  for (const pid of pids) expect(await isRunning(pid)).toBe(false)
})

test('a program with its dependencies in vendor/, and no module proxy to ask, is built and serves', async () => {
  await using upstream = await startModuleUpstream(cache)
  await using fairway = await fairwayWith(upstream.url)
  const cwd = join(fairway.root, 'program')
  await copyModule('github.com/prometheus/statsd_exporter@v0.31.0', cwd, fairway.env)
  await fillBy(['mod', 'vendor'], cwd)
  const alone = { GOPROXY: 'off', GOMODCACHE: join(fairway.root, 'empty') }
  const first = await fairway.ok(['up'], { cwd, env: alone })
  expect(first.result.services).toMatchObject([{ service: 'statsd-exporter', outcome: 'done' }])
})

test('a module that was published without its go.sum is built, as the checksum database says', async () => {
  await using upstream = await startModuleUpstream(cache)
  await using fairway = await fairwayWith(upstream.url)
  const [module = '', version = ''] = withoutSums.split('@')
  const { result } = await fairway.ok(['build', `${module}/examples/server@${version}`])
  expect(result).toMatchObject({ outcome: 'done' })
})

test('a program and a library of its own side by side in a workspace: two instances, replaced under load', async () => {
  await using upstream = await startModuleUpstream(cache)
  await using fairway = await fairwayWith(upstream.url)
  const { env } = fairway
  const cwd = join(fairway.root, 'workspace')
  await copyModule('github.com/prometheus/statsd_exporter@v0.31.0', join(cwd, 'statsd_exporter'), env)
  await copyModule(library, join(cwd, 'client_model'), env)
  await fillBy(['work', 'init', './statsd_exporter', './client_model'], cwd)
  await fillBy(['list', '-deps', './statsd_exporter'], cwd)
  const first = await fairway.ok(['up'], { cwd })
  expect(first.result.services).toMatchObject([{ service: 'statsd-exporter', outcome: 'done', release: 1 }])
  await fairway.ok(['scale', '2'], { cwd })
  const load = await askAll(fairway, { cwd, service: 'statsd-exporter', asked: { kind: 'http', path: '/metrics' } })
  await changeProgram(join(cwd, 'statsd_exporter'))
  const second = await fairway.ok(['up'], { cwd })
  expect(second.result.services).toMatchObject([{ outcome: 'done', release: 2 }])
  expect(await load.stop()).toEqual({ failures: [], hasAsked: true })
})

/** Its modules are those of the upstream, and nothing is fetched twice. */
function fairwayWith(url: string): Promise<TestFairway> {
  return TestFairway.create({ GOPROXY: url, GOMODCACHE: join(cache, '../..') })
}

/** The lines of the hint as they stand there, and the values that a person is to give. */
async function writeProposed(cwd: string, hint: string, { values = {} }: Needs): Promise<void> {
  const lines = hint.slice(hint.indexOf('services:') - 4).replaceAll(/^ {4}/gm, '')
  await writeFile(join(cwd, 'fairway.yaml'), lines)
  const named = Object.entries(values).map(([key, value]) => `${key}=${value}\n`)
  await writeFile(join(cwd, '.env.dev'), named.join(''))
}

/** By its next version; where there is but one, from its source with a file more. */
async function replace(
  fairway: TestFairway,
  {
    program: { module, main, service, versions, needs, isOneOfMany = false },
    path,
    cwd,
  }: { program: RealProgram; path: string; cwd: string },
) {
  const [first, next] = versions
  if (next !== undefined) return (await fairway.ok(['up', `${path}@${next}`], { cwd })).result
  const folder = join(fairway.root, 'source')
  await copyModule(`${module}@${first}`, folder, fairway.env)
  await changeProgram(join(folder, main))
  // By its path it was one of several; a folder's is chosen by a line.
  if (isOneOfMany) await writeFile(join(folder, 'fairway.yaml'), `services: { ${service}: { build: ./${main} } }\n`)
  if (needs !== undefined)
    for (const file of ['fairway.yaml', '.env.dev']) await cp(join(cwd, file), join(folder, file))
  return (await fairway.ok(['up'], { cwd: folder })).result
}

async function statusOf(fairway: TestFairway, cwd: string) {
  return fairway.status(cwd)
}

/** All that it is asked meanwhile; a service that speaks HTTP by its host at the gateway, others at the address they have there. */
async function askAll(
  fairway: TestFairway,
  { cwd, service, asked }: { cwd: string; service: string; asked: Asked },
): Promise<{ stop(): Promise<{ failures: readonly unknown[]; hasAsked: boolean }> }> {
  const one = (await statusOf(fairway, cwd)).find((each) => each.service === service)
  const url = new URL(one?.url ?? '')
  const address = url.protocol === 'tcp:' ? { host: url.hostname, port: Number(url.port) } : await fairway.gateway()
  if (asked.kind === 'http') {
    const request = { path: asked.path, host: url.hostname }
    const loads = [
      startLoad({ address, connections: 'keep-alive', perSecond: 50, request }),
      startLoad({ address, connections: 'new', perSecond: 20, request }),
    ]
    return {
      async stop() {
        const results = await Promise.all(loads.map((load) => load.stop()))
        const wrong = results.flatMap(({ statuses }) => [...statuses.keys()].filter((status) => status === 503))
        const hasAsked = results.every(({ sent, answered }) => sent > 20 && sent === answered)
        return { failures: [...results.flatMap(({ failures }) => failures), ...wrong], hasAsked }
      },
    }
  }
  const converse =
    asked.kind === 'grpc'
      ? callGrpc(address, { host: url.hostname, path: asked.path })
      : asked.kind === 'tls'
        ? askByTls(address, asked.path)
        : hearGreeting(address, asked.says)
  const load = startStreamLoad(converse, { perSecond: 20 })
  return {
    async stop() {
      const { held, failures } = await load.stop()
      return { failures, hasAsked: held > 10 }
    },
  }
}
