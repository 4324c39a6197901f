import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { execOk } from '../base/exec.ts'
import { findSource, relativePackage } from './source.ts'

test.each([
  ['/shop', '.'],
  ['/shop/cmd/web', './cmd/web'],
  ['/shop/...', './...'], // not `...`, which is all of the standard library too
  ['/', '..'],
  ['/other', '../other'],
])('seen from /shop, %s is %s', (path, expected) => {
  expect(relativePackage('/shop', path)).toBe(expected)
})

test.each(['go.mod', 'go.work'])('a pipe called %s is told of: go would wait for it for ever', async (name) => {
  const folder = await mkdtemp(join(tmpdir(), 'fw-source-'))
  try {
    await writeFile(join(folder, 'go.mod'), 'module example.com/shop\n')
    await rm(join(folder, name), { force: true })
    await execOk(['mkfifo', join(folder, name)], { env: { PATH: process.env['PATH'] ?? '' } })
    await expect(findSource(folder)).rejects.toThrow(`${join(folder, name)} is a special file`)
  } finally {
    await rm(folder, { recursive: true })
  }
})
