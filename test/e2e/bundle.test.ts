import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { TestFairway } from '../harness/fairway.ts'
import { fillModuleCache, startModuleUpstream, toolchainModule, toolchains } from '../harness/module-upstream.ts'

const run = promisify(execFile)
const launcher = new URL('../../fairway', import.meta.url).pathname
const uuid = 'github.com/google/uuid v1.6.0'
const sums = `${uuid} h1:NIvaJDMOsjHA8n1jAhLSgzrAzy1Hgr+hNrb57e+94F0=\n${uuid}/go.mod h1:TIyPZe4MgqvfeYDBFedMoGGpEw/LqOeaOT+nhxU+yHo=\n`
const program = `package main

import (
	"fmt"

	"github.com/google/uuid"
)

func main() { fmt.Println(uuid.NewSHA1(uuid.NameSpaceDNS, []byte("fairway"))) }
`

test('a bundle, a new home and no network, no Go, no proxy: the project builds', async () => {
  await using fairway = await TestFairway.create()
  const upstreamFolder = await fillModuleCache([
    { module: 'github.com/google/uuid@v1.6.0' },
    { module: toolchainModule(toolchains.newer) },
  ])
  const project = join(fairway.root, 'offline')
  await mkdir(project)
  await writeFile(join(project, 'go.mod'), `module example.com/offline\n\ngo 1.26.0\n\nrequire ${uuid}\n`)
  await writeFile(join(project, 'go.sum'), sums)
  await writeFile(join(project, 'main.go'), program)
  const bundle = join(fairway.root, 'offline.bundle')
  {
    await using upstream = await startModuleUpstream(upstreamFolder)
    const env = { GOPROXY: upstream.url, GOTOOLCHAIN: `go${toolchains.newer}` }
    const { result } = await fairway.ok(['bundle', 'export', bundle], { cwd: project, env })
    expect(result.data).toMatchObject({ modules: 2, toolchains: [toolchains.newer], skipped: [] })
  }
  // A network of its own without any interface, and a PATH without Go.
  const env = {
    PATH: '/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: join(fairway.root, 'user'),
    FAIRWAY_HOME: join(fairway.root, 'elsewhere'),
  }
  const offline = async (...words: string[]) =>
    (await run('unshare', ['--net', launcher, ...words], { cwd: project, env, maxBuffer: 1 << 26 })).stdout
  expect(await offline('bundle', 'import', bundle)).toContain(`Go ${toolchains.newer} is installed`)
  const plan = await offline('cache', 'prune', '--to', '1k', '--plan')
  expect(plan).toMatch(/^would remove github\.com\/google\/uuid@v1\.6\.0: [\d.]+ KiB$/m)
  await offline('build', '--output', join(fairway.root, 'out'))
  const binary = join(fairway.root, 'out', 'offline-linux-amd64')
  expect((await run(binary)).stdout.trim()).toMatch(/^[0-9a-f-]{36}$/)
  expect(await offline('cache', 'verify')).toContain('all as they should be')
})

test('a bundle that is not there, or is a folder, is said to be so', async () => {
  await using fairway = await TestFairway.create()
  for (const [file, words] of [
    [join(fairway.root, 'none.bundle'), 'does not exist'],
    [fairway.root, 'cannot be read (EISDIR)'],
  ] as const) {
    const { result } = await fairway.run(['bundle', 'import', file])
    expect(result).toMatchObject({ outcome: 'refused', error: { code: 'USAGE', message: `${file} ${words}` } })
  }
})
