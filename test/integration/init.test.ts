import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { TestFairway } from '../harness/fairway.ts'
import { makeProject, module, server, tool } from '../harness/go-project.ts'

const files = {
  'go.mod': module,
  'cmd/shop/main.go': server.replace('http.ListenAndServe', '_ = http.Dir("static")\n\thttp.ListenAndServe'),
  'cmd/tool/main.go': tool,
  'static/x.css': '',
  Makefile: 'build:\n\tgo build -tags netgo -ldflags "-X main.version=$(V)" ./cmd/shop\n',
}

test('what is detected is written down once, and what stands there stays', async () => {
  await using project = await makeProject(files)
  await using fairway = await TestFairway.create()
  const cwd = project.folder
  const path = join(cwd, 'fairway.yaml')
  const planned = await fairway.start(['init', '--detect', '--plan'], { cwd }).ended
  expect(planned.stdout).toContain('+     build: ./cmd/shop')
  await expect(readFile(path)).rejects.toThrow('ENOENT')
  expect((await fairway.ok(['init', '--detect'], { cwd })).result.outcome).toBe('done')
  expect(await readFile(path, 'utf8')).toBe(
    'services:\n  shop:\n    build: ./cmd/shop\n    listen: { env: PORT }\n    probe: { tcp: true }\n    files: [ static ]\n',
  )
  await writeFile(path, '# ours\nservices:\n  shop: # the server\n    build: ./cmd/tool # on purpose\n')
  const again = await fairway.ok(['init', '--detect'], { cwd })
  expect(again.result.outcome).toBe('unchanged')
  await writeFile(path, '# ours\nservices:\n  shop: # the server\n    instances: 2 # two\n')
  await fairway.ok(['init', '--detect'], { cwd })
  expect(await readFile(path, 'utf8')).toBe(
    '# ours\nservices:\n  shop:\n    # the server\n    instances: 2 # two\n    build: ./cmd/shop\n    listen: { env: PORT }\n    probe: { tcp: true }\n    files: [ static ]\n',
  )
  expect((await fairway.ok(['init', '--detect'], { cwd })).result.outcome).toBe('unchanged')
})

test('every choice is explained, with the line that overrides it', async () => {
  await using project = await makeProject(files)
  await using fairway = await TestFairway.create()
  const end = await fairway.start(['build', '--explain'], { cwd: project.folder }).ended
  for (const line of [
    'shop: ./cmd/shop with go',
    './cmd/shop: Makefile:2 builds it; it is named like the module; main.go has ListenAndServe',
    'cgo is off',
    'fairway.yaml names none, though Makefile:2 builds with netgo',
    'otherwise: go: { tags: [netgo] }',
    'no version is stamped into the binary',
    'otherwise: go: { ldflags: ["-X main.version={{tag}}"] }',
    'static (cmd/shop/main.go:6, http.Dir)',
    'line: files: [static]',
  ]) {
    expect(end.stdout).toContain(line)
  }
})
