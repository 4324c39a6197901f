import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import type { FairwayEventBody } from '../../src/base/event.ts'
import { GoSupply } from '../../src/go/index.ts'
import { removeReadOnly } from '../../src/go/toolchain-tree.ts'
import {
  fillModuleCache,
  type ModuleUpstream,
  startModuleUpstream,
  toolchainModule,
  toolchains,
  type UpstreamOptions,
} from '../harness/module-upstream.ts'

const { older, newer } = toolchains
const zipPath = (version: string) => `/golang.org/toolchain/@v/v0.0.1-go${version}.linux-amd64.zip`
let cache = ''
const roots: string[] = []

beforeAll(async () => {
  cache = await fillModuleCache([{ module: toolchainModule(older) }, { module: toolchainModule(newer) }])
}, 300_000)
afterAll(async () => {
  for (const root of roots) await removeReadOnly(root)
})

async function makeHome(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'fairway-toolchain-'))
  roots.push(root)
  return root
}

/** A machine without Go. */
function openSupply(home: string, GOPROXY: string, more: Record<string, string> = {}) {
  const events: FairwayEventBody[] = []
  const environment = { PATH: '/usr/bin:/bin', HOME: home, GOPROXY, ...more }
  const supply = new GoSupply({
    home,
    environment,
    clock: systemClock,
    report: (event) => void events.push(event),
    proxy: () => Promise.resolve(undefined),
    silentMs: 2000,
  })
  return { supply, events }
}

function start(options: UpstreamOptions = {}): Promise<ModuleUpstream> {
  return startModuleUpstream(cache, options)
}

/** No tree that could be taken for one, and no zip that was found wrong. */
async function expectNothing(home: string): Promise<void> {
  const names = await readdir(join(home, 'toolchains'))
  expect(names.filter((name) => name.startsWith('go'))).toEqual([])
  expect((await readdir(join(home, 'toolchains/.work'))).filter((name) => !name.endsWith('.lock'))).toEqual([])
}

test('a toolchain comes from the source, is proven and works, is fetched once, and goes again', async () => {
  await using upstream = await start()
  const home = await makeHome()
  const { supply, events } = openSupply(home, upstream.url)
  const toolchain = await supply.choose({ wanted: [{ version: '1.26.0', line: 'go', place: 'go.mod:3' }] })
  expect(toolchain.version).toBe(newer)
  expect((await toolchain.run(['version'], { cwd: '/' })).stdout).toContain(`go${newer} linux/amd64`)
  expect(toolchain.variables).toMatchObject({
    GOCACHE: join(home, 'cache/go-build'),
    GOMODCACHE: join(home, 'cache/mod'),
  })
  const environment = (await toolchain.run(['env', 'GOTOOLCHAIN', 'GOFLAGS', 'GOROOT'], { cwd: '/' })).stdout
  expect(environment).toBe(`local\n\n${join(home, 'toolchains', `go${newer}`)}\n`)
  expect(events.map(({ kind }) => kind)).toContain('toolchain-installed')
  expect((await stat(join(toolchain.folder, 'src/go.mod'))).mode & 0o777).toBe(0o444)
  expect((await stat(join(toolchain.folder, 'bin/go'))).mode & 0o777).toBe(0o555)
  const asked = upstream.requests.length
  await openSupply(home, upstream.url).supply.choose({ wanted: [{ version: '1.26.0', line: 'go', place: 'go.mod:3' }] })
  expect(upstream.requests).toHaveLength(asked)
  await supply.store.verify(newer, toolchain.folder)
  expect(await supply.store.bytes(newer)).toBeGreaterThan(100_000_000)
  await supply.store.remove(newer)
  expect(await supply.store.list()).toEqual([])
})

test('the Go of this machine can be held against the log, and a change in it is seen', async () => {
  await using upstream = await start()
  const home = await makeHome()
  const { supply } = openSupply(home, upstream.url)
  const { folder } = await supply.store.install(older)
  await supply.store.verify(older, folder)
  const file = join(folder, 'src/fmt/print.go')
  await chmod(file, 0o644)
  await writeFile(file, `${await readFile(file, 'utf8')}\n// changed\n`)
  await chmod(join(folder, 'src'), 0o755)
  await writeFile(join(folder, 'src/more.go'), 'package more\n')
  await chmod(folder, 0o755)
  await rm(join(folder, 'go.env'))
  await expect(supply.store.verify(older, folder)).rejects.toMatchObject({
    code: 'MODULE_UNVERIFIED',
    message: `${folder} is not Go ${older} as sum.golang.org recorded it: 3 files differ`,
    details: ['go.env: missing', 'src/fmt/print.go: changed', 'src/more.go: added'],
  })
  expect((await readdir(join(home, 'toolchains/.work'))).filter((name) => !name.endsWith('.lock'))).toEqual([])
})

test('a version that does not exist is named with the newest of its line, and nothing is told to be private', async () => {
  const bytes = Buffer.from('v0.0.1-go1.26.7.linux-amd64\nv0.0.1-go1.26.8.linux-amd64\nv0.0.1-go1.25.13.linux-amd64\n')
  await using upstream = await start({
    misbehave: (path) => (path === '/golang.org/toolchain/@v/list' ? { kind: 'bytes', bytes } : undefined),
  })
  const { supply, events } = openSupply(await makeHome(), upstream.url)
  await expect(supply.store.installExactly('1.26.99')).rejects.toMatchObject({
    code: 'GO_MISSING',
    message: 'There is no Go 1.26.99; the newest of 1.26 are 1.26.8, 1.26.7',
    hint: 'fairway toolchain install 1.26',
  })
  await expect(supply.store.installExactly('1.24.1')).rejects.toMatchObject({
    message: 'There is no Go 1.24.1; the newest is 1.26.8',
  })
  expect(events).toEqual([]) // nothing was said to be on its way
})

test('a foreign module of a line without fixes is built with the newer Go that is here, and nobody is told to change it', async () => {
  await using upstream = await start()
  const home = await makeHome()
  await openSupply(home, upstream.url).supply.store.install(newer)
  const { supply, events } = openSupply(home, upstream.url)
  const wanted = [{ version: '1.22', line: 'go' as const, place: 'example.com/shop@v1.0.0/go.mod:3' }]
  expect((await supply.choose({ wanted, isForeign: true })).version).toBe(newer)
  expect(events).toEqual([
    {
      kind: 'warning',
      message: `example.com/shop@v1.0.0/go.mod:3 asks for Go 1.22, which gets no security fixes any more; a newer one that does is here: Go ${newer} is used`,
      hint: expect.stringContaining('GOTOOLCHAIN=goVERSION') as string,
    },
  ])
})

test('two that install at once end in one: the second waits, and fetches nothing', async () => {
  await using upstream = await start()
  const home = await makeHome()
  const [one, other] = [openSupply(home, upstream.url), openSupply(home, upstream.url)]
  const [a, b] = await Promise.all([one.supply.store.install(older), other.supply.store.install(older)])
  expect(a.folder).toBe(b.folder)
  expect(upstream.requests.filter((path) => path.startsWith(zipPath(older)))).toHaveLength(1)
  expect([...one.events, ...other.events].filter(({ kind }) => kind === 'waiting')).toHaveLength(1)
})

test('killed while it comes, it goes on where it ended', async () => {
  await using upstream = await start({
    misbehave: (path, nth) =>
      path === zipPath(older) && nth === 0 ? { kind: 'silence', afterBytes: 20_000_000 } : undefined,
  })
  const home = await makeHome()
  const program = `
    const { GoSupply } = await import(${JSON.stringify(new URL('../../src/go/index.ts', import.meta.url).href)})
    const { systemClock } = await import(${JSON.stringify(new URL('../../src/base/clock.ts', import.meta.url).href)})
    const supply = new GoSupply({ home: ${JSON.stringify(home)}, environment: { PATH: '/usr/bin', HOME: ${JSON.stringify(home)}, GOPROXY: ${JSON.stringify(upstream.url)} },
      clock: systemClock, report: () => {}, proxy: async () => undefined, silentMs: 60_000 })
    console.log('begun')
    await supply.store.install(${JSON.stringify(older)})`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  const part = join(home, 'toolchains/.work', `go${older}.zip`)
  while ((await stat(part).catch(() => ({ size: 0 }))).size < 20_000_000) await delay(20)
  child.kill('SIGKILL')
  await once(child, 'exit')
  const { supply } = openSupply(home, upstream.url)
  await supply.store.install(older)
  expect(upstream.requests).toContain(`${zipPath(older)} bytes=20000000-`)
  expect((await supply.store.list()).map(({ version }) => version)).toEqual([older])
})

test('another zip than the log says is refused, and nothing of it is left', async () => {
  const foreign = await readFile(join(cache, zipPath(newer).slice(1)))
  const changed = Buffer.from(await readFile(join(cache, zipPath(older).slice(1))))
  changed[1_000_000] = (changed[1_000_000] ?? 0) ^ 1
  for (const [bytes, code] of [
    [foreign, 'MODULE_INVALID'],
    [changed, /MODULE_INVALID|MODULE_UNVERIFIED/],
  ] as const) {
    await using upstream = await start({
      misbehave: (path) => (path === zipPath(older) ? { kind: 'bytes', bytes } : undefined),
    })
    const home = await makeHome()
    const failing = openSupply(home, upstream.url).supply.store.install(older)
    await expect(failing).rejects.toMatchObject({
      code: typeof code === 'string' ? code : (expect.stringMatching(code) as unknown),
    })
    await expectNothing(home)
  }
})

test('with another toolchain’s record, or none at all, nothing is installed', async () => {
  const lookup = (version: string) =>
    `/sumdb/sum.golang.org/lookup/golang.org/toolchain@v0.0.1-go${version}.linux-amd64`
  const other = await readFile(join(cache, lookup(newer).slice(1)))
  await using swapped = await start({
    misbehave: (path) => (path === lookup(older) ? { kind: 'bytes', bytes: other } : undefined),
  })
  const home = await makeHome()
  await expect(openSupply(home, swapped.url).supply.store.install(older)).rejects.toThrow(
    'its record holds no line for golang.org/toolchain',
  )
  await using mute = await start({
    misbehave: (path) => (path === lookup(older) ? { kind: 'status', status: 404, words: 'no' } : undefined),
  })
  await expect(openSupply(home, mute.url).supply.store.install(older)).rejects.toMatchObject({ code: 'MODULE_UNKNOWN' })
  await expect(openSupply(home, mute.url, { GOSUMDB: 'off' }).supply.store.install(older)).rejects.toThrow(
    'GOSUMDB=off',
  )
  expect(await openSupply(home, mute.url).supply.store.list()).toEqual([])
})

test('parts of two files that were put together are fetched once more from the start', async () => {
  const changed = Buffer.from(await readFile(join(cache, zipPath(older).slice(1))))
  changed.fill(0, 5_000_000, 5_000_100)
  await using upstream = await start()
  const home = await makeHome()
  const { supply } = openSupply(home, upstream.url)
  await supply.store.install(newer) // makes the folders
  const part = join(home, 'toolchains/.work', `go${older}.zip`)
  await writeFile(part, changed.subarray(0, 10_000_000))
  await writeFile(`${part}.note`, JSON.stringify({ address: `${upstream.url}${zipPath(older)}` }))
  await supply.store.install(older)
  expect(upstream.requests.filter((path) => path.startsWith(zipPath(older)))).toEqual([
    `${zipPath(older)} bytes=10000000-`,
    zipPath(older),
  ])
})

test('a list may name what cannot be had, and may lack what can', async () => {
  const list = '/golang.org/toolchain/@v/list'
  const bytes = Buffer.from(
    'v0.0.1-go1.26.99.linux-amd64\nv0.0.1-go1.26.8.linux-arm64\nv0.0.1-go1.27.1.linux-amd64\nv0.0.1-go1.9rc2.windows-amd64\n',
  )
  await using upstream = await start({
    absentStatus: 403,
    misbehave: (path) => (path === list ? { kind: 'bytes', bytes } : undefined),
  })
  const { supply } = openSupply(await makeHome(), upstream.url)
  expect(await supply.store.listRemote()).toEqual(['1.27.1', '1.26.99'])
  expect((await supply.choose({ wanted: [{ version: older, line: 'go', place: 'go.mod:3' }] })).version).toBe(older)
  const future = supply.choose({ wanted: [{ version: '1.99', line: 'go', place: '/shop/go.mod:3' }] })
  await expect(future).rejects.toThrow(
    /\/shop\/go\.mod:3 asks for Go 1\.99; there is no `go` on the PATH; fetched before: 1\.26\.7, and none can be fetched: .*no Go 1\.99 or newer of that line; the newest it lists is 1\.27\.1/,
  )
})

test('where nothing can be fetched, the newest that was is used and said so', async () => {
  await using upstream = await start()
  const home = await makeHome()
  await openSupply(home, upstream.url).supply.store.install(older)
  const { supply, events } = openSupply(home, 'http://127.0.0.1:1')
  expect((await supply.choose({ wanted: [{ version: '1.25.3', line: 'go', place: 'go.mod:3' }] })).version).toBe(older)
  expect(events).toContainEqual(
    expect.objectContaining({ kind: 'warning', message: expect.stringContaining(`so Go ${older} is used`) as unknown }),
  )
})

test('no Go and no source: the line to set is named', async () => {
  const { supply } = openSupply(await makeHome(), '')
  const error = await supply.choose({ wanted: [] }).catch((each: unknown) => each)
  expect(error).toMatchObject({
    code: 'GO_MISSING',
    hint: expect.stringContaining('modules: { proxy: https://HOST }') as unknown,
  })
})

test('GOPROXY=off is said as what it is, and not even the log is asked', async () => {
  const { supply } = openSupply(await makeHome(), 'off', { GOSUMDB: 'sum.golang.org http://127.0.0.1:1' })
  const error = await supply.store.installExactly(older).catch((each: unknown) => each)
  expect(error).toMatchObject({
    code: 'MODULE_UNAVAILABLE',
    message: `Go ${older} cannot be fetched: GOPROXY=off lets no source be asked`,
  })
})

test('a dependency that asks for a newer Go gets it', async () => {
  await using upstream = await start()
  const home = await makeHome()
  const { supply } = openSupply(home, upstream.url)
  await supply.store.install(older)
  const folder = join(home, 'shop')
  await mkdir(join(folder, 'dep'), { recursive: true })
  await writeFile(
    join(folder, 'go.mod'),
    `module example.com/shop\n\ngo 1.26.0\n\nrequire example.com/dep v1.0.0\n\nreplace example.com/dep => ./dep\n`,
  )
  await writeFile(join(folder, 'dep/go.mod'), `module example.com/dep\n\ngo ${newer}\n`)
  await writeFile(join(folder, 'dep/dep.go'), 'package dep\n')
  await writeFile(join(folder, 'main.go'), 'package main\n\nimport _ "example.com/dep"\n\nfunc main() {}\n')
  const toolchain = await supply.choose({ wanted: [{ version: '1.26.0', line: 'go', place: 'go.mod:3' }] })
  expect(toolchain.version).toBe(older)
  await toolchain.run(['list', '-deps', '.'], { cwd: folder })
  expect(toolchain.version).toBe(newer)
  await rm(folder, { recursive: true })
})
