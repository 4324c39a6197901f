import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { exportBundle, importModules, unpackBundle } from '../../src/goproxy/index.ts'
import { verifyStore } from '../../src/goproxy/verify.ts'
import { until } from '../harness/fairway.ts'
import { startTestProxy, type TestProxy, type TestProxyOptions } from '../harness/module-proxy.ts'
import type { Misbehaviour } from '../harness/module-upstream.ts'
import { type SmallModule, startSmallUpstream, type SmallUpstream, zipOf } from '../harness/small-upstream.ts'

const shop: SmallModule = {
  path: 'example.com/shop',
  version: 'v1.2.0',
  files: { 'shop.go': 'package shop\n', 'data.bin': randomBytes(100_000).toString('base64') },
}
const at = (file: string, { path, version }: SmallModule = shop) => `/${path}/@v/${version}.${file}`

function proxyFor({ upstream, sumdb }: SmallUpstream, options: TestProxyOptions = {}): Promise<TestProxy> {
  return startTestProxy({
    upstream: upstream.url,
    silentMs: 400,
    ...options,
    variables: { GOSUMDB: sumdb, ...options.variables },
  })
}

async function check({ proxy }: TestProxy, repair = false) {
  const recorded = (module: SmallModule) => proxy.checks.expected(module).catch(() => undefined)
  return verifyStore(proxy.store, {
    recorded: ({ path, version }) => recorded({ path, version, files: {} }),
    repair,
    now: Date.now() + 7_200_000,
  })
}

async function storedFiles({ proxy }: TestProxy): Promise<string[]> {
  const names = await readdir(proxy.store.folder, { recursive: true, withFileTypes: true })
  return names
    .filter((each) => each.isFile() && !each.parentPath.includes('sumdb') && each.name !== 'boot')
    .map(({ name }) => name)
}

test('a module is fetched once, verified, and given out from then on, also without its upstream', async () => {
  let proxy: TestProxy
  await using up = await startSmallUpstream([shop])
  {
    await using first = await proxyFor(up)
    proxy = first
    expect((await proxy.get('/example.com/shop/@v/list')).text).toBe('v1.2.0\n')
    expect(await proxy.get('/example.com/shop/@v/v1.9.9.info')).toMatchObject({ status: 404 })
    const zip = await fetch(`${proxy.url}${at('zip')}`)
    expect(Buffer.from(await zip.arrayBuffer()).equals(zipOf(shop))).toBe(true)
    expect(zip.headers.get('content-type')).toBe('application/zip')
    expect(zip.headers.get('cache-control')).toContain('immutable')
    const requests = up.upstream.requests.length
    expect((await proxy.get(at('mod'))).text).toBe('module example.com/shop\n')
    expect((await proxy.get(at('info'))).headers.get('content-type')).toBe('application/json')
    expect((await proxy.get(at('zip'), { method: 'HEAD' })).headers.get('content-length')).toBe(
      String(zipOf(shop).length),
    )
    const part = await fetch(`${proxy.url}${at('zip')}`, { headers: { range: 'bytes=100-' } })
    expect([part.status, (await part.arrayBuffer()).byteLength]).toEqual([206, zipOf(shop).length - 100])
    expect(up.upstream.requests).toHaveLength(requests)
    expect((await check(proxy)).findings).toEqual([])
    expect((await proxy.get('/metrics')).text).toMatch(/^fairway_goproxy_misses_total \d+$/m)
  }
})

test.each([
  ['a path with a bare capital', '/github.com/BurntSushi/toml/@v/list'],
  ['a path without a host', '/shop/@v/list'],
  ['a path that climbs', '/example.com/../etc/@v/list'],
  ['a path that climbs, encoded', '/example.com/%2e%2e/etc/@v/list'],
  ['a version of another major', '/example.com/shop/@v/v2.0.0.info'],
  ['a word for a version', '/example.com/shop/@v/latest.info'],
  ['a branch’s zip', '/example.com/shop/@v/main.zip'],
  ['no protocol at all', '/hello'],
  ['broken encoding', '/example.com/%zz/@v/list'],
])('%s is answered by 404 for long, and nobody is asked', async (_, path) => {
  await using up = await startSmallUpstream([shop])
  await using proxy = await proxyFor(up)
  const answer = await proxy.get(path)
  expect(answer.status).toBe(404)
  expect(answer.headers.get('cache-control')).toContain('max-age=86400')
  expect(answer.headers.get('content-type')).toContain('text/plain')
  expect(up.upstream.requests).toEqual([])
})

test('capitals come escaped, with the `!` encoded or not', async () => {
  const toml: SmallModule = { path: 'example.com/!burnt/toml', version: 'v1.0.0', files: {} }
  await using up = await startSmallUpstream([toml])
  await using proxy = await proxyFor(up)
  for (const path of ['/example.com/%21burnt/toml/@v/list', '/example.com/!burnt/toml/@v/list'])
    expect(await proxy.get(path)).toMatchObject({ status: 200, text: 'v1.0.0\n' })
})

test('32 clients that ask for the same zip at once cost one fetch', async () => {
  const big: SmallModule = { ...shop, files: { 'big.bin': randomBytes(1_500_000).toString('base64') } }
  await using up = await startSmallUpstream([big])
  await using proxy = await proxyFor(up)
  const all = await Promise.all(
    Array.from({ length: 32 }, async () => {
      const answer = await fetch(`${proxy.url}${at('zip')}`)
      return Buffer.from(await answer.arrayBuffer())
    }),
  )
  expect(all.every((zip) => zip.equals(zipOf(big)))).toBe(true)
  expect(up.upstream.requests.filter((path) => path.endsWith('.zip'))).toHaveLength(1)
  expect(proxy.proxy.counters.joined).toBeGreaterThanOrEqual(31)
  expect(proxy.proxy.counters.waiters).toBe(0)
})

const tampered = zipOf({ ...shop, files: { ...shop.files, 'evil.go': 'package shop\n' } })
const hostile: [string, (path: string) => Misbehaviour | undefined, number, RegExp][] = [
  [
    'a tampered zip',
    (path) => (path.endsWith('.zip') ? { kind: 'bytes', bytes: tampered } : undefined),
    502,
    /fetched: +h1:/,
  ],
  [
    'a tampered go.mod',
    (path) =>
      path.endsWith('.mod')
        ? { kind: 'bytes', bytes: Buffer.from('module example.com/shop\nrequire evil.com/x v1.0.0\n') }
        : undefined,
    502,
    /go\.mod of .* is not what/,
  ],
  [
    'no zip at all',
    (path) => (path.endsWith('.zip') ? { kind: 'bytes', bytes: Buffer.from('hello') } : undefined),
    422,
    /not a zip/,
  ],
  ['a web page', () => ({ kind: 'page' }), 502, /web page/],
  [
    'another version’s .info',
    (path) => (path.endsWith('.info') ? { kind: 'bytes', bytes: Buffer.from('{"Version":"v9.9.9"}') } : undefined),
    502,
    /names no such version/,
  ],
  [
    'a length that never comes',
    (path) => (path.endsWith('.zip') ? { kind: 'length', claims: 10_000_000 } : undefined),
    502,
    /announced|cut/,
  ],
  [
    'a connection that is always cut',
    (path) => (path.endsWith('.zip') ? { kind: 'cut', afterBytes: 200 } : undefined),
    502,
    /cut/,
  ],
  [
    'silence',
    (path) => (path.endsWith('.zip') ? { kind: 'silence', afterBytes: 200 } : undefined),
    504,
    /said nothing/,
  ],
  ['1 kB/s', (path) => (path.endsWith('.zip') ? { kind: 'slow', bytesPerSecond: 100 } : undefined), 504, /too slowly/],
  ['500', () => ({ kind: 'status', status: 500, words: 'out of order' }), 502, /500 out of order/],
]

test.each(hostile)(
  '%s is refused, and nothing of it stays',
  { timeout: 60_000 },
  async (_, misbehave, status, words) => {
    await using up = await startSmallUpstream([shop], { misbehave, hasRanges: false })
    const patience = words.source === 'too slowly' ? { paceMs: 400, silentMs: 5000 } : {}
    await using proxy = await proxyFor(up, patience)
    const answer = await proxy.get(at('zip'))
    expect(answer.text).toMatch(words)
    expect(answer.status).toBe(status)
    expect((await storedFiles(proxy)).filter((name) => /\.zip|note|^[0-9a-f]{8}-/.test(name))).toEqual([])
    expect((await check(proxy)).findings).toEqual([])
  },
)

test('a record for another module, and a log that was rolled back, are refused', async () => {
  const other: SmallModule = { ...shop, path: 'example.com/other' }
  await using up = await startSmallUpstream([shop, other], {
    answer: (log, path) =>
      path.startsWith('lookup/example.com/shop') ? log.lookup('example.com/other@v1.2.0') : undefined,
  })
  await using proxy = await proxyFor(up)
  expect(await proxy.get(at('zip'))).toMatchObject({ status: 502 })
  expect((await proxy.get(at('mod'))).text).toContain('no proof for example.com/shop@v1.2.0')
  expect((await storedFiles(proxy)).filter((name) => /v1\.2\.0/.test(name))).toEqual([])
})

test('what is not there is asked for once a while; what failed is asked for again', async () => {
  let isBroken = true
  await using up = await startSmallUpstream([shop], {
    misbehave: (path) =>
      isBroken && path.endsWith('.zip') ? { kind: 'status', status: 503, words: 'later' } : undefined,
  })
  await using proxy = await proxyFor(up)
  for (let n = 0; n < 5; n += 1) expect((await proxy.get('/example.com/none/@v/list')).status).toBe(404)
  expect(up.upstream.requests.filter((path) => path.includes('none'))).toHaveLength(1)
  expect(proxy.proxy.counters.negativeHits).toBe(4)
  expect((await proxy.get(at('zip'))).status).toBe(502)
  isBroken = false
  expect((await proxy.get(at('zip'))).status).toBe(200)
})

test('a list outlives its upstream, and says that it is old', async () => {
  let now = Date.now()
  let isAway = false
  await using up = await startSmallUpstream([shop], {
    misbehave: () => (isAway ? { kind: 'status', status: 500, words: 'away' } : undefined),
  })
  await using proxy = await proxyFor(up, { now: () => now })
  expect((await proxy.get('/example.com/shop/@v/list')).headers.get('warning')).toBeNull()
  isAway = true
  now += 120_000
  const stale = await proxy.get('/example.com/shop/@v/list')
  expect([stale.status, stale.text]).toEqual([200, 'v1.2.0\n'])
  expect(stale.headers.get('warning')).toMatch(/^110/)
})

test('403 of an upstream that says so of everything absent is 404; of one that knows better it stays', async () => {
  await using vague = await startSmallUpstream([shop], { absentStatus: 403 })
  await using through = await proxyFor(vague)
  expect((await through.get('/example.com/shop/cmd/x/@v/list')).status).toBe(404)
  expect((await through.get(at('zip'))).status).toBe(200)
  await using strict = await startSmallUpstream([shop], {
    misbehave: (path) => (path.includes('/shop/') ? { kind: 'status', status: 403, words: 'licence' } : undefined),
  })
  await using kept = await proxyFor(strict)
  const answer = await kept.get('/example.com/shop/@v/list')
  expect([answer.status, answer.text]).toEqual([403, expect.stringContaining('licence')])
})

test('403 for what is missing below a host, 400 for a host nobody knows: what is missing is still 404', async () => {
  const known = /^\/(?:example\.com|github\.com|sumdb)\//
  const fussy = (path: string, status: number) => ({ kind: 'status', status, words: path }) as const
  await using up = await startSmallUpstream([shop], {
    absentStatus: 403,
    misbehave(path) {
      if (!known.test(path)) return fussy('host not permitted', 400)
      return path.endsWith('/@latest') ? fussy('none', 404) : undefined
    },
  })
  await using proxy = await proxyFor(up)
  for (const name of ['@v/list', '@v/v1.0.0.info', '@v/v1.0.0.mod', '@v/v1.0.0.zip', '@latest'])
    expect([name, (await proxy.get(`/example.com/shop/cmd/x/${name}`)).status]).toEqual([name, 404])
  expect((await proxy.get(at('zip'))).status).toBe(200)
  expect((await proxy.get('/unknown.example/m/@v/list')).status).toBe(502)
})

test('upstreams are asked in order: behind a comma for what is absent, behind a bar for whatever is wrong', async () => {
  await using good = await startSmallUpstream([shop])
  for (const [status, separator, expected] of [
    [404, ',', 200],
    [500, ',', 502],
    [500, '|', 200],
  ] as const) {
    await using bad = await startSmallUpstream([], { misbehave: () => ({ kind: 'status', status, words: 'no' }) })
    await using proxy = await proxyFor(good, { upstream: `${bad.upstream.url}${separator}${good.upstream.url}` })
    expect((await proxy.get(at('mod'))).status).toBe(expected)
  }
})

test('what is denied is not given out, by the words of the rule; what is allowed is', async () => {
  await using up = await startSmallUpstream([shop])
  await using proxy = await proxyFor(up, { settings: { deny: ['example.com/sh*'] } })
  const answer = await proxy.get(at('zip'))
  expect([answer.status, answer.text]).toEqual([403, expect.stringContaining('modules.deny')])
  await using allowing = await proxyFor(up, { settings: { allow: ['example.org/*'] } })
  expect((await allowing.get(at('zip'))).text).toContain('modules.allow')
  expect(up.upstream.requests).toEqual([])
})

test('a home without a network takes one bundle after the other, though the log grew in between', async () => {
  const later: SmallModule = { path: 'example.com/later', version: 'v1.0.0', files: { 'later.go': 'package later\n' } }
  await using up = await startSmallUpstream([shop])
  await using maker = await proxyFor(up)
  const folder = await mkdtemp(join(tmpdir(), 'fairway-bundles-'))
  const make = async (name: string, module: SmallModule) => {
    const needed = [{ path: module.path, version: module.version, isWhole: true }]
    await exportBundle(join(folder, name), maker.proxy, needed, () => true)
  }
  const home = join(folder, 'home')
  const take = async (name: string, own = home) => {
    const unpacked = join(folder, `${name}-unpacked`)
    const modules = await unpackBundle(join(folder, name), unpacked)
    const [key = ''] = up.sumdb.split(' ') // no address: there is nobody but the bundle
    await using taker = await startTestProxy({
      home: own,
      upstream: pathToFileURL(unpacked).href,
      variables: { GOSUMDB: key },
    })
    return importModules(taker.proxy, modules)
  }
  await make('first', shop)
  up.log.fill(500)
  await up.add(later)
  up.log.fill(70_000)
  up.log.head() // reckoned now, not while somebody waits for an answer
  await make('second', later)
  expect(await take('first')).toMatchObject({ modules: 1 })
  expect(await take('second')).toMatchObject({ modules: 1 })
  await rm(folder, { recursive: true })
})

test('the checksum database is passed on: `supported` by ourselves, lookups verified, private names told to nobody', async () => {
  await using up = await startSmallUpstream([shop])
  await using proxy = await proxyFor(up, { variables: { GONOSUMDB: 'example.org/*' } })
  const name = up.log.signer.name
  expect(await proxy.get(`/sumdb/${name}/supported`)).toMatchObject({ status: 200, text: '' })
  expect((await proxy.get('/sumdb/sum.golang.org/supported')).status).toBe(404)
  expect((await proxy.get(`/sumdb/${name}/lookup/example.com/shop@v1.2.0`)).text).toContain(
    'example.com/shop v1.2.0 h1:',
  )
  expect((await proxy.get(`/sumdb/${name}/latest`)).text).toContain('go.sum database tree')
  expect((await proxy.get(`/sumdb/${name}/tile/8/0/000`)).status).toBe(200)
  expect((await proxy.get(`/sumdb/${name}/lookup/example.org/secret@v1.0.0`)).status).toBe(404)
  expect(up.asked.join(' ')).not.toContain('secret')
})

test('offline, only what is here is given out, and what is missing is named', async () => {
  await using up = await startSmallUpstream([shop])
  await using online = await proxyFor(up)
  expect((await online.get(at('zip'))).status).toBe(200)
  await using proxy = await proxyFor(up, { home: online.home, settings: { offline: true } })
  const before = up.upstream.requests.length
  expect((await proxy.get(at('zip'))).status).toBe(200)
  expect((await proxy.get('/example.com/shop/@v/list')).text).toBe('v1.2.0\n')
  expect((await proxy.get('/example.com/shop/@latest')).text).toContain('"v1.2.0"')
  const missing = await proxy.get('/example.com/shop/@v/v1.3.0.zip')
  expect([missing.status, missing.text]).toEqual([
    404,
    expect.stringContaining('example.com/shop@v1.3.0.zip is not here'),
  ])
  expect(up.upstream.requests).toHaveLength(before)
})

test('over its quota, what was asked for longest ago goes, and what a release needs stays', async () => {
  const many = Array.from({ length: 8 }, (_, n): SmallModule => ({
    path: `example.com/m${n}`,
    version: 'v1.0.0',
    files: { 'data.bin': randomBytes(60_000).toString('hex') },
  }))
  await using up = await startSmallUpstream(many)
  await using proxy = await proxyFor(up, {
    settings: { quota: 400_000 },
    pins: new Set(['example.com/m0 v1.0.0']),
    now: () => Date.now() + 3_600_000, // nothing is in use just now
  })
  for (const module of many) expect((await proxy.get(at('zip', module))).status).toBe(200)
  await until(async () => (await proxy.proxy.store.bytes()) <= 400_000, 'the store is within its quota')
  const left: string[] = []
  for await (const { path } of proxy.proxy.store.versions()) left.push(path)
  expect(left).toContain('example.com/m0')
  expect(left).not.toContain('example.com/m1')
  expect(proxy.proxy.counters.evictions).toBeGreaterThan(0)
  expect((await check(proxy)).findings).toEqual([])
  expect((await proxy.get(at('zip', many[1]))).status).toBe(200) // fetched again
})

test('the checker finds what was spoilt, half removed, orphaned or put there by others, and repairs it', async () => {
  await using up = await startSmallUpstream([
    shop,
    { ...shop, path: 'example.com/b' },
    { ...shop, path: 'example.com/c' },
  ])
  await using proxy = await proxyFor(up)
  for (const path of ['shop', 'b', 'c']) await proxy.get(`/example.com/${path}/@v/v1.2.0.zip`)
  const { store } = proxy.proxy
  const path = (name: string, file: 'zip' | 'info' | 'mod') =>
    store.path({ path: `example.com/${name}`, version: 'v1.2.0' }, file)
  const { chmod, rm } = await import('node:fs/promises')
  await chmod(path('shop', 'zip'), 0o644)
  await writeFile(path('shop', 'zip'), 'spoilt')
  await rm(path('b', 'info'))
  await writeFile(join(store.download, 'example.com/c/@v/v1.2.0.exe'), 'foreign')
  const found = (await check(proxy)).findings.map(
    ({ kind, file }) => `${kind} ${file.replace(/[0-9a-f]{64}/, 'X').replace(/\/[0-9a-f]{2}\//, '/')}`,
  )
  expect(found.toSorted()).toEqual([
    'corrupt blobs/X',
    'corrupt download/example.com/shop/@v/v1.2.0.zip',
    'foreign download/example.com/c/@v/v1.2.0.exe',
    'half download/example.com/b/@v/v1.2.0.zip',
  ])
  await check(proxy, true)
  expect((await check(proxy)).findings).toEqual([])
  for (const name of ['shop', 'b', 'c'])
    expect((await proxy.get(`/example.com/${name}/@v/v1.2.0.zip`)).status).toBe(200)
  expect((await check(proxy)).findings).toEqual([])
})

test('after a boot, what a power cut may have spoilt is read again', async () => {
  await using up = await startSmallUpstream([shop])
  await using proxy = await proxyFor(up)
  await proxy.get(at('zip'))
  const { store } = proxy.proxy
  const zip = store.path(shop, 'zip')
  const { chmod, truncate } = await import('node:fs/promises')
  await chmod(zip, 0o644)
  await truncate(zip, (await stat(zip)).size) // as it was
  await truncate(zip, 10)
  await store.mend('another boot')
  expect(store.find(shop, 'zip')).toBeUndefined()
  expect((await readFile(store.path(shop, 'mod'), 'utf8')).length).toBeGreaterThan(0)
})
