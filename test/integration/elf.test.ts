import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readElf } from '../../src/artifact/index.ts'
import { execOk } from '../../src/base/exec.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairway-elf-'))
  await writeFile(join(folder, 'main.go'), 'package main\n\nfunc main() { println("hello") }\n')
  await writeFile(join(folder, 'go.mod'), 'module example.com/hello\n\ngo 1.21\n')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test.each([
  ['amd64', 'amd64'],
  ['386', '386'],
  ['arm', 'arm'],
  ['arm64', 'arm64'],
  ['mips', 'mips'],
  ['s390x', 's390x'],
])('of a Go program for %s it tells the architecture, and that it is static', async (goarch, arch) => {
  const path = join(folder, goarch)
  const { PATH = '', HOME = '' } = process.env
  const env = { PATH, HOME, GOOS: 'linux', GOARCH: goarch, CGO_ENABLED: '0', GOFLAGS: '', GOTOOLCHAIN: 'local' }
  await execOk(['go', 'build', '-o', path, '.'], { cwd: folder, env, deadlineMs: 120_000 })
  const elf = await readElf(path)
  expect(elf).toMatchObject({ arch, libraries: [] })
  expect(elf?.interpreter).toBeUndefined()
  expect(elf?.sections.map(({ name }) => name)).toContain('.go.buildinfo')
})

test('of a program of this machine it tells the dynamic linker and the libraries', async () => {
  const elf = await readElf('/bin/sh')
  expect(elf?.interpreter).toMatch(/^\/lib/)
  expect(elf?.libraries).toContain('libc.so.6')
})

test('what is no ELF file, or a damaged one, is said or read in part, never thrown', async () => {
  const path = join(folder, 'odd')
  const header = Buffer.from('7f454c4602010100', 'hex')
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.boolean(), async (bytes, isMarked) => {
      await writeFile(path, isMarked ? Buffer.concat([header, bytes]) : bytes)
      await readElf(path)
    }),
  )
})
