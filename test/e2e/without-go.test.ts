import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { exec } from '../../src/base/exec.ts'
import { TestFairway } from '../harness/fairway.ts'
import {
  fillModuleCache,
  podinfo,
  startModuleUpstream,
  toolchainModule,
  toolchains,
} from '../harness/module-upstream.ts'
import { startSmallUpstream } from '../harness/small-upstream.ts'
import { askRaw } from '../load/raw-client.ts'

const [podinfoModule = '', podinfoVersion = ''] = podinfo.split('@')
/** Without one that is called go. */
const path = '/usr/sbin:/usr/bin:/sbin:/bin'
/** `--level=debug` spares the three seconds that podinfo sleeps when it is told to end. */
const fairwayYaml = `
services:
  podinfo:
    listen: { arg: '--port={{port}}' }
    args: [--level=debug]
    probe: { http: /healthz, healthyFor: 100ms }
`

test('on a machine without Go, a program is named by its module and version, and serves', async () => {
  const cache = await fillModuleCache([
    { module: toolchainModule(toolchains.oldLine) },
    { module: podinfo, build: './cmd/podinfo' },
  ])
  await using upstream = await startModuleUpstream(cache)
  await using fairway = await TestFairway.create({ PATH: path, GOPROXY: upstream.url })
  Object.assign(fairway.env, { GOROOT: '', GOCACHE: '', GOMODCACHE: '', GOFLAGS: '', HOME: join(fairway.root, 'user') })
  const cwd = join(fairway.root, 'configured')
  await mkdir(cwd)
  await writeFile(join(cwd, 'fairway.yaml'), fairwayYaml)

  const { events, result } = await fairway.ok(['up', `${podinfoModule}/cmd/podinfo@${podinfoVersion}`], { cwd })
  expect(result.services).toMatchObject([{ service: 'podinfo', outcome: 'done', release: 1 }])
  expect(events).toContainEqual(expect.objectContaining({ kind: 'toolchain-installed', version: toolchains.oldLine }))
  const one = { module: podinfoModule, version: podinfoVersion }
  expect(events).toContainEqual(expect.objectContaining({ kind: 'module-fetching', ...one, bytes: 0 }))
  expect(events).toContainEqual(expect.objectContaining({ kind: 'module-fetched', ...one }))
  expect(upstream.requests).toContain(`/golang.org/toolchain/@v/v0.0.1-go${toolchains.oldLine}.linux-amd64.zip`)
  const answer = await askRaw(await fairway.gateway(), { path: '/version', host: 'podinfo.localhost' })
  expect(answer).toMatchObject({ kind: 'answer', status: 200 })
  expect(await readdir(join(fairway.home, 'cache/sources'))).toContain(
    `github.com+stefanprodan+podinfo@${podinfoVersion}`,
  )

  const asked = upstream.requests.length
  const again = await fairway.ok(['up', `${podinfoModule}/cmd/podinfo@${podinfoVersion}`], { cwd })
  expect(again.result.services).toMatchObject([{ outcome: 'unchanged', release: 1 }])
  // Of what was proven before, only the version is asked for again: which path the module has.
  expect(upstream.requests.slice(asked).filter((each) => /\.zip|sumdb|toolchain/.test(each))).toEqual([])
})

test('the demo asks for no Go where it can be fetched, and names both ways where it cannot', async () => {
  const script = join(import.meta.dirname, '../../scripts/prerequisites.sh')
  const ask = (purpose: string, env: Record<string, string>) =>
    exec([script, purpose], { env: { PATH: path, HOME: '/', ...env } })
  expect(await ask('use', { GOPROXY: 'http://127.0.0.1:1' })).toMatchObject({ exitCode: 0, stderr: '' })
  expect(await ask('use', {})).toMatchObject({
    exitCode: 69,
    stderr: expect.stringMatching(/^missing: Go on the PATH .* or where to fetch it: export GOPROXY=/),
  })
  expect((await ask('test', { GOPROXY: 'http://127.0.0.1:1' })).stderr).toContain('missing: Go 1.21 or newer')
})

test('a module of a language out of support is built with the newer Go that is here, and its go.mod stays its owner’s', async () => {
  await using upstream = await startModuleUpstream(
    await fillModuleCache([{ module: toolchainModule(toolchains.newer) }]),
  )
  await using small = await startSmallUpstream([
    {
      path: 'example.com/old',
      version: 'v1.0.0',
      files: { 'go.mod': 'module example.com/old\n\ngo 1.22\n', 'main.go': 'package main\n\nfunc main() {}\n' },
    },
  ])
  await using fairway = await TestFairway.create({ PATH: path, GOPROXY: upstream.url })
  Object.assign(fairway.env, { GOROOT: '', GOFLAGS: '', HOME: join(fairway.root, 'user') })
  await fairway.ok(['toolchain', 'install', toolchains.newer])
  const env = { GOPROXY: small.upstream.url, GOSUMDB: small.sumdb }
  const { events } = await fairway.ok(['build', 'example.com/old@v1.0.0'], { env })
  expect(events.filter(({ kind }) => kind === 'warning')).toEqual([
    expect.objectContaining({
      message: `example.com/old@v1.0.0/go.mod:3 asks for Go 1.22, which gets no security fixes any more; a newer one that does is here: Go ${toolchains.newer} is used`,
      hint: expect.not.stringContaining('go get') as unknown,
    }),
  ])
  const absent = await fairway.run(['build', 'example.com/old@v9.9.9'], { env })
  expect(absent.result.error).toEqual({
    code: 'MODULE_UNKNOWN',
    message: 'example.com/old has no version v9.9.9; the newest is v1.0.0',
    hint: 'Write example.com/old@v1.0.0, or example.com/old@latest.',
  })

  // One that was changed is named with its file, and the others are looked at all the same.
  const changed = join(fairway.home, 'toolchains', `go${toolchains.newer}`)
  await chmod(join(changed, 'go.env'), 0o644)
  await writeFile(join(changed, 'go.env'), 'GOTOOLCHAIN=local\n')
  const verify = await fairway.run(['toolchain', 'verify'], { env: { PATH: process.env['PATH'] ?? '' } })
  expect(verify).toMatchObject({ exit: 76, result: { outcome: 'refused', error: { code: 'MODULE_UNVERIFIED' } } })
  const { verified, failed } = verify.result.data as Record<string, { folder: string; error?: { details: string[] } }[]>
  expect(failed?.find(({ folder }) => folder === changed)?.error?.details).toEqual(['go.env: changed'])
  expect([...(verified ?? []), ...(failed ?? [])]).toHaveLength(2) // and the machine's own
})

test('of a module from elsewhere no command is run, which is said; one that calls itself otherwise is refused', async () => {
  const main = 'package main\n\nfunc main() {}\n'
  const embedding = 'package main\n\nimport "embed"\n\n//go:embed all:web/dist\nvar _ embed.FS\n\nfunc main() {}\n'
  const frontEnd = { 'web/package.json': '{"scripts":{"build":"exit 3"}}', 'web/package-lock.json': '{}' }
  const of = (path: string, files: Readonly<Record<string, string>>) => ({
    path,
    version: 'v1.0.0',
    files: { 'go.mod': `module ${path}\n\ngo 1.24\n`, ...files },
  })
  await using small = await startSmallUpstream([
    of('example.com/fork', { 'go.mod': 'module example.com/real\n\ngo 1.24\n', 'main.go': main }),
    of('example.com/ui', { 'main.go': embedding, ...frontEnd, 'web/dist/.gitkeep': '' }),
    of('example.com/bare', { 'main.go': embedding, ...frontEnd }),
    of('example.com/steps', { 'main.go': main, 'fairway.yaml': 'go: { generate: [[sh, -c, "exit 3"]] }\n' }),
    of('example.com/untidy', { 'main.go': 'package main\n\nimport _ "example.com/forgotten"\n\nfunc main() {}\n' }),
  ])
  await using fairway = await TestFairway.create({ GOPROXY: small.upstream.url, GOSUMDB: small.sumdb })
  const fork = await fairway.run(['build', 'example.com/fork@v1.0.0'])
  expect(fork.result.error).toMatchObject({
    code: 'MODULE_INVALID',
    message: 'example.com/fork@v1.0.0 calls itself example.com/real in its go.mod',
  })
  const hint = expect.stringContaining('commands of a module from elsewhere are not run here: check out') as unknown
  const { events } = await fairway.ok(['build', 'example.com/ui@v1.0.0'])
  expect(events).toContainEqual(expect.objectContaining({ kind: 'warning', hint }))
  expect((await fairway.run(['build', 'example.com/bare@v1.0.0'])).result.error).toMatchObject({ hint })
  expect((await fairway.run(['build', 'example.com/untidy@v1.0.0'])).result.error).toMatchObject({
    hint: expect.stringContaining('Check out its repository, mend it there (go mod tidy)') as unknown,
  })
  const steps = await fairway.ok(['build', 'example.com/steps@v1.0.0'])
  expect(steps.events).toContainEqual({
    kind: 'warning',
    message: expect.stringMatching(
      /^steps: go: \{ generate \} names sh -c exit 3; commands of a module from elsewhere/,
    ),
  })
})

test('what cannot be had is named with the words of its source', async () => {
  const cache = await fillModuleCache([{ module: podinfo, build: './cmd/podinfo' }])
  await using upstream = await startModuleUpstream(cache, { absentStatus: 403 })
  await using fairway = await TestFairway.create({ PATH: path, GOPROXY: upstream.url })
  Object.assign(fairway.env, { GOROOT: '', HOME: join(fairway.root, 'user') })
  const absent = await fairway.run(['build', 'github.com/stefanprodan/podinfo/cmd/podinfo@v9.9.9'])
  expect(absent.result.error).toMatchObject({ code: 'MODULE_UNKNOWN' })
  expect(absent.result.error?.details?.join('\n')).toContain(
    '403 github.com/stefanprodan/podinfo/@v/v9.9.9.info: not here',
  )
  const wrong = await fairway.run(['build', `${podinfoModule}/cmd/nothing@${podinfoVersion}`])
  expect(wrong.result.error).toMatchObject({ code: 'MAIN_NOT_FOUND' })
  await using silent = await TestFairway.create({ PATH: path, GOPROXY: '' })
  Object.assign(silent.env, { GOROOT: '', HOME: join(silent.root, 'user') })
  const none = await silent.run(['build', podinfo])
  expect(none.result.error).toMatchObject({
    code: 'GO_MISSING',
    hint: expect.stringContaining('GOPROXY=https://HOST') as unknown,
  })
})
