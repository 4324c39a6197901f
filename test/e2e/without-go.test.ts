import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { TestFairway } from '../harness/fairway.ts'
import {
  fillModuleCache,
  podinfo,
  startModuleUpstream,
  toolchainModule,
  toolchains,
} from '../harness/module-upstream.ts'
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
