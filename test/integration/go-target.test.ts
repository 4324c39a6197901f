import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readElf } from '../../src/artifact/index.ts'
import { execOk } from '../../src/base/exec.ts'
import { checkTargets, readBuildInfo } from '../../src/go/index.ts'
import { environment, failure, makeProject, module, tool } from '../harness/go-project.ts'

const small = { 'go.mod': module, 'main.go': tool.replace('{}', '{ println("it runs") }') }
const withC = {
  'go.mod': module,
  'main.go': `package main

// static int answer(void) { return 42; }
import "C"

func main() { println(C.answer()) }
`,
}
const path = { env: { PATH: environment['PATH'] ?? '' } }

test.each([
  ['linux/arm64', 'arm64', ['qemu-aarch64']],
  ['linux/arm/v6', 'arm', ['qemu-arm']],
  ['linux/amd64/v1', 'amd64', []],
] as const)('%s is built without C, and runs', async (target, arch, emulator) => {
  await using project = await makeProject(small)
  await using built = await project.build({ target })
  const binary = built.sources.get('web') ?? ''
  const [program = binary, ...args] = [...emulator, binary]
  expect((await execOk([program, ...args], path)).stderr).toBe('it runs\n')
  expect(await readElf(binary)).toMatchObject({ arch, libraries: [] })
  const [, , variant] = target.split('/')
  expect(built.recipe).toMatchObject({ goos: 'linux', goarch: arch, ...(variant === undefined ? {} : { variant }) })
})

test('the variant is what the binary says it was built for', async () => {
  await using project = await makeProject(small)
  await using built = await project.build({ target: 'linux/amd64/v3' })
  expect((await readBuildInfo(built.sources.get('web') ?? ''))?.settings.get('GOAMD64')).toBe('v3')
  await using windows = await project.build({ target: 'windows/amd64' })
  expect(windows.artifact.binary).toBe('web.exe')
})

test.each([
  ['linux/arm64', 'qemu-aarch64', '/usr/aarch64-linux-gnu'],
  ['linux/arm/v7', 'qemu-arm', '/usr/arm-linux-gnueabihf'],
])(
  'C is compiled for %s by Debian’s compiler, and runs with that machine’s library',
  async (target, emulator, library) => {
    await using project = await makeProject(withC)
    await using built = await project.build({ target })
    const binary = built.sources.get('web') ?? ''
    expect((await execOk([emulator, '-L', library, binary], path)).stderr).toBe('42\n')
    expect((await readElf(binary))?.libraries).toEqual(['libc.so.6'])
    expect(built.recipe).toMatchObject({ cgo: true, compiler: { version: expect.stringContaining('gcc') } })
    expect(built.recipe.environment?.['CC']).toContain('linux-gnu')
  },
)

test('static has the C library inside, and asks for nothing', async () => {
  await using project = await makeProject(withC)
  await using built = await project.build({ target: 'linux/arm64', settings: { cgo: 'static' } })
  const binary = built.sources.get('web') ?? ''
  expect(await readElf(binary)).toMatchObject({ libraries: [] })
  expect((await readElf(binary))?.interpreter).toBeUndefined()
  expect((await execOk(['qemu-aarch64', binary], path)).stderr).toBe('42\n') // no library beside it
  expect(built.recipe.flags).toContain('-tags=netgo,osusergo')
})

test('without a compiler for the target the packages to install are named', async () => {
  await using project = await makeProject(withC)
  expect(await failure(project.build({ target: 'linux/s390x' }))).toMatchObject({
    code: 'BUILD_FAILED',
    message: 'A package needs cgo, and cgo a C compiler for linux/s390x: there is no s390x-linux-gnu-gcc',
    hint: expect.stringContaining('sudo apt-get install -y gcc-s390x-linux-gnu libc6-dev-s390x-cross'),
    details: ['example.com/shop has C in it'],
  })
})

test('a package that is written in Go once more needs no compiler where there is none', async () => {
  await using project = await makeProject({
    'go.mod': module,
    'main.go': 'package main\n\nimport "example.com/shop/sum"\n\nfunc main() { println(sum.Kind) }\n',
    'sum/cgo.go': 'package sum\n\n// int one(void) { return 1; }\nimport "C"\n\nconst Kind = "C"\n',
    'sum/pure.go': '//go:build !cgo\n\npackage sum\n\nconst Kind = "Go"\n',
  })
  await using built = await project.build({ target: 'linux/s390x' })
  expect(built.recipe).toMatchObject({ cgo: false, goarch: 's390x' })
  await using here = await project.build()
  expect((await execOk([here.sources.get('web') ?? ''])).stderr).toBe('C\n')
})

test('a target this Go does not know is refused with the nearest', async () => {
  await using project = await makeProject(small)
  const error = await failure(checkTargets([{ os: 'linux', arch: 'amd46' }], project.toolchain))
  expect(error).toMatchObject({ code: 'USAGE', hint: expect.stringContaining('linux/amd64') })
})

test('tags, linker flags and the tag of the commit get into the binary, and into the recipe', async () => {
  await using project = await makeProject({
    'go.mod': module,
    'main.go': 'package main\n\nvar version = "none"\n\nfunc main() { println(version, extra) }\n',
    'yes.go': '//go:build extra\n\npackage main\n\nconst extra = true\n',
    'no.go': '//go:build !extra\n\npackage main\n\nconst extra = false\n',
  })
  const settings = { tags: ['extra'], ldflags: ['-s', '-X main.version={{tag}}'] }
  const run = async () => {
    await using built = await project.build({ settings })
    return { printed: (await execOk([built.sources.get('web') ?? ''])).stderr.trim(), flags: built.recipe.flags }
  }
  expect(await run()).toEqual({
    printed: 'devel true',
    flags: ['-trimpath', '-tags=extra', '-ldflags=-w -s -X main.version=devel', '-buildvcs=false'],
  })
  await project.git('init', '-q')
  await project.git('add', '.')
  await project.git('commit', '-qm', 'one')
  await project.git('tag', 'v1.2.0')
  expect((await run()).printed).toBe('v1.2.0 true')
})

test('builds of several kinds at one place do not take each other’s binary', async () => {
  await using project = await makeProject({
    'go.mod': module,
    'main.go': 'package main\n\nvar name = "plain"\n\nfunc main() { println(name) }\n',
  })
  const kinds = [{}, { ldflags: ['-X main.name=a'] }, { ldflags: ['-X main.name=b'] }]
  const builds = await Promise.all(kinds.map((settings) => project.build({ settings })))
  const printed = await Promise.all(
    builds.map(async ({ sources }) => (await execOk([sources.get('web') ?? ''])).stderr.trim()),
  )
  for (const built of builds) await built[Symbol.asyncDispose]()
  expect(printed).toEqual(['plain', 'a', 'b'])
})

test('a build that was killed leaves nothing that the next one trips over', async () => {
  const cache = await mkdtemp(join(tmpdir(), 'fairway-gocache-'))
  try {
    await using project = await makeProject(small, { env: { ...environment, GOCACHE: cache } })
    const controller = new AbortController()
    const building = project.build({ signal: controller.signal })
    const ended = building.catch((error: unknown) => error)
    await expect.poll(async () => (await readdir(cache)).length, { timeout: 20_000 }).toBeGreaterThan(3)
    controller.abort(new Error('killed'))
    expect(await ended).toMatchObject({ message: 'killed' })
    await using built = await project.build()
    expect((await execOk([built.sources.get('web') ?? ''])).stderr).toBe('it runs\n')
  } finally {
    await rm(cache, { recursive: true, force: true })
  }
})
