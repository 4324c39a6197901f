import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { findSource } from '../../src/go/index.ts'
import { TestFairway } from '../harness/fairway.ts'
import { environment, failure, makeProject, module, server, tool } from '../harness/go-project.ts'

test('a private module without credentials: each way to give them is looked at, and the next step said', async () => {
  const proxy = createServer((_, response) => response.writeHead(404).end('not found'))
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  try {
    const { port } = proxy.address() as AddressInfo
    await using project = await makeProject(
      {
        'go.mod': `${module}\nrequire git.example.com/acme/secret v1.0.0\n`,
        'main.go': 'package main\n\nimport _ "git.example.com/acme/secret"\n\nfunc main() {}\n',
        'go.sum':
          'git.example.com/acme/secret v1.0.0 h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\ngit.example.com/acme/secret v1.0.0/go.mod h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n',
      },
      {
        env: {
          ...environment,
          GOPROXY: `http://127.0.0.1:${port}`,
          GONOPROXY: 'none',
          GOPRIVATE: '',
          GIT_CONFIG_GLOBAL: '/dev/null',
          NETRC: '/dev/null',
        },
      },
    )
    const error = await failure(project.build())
    expect(error.code).toBe('BUILD_FAILED')
    expect(error.hint).toBe(
      'If git.example.com/acme/secret is private: go env -w GOPRIVATE=git.example.com/acme/*; then a line in ~/.netrc: machine git.example.com login USER password TOKEN; or by SSH: git config --global url."ssh://git@git.example.com/".insteadOf https://git.example.com/; or GOAUTH (go help goauth)',
    )
    expect(error.details).toEqual(
      expect.arrayContaining([
        expect.stringContaining('GOPRIVATE does not cover git.example.com/acme/secret (it is empty)'),
        '.netrc has no line for git.example.com',
        'git has no url.….insteadOf for git.example.com',
      ]),
    )
  } finally {
    proxy.closeAllConnections()
    proxy.close()
  }
})

test('flags from outside are not taken, and that is said once for all services', async () => {
  await using fairway = await TestFairway.create({ GOFLAGS: '-tags=extra -buildvcs=false' })
  await using project = await makeProject({
    'go.mod': module,
    'a/main.go': tool,
    'b/main.go': tool,
    'fairway.yaml': 'services: { a: { build: ./a }, b: { build: ./b } }\n',
  })
  const { events } = await fairway.ok(['build'], { cwd: project.folder })
  expect(events.filter(({ kind }) => kind === 'warning')).toMatchObject([
    {
      message: '-tags=extra of GOFLAGS is not taken: what is built is the same for everybody',
      hint: 'in fairway.yaml: go: { tags: [extra] }',
    },
  ])
  expect(events.filter(({ kind }) => kind === 'build-done')).toHaveLength(2)
})

test('a build that is killed with everything it started is done again, whole', async () => {
  await using fairway = await TestFairway.create()
  await using project = await makeProject({ 'go.mod': module, 'main.go': server })
  const cwd = project.folder
  for (const word of ['one', 'two', 'three']) {
    await writeFile(join(cwd, 'word.go'), `package main\n\nvar word = "${word}"\n`)
    const running = fairway.start(['build'], { cwd })
    await expect.poll(running.printed, { interval: 5 }).toContain('building')
    running.signal('SIGKILL')
    await running.ended
  }
  const [first, second] = await Promise.all([fairway.ok(['build'], { cwd }), fairway.ok(['build'], { cwd })])
  expect(first.result.data).toMatchObject([{ service: 'shop', artifact: { binary: 'shop' } }])
  const artifact = ({ result }: typeof first) => (result.data as { artifact: unknown }[])[0]?.artifact
  expect(artifact(second)).toEqual(artifact(first))
})

test('a project of the time before modules gets the commands that make it one', async () => {
  await using project = await makeProject({
    'Gopkg.lock': '',
    'vendor/github.com/x/y/y.go': 'package y\n',
    '.git/config': '[remote "origin"]\n\turl = git@github.com:acme/old-shop.git\n',
    'cmd/shop/main.go': tool,
  })
  expect(await failure(findSource(project.folder))).toMatchObject({
    code: 'SOURCE_NOT_GO',
    hint: expect.stringContaining(
      '(Gopkg.lock); make it a module: go mod init github.com/acme/old-shop && go mod tidy',
    ),
  })
})

test('a server in a module of its own below a library is found; a client that serves too is not taken for it', async () => {
  await using project = await makeProject({
    'go.mod': `${module}\nignore ./old\n`.replace('go 1.21', 'go 1.25'),
    'lib.go': 'package shop\n',
    'server/go.mod': 'module example.com/shop/server\n\ngo 1.21\n',
    'server/main.go': server,
    'old/go.mod': 'module example.com/shop/old\n\ngo 1.21\n',
    'old/main.go': server,
    'server/cmd/loadgen/main.go': server,
  })
  const choice = await (await project.open()).choice()
  expect(choice.chosen?.package).toBe('./server')
  await using built = await project.build({ build: './server' })
  expect(built.recipe).toMatchObject({ mainPackage: 'example.com/shop/server', package: './server' })
})
