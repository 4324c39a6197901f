import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { execOk } from '../../src/base/exec.ts'
import { environment, failure, makeProject, module } from '../harness/go-project.ts'

const embedding = `package main

import "embed"

//go:embed all:web/dist
var files embed.FS

func main() {
	text, err := files.ReadFile("web/dist/index.html")
	println(string(text), err == nil)
}
`
/** Writes what it was given, as a front-end's build does. */
const packageJson = (more: object = {}) =>
  JSON.stringify({
    name: 'ui',
    version: '1.0.0',
    scripts: {
      build: `node -e "const fs = require('fs'); fs.mkdirSync('dist', { recursive: true }); fs.writeFileSync('dist/index.html', fs.readFileSync('page.txt')); fs.appendFileSync('runs', 'x'); console.log('bundled')"`,
    },
    ...more,
  })
const lock = JSON.stringify({
  name: 'ui',
  version: '1.0.0',
  lockfileVersion: 3,
  packages: { '': { name: 'ui', version: '1.0.0' } },
})
const frontEnd = { 'web/package.json': packageJson(), 'web/package-lock.json': lock, 'web/page.txt': 'hello' }

async function printed(path: string | undefined): Promise<string> {
  return (await execOk([path ?? ''])).stderr.trim()
}

test('a front-end that is to be embedded and is not there is built by its lock file, and again when it changed', async () => {
  await using project = await makeProject({ 'go.mod': module, 'main.go': embedding, ...frontEnd })
  await using first = await project.build()
  expect(await printed(first.sources.get('web'))).toBe('hello true')
  expect(project.events).toMatchObject([
    {
      kind: 'generate-begun',
      in: 'web',
      command: ['npm', 'ci'],
      why: 'web/dist matches no file, and web/package-lock.json says how it is made',
    },
    ...project.events.slice(1),
  ])
  expect(project.events).toContainEqual({ kind: 'generate-output', service: 'web', line: 'bundled' })
  await using second = await project.build()
  expect(second.artifact).toEqual(first.artifact)
  expect(await readFile(join(project.folder, 'web/runs'), 'utf8')).toBe('x')
  await writeFile(join(project.folder, 'web/page.txt'), 'changed')
  await using third = await project.build()
  expect(await printed(third.sources.get('web'))).toBe('changed true')
})

test('behind a placeholder it would be left out in silence: it is built', async () => {
  await using project = await makeProject({
    'go.mod': module,
    'main.go': embedding,
    ...frontEnd,
    'web/dist/.gitkeep': '',
  })
  await using built = await project.build()
  expect(await printed(built.sources.get('web'))).toBe('hello true')
})

test('a front-end somebody else built is left as it is', async () => {
  await using project = await makeProject({
    'go.mod': module,
    'main.go': embedding,
    ...frontEnd,
    'web/dist/index.html': 'by hand',
  })
  await using built = await project.build()
  expect(await printed(built.sources.get('web'))).toBe('by hand true')
  expect(project.events).toEqual([])
})

test('without a lock file nothing is run, and the lines to write are said', async () => {
  const { 'web/package-lock.json': _, ...files } = frontEnd
  await using project = await makeProject({ 'go.mod': module, 'main.go': embedding, ...files, 'web/dist/.gitkeep': '' })
  await using built = await project.build()
  expect(built.artifact.files).toHaveLength(1)
  expect(project.events).toMatchObject([
    {
      kind: 'warning',
      message: 'web is built without its user interface: behind web/dist there is only web/dist/.gitkeep',
      hint: expect.stringContaining(
        'go: { generate: [{ in: web, run: [npm, install] }, { in: web, run: [npm, run, build] }] }',
      ),
    },
  ])
  await rm(join(project.folder, 'web/dist'), { recursive: true })
  expect(await failure(project.build())).toMatchObject({
    code: 'BUILD_FAILED',
    hint: expect.stringContaining('has no lock file'),
  })
})

test('the package manager of the lock file is named where it is missing', async () => {
  const { PATH: _, ...env } = environment
  const tools = '/usr/local/go/bin:/usr/bin:/bin'
  await using project = await makeProject(
    { 'go.mod': module, 'main.go': embedding, 'web/package.json': packageJson(), 'web/pnpm-lock.yaml': '' },
    { env: { ...env, PATH: `${environment['GOROOT'] ?? ''}/bin:${tools}` } },
  )
  expect(await failure(project.build())).toMatchObject({
    code: 'BUILD_FAILED',
    message: 'web: `pnpm install --frozen-lockfile` is to run in web, and there is no pnpm here',
    hint: 'Install it: corepack enable pnpm, or npm install --global pnpm',
  })
})

test('a Node that is too old is named when the build of the front-end fails', async () => {
  const manifest = packageJson({ engines: { node: '>=999' }, scripts: { build: 'exit 3' } })
  await using project = await makeProject({
    'go.mod': module,
    'main.go': embedding,
    ...frontEnd,
    'web/package.json': manifest,
  })
  expect(await failure(project.build())).toMatchObject({
    message: 'web: `npm run build` in web ended with exit status 3',
    hint: expect.stringMatching(/asks for Node >=999, and this machine has v/),
  })
})

test('what fairway.yaml has run before is run when something in its folder changed', async () => {
  await using project = await makeProject({
    'go.mod': module,
    'main.go': 'package main\n\nfunc main() { println(made) }\n',
    'gen/make.sh':
      '#!/bin/sh\necho x >> ../runs\nprintf "package main\\n\\nconst made = \\"%s\\"\\n" "$(cat word)" > ../made.go\n',
    'gen/word': 'one',
  })
  await chmod(join(project.folder, 'gen/make.sh'), 0o755)
  const settings = { generate: [{ in: 'gen', run: ['./make.sh'] }] }
  await using first = await project.build({ settings })
  await using second = await project.build({ settings })
  expect(await printed(second.sources.get('web'))).toBe('one')
  expect(first.artifact).toEqual(second.artifact)
  expect(await readFile(join(project.folder, 'runs'), 'utf8')).toBe('x\n')
  await writeFile(join(project.folder, 'gen/word'), 'two')
  await using third = await project.build({ settings })
  expect(await printed(third.sources.get('web'))).toBe('two')
})

test('two builds at once run what goes before them once', async () => {
  await using project = await makeProject({ 'go.mod': module, 'main.go': embedding, ...frontEnd })
  const [one, other] = await Promise.all([project.build(), project.build()])
  expect(one.artifact).toEqual(other.artifact)
  expect(await readFile(join(project.folder, 'web/runs'), 'utf8')).toBe('x')
  for (const built of [one, other]) await built[Symbol.asyncDispose]()
})

test.each([
  ['templ', { 'views/page.templ': 'templ Page() {}' }, 'templ generate', 'views/page.templ has no views/page_templ.go'],
  [
    'sqlc',
    { 'sqlc.yaml': 'sql:\n  - gen: { go: { out: "db" } }\n' },
    'sqlc generate',
    'sqlc.yaml makes db, which is not there',
  ],
  ['buf', { 'buf.gen.yaml': '', 'api/a.proto': '' }, 'buf generate', 'api/a.proto is there, and no .pb.go file'],
  [
    'a go:generate line',
    { 'gen.go': 'package main\n\n//go:generate stringer -type=Kind\ntype Kind int\n' },
    'go generate .',
    'gen.go says //go:generate stringer -type=Kind',
  ],
])('code that %s makes is missed by the command', async (_, files, command, why) => {
  await using project = await makeProject({
    'go.mod': module,
    'main.go': 'package main\n\nfunc main() { made() }\n',
    ...files,
  })
  const error = await failure(project.build())
  expect(error.message).toBe('main.go:3:15: undefined: made')
  expect(error.hint).toContain(`Code is missing that a tool makes: ${command}`)
  expect(error.hint).toContain(`go: { generate: [[${command.split(' ').join(', ')}]] }`)
  expect(error.details).toContain(why)
})

test('a package of the module that is made by a tool is missed by the command', async () => {
  await using project = await makeProject({
    'go.mod': module,
    'main.go': 'package main\n\nimport "example.com/shop/db"\n\nfunc main() { db.Open() }\n',
    'sqlc.yaml': 'sql:\n  - gen:\n      go:\n        out: db\n',
  })
  await mkdir(join(project.folder, 'queries'))
  expect((await failure(project.build())).hint).toContain('sqlc generate')
})
