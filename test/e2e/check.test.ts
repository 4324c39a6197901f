import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { FairwayEvent } from '../../src/base/event.ts'
import { TestFairway } from '../harness/fairway.ts'
import { quickProbe, ServiceProject } from '../harness/service-project.ts'

let fairway: TestFairway
let project: ServiceProject

beforeAll(async () => {
  // No database is asked over a network, and none is there.
  fairway = await TestFairway.create({ GOVULNDB: 'file:///nowhere' })
  project = await ServiceProject.create(fairway, [`probe: ${quickProbe}`])
})
afterAll(() => fairway[Symbol.asyncDispose]())

const write = async (path: string, text: string) => {
  await mkdir(dirname(join(project.folder, path)), { recursive: true })
  await project.write(path, text)
}
const say = async (...words: string[]) => {
  const { exit, stdout, stderr } = await fairway.start(words, { cwd: project.folder }).ended
  return { exit, stdout, stderr }
}
const testFile = (body: string) => `package cart\n\nimport "testing"\n\nfunc TestCart(t *testing.T) {\n\t${body}\n}\n`

test('a check that passes is done; what could not be looked at is said', async () => {
  await write('cart/cart_test.go', testFile('t.Log("fine")'))
  await write('lib/go.mod', 'module example.com/lib\n\ngo 1.21\n') // another module below this one
  await write('lib/lib_test.go', testFile('t.Run("sub", func(t *testing.T) {})'))
  const { exit, stdout } = await say('check')
  expect(exit).toBe(0)
  expect(stdout).toContain('tests            2 passed (subtests count with theirs), 1 package without tests\n')
  await rm(join(project.folder, 'lib'), { recursive: true })
  expect(stdout).toContain('vulnerabilities  not looked for: no database')
  const { result } = await fairway.ok(['check', '--vuln', 'off'], { cwd: project.folder })
  expect(result).toMatchObject({
    outcome: 'done',
    data: { evidence: { tests: 'pass', vet: 'pass', vulnerabilities: 'off' } },
  })
})

test('evidence that was asked for by name and cannot be had is not passed over', async () => {
  const { exit, result } = await fairway.run(['check', '--vuln', 'required'], { cwd: project.folder })
  expect(exit).toBe(75)
  expect(result).toMatchObject({
    outcome: 'refused',
    error: { code: 'CHECK_INCOMPLETE' },
    data: { evidence: { vulnerabilities: 'not-enough' } },
  })
})

test('a failing test refuses, with its place as an event, in the result, in the words and as JUnit', async () => {
  await write('cart/cart_test.go', testFile('t.Errorf("got %d", 3)'))
  const { exit, result, events } = await fairway.run(['check', '--junit', 'report.xml'], { cwd: project.folder })
  expect(exit).toBe(65)
  expect(result.error).toMatchObject({
    code: 'CHECK_FAILED',
    details: [expect.stringMatching(/^cart\/cart_test\.go:6: .*TestCart: got 3$/)],
  })
  const findings = (events as FairwayEvent[]).flatMap((event) =>
    event.kind === 'check-finding' ? [event.finding] : [],
  )
  expect(findings).toMatchObject([{ check: 'test', severity: 'block', place: 'cart/cart_test.go:6', message: 'got 3' }])
  expect(await readFile(join(project.folder, 'report.xml'), 'utf8')).toContain('<failure message="got 3">')
  const { stderr } = await say('check', './cart')
  expect(stderr).toContain('✗ cart/cart_test.go:6: ')
  await rm(join(project.folder, 'report.xml'))
})

test('settings are fairway.yaml’s, options win, and a mistake in either is said with its place', async () => {
  const yaml = (...lines: string[]) =>
    project.configure(['project: shop', 'services:', `  web: { probe: ${quickProbe} }`, 'check:', ...lines])
  await write('cart/cart_test.go', testFile('t.Log("fine")'))
  await yaml('  coverageMin: 99', '  vulnerabilities: off')
  const low = await fairway.run(['check'], { cwd: project.folder })
  expect(low).toMatchObject({ exit: 65, result: { error: { message: 'The check failed: 1 finding by coverage' } } })
  expect((await fairway.run(['check', '--coverage-min', '0'], { cwd: project.folder })).exit).toBe(0)
  expect((await fairway.run(['check', './cart'], { cwd: project.folder })).exit).toBe(0) // of a part it is no measure
  expect((await fairway.run(['check', '--vuln', 'maybe'], { cwd: project.folder })).result.error?.code).toBe('USAGE')
  await yaml('  waivers:', '    - { id: GO-2026-0001, reason: "", until: 2026-02-30 }')
  expect((await fairway.run(['check'], { cwd: project.folder })).result.error?.details).toEqual([
    expect.stringMatching(/^fairway\.yaml:6:\d+: .*why it is no danger here/),
    expect.stringMatching(/^fairway\.yaml:6:\d+: .*a day like `2026-12-31`/),
  ])
  await project.configure(['project: shop', 'services:', `  web: { probe: ${quickProbe} }`])
})

test.for(['SIGINT', 'SIGHUP'] as const)('%s ends a check and what it started, and nothing is left', async (name) => {
  await write(
    'slow/slow_test.go',
    'package slow\n\nimport (\n\t"os"\n\t"testing"\n\t"time"\n)\n\nfunc TestSlow(t *testing.T) {\n\tos.WriteFile("begun", nil, 0o600)\n\ttime.Sleep(time.Hour)\n}\n',
  )
  const checking = fairway.start(['check', './slow', '--json'], { cwd: project.folder })
  await expect
    .poll(
      () =>
        readFile(join(project.folder, 'slow/begun')).then(
          () => true,
          () => false,
        ),
      { timeout: 60_000 },
    )
    .toBe(true)
  checking.signal(name)
  const { exit, result } = await checking.ended
  expect({ exit, result }).toMatchObject({ exit: 3, result: { outcome: 'aborted' } })
  expect(await readdir(join(fairway.home, 'cache/check'))).toEqual([])
  await rm(join(project.folder, 'slow'), { recursive: true })
})

test('what changed between two releases is told by their binaries', async () => {
  const vendor = async (version: string, body: string) => {
    const goMod = await readFile(join(project.folder, 'go.mod'), 'utf8')
    await write('go.mod', `${goMod.replace(/\n*require .*\n/, '\n').trimEnd()}\n\nrequire example.com/lib ${version}\n`)
    await write('vendor/modules.txt', `# example.com/lib ${version}\n## explicit\nexample.com/lib\n`)
    await write('vendor/example.com/lib/lib.go', `package lib\n\nfunc init() { ${body} }\n`)
  }
  await write('lib.go', 'package main\n\nimport _ "example.com/lib"\n')
  await vendor('v1.0.0', '')
  await fairway.ok(['up'], { cwd: project.folder })
  await vendor('v1.1.0', 'println("new")')
  await fairway.ok(['up'], { cwd: project.folder })
  const { result } = await fairway.ok(['mod', 'diff', '1', '2'], { cwd: project.folder })
  expect(result.data).toEqual({
    services: [{ service: 'web', go: null, modules: [{ path: 'example.com/lib', before: 'v1.0.0', after: 'v1.1.0' }] }],
  })
  expect((await say('mod', 'diff', '1', '2')).stdout).toBe('web: 1 → 2\n  example.com/lib: v1.0.0 → v1.1.0\n')
  expect((await fairway.run(['mod', 'diff', '1', '9'], { cwd: project.folder })).result.error?.code).toBe(
    'RELEASE_UNKNOWN',
  )
  expect(
    (await fairway.run(['bundle', 'export', 'x', '--release', '77'], { cwd: project.folder })).result.error,
  ).toEqual({
    code: 'RELEASE_UNKNOWN',
    message: 'There is no release 77 of web',
    hint: expect.stringMatching(/^There are (?:1, 2|2, 1): fairway releases web$/) as string,
  })
  expect((await say('mod', 'why', 'example.com/lib')).stdout).toMatch(/\n {2}imports example\.com\/lib\n$/)
  expect((await say('mod', 'licences')).stdout).toMatch(/example\.com\/lib\tv1\.1\.0\tunknown: no licence file\n/)
  await write(
    'go.mod',
    `${await readFile(join(project.folder, 'go.mod'), 'utf8')}\nreplace example.com/far => ../far\n`,
  )
  expect((await say('mod', 'replace')).stdout).toMatch(
    /^✗ go\.mod:\d+: example\.com\/far => \.\.\/far\n.*The folder is not there/,
  )
  const strict = await fairway.run(['lint', 'layout', '--strict'], { cwd: project.folder })
  expect(strict).toMatchObject({ exit: 65, result: { outcome: 'refused', error: { code: 'CHECK_FAILED' } } })
  const lint = await say('lint', 'layout')
  expect(lint.exit).toBe(0)
  expect(lint.stdout).toContain('[replace-outside]')
})
