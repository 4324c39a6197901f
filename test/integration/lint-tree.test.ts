import { chmod, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { execOk } from '../../src/base/exec.ts'
import { lintLayout, readTree } from '../../src/lint/index.ts'

const environment = { PATH: process.env['PATH'] ?? '' }

async function makeTree(files: Readonly<Record<string, string | Buffer>>) {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'fairway-lint-')))
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), content)
  }
  const git = (...words: string[]) =>
    execOk(['git', '-c', 'user.name=Ada', '-c', 'user.email=ada@example.com', ...words], {
      cwd: folder,
      env: { ...environment, HOME: folder, GIT_CONFIG_GLOBAL: '/dev/null' },
    })
  const lint = async (below = '') => {
    const { findings } = lintLayout(await readTree(join(folder, below), { environment }))
    return findings.map(({ rule, file, line, message }) => `${rule} ${file}:${line} ${message}`)
  }
  return { folder, git, lint, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
}

const elf = Buffer.concat([Buffer.from([0x7f, 0x45, 0x4c, 0x46]), Buffer.alloc(100_000)])
const files = {
  'go.mod': 'module github.com/acme/shop\n\ngo 1.24\n',
  'main.go': 'package main\n\nfunc main() {}\n',
  '.env.dev.local': 'API_TOKEN=ghp_16C7e42F292c6912E7\n',
  shop: elf,
  'node_modules/x/x.go': 'package x\n',
  'vendor/e.x/a/a.go': 'package a\n\nimport "os"\n\nfunc F() { os.Exit(1) }\n',
}

test('without git nothing is said to be in it; what is vendored or a front-end’s is not read as own code', async () => {
  await using tree = await makeTree(files)
  expect(await tree.lint()).toEqual([])
})

test('with git what it has counts, what it ignores does not; remote and tags are git’s', async () => {
  await using tree = await makeTree({
    ...files,
    '.gitignore': '.env*.local\nnode_modules\n',
    'ignored/.gitignore': '*',
    'ignored/x.go': 'package',
  })
  await tree.git('init', '-q')
  expect(await tree.lint()).toEqual([]) // nothing is committed yet
  await tree.git('add', 'shop', 'go.mod', 'main.go')
  await tree.git('commit', '-qm', 'one')
  await tree.git('tag', 'v2.0.1')
  await tree.git('remote', 'add', 'origin', 'git@github.com:acme/store.git')
  expect(await tree.lint()).toEqual([
    'binary-tracked shop:0 0.1 MiB',
    'module-path-remote go.mod:1 github.com/acme/shop, the remote is github.com/acme/store',
    'major-suffix go.mod:1 github.com/acme/shop, and the tag v2.0.1',
  ])
})

test('a project below the repository’s root may lead up to it, and no further', async () => {
  await using tree = await makeTree({
    'app/go.mod': 'module e.x/app\n\nreplace (\n\te.x/lib => ../lib\n\te.x/far => ../../far\n)\n',
    'app/main.go': 'package main\n\nfunc main() {}\n',
  })
  await tree.git('init', '-q')
  await tree.git('add', '.')
  expect(await tree.lint('app')).toEqual([
    'replace-outside go.mod:5 e.x/far => ../../far',
    'replace-folder go.mod:4 e.x/lib => ../lib',
  ])
})

test('links that lead nowhere and files that cannot be read do not stop it', async () => {
  await using tree = await makeTree({
    ...files,
    'bad.go': Buffer.from([0xff, 0xfe, 0x00]),
    'big.go': Buffer.alloc(3_000_000, 'x'),
    'cart/cart.go': 'package cart\n\nimport "os"\n\nfunc F() { os.Exit(1) }\n',
  })
  await execOk(['ln', '-s', '/nowhere', join(tree.folder, 'link.go')], { env: environment })
  await chmod(join(tree.folder, 'shop'), 0o000)
  expect(await tree.lint()).toEqual([expect.stringMatching(/^exit-in-library cart\/cart\.go:5 /)])
})

test('a folder without Go is refused', async () => {
  await using tree = await makeTree({ 'README.md': '' })
  await expect(tree.lint()).rejects.toMatchObject({ code: 'SOURCE_NOT_GO' })
})
