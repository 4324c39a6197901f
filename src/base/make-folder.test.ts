import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeFolder } from './make-folder.ts'

test('a folder is made with those above it, and again without harm', async () => {
  const root = await mkdtemp(join(tmpdir(), 'fw-folder-'))
  try {
    await makeFolder(join(root, 'a/b/c'), { mode: 0o700 })
    await makeFolder(join(root, 'a/b/c'))
    expect((await stat(join(root, 'a/b/c'))).mode & 0o777).toBe(0o700)
    expect((await stat(join(root, 'a/b'))).mode & 0o777).toBe(0o755)
    await writeFile(join(root, 'file'), '')
    await expect(makeFolder(join(root, 'file'))).rejects.toThrow('EEXIST')
    await expect(makeFolder(join(root, 'file/below'))).rejects.toThrow('ENOTDIR')
  } finally {
    await rm(root, { recursive: true })
  }
})

test('a place that takes no folders is said at once, not asked for ever', async () => {
  await expect(makeFolder('/proc/nothing/here')).rejects.toThrow('/proc/nothing')
})
