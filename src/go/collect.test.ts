import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { collectFiles } from './collect.ts'

test.for<[string, Buffer, RegExp]>([
  ['that is not UTF-8', Buffer.from([0x61, 0xff, 0x62]), /`\.`: "a\ufffdb" has a name that is not UTF-8; rename it/],
  ['with a line break', Buffer.from('a\nb'), /`\.`: "a\\nb" cannot be a path in an artifact: at most 1024 bytes/],
])('a file name %s under `files:` is refused with its place and the rule', async ([, name, said]) => {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'fairway-collect-')))
  try {
    await writeFile(join(folder, 'good'), '')
    expect(await collectFiles(folder, ['.'])).toMatchObject([{ path: 'good' }])
    await writeFile(Buffer.concat([Buffer.from(`${folder}/`), name]), '')
    await expect(collectFiles(folder, ['.'])).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(said) as string,
    })
  } finally {
    await rm(folder, { recursive: true })
  }
})
