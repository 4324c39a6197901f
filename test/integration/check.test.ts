import { chmod, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import type { FairwayEventBody } from '../../src/base/event.ts'
import { type CheckOrder, checkSource, junitXml } from '../../src/check/index.ts'
import { execOk } from '../../src/base/exec.ts'
import { findSource, findToolchain, withNestedModules } from '../../src/go/index.ts'

type Files = Readonly<Record<string, string>>

async function write(folder: string, files: Files): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), content)
  }
}

const module = 'module example.com/shop\n\ngo 1.21\n'
const goTest = (name: string, body: string, imports = '"testing"') =>
  `package ${name}\n\nimport (${imports})\n\n${body}\n`

/** A folder with these files, removed at the end; nothing is asked of any network. */
async function makeSource(files: Files, env: Readonly<Record<string, string>> = {}) {
  const root = await realpath(await mkdtemp(join(tmpdir(), 'fairway-check-test-')))
  const folder = join(root, 'project')
  await write(folder, files)
  const environment = { ...process.env, GOBIN: join(root, 'none'), GOPATH: undefined, ...env }
  const toolchain = await findToolchain({ environment: process.env })
  const events: FairwayEventBody[] = []
  const check = async (order: Partial<CheckOrder> = {}, signal?: AbortSignal) =>
    checkSource(
      {
        source: await findSource(folder),
        words: [],
        cwd: folder,
        tests: { race: false, retries: 1, timeoutMs: 60_000, ...order.tests },
        vulnerabilities: 'off',
        waivers: [],
        today: '2026-11-22',
        cacheFolder: join(root, 'cache'),
        toolsFolder: join(root, 'tools'),
        isInstallWanted: false,
        binaries: () => Promise.resolve([]),
        ...order,
      },
      { toolchain, folder, environment, report: (event) => events.push(event), signal },
    )
  return { root, folder, events, check, [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }) }
}

const said = ({ findings }: Awaited<ReturnType<typeof checkSource>>) =>
  findings.map(({ severity, place, what, message }) => `${severity} ${place ?? '-'} ${what}: ${message}`)

test('what passes is counted, coverage is of all packages, also of those without a test', async () => {
  await using source = await makeSource({
    'go.mod': module,
    'cart/cart.go': 'package cart\n\nfunc Add(a, b int) int {\n\tif a > 100 {\n\t\treturn 0\n\t}\n\treturn a + b\n}\n',
    'cart/cart_test.go': goTest(
      'cart',
      'func TestAdd(t *testing.T) {\n\tif Add(1, 2) != 3 {\n\t\tt.Fatal("no")\n\t}\n}\nfunc TestLater(t *testing.T) { t.Skip("later") }',
    ),
    'plain/plain.go': 'package plain\n\nfunc F() int { return 1 }\n',
  })
  const report = await source.check({ coverageMin: 80 })
  expect(report.evidence).toEqual({
    tests: 'pass',
    vet: 'pass',
    races: 'off',
    coverage: 'fail',
    vulnerabilities: 'off',
  })
  expect(report.coverage).toEqual({
    total: 50,
    packages: { 'example.com/shop/cart': 66.6, 'example.com/shop/plain': 0 },
  })
  expect(said(report)).toEqual(['block - total: 50 % of all statements are covered, 80 % are asked for'])
  const cart = source.events.find((event) => event.kind === 'package-done' && event.package.endsWith('cart'))
  expect(cart).toMatchObject({ outcome: 'pass', passed: 1, skipped: 1, failed: 0 })
  const again = await source.check({ coverageMin: 50 })
  expect(again.evidence.coverage).toBe('pass')
  expect(again.packages.find(({ package: name }) => name.endsWith('cart'))?.result.isCached).toBe(true)
})

test('a test that fails says where, and what it printed; the log before it is not taken for it', async () => {
  await using source = await makeSource({
    'go.mod': module,
    'a_test.go': goTest(
      'a',
      'func TestA(t *testing.T) {\n\tt.Log("hello")\n\tt.Run("sub one", func(t *testing.T) {\n\t\tt.Log("here")\n\t\tt.Errorf("got %d", 3)\n\t})\n}\nfunc TestB(t *testing.T) { t.Log("not shown") }',
    ),
  })
  const report = await source.check()
  expect(said(report)).toEqual(['block a_test.go:9 example.com/shop TestA/sub_one: got 3'])
  expect(report.findings[0]?.lines?.join()).toContain('here')
  expect(JSON.stringify(report.findings)).not.toContain('not shown')
  const xml = junitXml(report.packages, report.findings)
  expect(xml).toContain('<testsuite name="example.com/shop" tests="3" failures="2" skipped="0"')
  expect(xml).toContain('message="got 3"')
})

test('a test that passes when tried again is flaky: the check passes, and it is named', async () => {
  await using source = await makeSource({
    'go.mod': module,
    'a_test.go': goTest(
      'a',
      'func TestFlaky(t *testing.T) {\n\tif _, err := os.Stat("seen"); err != nil {\n\t\tos.WriteFile("seen", nil, 0o600)\n\t\tt.Fatal("first time")\n\t}\n}\nfunc TestFine(t *testing.T) {}',
      '"os"; "testing"',
    ),
  })
  const report = await source.check()
  expect(report.evidence.tests).toBe('pass')
  expect(report.packages).toMatchObject([{ outcome: 'flaky', flaky: ['TestFlaky'], failed: [] }])
  expect(source.events).toContainEqual({
    kind: 'tests-retried',
    package: 'example.com/shop',
    tests: ['TestFlaky'],
    attempt: 1,
  })
  expect(junitXml(report.packages, report.findings)).toContain('<flakyFailure')
  await rm(join(source.folder, 'seen'))
  const strict = await source.check({ tests: { race: false, retries: 0, timeoutMs: 60_000 } })
  expect(strict.evidence.tests).toBe('fail')
  expect(strict.findings[0]?.hint).toBe('Not tried again: retries are turned off.')
})

test('a TestMain that ends well without having run a test is told, and no evidence of anything', async () => {
  await using source = await makeSource({
    'go.mod': module,
    'quiet/q_test.go': goTest(
      'quiet',
      'func TestMain(m *testing.M) { os.Exit(0) }\nfunc TestA(t *testing.T) {}',
      '"os"; "testing"',
    ),
    'helper/h_test.go': goTest('helper', 'var _ testing.TB', '"testing"'),
    'plain/plain.go': 'package plain\n',
  })
  const report = await source.check()
  expect(said(report)).toEqual([
    expect.stringMatching(/^warn - example\.com\/shop\/quiet: passed, and none of its tests ran/),
  ])
  expect(report.evidence.tests).toBe('not-enough')
})

test('a panic, a timeout, an exit and a test that does not compile are told apart, each with its place, and not tried again', async () => {
  await using source = await makeSource({
    'go.mod': module,
    'panic/p_test.go': goTest('panic', 'func TestPanic(t *testing.T) {\n\tvar s []int\n\t_ = s[len(t.Name())]\n}'),
    'slow/s_test.go': goTest('slow', 'func TestSlow(t *testing.T) {\n\ttime.Sleep(time.Hour)\n}', '"testing"; "time"'),
    'exit/e_test.go': goTest('exit', 'func TestExit(t *testing.T) { os.Exit(3) }', '"os"; "testing"'),
    'main/m_test.go': goTest('main', 'func TestMain(m *testing.M) { m.Run(); os.Exit(1) }', '"os"; "testing"'),
    'broken/b_test.go': goTest('broken', 'func TestB(t *testing.T) { undefinedHere() }'),
  })
  const report = await source.check({ tests: { race: false, retries: 1, timeoutMs: 2000 } })
  const lines = said(report)
  expect(lines).toContainEqual(
    expect.stringMatching(/^block panic\/p_test\.go:7 \S+ TestPanic: panic: runtime error: index out of range/),
  )
  expect(lines).toContainEqual(
    expect.stringMatching(/^block slow\/s_test\.go:6 \S+ TestSlow: panic: test timed out after 2s/),
  )
  expect(lines).toContainEqual(expect.stringMatching(/^block - \S+ TestExit: its process ended while it ran/))
  expect(lines).toContainEqual(
    expect.stringMatching(/^block - example\.com\/shop\/main: the package failed, none of its tests did/),
  )
  expect(lines).toContainEqual(
    'block broken/b_test.go:5 example.com/shop/broken: does not build: undefined: undefinedHere',
  )
  expect(lines.filter((line) => line.includes('broken'))).toHaveLength(1) // vet has nothing to add
  expect(source.events.some(({ kind }) => kind === 'tests-retried')).toBe(false)
  expect(report.findings.find(({ what }) => what.includes('TestPanic'))?.hint).toContain(
    'the whole package ended with it (panic)',
  )
})

test('a data race fails the check with the places of both accesses', async () => {
  await using source = await makeSource({
    'go.mod': module,
    'r_test.go': goTest(
      'r',
      'func TestRace(t *testing.T) {\n\tx, done := 0, make(chan bool)\n\tgo func() {\n\t\tx++\n\t\tdone <- true\n\t}()\n\tx++\n\t<-done\n}',
    ),
  })
  expect((await source.check()).evidence).toMatchObject({ tests: 'pass', races: 'off' })
  const report = await source.check({ tests: { race: true, retries: 1, timeoutMs: 60_000 } })
  expect(report.evidence).toMatchObject({ tests: 'fail', races: 'fail' })
  expect(said(report)).toEqual([
    expect.stringMatching(/^block r_test\.go:(?:8|11) \S+ TestRace: data race, with r_test\.go:(?:8|11)$/),
  ])
  expect(report.findings[0]?.hint).toContain('its package has a data race, a bug whenever it is seen')
})

test('without a C compiler races are not looked for: that is said, and no pass', async () => {
  await using source = await makeSource(
    { 'go.mod': module, 'a_test.go': goTest('a', 'func TestA(t *testing.T) {}') },
    { PATH: '/nowhere' },
  )
  const report = await source.check({ tests: { race: true, retries: 1, timeoutMs: 60_000 } })
  expect(report.evidence).toMatchObject({ tests: 'pass', races: 'not-enough' })
  expect(report.missing).toEqual([expect.stringContaining('the race detector needs a C compiler')])
})

test('what vet finds has its place, and fails the check', async () => {
  await using source = await makeSource({
    'go.mod': module,
    'a.go': 'package a\n\nimport "fmt"\n\nfunc F() {\n\tfmt.Printf("%d\\n", "x")\n}\n',
  })
  const report = await source.check()
  expect(report.evidence).toMatchObject({ vet: 'fail', tests: 'not-enough' })
  expect(said(report)).toEqual([expect.stringMatching(/^block a\.go:6 printf: fmt\.Printf format %d has arg/)])
})

test('every module of a workspace is checked, and packages can be named', async () => {
  await using source = await makeSource({
    'go.work': 'go 1.21\n\nuse (\n\t./a\n\t./b\n)\n',
    'a/go.mod': 'module example.com/a\n\ngo 1.21\n',
    'a/a_test.go': goTest('a', 'func TestA(t *testing.T) {}'),
    'a/sub/s_test.go': goTest('sub', 'func TestS(t *testing.T) {}'),
    'b/go.mod': 'module example.com/b\n\ngo 1.21\n',
    'b/b_test.go': goTest('b', 'func TestB(t *testing.T) { t.Fatal("b") }'),
  })
  const names = async (...words: string[]) =>
    (await source.check({ words })).packages.map((one) => one.package).toSorted()
  expect(await names()).toEqual(['example.com/a', 'example.com/a/sub', 'example.com/b'])
  expect(await names('./a/sub')).toEqual(['example.com/a/sub'])
  expect(await names('example.com/b', './a')).toEqual(['example.com/a', 'example.com/b'])
  await expect(source.check({ words: ['../elsewhere'] })).rejects.toMatchObject({ code: 'USAGE' })
  expect(said(await source.check())).toEqual(['block b/b_test.go:5 example.com/b TestB: b'])
})

test('modules below another one are checked too, but for those that go itself passes by', async () => {
  const failing = (name: string) => goTest(name, 'func TestF(t *testing.T) { t.Fatal("no") }')
  await using source = await makeSource({
    'go.mod': module,
    'a_test.go': goTest('a', 'func TestA(t *testing.T) { t.Run("sub", func(t *testing.T) {}) }'),
    'tool/go.mod': 'module example.com/shop/tool\n\ngo 1.21\n',
    'tool/t_test.go': failing('tool'),
    'tool/deep/er/still/more/go.mod': 'module example.com/shop/more\n\ngo 1.20\n',
    'tool/deep/er/still/more/m_test.go': failing('more'),
    'hollow/go.mod': 'module example.com/shop/hollow\n\ngo 1.21\n',
    'front/go.mod': '',
    ...Object.fromEntries(
      ['vendor', 'testdata', '_old', '.cache'].flatMap((name) => [
        [`x/${name}/m/go.mod`, 'module example.com/not\n\ngo 1.21\n'],
        [`x/${name}/m/n_test.go`, failing('not')],
      ]),
    ),
  })
  const nested = await withNestedModules(await findSource(source.folder))
  expect(nested.wanted.map(({ version }) => version)).toEqual(['1.21', '1.21', '1.21', '1.20'])
  const report = await source.check({ source: nested })
  expect(report.packages.map((one) => `${one.package} ${one.outcome}`)).toEqual([
    'example.com/shop pass',
    'example.com/shop/tool fail',
    'example.com/shop/more fail',
  ])
  // A subtest counts with its test, here as in the summary.
  expect(source.events.find(({ kind }) => kind === 'package-done')).toMatchObject({ passed: 1, failed: 0 })
  expect(said(await source.check({ source: nested, words: ['./tool'] }))).toEqual([
    'block tool/t_test.go:5 example.com/shop/tool TestF: no',
  ])
})

test.for(['./nope', './nope/...', './empty', './empty/...', 'example.com/shop/nope', 'example.com/shop/nope/...'])(
  '%s matches nothing, and that is said once',
  async (word) => {
    await using source = await makeSource({ 'go.mod': module, 'a.go': 'package a\n', 'empty/README': '' })
    await expect(source.check({ words: ['.', word] })).rejects.toMatchObject({
      code: 'USAGE',
      message: `${word} matches no package of example.com/shop`,
    })
    expect(source.events).toEqual([])
  },
)

test('tests see the caller’s variables; what would change the build is not among them', async () => {
  await using source = await makeSource(
    {
      'go.mod': module,
      'a_test.go': goTest(
        'a',
        'func TestA(t *testing.T) {\n\tif os.Getenv("TEST_DATABASE") != "there" {\n\t\tt.Fatal("not there")\n\t}\n}',
        '"os"; "testing"',
      ),
    },
    { TEST_DATABASE: 'there', GOFLAGS: '-run=Nothing', GOOS: 'plan9' },
  )
  expect((await source.check()).evidence.tests).toBe('pass')
})

test('an interrupt ends go and all it started', async () => {
  await using source = await makeSource({
    'go.mod': module,
    'a_test.go': goTest(
      'a',
      'func TestA(t *testing.T) {\n\tos.WriteFile("pid", []byte(strconv.Itoa(os.Getpid())), 0o600)\n\ttime.Sleep(time.Hour)\n}',
      '"os"; "strconv"; "testing"; "time"',
    ),
  })
  const abort = new AbortController()
  const checking = source.check({}, abort.signal).catch((error: unknown) => error)
  let pid = 0
  while (pid === 0) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    pid = Number(await readFile(join(source.folder, 'pid'), 'utf8').catch(() => '0'))
  }
  const reason = new Error('enough')
  abort.abort(reason)
  expect(await checking).toBe(reason)
  await expect
    .poll(() => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => 'gone'), { timeout: 5000 })
    .toMatch(/gone|\) Z /)
})

const records: Files = {
  'index/db.json': '{"modified":"2026-11-20T10:00:00Z"}',
  'index/modules.json': JSON.stringify([
    {
      path: 'example.com/hole',
      vulns: [
        { id: 'GO-2026-0001', modified: '2026-01-01T00:00:00Z' },
        { id: 'GO-2026-0002', modified: '2026-01-01T00:00:00Z' },
      ],
    },
    { path: 'stdlib', vulns: [{ id: 'GO-2026-0003', modified: '2026-01-01T00:00:00Z' }] },
  ]),
  'ID/GO-2026-0001.json': record('GO-2026-0001', 'example.com/hole', '1.0.1', 'example.com/hole', ['Deep.Bad']),
  'ID/GO-2026-0002.json': record('GO-2026-0002', 'example.com/hole', '1.0.1', 'example.com/hole', ['Unused']),
  'ID/GO-2026-0003.json': record('GO-2026-0003', 'stdlib', '1.99.0', 'archive/tar', ['Reader.Next']),
}

function record(id: string, name: string, fixed: string, path: string, symbols: string[]): string {
  return JSON.stringify({
    schema_version: '1.3.1',
    id,
    modified: '2026-01-01T00:00:00Z',
    summary: `a hole in ${path}`,
    affected: [
      {
        package: { name, ecosystem: 'Go' },
        ranges: [{ type: 'SEMVER', events: [{ introduced: '0' }, { fixed }] }],
        ecosystem_specific: { imports: [{ path, symbols }] },
      },
    ],
  })
}

/** A program that a vulnerable function is inlined into. */
const vulnerable: Files = {
  'go.mod': 'module example.com/shop\n\ngo 1.21\n\nrequire example.com/hole v1.0.0\n',
  'vendor/modules.txt': '# example.com/hole v1.0.0\n## explicit; go 1.21\nexample.com/hole\n',
  'vendor/example.com/hole/hole.go':
    'package hole\n\ntype Deep struct{ N int }\n\nfunc (d *Deep) Bad() int { return d.N + 1 }\n\nfunc Unused() {}\n',
  'main.go':
    'package main\n\nimport (\n\t"os"\n\n\t"example.com/hole"\n)\n\nfunc main() {\n\tprintln((&hole.Deep{N: len(os.Args)}).Bad())\n}\n',
}

test.for(['-w', '-s -w'])('linked with %s, a vulnerable function is found in the binary by name', async (ldflags) => {
  await using source = await makeSource(vulnerable)
  const database = join(source.root, 'db')
  await write(database, records)
  const path = join(source.root, 'web')
  await execOk(['go', 'build', '-trimpath', `-ldflags=${ldflags}`, '-o', path, '.'], {
    cwd: source.folder,
    env: { ...(process.env as Record<string, string>), GOFLAGS: '-mod=vendor' },
  })
  const order = {
    vulnerabilities: 'required' as const,
    location: `file://${database}`,
    binaries: () => Promise.resolve([{ name: 'web', path }]),
  }
  const report = await source.check(order)
  expect(report.evidence.vulnerabilities).toBe('fail')
  expect(report.scan?.database).toMatchObject({ modified: '2026-11-20T10:00:00Z' })
  expect(said(report).map((line) => line.replace(/go1[^:]*/, 'go'))).toEqual([
    'block - GO-2026-0001: web: example.com/hole@v1.0.0: a hole in example.com/hole (example.com/hole: Deep.Bad linked)',
    'warn - GO-2026-0002: web: example.com/hole@v1.0.0: a hole in example.com/hole (example.com/hole is used, the vulnerable functions are not linked)',
    expect.stringMatching(/^warn - GO-2026-0003: web: stdlib@.*none of the packages it lies in is used/),
  ])
  const waived = await source.check({
    ...order,
    waivers: [{ id: 'GO-2026-0001', reason: 'only of trusted input', until: '2026-12-31' }],
  })
  expect(waived.evidence.vulnerabilities).toBe('pass')
})

test('without a binary the packages say what they can, and that it is less', async () => {
  await using source = await makeSource(vulnerable)
  const database = join(source.root, 'db')
  await write(database, records)
  const report = await source.check({ vulnerabilities: 'wanted', location: `file://${database}` })
  expect(said(report)[0]).toMatch(
    /^warn - GO-2026-0001: .*whether its vulnerable functions are called, no binary here says/,
  )
  expect(report).toMatchObject({ evidence: { vulnerabilities: 'not-enough' }, missing: [] })
  const required = await source.check({ vulnerabilities: 'required', location: `file://${database}` })
  expect(required.missing).toEqual([expect.stringContaining('whether GO-2026-0001, GO-2026-0002 can be reached')])
})

test('a database over HTTP is fetched once, and what was kept is asked when it is away', async () => {
  await using source = await makeSource(vulnerable)
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    const content = records[(request.url ?? '').replace(/^\//, '').replace(/\.gz$/, '')]
    response.writeHead(content === undefined ? 404 : 200).end(content === undefined ? '' : gzipSync(content))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const location = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const order = { vulnerabilities: 'required' as const, location }
  const first = await source.check(order)
  expect(asked).toContain('/ID/GO-2026-0001.json.gz')
  asked.length = 0
  expect(said(await source.check(order))).toEqual(said(first))
  expect(asked).toEqual(['/index/db.json.gz'])
  await new Promise((resolve) => server.close(resolve))
  const away = await source.check(order)
  expect(said(away)).toEqual(said(first))
  expect(away.notes).toEqual([expect.stringContaining('what was kept of it is asked instead')])
})

test('no database is no evidence: said where one was wanted, missing where it was required', async () => {
  await using source = await makeSource({ 'go.mod': module, 'a_test.go': goTest('a', 'func TestA(t *testing.T) {}') })
  const location = 'file:///nowhere/at/all'
  const wanted = await source.check({ vulnerabilities: 'wanted', location })
  expect(wanted).toMatchObject({ evidence: { tests: 'pass', vulnerabilities: 'not-enough' }, missing: [] })
  expect(wanted.notes).toEqual([expect.stringContaining('vulnerabilities were not looked for: /nowhere/at/all')])
  const required = await source.check({ vulnerabilities: 'required', location })
  expect(required.missing).toEqual([expect.stringContaining('vulnerabilities: /nowhere')])
  await write(source.root, { 'db/index/db.json': '<html>' })
  const html = await source.check({ vulnerabilities: 'wanted', location: `file://${source.root}/db` })
  expect(html.notes).toEqual([expect.stringContaining('is no part of a Go vulnerability database')])
})

test('where neither govulncheck nor Fairway itself can look, both reasons are said', async () => {
  await using source = await makeSource({ 'go.mod': module, 'a.go': 'package a\n' })
  const program = join(source.root, 'none', 'govulncheck')
  await write(source.root, { 'none/govulncheck': '#!/bin/sh\necho it is broken >&2\nexit 1\n' })
  await chmod(program, 0o755)
  const { notes } = await source.check({ vulnerabilities: 'wanted', location: 'file:///nowhere' })
  expect(notes).toEqual([
    expect.stringMatching(/govulncheck could not look: it is broken; and \/nowhere.* cannot be read/),
  ])
})

test('govulncheck, installed on request at a pinned version, follows the calls', async () => {
  await using source = await makeSource(vulnerable)
  const database = join(source.root, 'db')
  await write(database, records)
  const order = { vulnerabilities: 'required', location: `file://${database}`, isInstallWanted: true } as const
  const report = await source.check(order)
  expect(source.events).toContainEqual({
    kind: 'waiting',
    message: expect.stringMatching(/^installing govulncheck v[\d.]+ into /) as string,
  })
  expect(report.scan?.scanner).toMatch(/^govulncheck v1\./)
  expect(report.notes).toEqual([])
  expect(said(report)[0]).toMatch(/^block main\.go:10 GO-2026-0001: .*hole\.Deep\.Bad is called\)$/)
})
