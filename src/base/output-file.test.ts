import { execFile } from 'node:child_process'
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { writeOutput } from './output-file.ts'

const run = promisify(execFile)
let folder: string
const text = (content: string) => (file: { writeFile(content: string): Promise<void> }) => file.writeFile(content)

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairway-output-'))
})
afterEach(() => rm(folder, { recursive: true }))

test('a file is replaced as a whole, and a failure leaves the old one and nothing else', async () => {
  const path = join(folder, 'a.tar')
  await writeOutput(path, text('old'))
  await expect(
    writeOutput(path, async (file) => {
      await file.writeFile('half')
      throw new Error('cut')
    }),
  ).rejects.toThrow('cut')
  expect(await readdir(folder)).toEqual(['a.tar'])
  expect(await readFile(path, 'utf8')).toBe('old')
  expect(await writeOutput(path, async (file) => (await file.write('new')).bytesWritten)).toBe(3)
  expect(await readFile(path, 'utf8')).toBe('new')
})

test('behind a symbolic link it is what the link leads to', async () => {
  await mkdir(join(folder, 'there'))
  await writeFile(join(folder, 'there/real'), 'old')
  await symlink('there/real', join(folder, 'link'))
  await writeOutput(join(folder, 'link'), text('new'))
  expect((await lstat(join(folder, 'link'))).isSymbolicLink()).toBe(true)
  expect(await readFile(join(folder, 'there/real'), 'utf8')).toBe('new')
})

test('a device stays a device, and its fault is told', async () => {
  await writeOutput('/dev/null', text('gone'))
  expect((await lstat('/dev/null')).isCharacterDevice()).toBe(true)
  await expect(writeOutput('/dev/full', text('gone'))).rejects.toMatchObject({ code: 'DISK_FULL' })
  expect((await lstat('/dev/full')).isCharacterDevice()).toBe(true)
})

test('a pipe is written into; one that nobody reads is refused', async () => {
  const pipe = join(folder, 'pipe')
  await run('mkfifo', [pipe])
  await expect(writeOutput(pipe, text('lost'))).rejects.toMatchObject({ code: 'USAGE', message: /nobody reads/ })
  const read = run('cat', [pipe])
  await expect.poll(() => writeOutput(pipe, text('through')).then(() => 'written', String)).toBe('written')
  expect((await read).stdout).toBe('through')
})

test('a folder, and a folder that is not there, are refused by name', async () => {
  await expect(writeOutput(folder, text('x'))).rejects.toMatchObject({
    code: 'USAGE',
    message: `${folder} is a folder`,
  })
  await expect(writeOutput(join(folder, 'no/file'), text('x'))).rejects.toMatchObject({ code: 'USAGE' })
})
