import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { migrations } from '../../src/app.ts'
import { openDatabase } from '../../src/base/store/database.ts'
import { migrate } from '../../src/base/store/migrate.ts'
import { version } from '../../src/server/api.ts'
import { TestFairway } from '../harness/fairway.ts'
import { quickProbe, ServiceProject } from '../harness/service-project.ts'

const root = new URL('../..', import.meta.url).pathname

test('an older state is brought up to date, after a backup', async () => {
  await using fairway = await TestFairway.create()
  const path = join(fairway.home, 'state.db')
  const older = openDatabase(path)
  await migrate(older, migrations.slice(0, 3), { now: 0 })
  await older.destroy()
  await fairway.ok(['server', 'start'])
  expect(migrationsIn(path)).toEqual(migrations.map(({ name }) => name).sort())
  const [backup = ''] = await readdir(join(fairway.home, 'backups'))
  expect(migrationsIn(join(fairway.home, 'backups', backup))).toEqual(migrations.slice(0, 3).map(({ name }) => name))
})

test('a newer state is refused, and left as it is', async () => {
  await using fairway = await TestFairway.create()
  await fairway.ok(['server', 'start'])
  await fairway.ok(['server', 'stop'])
  const path = join(fairway.home, 'state.db')
  const database = new DatabaseSync(path)
  database.exec("INSERT INTO migrations VALUES ('9999-of-tomorrow', 0)")
  database.close()
  for (const words of [['server', 'start'], ['status'], ['server', 'run']]) {
    const refused = await fairway.run(words)
    expect([refused.exit, refused.result.error?.code]).toEqual([78, 'STATE_NEWER'])
    expect(refused.result.error?.message).toContain('9999-of-tomorrow')
    expect(refused.result.error?.hint).toContain('fairway server restore')
  }
  expect(migrationsIn(path)).toHaveLength(migrations.length + 1)
  expect(await fairway.serverPid()).toBeUndefined()
})

test('a newer command starts the older control plane of its home again; an older one is refused', async () => {
  await using fairway = await TestFairway.create()
  const older = await fairwayOfVersion('0.0.9', fairway)
  const project = await ServiceProject.create(fairway, [`probe: ${quickProbe}`])
  const cwd = project.folder
  expect(await older(['up'], cwd)).toMatchObject({ exit: 0 })
  const before = await fairway.programs()
  const pid = await fairway.serverPid()

  // The newer one: the control plane is another, what serves is the same.
  expect((await fairway.ok(['up'], { cwd })).result.outcome).toBe('unchanged')
  expect(await fairway.version()).toMatchObject({ version })
  expect(await fairway.serverPid()).not.toBe(pid)
  expect(await fairway.programs()).toEqual(before)

  const refused = await older(['up'], cwd)
  expect(refused.exit).toBe(76)
  expect(refused.stdout).toContain('SERVER_MISMATCH')
  expect(refused.stdout).toContain('Use the newer Fairway')
  expect(await fairway.programs()).toEqual(before)
})

function migrationsIn(path: string): string[] {
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    return database
      .prepare('SELECT name FROM migrations ORDER BY name')
      .all()
      .map((row) => String(row['name']))
  } finally {
    database.close()
  }
}

/** This Fairway in every line but for its version. */
async function fairwayOfVersion(older: string, fairway: TestFairway) {
  const folder = join(fairway.root, `fairway-${older}`)
  await mkdir(folder)
  for (const part of ['src', 'fairway', 'package.json']) {
    await cp(join(root, part), join(folder, part), { recursive: true, preserveTimestamps: true })
  }
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  const api = join(folder, 'src/server/api.ts')
  await writeFile(api, (await readFile(api, 'utf8')).replace(`'${version}'`, `'${older}'`))
  return async (words: readonly string[], cwd: string) => {
    const child = spawn(join(folder, 'fairway'), [...words, '--json'], {
      cwd,
      env: fairway.env,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    let stdout = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    await once(child, 'close')
    return { exit: child.exitCode, stdout }
  }
}
