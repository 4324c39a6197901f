import { chmod, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { exec, execOk } from '../../src/base/exec.ts'
import { loadProject } from '../../src/config/index.ts'
import { findToolchain, readBuildInfo } from '../../src/go/index.ts'
import { findMachineGo } from '../../src/go/toolchain.ts'
import { environment, failure, makeProject, module, server, tool } from '../harness/go-project.ts'

test('one main package in a module becomes a static binary with its recipe', async () => {
  await using project = await makeProject({ 'go.mod': module, 'main.go': server })
  expect(await (await project.open()).detectServices()).toEqual(['shop'])
  await using built = await project.build()
  expect(built.artifact.files).toMatchObject([{ path: 'web', executable: true }])
  expect(built.recipe).toMatchObject({
    mainPackage: 'example.com/shop',
    module: 'example.com/shop',
    goos: 'linux',
    modules: [],
    flags: ['-trimpath', '-ldflags=-w', '-buildvcs=false'],
    cgo: false,
    builtAt: 42,
  })
  const info = await readBuildInfo(built.sources.get('web') ?? '')
  expect(info?.settings.get('-trimpath')).toBe('true')
  expect(info?.settings.get('CGO_ENABLED')).toBe('0')
  expect(info?.goVersion).toBe(built.recipe.goVersion)
})

test('the same input gives the same digest: at another path, after a commit that changes nothing', async () => {
  const files = { 'go.mod': module, 'main.go': server, 'page.html': '<h1>' }
  await using one = await makeProject(files)
  await using two = await makeProject(files)
  await using first = await one.build({ globs: ['page.html'] })
  await two.git('init', '-q')
  await two.git('add', '.')
  await two.git('commit', '-qm', 'one')
  await using second = await two.build({ globs: ['page.html'] })
  await two.git('commit', '-qm', 'two', '--allow-empty')
  await writeFile(join(two.folder, 'notes.txt'), 'not an input')
  await using third = await two.build({ globs: ['page.html'] })
  expect(second.artifact).toEqual(first.artifact)
  expect(third.artifact).toEqual(first.artifact)
  expect([first.recipe.commit, second.recipe.dirty, third.recipe.dirty]).toEqual([undefined, false, true])
  expect(second.recipe.commit).not.toBe(third.recipe.commit)
  await writeFile(join(two.folder, 'page.html'), '<h2>')
  await using fourth = await two.build({ globs: ['page.html'] })
  expect(fourth.artifact.digest).not.toBe(first.artifact.digest)
})

test('a finished build keeps its binary while the next one is built at the same place', async () => {
  await using project = await makeProject({ 'go.mod': module, 'main.go': tool })
  const first = await project.build()
  const path = first.sources.get('web') ?? ''
  const before = await readFile(path)
  await writeFile(join(project.folder, 'main.go'), tool.replace('{}', '{ println("changed") }'))
  await using second = await project.build()
  expect((await readFile(path)).equals(before)).toBe(true)
  expect(second.artifact.digest).not.toBe(first.artifact.digest)
  await first[Symbol.asyncDispose]()
  const place = dirname(path)
  expect((await readdir(place)).filter((name) => name.startsWith('web.') || name.startsWith('tmp-'))).toHaveLength(1)
})

test('compiler errors come out with file, line and column, the cause first', async () => {
  await using project = await makeProject({
    'go.mod': module,
    'cmd/web/main.go': 'package main\n\nimport "example.com/shop/lib"\n\nfunc main() { lib.Hello() }\n',
    'lib/lib.go': 'package lib\n\nfunc Hello() { return missing }\n',
  })
  const error = await failure(project.build())
  expect(error).toMatchObject({ code: 'BUILD_FAILED', message: 'lib/lib.go:3:23: undefined: missing' })
  expect(error.details[0]).toBe('lib/lib.go:3:23: undefined: missing')
})

test.each([
  [
    'a module that is not required',
    { 'main.go': 'package main\n\nimport _ "example.org/nope"\n\nfunc main() {}\n' },
    'main.go:3:8: no required module provides package example.org/nope',
    'go mod tidy',
  ],
  [
    'an embedded folder that is not there',
    {
      'main.go': 'package main\n\nimport _ "embed"\n\n//go:embed dist/*\nvar dist string\n\nfunc main() { _ = dist }\n',
    },
    'main.go:5:12: pattern dist/*: no matching files found',
    'npm run build',
  ],
  [
    'a broken go.mod',
    { 'go.mod': 'module example.com/shop\n\nnonsense here\n', 'main.go': tool },
    'go.mod:3',
    undefined,
  ],
  ['no main function', { 'main.go': 'package main\n' }, 'function main is undeclared', 'func main'],
])('%s is explained', async (_, files, message, hint) => {
  await using project = await makeProject(
    { 'go.mod': module, ...files },
    { env: { ...environment, GOPROXY: 'off', GOFLAGS: '' } },
  )
  const error = await failure(project.build())
  expect(error.code).toBe('BUILD_FAILED')
  expect([error.message, ...error.details].join('\n')).toContain(message)
  if (hint !== undefined) expect(error.hint).toContain(hint)
})

test('the caller’s flags do not change what is built', async () => {
  await using project = await makeProject(
    { 'go.mod': module, 'main.go': tool, 'extra.go': '//go:build extra\n\npackage main\n\nvar broken = missing\n' },
    { env: { ...environment, GOFLAGS: '-tags=extra', CGO_ENABLED: '1', GOOS: 'windows' } },
  )
  await using built = await project.build()
  expect(built.recipe).toMatchObject({ goos: 'linux', cgo: false })
})

test('a package that would build as a stub without cgo is built with it', async () => {
  await using project = await makeProject(
    {
      'go.mod': module,
      'main.go': 'package main\n\nimport "example.com/shop/db"\n\nfunc main() { println(db.Kind) }\n',
      'db/cgo.go': 'package db\n\n// int one(void) { return 1; }\nimport "C"\n\nconst Kind = "real"\n',
      'db/stub.go': '//go:build !cgo\n\npackage db\n\nconst Kind = "stub"\n',
    },
    // Where cgo is tried the missing compiler is found missing; the stub would build.
    { env: { ...environment, CC: '/nonexistent/cc' } },
  )
  const error = await failure(project.build())
  expect(error.code).toBe('BUILD_FAILED')
  expect(error.hint).toContain('gcc')
})

test('who packs it knows whether it works without C', async () => {
  await using project = await makeProject({
    'go.mod': module,
    'main.go': 'package main\n\nimport "example.com/shop/db"\n\nfunc main() { println(db.Kind) }\n',
    'db/cgo.go': 'package db\n\n// int one(void) { return 1; }\nimport "C"\n\nconst Kind = "C"\n',
    'db/stub.go': '//go:build !cgo\n\npackage db\n\nconst Kind = "without"\n',
    Dockerfile: 'FROM golang\nENV CGO_ENABLED=0\nRUN go build -o /shop .\n',
  })
  await using built = await project.build()
  expect(built.recipe.cgo).toBe(false)
})

test('the server is found among tools, tests and examples, and the choice is explained', async () => {
  await using project = await makeProject({
    'go.mod': module,
    'cmd/shop/main.go': 'package main\n\nimport "example.com/shop/api"\n\nfunc main() { api.Run() }\n',
    'api/api.go': server.replace('package main', 'package api').replace('func main', 'func Run'),
    'cmd/import/main.go': tool,
    'examples/chat/main.go': server,
    'internal/tools/gen/main.go': tool,
    'test/server/main.go': server,
    'gen.go': '//go:build ignore\n\npackage main\n\nfunc main() {}\n',
  })
  const choice = await (await project.open()).choice()
  expect(choice.chosen?.package).toBe('./cmd/shop')
  expect(choice.candidates.map(({ candidate, reasons }) => `${candidate.package}: ${reasons.join('; ')}`)).toEqual([
    './cmd/shop: it is named like the module; example.com/shop/api/api.go has ListenAndServe',
    './cmd/import: nothing was seen that listens',
    './examples/chat: main.go has ListenAndServe; it lies under examples/',
    './test/server: main.go has ListenAndServe; it lies under test/',
    './internal/tools/gen: it lies under internal/',
  ])
})

test('several servers are asked about; a service named like one of them has it', async () => {
  await using project = await makeProject({ 'go.mod': module, 'cmd/api/main.go': server, 'cmd/web/main.go': server })
  const source = await project.open()
  expect(await failure(source.detectServices())).toMatchObject({
    code: 'MAIN_AMBIGUOUS',
    hint: 'Write to fairway.yaml which one is meant: services: { api: { build: ./cmd/api } }',
  })
  expect(await source.locate('web', { alone: false })).toMatchObject({ package: './cmd/web' })
  expect(await failure(source.locate('shop', { alone: false }))).toMatchObject({ code: 'MAIN_AMBIGUOUS' })
})

test('several services of one program are all built from it', async () => {
  await using project = await makeProject({ 'go.mod': module, 'main.go': server })
  const source = await project.open()
  expect(await source.locate('web', { alone: false })).toMatchObject({ package: '.' })
  expect(await source.locate('worker', { alone: false })).toMatchObject({ package: '.' })
})

test('a build line that names no main package is refused with the nearest', async () => {
  await using project = await makeProject({
    'go.mod': module,
    'cmd/web/main.go': server,
    'lib/lib.go': 'package lib\n',
  })
  const source = await project.open()
  expect(await failure(source.locate('web', { build: './cmd/wbe', alone: true }))).toMatchObject({
    code: 'MAIN_NOT_FOUND',
    message: 'services.web.build: ./cmd/wbe holds no Go files',
    hint: 'Did you mean ./cmd/web?',
  })
  expect(await failure(source.locate('web', { build: './lib', alone: true }))).toMatchObject({
    message: 'services.web.build: ./lib is `package lib`, not `package main`',
  })
})

test.each([
  ['an empty folder', {}, 'SOURCE_NOT_GO', 'Go to the folder of a Go service'],
  ['Go files without a module', { 'main.go': tool }, 'SOURCE_NOT_GO', 'go mod init'],
  ['a library', { 'go.mod': module, 'lib.go': 'package shop\n' }, 'MAIN_NOT_FOUND', '`package main`'],
  [
    'a module for a newer Go',
    { 'go.mod': 'module example.com/shop\n\ngo 1.999\n', 'main.go': tool },
    'GO_MISSING',
    'fairway build --explain',
  ],
])('%s is refused with what to do', async (_, files, code, hint) => {
  const { GOTOOLCHAIN: _mine, ...env } = environment
  await using project = await makeProject(files, { env })
  expect(await failure(project.open().then((source) => source.detectServices()))).toMatchObject({
    code,
    hint: expect.stringContaining(hint),
  })
})

test('no Go at all is said so', async () => {
  const error = await failure(findToolchain({ environment: { PATH: '/nonexistent', HOME: '/nonexistent' } }))
  expect(error).toMatchObject({ code: 'GO_MISSING', message: 'There is no `go` on the PATH' })
})

test('a TMPDIR that is not there is named, and not Go', async () => {
  const error = await failure(findToolchain({ environment: { ...environment, TMPDIR: '/nonexistent' } }))
  expect(error).toMatchObject({
    code: 'MACHINE_UNFIT',
    message: 'The folder for temporary files, /nonexistent, does not exist',
    hint: expect.stringContaining('TMPDIR'),
  })
})

test('what go says of a variable is told with that variable, and Go is not blamed', async () => {
  const wrong: readonly [string, string, string][] = [
    ['GOCACHE', 'below', 'GOCACHE is not an absolute path'],
    ['GOCACHE', '/proc/none', 'failed to initialize build cache at /proc/none'],
    ['TMPDIR', '/proc', 'creating work dir'],
  ]
  for (const [key, value, said] of wrong) {
    const error = await failure(findToolchain({ environment: { ...environment, [key]: value } }))
    expect(error).toMatchObject({
      code: 'MACHINE_UNFIT',
      message: expect.stringContaining(said),
      hint: expect.stringContaining(`${key} is "${value}"`),
    })
  }
})

test('a GOEXPERIMENT or GOARCH of the caller is not taken, be it wrong or right', async () => {
  const { version } = await findToolchain({ environment })
  const given = { ...environment, GOEXPERIMENT: 'junk', GOARCH: 'junk', GO111MODULE: 'junk' }
  expect((await findToolchain({ environment: given })).version).toBe(version)
})

test('without a home folder go keeps its caches below Fairway’s', async () => {
  const { PATH = '' } = process.env
  const toolchain = await findMachineGo({ environment: { PATH }, home: join(tmpdir(), 'fw-no-home') })
  expect(toolchain?.variables).toMatchObject({ GOCACHE: join(tmpdir(), 'fw-no-home/cache/go-build') })
})

test('a workspace, and a module below a folder that has none, are found', async () => {
  await using workspace = await makeProject({
    'go.work': 'go 1.21\n\nuse (\n\t./app\n\t./lib\n)\n',
    'app/go.mod': 'module example.com/app\n\ngo 1.21\n\nrequire example.com/lib v0.0.0\n',
    'app/main.go': 'package main\n\nimport "example.com/lib"\n\nfunc main() { lib.Run() }\n',
    'lib/go.mod': 'module example.com/lib\n\ngo 1.21\n',
    'lib/lib.go': server.replace('package main', 'package lib').replace('func main', 'func Run'),
  })
  expect(await (await workspace.open()).detectServices()).toEqual(['app'])
  await using built = await workspace.build()
  expect(built.recipe.mainPackage).toBe('example.com/app')
  await using nested = await makeProject({
    'README.md': '',
    'backend/go.mod': module,
    'backend/cmd/shop/main.go': server,
  })
  expect((await (await nested.open()).choice()).chosen?.package).toBe('./backend/cmd/shop')
  await using second = await nested.build({ build: './backend/cmd/shop' })
  expect(second.recipe.mainPackage).toBe('example.com/shop/cmd/shop')
})

test('the files a service names go along, with folders whole, and without values or git’s own', async () => {
  await using project = await makeProject({
    'go.mod': module,
    'main.go': tool,
    'templates/a.html': 'a',
    'templates/deep/b.html': 'b',
    'templates/.env': 'TOKEN=hunter2',
    'static/x.css': 'x',
    'static/x.map': 'm',
    'run.sh': '#!/bin/sh',
  })
  await chmod(join(project.folder, 'run.sh'), 0o755)
  await using built = await project.build({ globs: ['templates', './static/*.css', 'run.sh'] })
  expect(built.artifact.files.map(({ path, executable }) => `${path}${executable ? ' x' : ''}`)).toEqual([
    'run.sh x',
    'static/x.css',
    'templates/a.html',
    'templates/deep/b.html',
    'web x',
  ])
})

test('files that match nothing, lead out of the folder or hide the binary are refused', async () => {
  await using project = await makeProject({
    'go.mod': module,
    'main.go': tool,
    web: 'not the binary',
    '.env.dev.local': 'A=1',
  })
  await symlink('/etc/hostname', join(project.folder, 'outside'))
  await symlink('nowhere', join(project.folder, 'dangling'))
  await symlink('.env.dev.local', join(project.folder, 'values'))
  for (const [glob, message] of [
    ['tmplates', 'matches no file'],
    ['outside', 'leads out of the project’s folder'],
    ['dangling', 'leads nowhere'],
    ['values', 'stays out of artifacts'],
    ['web', 'is the name of the binary'],
  ] as const) {
    const error = await failure(project.build({ globs: [glob] }))
    expect(error.code).toBe('CONFIG_INVALID')
    expect(error.message).toContain(message)
  }
})

test('an aborted build ends every process it started and leaves nothing half-way', async () => {
  // With an empty build cache the standard library alone takes many seconds.
  const root = await mkdtemp(join(tmpdir(), 'fairway-gocache-'))
  try {
    await using project = await makeProject(
      { 'go.mod': module, 'main.go': server },
      { env: { ...environment, GOCACHE: root } },
    )
    const controller = new AbortController()
    const building = project.build({ signal: controller.signal })
    const ended = building.catch((error: unknown) => error)
    await expect.poll(() => processesOf(project.root), { timeout: 20_000, interval: 20 }).not.toEqual([])
    const begin = performance.now()
    controller.abort(new Error('enough'))
    expect(await ended).toMatchObject({ message: 'enough' })
    expect(performance.now() - begin).toBeLessThan(2000)
    expect(await processesOf(project.root)).toEqual([])
    const [folder = ''] = await readdir(join(project.root, 'cache/build'))
    expect(await readdir(join(project.root, 'cache/build', folder, 'web'))).toEqual([])
  } finally {
    await rm(root, { recursive: true, force: true })
  }
})

/** Processes with this path in their environment or arguments. */
async function processesOf(path: string): Promise<string[]> {
  const found: string[] = []
  for (const pid of (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name) && name !== String(process.pid))) {
    const text = await Promise.all(
      ['environ', 'cmdline'].map((name) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '')),
    )
    if (text.join('').includes(path)) found.push(pid)
  }
  return found
}

test('a full disk is called so', async () => {
  await using project = await makeProject({ 'go.mod': module, 'main.go': server })
  await using warm = await project.build()
  expect(warm.artifact.files).toHaveLength(1)
  const disk = join(project.root, 'disk')
  const program = `
import { buildService, findToolchain, ProjectSource } from ${JSON.stringify(new URL('../../src/go/index.ts', import.meta.url).href)}
const [folder, cacheFolder] = process.argv.slice(1)
const toolchain = await findToolchain({ environment: process.env })
const source = await (await ProjectSource.open(folder, toolchain)).locate('web', { alone: true })
const context = { toolchain, cacheFolder, environment: process.env, report: () => {}, now: Date.now }
await buildService({ ...source, folder, files: [], settings: {} }, context).catch((error) => process.stdout.write(error.code))
`
  const script = 'mkdir "$1" && mount -t tmpfs -o size=1m none "$1" && shift && exec "$@"'
  const node = [process.execPath, '--input-type=module', '-e', program, project.folder, join(disk, 'cache')]
  const { PATH = '', HOME = '' } = environment
  const result = await exec(
    ['unshare', '--user', '--map-root-user', '--mount', 'sh', '-c', script, 'sh', disk, ...node],
    {
      env: { PATH, HOME },
      deadlineMs: 60_000,
    },
  )
  expect(result).toMatchObject({ stdout: 'DISK_FULL' })
})

test('the example loads, and builds without a word about where its main package is', async () => {
  const folder = join(import.meta.dirname, '../../examples/hello')
  await using project = await makeProject({})
  await execOk(['cp', '-r', `${folder}/.`, project.folder], { env: { PATH: environment['PATH'] ?? '' } })
  const loaded = await loadProject({
    folder: project.folder,
    environment: 'dev',
    processEnvironment: environment,
    detectServices: async () => [],
  })
  expect(loaded).toMatchObject({
    name: 'hello',
    warnings: [],
    services: [{ specification: { service: 'hello', desired: { instances: 3 } } }],
  })
  await using built = await project.build({ service: 'hello' })
  expect(built.recipe.modules).toEqual([])
})

test('podinfo, as it is published, is understood and built', { timeout: 600_000 }, async () => {
  await using project = await makeProject({})
  const version = 'github.com/stefanprodan/podinfo@v1.8.1-0.20250910200901-e86405a8674e'
  const toolchain = await findToolchain({ environment })
  const download = await toolchain.run(['mod', 'download', '-json', version], { cwd: '/' })
  const answer: unknown = JSON.parse(download.stdout)
  if (typeof answer !== 'object' || answer === null || !('Dir' in answer)) throw new Error(download.stdout)
  await execOk(['cp', '-r', '--no-preserve=mode', `${String(answer.Dir)}/.`, project.folder], {
    env: { PATH: environment['PATH'] ?? '' },
  })
  const source = await project.open()
  expect((await source.choice()).candidates.map(({ candidate }) => candidate.package)).toEqual([
    './cmd/podinfo',
    './cmd/podcli',
  ])
  expect(await source.detectServices()).toEqual(['podinfo'])
  await using built = await project.build({ service: 'podinfo', globs: ['ui'] })
  expect(built.recipe).toMatchObject({ mainPackage: 'github.com/stefanprodan/podinfo/cmd/podinfo', cgo: false })
  expect(built.recipe.modules.find(({ path }) => path === 'github.com/spf13/viper')?.sum).toMatch(/^h1:/)
})
