import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeFolder } from './make-folder.ts'

test('a folder is made with those above it, also by many at once', async () => {
  const root = await mkdtemp(join(tmpdir(), 'fw-folder-'))
  try {
    const path = join(root, 'a/b/c')
    await Promise.all(Array.from({ length: 8 }, () => makeFolder(path, 0o700)))
    expect((await stat(path)).mode & 0o777).toBe(0o700)
    await writeFile(join(root, 'file'), '')
    await expect(makeFolder(join(root, 'file/below'), 0o700)).rejects.toMatchObject({ code: 'HOME_UNUSABLE' })
    await expect(makeFolder(join(root, 'file'), 0o700)).rejects.toMatchObject({ code: 'HOME_UNUSABLE' })
  } finally {
    await rm(root, { recursive: true })
  }
})

test('a file system that makes no folders is said, not tried for ever', async () => {
  await expect(makeFolder('/proc/fairway/home', 0o755)).rejects.toMatchObject({ code: 'HOME_UNUSABLE' })
})
