import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { execOk } from './exec.ts'
import { readText } from './read-file.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fw-read-'))
  await execOk(['mkfifo', join(folder, 'Dockerfile')], { env: { PATH: process.env['PATH'] ?? '' } })
  await writeFile(join(folder, 'go.mod'), 'module example.com/shop\n')
})
afterAll(() => rm(folder, { recursive: true }))

test('a file is read', async () => {
  expect(await readText(join(folder, 'go.mod'))).toBe('module example.com/shop\n')
})

test('a pipe that nobody writes into keeps nobody waiting; a device without an end is not read', async () => {
  for (const path of [join(folder, 'Dockerfile'), '/dev/zero']) {
    await expect(readText(path)).rejects.toThrow(`${path} is a special file`)
  }
})

test('what is missing, or a folder, is told as the system tells it', async () => {
  await expect(readText(join(folder, 'none'))).rejects.toMatchObject({ code: 'ENOENT' })
  await expect(readText(folder)).rejects.toMatchObject({ code: 'EISDIR' })
})
