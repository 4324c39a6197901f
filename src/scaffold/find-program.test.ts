import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findProgram } from './find-program.ts'

let folder: string

beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'fairway-program-'))))
afterEach(() => rm(folder, { recursive: true, force: true }))

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true })
  await writeFile(join(folder, path), text)
}

test('a main package is found wherever it lies', async () => {
  await write('cart/cart.go', 'package cart\n')
  expect(await findProgram(folder)).toBeUndefined()
  await write('cmd/web/main.go', '// Command web.\npackage main\n')
  expect(await findProgram(folder)).toBe('cmd/web')
  await write('main.go', '/*\npackage other\n*/\npackage main\n')
  expect(await findProgram(folder)).toBe('.')
})

test('tests, generators, and what go passes by are no programs', async () => {
  await write('gen.go', '//go:build ignore\n\npackage main\n')
  await write('main_test.go', 'package main\n')
  await write('vendor/x/main.go', 'package main\n')
  await write('testdata/main.go', 'package main\n')
  await write('_old/main.go', 'package main\n')
  expect(await findProgram(folder)).toBeUndefined()
})
