import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { exec } from '../../src/base/exec.ts'
import { type ErrorCode, errorCatalogue } from '../../src/base/error.ts'
import { type CommandEnd, TestFairway } from '../harness/fairway.ts'

/** What users get for what they should not have written: code, place and hint, at once, and nothing is touched. */
const hello = new URL('../../examples/hello', import.meta.url).pathname

const goMod = 'module example.com/shop\n\ngo 1.24\n'
const server = 'package main\n\nimport "net/http"\n\nfunc main() { panic(http.ListenAndServe(":8080", nil)) }\n'
const good = { 'go.mod': goMod, 'main.go': server }

/** On an idle machine a refusal takes 0.1 to 0.3 s; a machine with ten times as much to do is given ten times as long. */
const soonMs = 10_000

let fairway: TestFairway
let count = 0

beforeAll(async () => {
  fairway = await TestFairway.create()
})
afterAll(async () => {
  await fairway[Symbol.asyncDispose]()
})

type Files = Readonly<Record<string, string | Uint8Array>>

async function folderOf(files: Files): Promise<string> {
  count += 1
  const folder = join(fairway.root, `case-${count}`)
  await mkdir(folder, { recursive: true })
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), content)
  }
  return folder
}

async function commit(folder: string): Promise<void> {
  const env = { PATH: process.env['PATH'] ?? '', HOME: fairway.root, GIT_CONFIG_GLOBAL: '/dev/null' }
  await exec(['git', 'init', '--quiet'], { cwd: folder, env })
  await exec(['git', 'add', '--all'], { cwd: folder, env })
}

/** The last line says it in `--json`, the exit status is its own, and the home is as it was. */
function expectRefusal(end: CommandEnd, code: ErrorCode, words: RegExp, { home } = fairway): void {
  const said = [end.result.error?.message, end.result.error?.hint, ...(end.result.error?.details ?? [])].join('\n')
  expect({ code: end.result.error?.code, outcome: end.result.outcome, exit: end.exit, said }).toEqual({
    code,
    outcome: 'refused',
    exit: errorCatalogue[code].exit,
    said: expect.stringMatching(words) as string,
  })
  expect(end.result.error?.hint ?? '').not.toBe('')
  // Both ports are tried last, when the state is open already.
  expect(existsSync(join(home, 'state.db'))).toBe(false)
}

async function refused(
  words: readonly string[],
  cwd: string,
  code: ErrorCode,
  said: RegExp,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const begin = performance.now()
  const end = await fairway.run(words, { cwd, env })
  expect(performance.now() - begin).toBeLessThan(soonMs)
  expectRefusal(end, code, said)
}

describe('the folder', () => {
  test('an empty one is no Go module', async () => {
    await refused(['up'], await folderOf({}), 'SOURCE_NOT_GO', /no go\.mod/)
  })

  test('one that is not there', async () => {
    await refused(['up', 'nowhere'], await folderOf({}), 'SOURCE_NOT_GO', /is not a folder/)
  })

  test('Go files without a module get the command that makes one', async () => {
    await refused(['up'], await folderOf({ 'main.go': server }), 'SOURCE_NOT_GO', /go mod init/)
  })

  test('a library has no main package', async () => {
    const folder = await folderOf({ 'go.mod': goMod, 'shop.go': 'package shop\n' })
    await refused(['up'], folder, 'MAIN_NOT_FOUND', /library[\s\S]*build: /)
  })

  test('several mains that could serve come with reasons and the line to write', async () => {
    const folder = await folderOf({ 'go.mod': goMod, 'cmd/billing/main.go': server, 'cmd/admin/main.go': server })
    await refused(['up'], folder, 'MAIN_AMBIGUOUS', /cmd\/admin: .*ListenAndServe[\s\S]*cmd\/billing|build: \.\/cmd/)
  })

  test('`build:` of something that is not there', async () => {
    const yaml = 'services: { web: { build: ./cmd/nothing } }\n'
    await refused(['up'], await folderOf({ ...good, 'fairway.yaml': yaml }), 'MAIN_NOT_FOUND', /cmd\/nothing/)
  })

  test.for(['up', 'build', 'check', 'mod tidy', 'mod outdated'])(
    '%s: a go.mod that cannot be read has its line',
    async (words) => {
      const folder = await folderOf({ ...good, 'go.mod': `${goMod}\nrequire one\n` })
      await refused(words.split(' '), folder, 'BUILD_FAILED', /^go\.mod:5: usage: require[^]*go mod edit -fmt/)
    },
  )

  test('a module from elsewhere without a version', async () => {
    const said = /^example\.com\/shop\/cmd\/web is no folder here[^]*fairway up example\.com\/shop\/cmd\/web@latest/
    await refused(['up', 'example.com/shop/cmd/web'], await folderOf(good), 'SOURCE_NOT_GO', said)
  })

  test('a module that asks for a Go of the future', async () => {
    const folder = await folderOf({ ...good, 'go.mod': 'module example.com/shop\n\ngo 1.99\n' })
    const said =
      /go\.mod:3 asks for Go 1\.99; this machine has Go 1\.[0-9.]+, and GOTOOLCHAIN=local lets none be fetched/
    await refused(['up'], folder, 'GO_MISSING', said, { GOTOOLCHAIN: 'local' })
  })
})

test.for<[string, RegExp]>([
  ['sbom --format xml', /expected cyclonedx or spdx, found "xml"\n--format cyclonedx/],
  ['image --port abc', /expected a number from 1 to 65535, found "abc"\n--port 8080/],
  ['cache prune --to abc', /found "abc"\n[^]*fairway cache prune --to 5Gi/],
  ['bundle export x --release abc', /expected a whole number from 1 on, found "abc"\n`fairway help bundle export`/],
  ['check --vuln maybe', /expected required, wanted or off, found "maybe"\n`fairway help check`/],
  ['check ./nope', /^\.\/nope matches no package of example\.com\/shop\n/],
])('fairway %s: what is allowed is named', async ([words, said]) => {
  await refused(words.split(' '), await folderOf(good), 'USAGE', said)
})

describe('fairway.yaml', () => {
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'
    .split('')
    .map((name, index) => {
      const above = 'abcdefgh'[index]
      return `${name}: &${name} [${Array.from({ length: 9 }, () => `*${above}`).join(',')}]`
    })
    .join('\n')}\n`

  test.for<[string, string | Uint8Array, RegExp]>([
    ['not YAML', 'services: [\n', /fairway\.yaml:\d+:\d+/],
    ['an unknown key, with the nearest', 'services:\n  web:\n    instanses: 2\n', /:3:5: .*instanses.*instances/],
    ['a wrong type', 'services:\n  web:\n    instances: many\n', /:3:5: .*instances.*expected a whole number/],
    ['a doubled key', 'project: a\nproject: b\n', /:2:1: .*project/],
    ['a bad duration', 'services:\n  web:\n    drain: soon\n', /:3:5: .*drain.*duration/],
    ['an anchor bomb', bomb, /anchor|alias/],
    ['10 MB', `# ${'x'.repeat(10 * 1024 * 1024)}\n`, /too large|larger|MiB|KiB/],
    ['not UTF-8', Uint8Array.from([0x70, 0x3a, 0x20, 0xff, 0xfe, 0x0a]), /UTF-8/],
    ['a list', '- web\n', /:1:1/],
    ['a path as a service’s name', 'services:\n  ../../x: {}\n', /"\.\.\/\.\.\/x"[\s\S]*|1 to 32/],
    ['a command as a service’s name', 'services:\n  $(id): {}\n', /1 to 32 lower-case/],
    ['300 characters as a service’s name', `services:\n  ? ${'x'.repeat(300)}\n  : {}\n`, /1 to 32 lower-case/],
    ['an emoji as a service’s name', 'services:\n  🚀: {}\n', /1 to 32 lower-case/],
    ['a path as the project’s name', 'project: ../../etc\n', /1 to 32 lower-case/],
    ['a path as an environment’s name', 'environments:\n  ../x: {}\n', /1 to 32 lower-case/],
    ['canary, of a later version', 'services:\n  web:\n    strategy: { canary: [1%] }\n', /recreate.*rolling/],
    ['blue-green, of a later version', 'services:\n  web:\n    strategy: blue-green\n', /recreate.*rolling/],
    ['systemd, of a later version', 'environments:\n  dev:\n    runtime: systemd\n', /process/],
  ])('%s: place and expectation', async ([, content, said]) => {
    await refused(['up'], await folderOf({ ...good, 'fairway.yaml': content }), 'CONFIG_INVALID', said)
  })

  test('an environment that is not declared, and one called `local`', async () => {
    const folder = await folderOf({ ...good, 'fairway.yaml': 'environments: { production: {} }\n' })
    await refused(['up', '--env', 'prodution'], folder, 'ENVIRONMENT_UNKNOWN', /production/)
    await refused(['up', '--env', 'local'], folder, 'ENVIRONMENT_UNKNOWN', /ambiguous[\s\S]*\.env\.dev\.local/)
    await refused(['up', '--env', '$(id)'], folder, 'ENVIRONMENT_UNKNOWN', /1 to 32 lower-case/)
  })
})

describe('values', () => {
  const declared = (declaration: string) => `services:\n  shop:\n    config:\n      API_KEY: ${declaration}\n`

  test('a malformed .env line', async () => {
    const folder = await folderOf({ ...good, '.env': 'A=1\nthis is no line\n' })
    await refused(['up'], folder, 'VALUES_INVALID', /\.env:2[\s\S]*KEY=VALUE/)
  })

  test('a required key without a value', async () => {
    const folder = await folderOf({ ...good, 'fairway.yaml': declared('{ required: true }') })
    await refused(['up'], folder, 'VALUES_INVALID', /API_KEY[\s\S]*config explain API_KEY/)
  })

  test('a value of the wrong type', async () => {
    const folder = await folderOf({ ...good, 'fairway.yaml': declared('{ type: port }'), '.env': 'API_KEY=99999\n' })
    await refused(['up'], folder, 'VALUES_INVALID', /\.env:1[\s\S]*API_KEY/)
  })

  test('a secret in a .env that git tracks, and the value is nowhere in what is printed', async () => {
    const folder = await folderOf({
      ...good,
      'fairway.yaml': declared('{ secret: true }'),
      '.env': 'API_KEY=hunter22\n',
    })
    await commit(folder)
    const end = await fairway.run(['up'], { cwd: folder })
    expectRefusal(end, 'SECRET_EXPOSED', /API_KEY[\s\S]*\.env\.dev\.local|fairway secret set/)
    expect(end.stdout + end.stderr).not.toContain('hunter22')
  })

  test('a name for a secret that is none', async () => {
    const end = await fairway.start(['secret', 'set', '$(id)', '--json'], { cwd: await folderOf(good), stdin: 'x' })
      .ended
    expectRefusal(end, 'VALUES_INVALID', /\$\(id\)/)
  })
})

describe('the command line', () => {
  test.for<[readonly string[], RegExp]>([
    [['staus'], /unknown command 'staus'[\s\S]*Did you mean `fairway status`\?/],
    [['up', '--wiat'], /unknown option '--wiat'[\s\S]*Did you mean --wait\?/],
    [['rollout', 'abrt'], /Did you mean `fairway rollout abort`\?/],
    [['scale'], /missing required argument 'N'/],
    [['scale', 'many'], /scale N: expected a whole number from 0 to 1000, found "many"/],
    [['scale', '-1'], /whole number from 0 to 1000, found "-1"/],
    [['rollback', '--to', '1.5'], /--to N: expected a whole number/],
    [['rollback', '--to', '0'], /--to N: expected a whole number from 1 on, found "0"/],
    [['scale', '1001'], /scale N: expected a whole number from 0 to 1000/],
    [['config', 'diff', '0', '1'], /expected a whole number from 1 on/],
    [['run', 'Web', '--', 'ls'], /Expected a service’s name, found "Web"[\s\S]*1 to 32 lower-case/],
    [['status', '--project', '/nonexistent'], /\/nonexistent is not a project’s folder/],
    [['down', '--project', '/nonexistent'], /\/nonexistent is not a project’s folder/],
    [['logs', '-n', 'all'], /--lines N: expected a whole number/],
    [['events', '-n', ''], /--lines N: expected a whole number/],
    [['completion', 'tcsh'], /bash, zsh or fish/],
    [['run'], /which command\?/],
    [['status', '--server', 'ftp://x'], /--server: expected http:\/\/HOST:PORT/],
  ])('fairway %j', async ([words, said]) => {
    await refused(words, await folderOf(good), 'USAGE', said)
  })

  test('a folder that is no project’s', async () => {
    await refused(['rollback'], await folderOf({}), 'USAGE', /--project DIR/)
  })

  test('without --json the same is said in words on stderr, and stdout stays empty', async () => {
    const end = await fairway.start(['staus']).ended
    expect(end.exit).toBe(64)
    expect(end.stdout).toBe('')
    expect(end.stderr).toMatch(/^fairway: unknown command 'staus' {2}\[USAGE\]\n {2}→ Did you mean `fairway status`\?/)
  })

  test('a control plane that is not there', async () => {
    const words = ['status', '--server', 'http://127.0.0.1:1']
    await refused(words, await folderOf(good), 'UNAUTHORIZED', /FAIRWAY_TOKEN or --token-file/)
  })
})

/** Each has an environment of its own: what is wrong is the machine. */
describe('the machine', () => {
  async function refusedWith(
    env: Readonly<Record<string, string>>,
    code: ErrorCode,
    said: RegExp,
    files: Files = {},
  ): Promise<void> {
    await using own = await TestFairway.create()
    const bin = join(own.root, 'bin')
    for (const [name, content] of Object.entries(files)) {
      await mkdir(bin, { recursive: true })
      await writeFile(join(bin, name), content)
      await chmod(join(bin, name), 0o755)
    }
    const resolved = Object.entries(env).map(([key, value]) => [key, value.replaceAll('BIN', bin)])
    Object.assign(own.env, Object.fromEntries(resolved))
    const cwd = await own.project(hello)
    const end = await own.run(['up'], { cwd })
    expectRefusal(end, code, said, own)
    expect(existsSync(join(own.env['FAIRWAY_HOME'] ?? '', 'gateway', 'haproxy.json'))).toBe(false)
    Object.assign(own.env, { FAIRWAY_HOME: own.home, PATH: process.env['PATH'] ?? '' })
  }

  test('no HAProxy', async () => {
    await refusedWith({ FAIRWAY_HAPROXY: '/nonexistent' }, 'HAPROXY_MISSING', /\/nonexistent could not be run/)
  })

  test('an HAProxy that is too old', async () => {
    const script = '#!/bin/sh\necho "HAProxy version 2.4.22-0 2023/01/01 - https://haproxy.org/"\n'
    await refusedWith({ FAIRWAY_HAPROXY: 'BIN/haproxy' }, 'HAPROXY_MISSING', /HAProxy 2\.4\.22-0: 2\.6 or newer/, {
      haproxy: script,
    })
  })

  test('no Go', async () => {
    await refusedWith(
      { PATH: '/usr/bin:/bin', HOME: 'BIN', GOROOT: '', GOPROXY: '' },
      'GO_MISSING',
      /no `go` on the PATH[\s\S]*go\.dev/,
    )
  })

  test('a Go that is too old', async () => {
    const script = '#!/bin/sh\necho \'{"GOVERSION":"go1.18.1","GOROOT":"/usr/lib/go"}\'\n'
    await refusedWith(
      { PATH: 'BIN:/usr/bin:/bin', HOME: 'BIN', GOPROXY: '' },
      'GO_MISSING',
      /Go 1\.18\.1 is too old: 1\.19/,
      { go: script },
    )
  })

  test('no HOME is no failure: the system knows where it is', async () => {
    await using own = await TestFairway.create({ HOME: '' })
    await own.ok(['build'], { cwd: await own.project(hello) })
  })

  test('a home that nothing can be written to', async () => {
    await refusedWith({ FAIRWAY_HOME: '/proc/fairway' }, 'HOME_UNUSABLE', /\/proc\/fairway[\s\S]*--home DIR/)
  })

  test('a home behind a file', async () => {
    await refusedWith({ FAIRWAY_HOME: '/etc/passwd/home' }, 'HOME_UNUSABLE', /--home DIR/)
  })

  test('a home whose path is too long for a socket', async () => {
    const long = `/tmp/${'x'.repeat(100)}`
    await refusedWith({ FAIRWAY_HOME: long }, 'HOME_UNUSABLE', /too long: a socket's path has at most 107 bytes/)
    expect(existsSync(long)).toBe(false)
  })

  test.for(['FAIRWAY_API', 'FAIRWAY_GATEWAY'])('%s is no address', async (variable) => {
    await refusedWith(
      { [variable]: 'localhost' },
      'HOME_CONFIG_INVALID',
      new RegExp(`${variable}: expected an address`),
    )
  })

  test.for(['FAIRWAY_API', 'FAIRWAY_GATEWAY'])('the port of %s is taken', async (variable) => {
    const holder = createServer()
    await new Promise<void>((resolve) => {
      holder.listen({ host: '127.0.0.1', port: 0 }, resolve)
    })
    const address = holder.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    try {
      await using own = await TestFairway.create({ [variable]: `127.0.0.1:${port}` })
      const end = await own.run(['up'], { cwd: await own.project(hello) })
      expectRefusal(end, 'PORT_TAKEN', new RegExp(`127\\.0\\.0\\.1:${port}[\\s\\S]*${variable}`), own)
      expect(await own.serverPid()).toBeUndefined()
    } finally {
      holder.close()
    }
  })
})

test('a compile error comes out with its place, and the release before serves on', async () => {
  await using own = await TestFairway.create()
  const cwd = await own.project(hello)
  await own.ok(['up'], { cwd })
  const main = join(cwd, 'main.go')
  await writeFile(main, `${await readFile(main, 'utf8')}\nfunc broken() int { return "no number" }\n`)
  const end = await own.run(['up'], { cwd })
  expect(end.exit).toBe(65)
  expect(end.result).toMatchObject({ outcome: 'refused', error: { code: 'BUILD_FAILED' } })
  expect(end.result.error?.message).toMatch(/main\.go:\d+:\d+: cannot use "no number"/)
  const [status] = await own.status(cwd)
  expect(status).toMatchObject({ release: 1, condition: 'healthy', healthy: 3 })
  const { result } = await own.ok(['releases'], { cwd })
  expect((result.data as { services: { releases: unknown[] }[] }).services[0]?.releases).toHaveLength(1)

  for (const words of [
    ['rollback', '../../x'],
    ['rollback', '$(id)'],
    ['logs', '🚀'],
    ['scale', '2', 'x'.repeat(300)],
  ]) {
    const { exit, result } = await own.run(words, { cwd })
    expect([words, result.error?.code, exit === 0]).toEqual([
      words,
      expect.stringMatching(/^(SERVICE_UNKNOWN|USAGE)$/),
      false,
    ])
  }
})

test('an operation that never was cannot be aborted', async () => {
  await fairway.ok(['server', 'start'])
  const { api } = (await fairway.version()).addresses
  const token = (await readFile(join(fairway.home, 'token'), 'utf8')).trim()
  const answer = await fetch(`http://${api}/v1/running/9999/abort`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: '{}',
  })
  expect(answer.status).toBe(404)
  expect(await answer.json()).toMatchObject({ outcome: 'refused', error: { code: 'ROLLOUT_NONE' } })
})
