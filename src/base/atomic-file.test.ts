import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { writeFileAtomic } from './atomic-file.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairway-atomic-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test('a reader sees the old content or the new one, never a part', async () => {
  const path = join(folder, 'state')
  const contents = ['a', 'b'].map((letter) => letter.repeat(200_000))
  await writeFile(path, contents[0] ?? '')
  const writer = { done: false }
  const written = (async () => {
    for (let i = 0; i < 30; i++) await writeFileAtomic(path, contents[i % 2] ?? '', { durable: i % 3 === 0 })
    writer.done = true
  })()
  while (!writer.done) expect(contents).toContain(await readFile(path, 'utf8'))
  await written
})

test('it leaves nothing beside the file, and only its owner may read it', async () => {
  await writeFileAtomic(join(folder, 'private'), 'x')
  expect((await stat(join(folder, 'private'))).mode & 0o777).toBe(0o600)
  expect((await readdir(folder)).filter((name) => name.endsWith('.new'))).toEqual([])
})

test('where the place cannot be written, what stood there stays and nothing is left beside it', async () => {
  const path = join(folder, 'taken')
  await mkdir(path)
  await writeFile(join(path, 'inside'), 'x')
  await expect(writeFileAtomic(path, 'y')).rejects.toThrow()
  expect((await readdir(folder)).filter((name) => name.endsWith('.new'))).toEqual([])
})
