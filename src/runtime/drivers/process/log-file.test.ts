import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { tailFile } from './log-file.ts'
import { maxLineBytes } from './log-lines.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairway-log-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

test('the last part of an endless line is shown as the part that it is', async () => {
  const path = join(folder, 'out')
  await writeFile(path, `${'x'.repeat(2 << 20)}secret`)
  const [passed, part, ...more] = await tailFile(path, 10)
  expect(passed?.cutBytes).toBe((2 << 20) + 6 - maxLineBytes)
  expect(part?.text).toBe(`…${'x'.repeat(maxLineBytes - 6)}secret`)
  expect(more).toEqual([])
})

test('where what was given back ends at the end of a line, the next is whole', async () => {
  const path = join(folder, 'out')
  await writeFile(path, 'first\nsecond\n')
  await writeFile(`${path}.cut`, '6')
  expect((await tailFile(path, 10)).map(({ text }) => text)).toEqual(['second'])
  await writeFile(`${path}.cut`, '8')
  expect((await tailFile(path, 10)).map(({ text }) => text)).toEqual(['…cond'])
})
