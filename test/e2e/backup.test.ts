import { randomBytes } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { chmod, chown, cp, lstat, mkdir, readdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { execOk } from '../../src/base/exec.ts'
import { TestFairway } from '../harness/fairway.ts'
import { quickProbe, ServiceProject } from '../harness/service-project.ts'

test('a backup taken while it serves brings everything into another home: releases, secrets, what is desired', async () => {
  await using fairway = await TestFairway.create()
  const project = await ServiceProject.create(fairway, [`probe: ${quickProbe}`, 'instances: 2'])
  const cwd = project.folder
  await fairway.ok(['secret', 'set', 'PASSWORD'], { cwd, stdin: 'correct horse battery\n' })
  await project.values({ VERSION: '1' })
  await fairway.ok(['up'], { cwd })
  await project.values({ VERSION: '2' })
  await fairway.ok(['up'], { cwd })
  const file = join(fairway.root, 'backup.tar.gz')
  await writeFile(file, 'an older one', { mode: 0o644 })
  const latest = join(fairway.root, 'latest.tar.gz')
  await symlink(file, latest)
  await fairway.ok(['server', 'backup', latest], { cwd })
  expect((await lstat(latest)).isSymbolicLink()).toBe(true)
  expect((await lstat(file)).mode & 0o777).toBe(0o600) // it holds the key
  const pipe = join(fairway.root, 'pipe')
  const env = { PATH: process.env['PATH'] ?? '' }
  await execOk(['mkfifo', pipe], { env })
  const listed = execOk(['tar', '--list', '--gzip', `--file=${pipe}`], { env, deadlineMs: 60_000 })
  const send = async () => (await fairway.run(['server', 'backup', pipe], { cwd })).exit
  await expect.poll(send, { timeout: 60_000 }).toBe(0) // once tar reads
  expect((await listed).stdout).toContain('./state.db\n')
  expect((await lstat(pipe)).isFIFO()).toBe(true)

  const running = await fairway.run(['server', 'restore', file, '--yes'], { cwd })
  expect(running.result).toMatchObject({ outcome: 'refused', error: { code: 'HOME_BUSY' } })

  await using other = await TestFairway.create()
  await other.ok(['server', 'restore', file])
  await other.ok(['server', 'start'])
  await expect
    .poll(async () => (await other.status(cwd))[0])
    .toMatchObject({ condition: 'healthy', release: 2, healthy: 2 })
  expect((await other.ok(['rollback'], { cwd })).result.services).toMatchObject([{ release: 1 }])
  const { result } = await other.ok(['secret', 'list'], { cwd })
  expect(result.data).toMatchObject({ secrets: [{ key: 'PASSWORD', version: 1 }] })
})

test('a data folder is copied as it lies, also while its service writes: what changed is named', async () => {
  await using fairway = await TestFairway.create()
  await fairway.ok(['server', 'start'])
  const folder = join(fairway.home, 'data/shop/dev/web/data')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'journal'), randomBytes(30_000_000))
  const writer = setInterval(() => appendFileSync(join(folder, 'journal'), 'more\n'), 5)
  const file = join(fairway.root, 'backup.tar.gz')
  const { exit, events } = await fairway.run(['server', 'backup', file])
  clearInterval(writer)
  expect(exit).toBe(0)
  expect(events).toEqual([
    { kind: 'warning', message: 'copied while it was written to: data/shop/dev/web/data/journal' },
  ])
  await using other = await TestFairway.create()
  await other.ok(['server', 'restore', file])
  expect((await lstat(join(other.home, 'data/shop/dev/web/data/journal'))).size).toBeGreaterThanOrEqual(30_000_000)
})

test('a backup that cannot be written is said in words about its file, before anything is packed', async () => {
  await using fairway = await TestFairway.create()
  await fairway.ok(['server', 'start'])
  const absent = join(fairway.root, 'none', 'b.tar.gz')
  for (const [file, message, hint] of [
    [absent, `${absent} cannot be written (ENOENT)`, 'folder'],
    [fairway.root, `${fairway.root} is a folder`, 'Name a file.'],
  ] as const) {
    const { result, stderr } = await fairway.run(['server', 'backup', file])
    expect(result).toMatchObject({
      outcome: 'refused',
      error: {
        code: 'USAGE',
        message,
        hint: expect.stringContaining(hint),
      },
    })
    expect(stderr).not.toContain('tar')
  }
})

test('a file that is no backup changes nothing', async () => {
  await using fairway = await TestFairway.create()
  const file = join(fairway.root, 'not-a-backup')
  await writeFile(file, 'certainly not')
  const { result, exit } = await fairway.run(['server', 'restore', file])
  expect(result).toMatchObject({ outcome: 'refused', error: { code: 'STATE_CORRUPT' } })
  expect(exit).toBe(74)
  const missing = await fairway.run(['server', 'restore', `${file}.none`])
  expect(missing.result.outcome).toBe('refused')
})

describe('a crafted file', () => {
  let fairway: TestFairway
  let good: string
  beforeAll(async () => {
    fairway = await TestFairway.create()
    await using source = await TestFairway.create()
    await source.ok(['server', 'start'])
    good = join(fairway.root, 'good')
    await mkdir(good)
    const file = join(fairway.root, 'good.tar.gz')
    await source.ok(['server', 'backup', file])
    await execOk(['tar', '--extract', '--gzip', `--file=${file}`, '-C', good], { env })
  })
  afterAll(() => fairway[Symbol.asyncDispose]())

  const env = { PATH: process.env['PATH'] ?? '' }
  /** A good backup's content, and what this puts beside it. */
  async function craft(name: string, spoil: (folder: string) => Promise<unknown>): Promise<string> {
    const folder = join(fairway.root, name)
    await cp(good, folder, { recursive: true })
    await spoil(folder)
    const file = `${folder}.tar.gz`
    await execOk(['tar', '--create', '--gzip', `--file=${file}`, '-C', folder, '.'], { env })
    return file
  }

  test.for<[string, (folder: string) => Promise<unknown>]>([
    ['a device', (folder) => execOk(['mknod', join(folder, 'artifacts/null'), 'c', '1', '3'], { env })],
    ['a link among artifacts', (folder) => symlink('/etc/passwd', join(folder, 'artifacts/link'))],
    [
      'a link in the place of the key',
      (folder) =>
        symlink('id', join(folder, 'key.new')).then(() => rename(join(folder, 'key.new'), join(folder, 'key'))),
    ],
    ['a folder of another name', (folder) => mkdir(join(folder, 'run'))],
    ['a file of another name', (folder) => writeFile(join(folder, 'authorized_keys'), '')],
    [
      'a folder in the place of the token',
      (folder) => rm(join(folder, 'token')).then(() => mkdir(join(folder, 'token'))),
    ],
    ['an empty state', (folder) => writeFile(join(folder, 'state.db'), '')],
    ['a state that is no database', (folder) => writeFile(join(folder, 'state.db'), 'x'.repeat(8192))],
    [
      'a state of something else',
      async (folder) => {
        await rm(join(folder, 'state.db'))
        using database = new DatabaseSync(join(folder, 'state.db'))
        database.exec("CREATE TABLE migrations (name TEXT); INSERT INTO migrations VALUES ('0001-users')")
      },
    ],
    ['an empty key', (folder) => writeFile(join(folder, 'key'), '')],
    ['no key', (folder) => rm(join(folder, 'key'))],
    ['an empty token', (folder) => writeFile(join(folder, 'token'), '\n')],
    ['a path in the place of the id', (folder) => writeFile(join(folder, 'id'), '../../../x\n')],
  ])('with %s changes nothing', async ([name, spoil]) => {
    const before = await readdir(fairway.home)
    const { result } = await fairway.run(['server', 'restore', await craft(name.replaceAll(' ', '-'), spoil)])
    expect(result).toMatchObject({ outcome: 'refused', error: { code: 'STATE_CORRUPT' } })
    expect(JSON.stringify(result)).not.toContain('restore-')
    expect((await readdir(fairway.home)).filter((one) => one !== 'backups')).toEqual(
      before.filter((one) => one !== 'backups'),
    )
    expect(await readdir(join(fairway.home, 'backups'))).toEqual([])
  })

  test('with another key than that of its secrets changes nothing', async () => {
    await using source = await TestFairway.create()
    const { folder: cwd } = await ServiceProject.create(source, [`probe: ${quickProbe}`])
    await source.ok(['secret', 'set', 'PASSWORD'], { cwd, stdin: 'correct horse battery\n' })
    const backup = join(source.root, 'backup.tar.gz')
    await source.ok(['server', 'backup', backup])
    const file = await craft('other-key', async (folder) => {
      const key = randomBytes(32)
      await execOk(['tar', '--extract', '--gzip', `--file=${backup}`, '-C', folder], { env })
      await writeFile(join(folder, 'key'), key)
    })
    const { result } = await fairway.run(['server', 'restore', file])
    expect(result.error).toMatchObject({
      code: 'STATE_CORRUPT',
      message: 'In the backup, key is not the key the stored secrets were encrypted with',
    })
  })

  test('brings no rights of its own: who may read and run what is as in any home', async () => {
    await mkdir(join(fairway.home, 'backups', 'restore-killed'), { recursive: true })
    const place = 'data/shop/dev/web'
    const file = await craft('rights', async (folder) => {
      await mkdir(join(folder, place, 'data'), { recursive: true })
      await writeFile(join(folder, place, 'data/tool'), '')
      await symlink('tool', join(folder, place, 'data/current'))
      await chown(join(folder, place, 'data/tool'), 70_000, 70_000)
      await chmod(join(folder, place, 'data/tool'), 0o6755)
      await writeFile(join(folder, 'artifacts/tool'), '')
      await chown(join(folder, 'artifacts/tool'), 70_000, 70_000)
      await chmod(join(folder, 'artifacts/tool'), 0o4777)
      await chmod(join(folder, 'token'), 0o666)
    })
    await fairway.ok(['server', 'restore', file])
    const rights = async (path: string) => {
      const { mode, uid } = await lstat(join(fairway.home, path))
      return `${(mode & 0o7777).toString(8)} ${uid}`
    }
    expect(await rights(`${place}/data/tool`)).toBe('755 70000')
    expect(await readlink(join(fairway.home, place, 'data/current'))).toBe('tool')
    expect(await rights('artifacts/tool')).toBe('755 0')
    expect(await rights('token')).toBe('600 0')
    expect(await readdir(join(fairway.home, 'backups'))).toContain('restore-killed') // it may still be at work
  })
})
