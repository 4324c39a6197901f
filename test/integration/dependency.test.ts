import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { findLicences, findOutdated, findReason, tidyDiff } from '../../src/dependency/index.ts'
import { findToolchain } from '../../src/go/index.ts'

/** A module with a vendor folder, and a module proxy of its own that forbids one module. */
async function makeProject(files: Readonly<Record<string, string>>, proxy: Readonly<Record<string, string>> = {}) {
  const root = await realpath(await mkdtemp(join(tmpdir(), 'fairway-mod-')))
  const folder = join(root, 'project')
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), content)
  }
  const server = createServer((request, response) => {
    const path = (request.url ?? '').slice(1)
    const content = proxy[path]
    response
      .writeHead(content !== undefined ? 200 : path.includes('forbidden/@v/list') ? 403 : 404)
      .end(content ?? 'absent')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const toolchain = await findToolchain({
    environment: {
      ...process.env,
      GOPROXY: `http://127.0.0.1:${port}`,
      GOSUMDB: 'off',
      GOMODCACHE: join(root, 'cache'),
      GOFLAGS: '-modcacherw',
    },
  })
  return {
    folder,
    toolchain,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve))
      await toolchain.run(['clean', '-modcache'], { cwd: '/' })
      await rm(root, { recursive: true, force: true })
    },
  }
}

const info = (version: string) => JSON.stringify({ Version: version, Time: '2026-01-02T03:04:05Z' })
const proxy = {
  'example.com/lib/@v/list': 'v1.0.0\nv1.2.0\n',
  'example.com/lib/@v/v1.0.0.info': info('v1.0.0'),
  'example.com/lib/@v/v1.2.0.info': info('v1.2.0'),
  'example.com/lib/@v/v1.0.0.mod': 'module example.com/lib\n\ngo 1.21\n',
  'example.com/lib/@v/v1.2.0.mod':
    '// Deprecated: use example.com/other\nmodule example.com/lib\n\ngo 1.21\n\nretract v1.0.0 // leaks\n',
  'example.com/forbidden/@v/v1.0.0.info': info('v1.0.0'),
  'example.com/forbidden/@v/v1.0.0.mod': 'module example.com/forbidden\n\ngo 1.21\n',
}
const vendored = {
  'go.mod':
    'module example.com/shop\n\ngo 1.21\n\nrequire (\n\texample.com/forbidden v1.0.0\n\texample.com/lib v1.0.0\n)\n',
  'go.sum': '',
  'vendor/modules.txt':
    '# example.com/forbidden v1.0.0\n## explicit; go 1.21\nexample.com/forbidden\n# example.com/lib v1.0.0\n## explicit; go 1.21\nexample.com/lib\n',
  'vendor/example.com/lib/lib.go': 'package lib\n',
  'vendor/example.com/lib/COPYING': 'Do with it what you like.\n',
  'vendor/example.com/forbidden/f.go': 'package forbidden\n',
  'main.go':
    'package main\n\nimport (\n\t_ "example.com/forbidden"\n\t_ "example.com/shop/deep"\n)\n\nfunc main() {}\n',
  'deep/deep.go': 'package deep\n\nimport _ "example.com/lib"\n',
}

test('what is outdated is said, also where the proxy forbids another module', async () => {
  await using project = await makeProject(vendored, proxy)
  const found = await findOutdated(project.folder, { toolchain: project.toolchain })
  expect(found).toEqual([
    {
      path: 'example.com/forbidden',
      version: 'v1.0.0',
      isDirect: true,
      isUsed: true,
      unknown: expect.stringContaining('403 Forbidden'),
    },
    {
      path: 'example.com/lib',
      version: 'v1.0.0',
      newest: 'v1.2.0',
      newestAt: '2026-01-02T03:04:05Z',
      isDirect: true,
      isUsed: true,
      retracted: 'leaks',
      deprecated: 'use example.com/other',
    },
  ])
})

test('why a module is here is a chain of imports from a main package', async () => {
  await using project = await makeProject(vendored, proxy)
  const why = (module: string) => findReason(module, project.folder, { toolchain: project.toolchain })
  expect(await why('example.com/lib')).toEqual({
    kind: 'imports',
    path: ['example.com/shop', 'example.com/shop/deep', 'example.com/lib'],
    inTests: false,
  })
  expect(await why('example.com/absent')).toEqual({ kind: 'absent' })
})

test('licences are those of what is linked; one that is not known is said', async () => {
  await using project = await makeProject(vendored, proxy)
  const order = { name: 'web', mainPackage: '.', moduleFolder: project.folder }
  const { modules } = await findLicences(order, { toolchain: project.toolchain })
  expect(modules).toMatchObject([
    { module: 'std', ids: ['BSD-3-Clause'], files: ['LICENSE'] },
    { module: 'example.com/forbidden', ids: [], files: [] },
    { module: 'example.com/lib', ids: [], files: ['COPYING'], unknown: ['COPYING'] },
  ])
})

test('tidy shows its diff and writes nothing', async () => {
  await using project = await makeProject(
    {
      'go.mod': 'module example.com/shop\n\ngo 1.21\n\nrequire example.com/lib v1.0.0\n',
      'main.go': 'package main\n\nfunc main() {}\n',
    },
    proxy,
  )
  const diff = await tidyDiff(project.folder, { toolchain: project.toolchain })
  expect(diff).toContain('-require example.com/lib v1.0.0')
  expect(await tidyDiff(project.folder, { toolchain: project.toolchain })).toBe(diff)
})

test('go’s own words come through where it cannot say', async () => {
  await using project = await makeProject(
    {
      'go.mod': 'module example.com/shop\n\ngo 1.21\n',
      'main.go': 'package main\n\nimport _ "example.com/nowhere"\n\nfunc main() {}\n',
    },
    proxy,
  )
  await expect(tidyDiff(project.folder, { toolchain: project.toolchain })).rejects.toMatchObject({
    code: 'COMMAND_FAILED',
    message: expect.stringMatching(/^`go mod tidy` cannot say what it would change: .*example\.com\/nowhere/),
  })
})

test('a go.mod that cannot be read is named with the line, wherever it lies in the project', async () => {
  await using project = await makeProject({ 'tool/go.mod': 'module example.com/tool\n\ngo 1.21\n\nrequire one\n' })
  const context = { toolchain: project.toolchain, projectFolder: project.folder }
  for (const work of [tidyDiff, findOutdated]) {
    await expect(work(join(project.folder, 'tool'), context)).rejects.toMatchObject({
      code: 'BUILD_FAILED',
      message: expect.stringMatching(/^tool\/go\.mod:5: usage: require/),
      hint: expect.stringContaining('go mod edit -fmt'),
    })
  }
})
