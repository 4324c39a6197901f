import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { execFile } from 'node:child_process'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findModules, HttpClient, ModuleSources, type ModuleVariables } from '../../src/module/index.ts'
import { type ModuleUpstream, startModuleUpstream, type UpstreamOptions } from '../harness/module-upstream.ts'

const run = promisify(execFile)
const module = { path: 'example.com/Shop', version: 'v1.2.0' }
const zipPath = '/example.com/!shop/@v/v1.2.0.zip'
const zip = Buffer.from(Array.from({ length: 300_000 }, (_, n) => (n * 7 + Math.floor(n / 251)) % 256))
let root = ''
let count = 0

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'fairway-sources-'))
  const folder = join(root, 'upstream/example.com/!shop/@v')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'list'), 'v1.0.0\nv1.2.0\nv1.3.0-rc.1\nnonsense\nv1.1.0 2024-01-01T00:00:00Z\n')
  await writeFile(join(folder, 'v1.2.0.info'), '{"Version":"v1.2.0","Time":"2024-01-01T00:00:00Z","Origin":{}}')
  await writeFile(join(folder, 'main.info'), '{"Version":"v1.3.0-rc.1.0.20250910200901-e86405a8674e"}')
  await writeFile(join(folder, 'wrong.info'), '{"Version":"v7.0.0"}')
  await writeFile(join(folder, 'v1.2.0.mod'), 'module example.com/Shop\n')
  await writeFile(join(folder, 'v1.2.0.zip'), zip)
})
afterAll(() => rm(root, { recursive: true }))

function start(options: UpstreamOptions = {}): Promise<ModuleUpstream> {
  return startModuleUpstream(join(root, 'upstream'), options)
}

function connect(
  GOPROXY: string,
  {
    silentMs = 300,
    environment = {},
    ...variables
  }: Partial<ModuleVariables> & { silentMs?: number; environment?: Record<string, string> } = {},
) {
  const http = new HttpClient({ environment, silentMs })
  const all = { GOPROXY, GOSUMDB: '', GOPRIVATE: '', GONOPROXY: '', GONOSUMDB: '', ...variables }
  return new ModuleSources({ http, clock: { sleep: () => delay(1) }, variables: all })
}

async function fetchZip(sources: ModuleSources, file = join(root, `zip-${(count += 1)}`)): Promise<Buffer> {
  await sources.downloadZip(module, file)
  expect(await readdir(root)).not.toContain(`${basename(file)}.note`)
  return readFile(file)
}

const failureOf = (work: Promise<unknown>) =>
  work.then(
    () => 'was taken',
    (error: { message: string; code: string; details: string[] }) =>
      `${error.code}: ${error.message} [${error.details.join('; ')}]`,
  )

test('versions, branches and starts of versions are resolved', async () => {
  await using upstream = await start()
  const sources = connect(upstream.url)
  expect(await sources.resolve(module.path, 'latest')).toEqual({ version: 'v1.2.0' })
  expect(await sources.resolve(module.path, 'v1.2.0')).toEqual({ version: 'v1.2.0', time: '2024-01-01T00:00:00Z' })
  expect(await sources.resolve(module.path, 'v1.1')).toEqual({ version: 'v1.1.0' })
  expect(await sources.resolve(module.path, 'main')).toEqual({ version: 'v1.3.0-rc.1.0.20250910200901-e86405a8674e' })
  expect((await sources.readGoMod(module)).toString()).toBe('module example.com/Shop\n')
})

test('what its author took back is not the latest, and not the newest of its line; by its own name it is to be had', async () => {
  const goMod = 'module example.com/Shop\n\nretract (\n\tv1.2.0 // loses orders\n\t[v0.1.0, v0.9.0]\n)\n'
  await using upstream = await start({
    misbehave: (path) => (path.endsWith('/v1.2.0.mod') ? { kind: 'bytes', bytes: Buffer.from(goMod) } : undefined),
  })
  const sources = connect(upstream.url)
  const retracted = { version: 'v1.2.0', why: 'loses orders' }
  expect(await sources.resolve(module.path, 'latest')).toEqual({ version: 'v1.1.0', retracted })
  expect(await sources.resolve(module.path, 'v1')).toEqual({ version: 'v1.1.0', retracted })
  expect(await sources.resolve(module.path, 'v1.1')).toEqual({ version: 'v1.1.0' })
  expect(await failureOf(sources.resolve(module.path, 'v1.2'))).toMatch(/taken back .*v1\.2\.0: loses orders/)
  expect(await sources.resolve(module.path, 'v1.2.0')).toMatchObject({ version: 'v1.2.0' })
})

test('a version that is not there is one error, with the newest that is; a module that is not, with what its likely place said', async () => {
  await using upstream = await start()
  const sources = connect(`file:///nowhere,${upstream.url}`)
  await expect(findModules(sources, `${module.path}/cmd/web`, 'v9.9.9')).rejects.toMatchObject({
    code: 'MODULE_UNKNOWN',
    message: 'example.com/Shop has no version v9.9.9; the newest is v1.2.0',
    details: [],
    hint: 'Write example.com/Shop/cmd/web@v1.2.0, or example.com/Shop/cmd/web@latest.',
  })
  await expect(findModules(sources, 'example.com/acme/none/cmd/web', 'v1.0.0')).rejects.toMatchObject({
    message: 'No source has example.com/acme/none/cmd/web@v1.0.0, under any module path',
    details: [`${upstream.url}: 404 example.com/acme/none/@v/v1.0.0.info: not here`],
  })
})

test('a file system is a source', async () => {
  const sources = connect(`file://${root}/upstream`)
  expect(await sources.resolve(module.path, 'v1.2.0')).toMatchObject({ version: 'v1.2.0' })
  expect((await fetchZip(sources)).equals(zip)).toBe(true)
  expect(await failureOf(sources.resolve('nodot', 'v1.0.0'))).toContain('MODULE_INVALID')
  expect(await failureOf(sources.resolve(module.path, 'v1.9.9'))).toMatch(
    /MODULE_UNKNOWN: No source has .* \[file:.*no such file\]/,
  )
})

test('behind a comma the next source is asked only for what is absent, behind a bar for whatever is wrong', async () => {
  await using good = await start()
  for (const [status, separator, isTaken] of [
    [404, ',', true],
    [410, ',', true],
    [403, ',', false],
    [500, ',', false],
    [403, '|', true],
    [500, '|', true],
  ] as const) {
    await using bad = await start({
      misbehave: () => ({ kind: 'status', status, words: 'in its own words\u001b[31m' }),
    })
    const outcome = await failureOf(fetchZip(connect(`${bad.url}${separator}${good.url}`)))
    if (isTaken) expect(outcome).toBe('was taken')
    else expect(outcome).toContain(`${bad.url}: ${status} in its own words [31m]`)
  }
})

test('`off` and `direct` end the list, and say so', async () => {
  await using bad = await start({ misbehave: () => ({ kind: 'status', status: 404, words: 'none' }) })
  expect(await failureOf(fetchZip(connect(`${bad.url},off,http://127.0.0.1:1`)))).toContain('allows no further source')
  expect(await failureOf(fetchZip(connect(`${bad.url},direct`)))).toContain('no repositories')
  const hidden = connect(bad.url, { GOPRIVATE: 'example.com/*' })
  expect(await failureOf(fetchZip(hidden))).toContain('no repositories')
  expect(bad.requests).toHaveLength(2)
})

test.each(['cut', 'silence'] as const)('a download that meets %s goes on where it ended', async (kind) => {
  await using upstream = await start({
    misbehave: (path, nth) => (path === zipPath && nth < 3 ? { kind, afterBytes: 60_000 } : undefined),
  })
  expect((await fetchZip(connect(upstream.url))).equals(zip)).toBe(true)
  expect(upstream.requests).toEqual([zipPath, ...[60_000, 120_000, 180_000].map((at) => `${zipPath} bytes=${at}-`)])
})

test('a later process goes on with what an earlier one left', async () => {
  await using upstream = await start({
    misbehave: (_, nth) => (nth === 0 ? { kind: 'silence', afterBytes: 100_000 } : undefined),
  })
  const file = join(root, `zip-${(count += 1)}`)
  const abort = new AbortController()
  const first = connect(upstream.url, { silentMs: 60_000 }).downloadZip(module, file, {
    signal: abort.signal,
    onProgress: ({ bytes }) => void (bytes === 100_000 && abort.abort(new Error('killed'))),
  })
  await expect(first).rejects.toThrow('killed')
  expect(await connect(upstream.url).downloadZip(module, file)).toEqual({ bytes: zip.length, isResumed: true })
  expect((await readFile(file)).equals(zip)).toBe(true)
})

test('a source without ranges begins anew; one that always ends at the same place is given up', async () => {
  await using once = await start({
    hasRanges: false,
    misbehave: (_, nth) => (nth === 0 ? { kind: 'cut', afterBytes: 60_000 } : undefined),
  })
  expect((await fetchZip(connect(once.url))).equals(zip)).toBe(true)
  await using always = await start({ hasRanges: false, misbehave: () => ({ kind: 'cut', afterBytes: 60_000 }) })
  expect(await failureOf(connect(always.url).downloadZip(module, join(root, 'given-up')))).toMatch(
    /MODULE_UNAVAILABLE: .*the connection was cut after 60000 bytes/,
  )
  expect(always.requests.length).toBeLessThan(6)
})

test('slowness is no silence', async () => {
  await using upstream = await start({ misbehave: () => ({ kind: 'slow', bytesPerSecond: 1_000_000 }) })
  expect((await fetchZip(connect(upstream.url, { silentMs: 250 }))).equals(zip)).toBe(true)
})

test('drips are no slowness: of a small file, and of a head, that never come to an end', async () => {
  await using upstream = await start({
    misbehave: (path) => (path.endsWith('.info') ? { kind: 'slow', bytesPerSecond: 20 } : undefined),
  })
  expect(await failureOf(connect(upstream.url).readInfo(module.path, 'v1.2.0'))).toMatch(
    /MODULE_UNAVAILABLE: example\.com\/Shop@v1\.2\.0 cannot be fetched .*it sent no more than \d+ bytes within 1 s/,
  )
  const server = createServer((socket) => {
    socket.on('error', () => {}) // it is broken off
    socket.write('HTTP/1.1 200 OK\r\n')
    const drip = setInterval(() => socket.write('x-drip: 1\r\n'), 50)
    socket.on('close', () => clearInterval(drip))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  expect(await failureOf(connect(`http://127.0.0.1:${port}`).readGoMod(module))).toContain('it did not begin to answer')
  server.close()
})

test('on a full disk nothing is left of what came', async () => {
  await using upstream = await start()
  const folder = join(root, 'small')
  await mkdir(folder)
  await run('mount', ['-t', 'tmpfs', '-o', 'size=100k', 'tmpfs', folder])
  try {
    expect(await failureOf(connect(upstream.url).downloadZip(module, join(folder, 'zip')))).toContain('DISK_FULL')
    expect(await readdir(folder)).toEqual([])
  } finally {
    await run('umount', [folder])
  }
})

test('a lie about the length is seen', async () => {
  await using more = await start({ hasRanges: false, misbehave: () => ({ kind: 'length', claims: 400_000 }) })
  expect(await failureOf(connect(more.url).downloadZip(module, join(root, 'lie-1')))).toMatch(/MODULE_UNAVAILABLE/)
  await using huge = await start({ misbehave: () => ({ kind: 'length', claims: 600 * 1024 * 1024 }) })
  expect(await failureOf(connect(huge.url).downloadZip(module, join(root, 'lie-2')))).toContain(
    'it has 629145600 bytes, 524288000 are allowed',
  )
})

test('a web page in place of an answer is called one', async () => {
  await using upstream = await start({ misbehave: () => ({ kind: 'page' }) })
  const sources = connect(upstream.url)
  expect(await failureOf(fetchZip(sources))).toContain('a web page came in its place')
  expect(await failureOf(sources.resolve(module.path, 'v1.2.0'))).toContain('a web page came in its place')
})

test('an answer that is none is shown', async () => {
  await using upstream = await start({ misbehave: () => ({ kind: 'bytes', bytes: Buffer.from('{"oops"') }) })
  expect(await failureOf(connect(upstream.url).resolve(module.path, 'v1.2.0'))).toContain('"{\\"oops\\""')
  await using other = await start()
  expect(await failureOf(connect(other.url).resolve(module.path, 'wrong'))).toContain('MODULE_UNAVAILABLE')
})

test('who is silent from the start is given up, in words', async () => {
  await using upstream = await start({ misbehave: () => ({ kind: 'silence', afterBytes: 0 }) })
  expect(await failureOf(connect(upstream.url).resolve(module.path, 'v1.2.0'))).toContain('it said nothing for 0 s')
  expect(await failureOf(connect('http://127.0.0.1:1').resolve(module.path, 'v1.2.0'))).toContain(
    'nothing answers there',
  )
})

test('credentials go to whom they are for, and into no message', async () => {
  await using elsewhere = await start()
  await using upstream = await start({ misbehave: () => ({ kind: 'redirect', to: `${elsewhere.url}${zipPath}` }) })
  const withUser = upstream.url.replace('//', '//ada:s%40cret@')
  expect((await fetchZip(connect(withUser))).equals(zip)).toBe(true)
  expect(upstream.headers[0]?.authorization).toBe(`Basic ${Buffer.from('ada:s@cret').toString('base64')}`)
  expect(elsewhere.headers[0]?.authorization).toBeUndefined()
  await using refusing = await start({ misbehave: () => ({ kind: 'status', status: 401, words: 'who are you' }) })
  const failure = await failureOf(fetchZip(connect(refusing.url.replace('//', '//ada:s%40cret@'))))
  expect(failure).toContain('401 who are you')
  expect(failure).not.toMatch(/cret|ada/)
})

test('a redirect without end is ended', async () => {
  await using upstream: ModuleUpstream = await start({ misbehave: () => ({ kind: 'redirect', to: '/again' }) })
  expect(await failureOf(fetchZip(connect(upstream.url)))).toContain('redirects more than 10 times')
})
