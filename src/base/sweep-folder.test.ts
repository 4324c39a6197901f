import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { sweepFolder } from './sweep-folder.ts'

test('what a kill left is removed when it is old, and nothing else is', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fairway-sweep-'))
  try {
    await mkdir(join(folder, 'restore-1', 'deep'), { recursive: true })
    await mkdir(join(folder, 'state-1'))
    await sweepFolder(folder, /^restore-/, { before: Date.now() - 60_000 })
    expect(await readdir(folder)).toEqual(['restore-1', 'state-1'])
    await sweepFolder(folder, /^restore-/, { before: Date.now() + 60_000 })
    expect(await readdir(folder)).toEqual(['state-1'])
    await sweepFolder(join(folder, 'none'), /./, { before: 0 })
  } finally {
    await rm(folder, { recursive: true })
  }
})
