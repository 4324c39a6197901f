import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { execOk } from '../../src/base/exec.ts'
import { Secret } from '../../src/base/secret.ts'
import { openDatabase } from '../../src/base/store/database.ts'
import { migrate } from '../../src/base/store/migrate.ts'
import { secretMigrations, SecretStore } from '../../src/security/index.ts'

const scope = { project: 'shop', environment: 'prod' }
const by = { who: 'ada@laptop', now: 1000 }

async function makeHome() {
  const home = await mkdtemp(join(tmpdir(), 'fairway-secret-'))
  const database = openDatabase(join(home, 'state.sqlite'))
  await migrate(database, secretMigrations, { now: 0 })
  return {
    home,
    database,
    open: () => SecretStore.open(database, { home, random: randomBytes }),
    async [Symbol.asyncDispose]() {
      await database.destroy()
      await rm(home, { recursive: true, force: true })
    },
  }
}

test('a secret is kept by version, listed without its value and revealed by version', async () => {
  await using home = await makeHome()
  const store = await home.open()
  expect(await store.set(scope, 'TOKEN', new Secret('hunter2'), by)).toBe(1)
  expect(await store.set(scope, 'TOKEN', new Secret('hunter2'), by)).toBe(1)
  expect(await store.set(scope, 'TOKEN', new Secret('hunter3'), by)).toBe(2)
  expect(await store.set(scope, 'OTHER', new Secret('x'), by)).toBe(1)
  expect(await store.list(scope)).toEqual([
    { key: 'OTHER', version: 1, setAt: 1000, setBy: 'ada@laptop' },
    { key: 'TOKEN', version: 2, setAt: 1000, setBy: 'ada@laptop' },
  ])
  expect(await store.list({ ...scope, environment: 'dev' })).toEqual([])
  expect((await store.reveal(scope, 'TOKEN', 1)).reveal()).toBe('hunter2')
  await expect(store.reveal(scope, 'TOKEN', 9)).rejects.toMatchObject({ code: 'VALUES_INVALID' })
})

test('a removed secret is listed no more, stays for releases that name it, and its version is not given again', async () => {
  await using home = await makeHome()
  const store = await home.open()
  await store.set(scope, 'TOKEN', new Secret('one'), by)
  expect(await store.remove(scope, 'TOKEN', by)).toBe(true)
  expect(await store.remove(scope, 'TOKEN', by)).toBe(false)
  expect(await store.list(scope)).toEqual([])
  expect((await store.reveal(scope, 'TOKEN', 1)).reveal()).toBe('one')
  expect(await store.set(scope, 'TOKEN', new Secret('one'), by)).toBe(3)
  expect(await store.prune(scope, () => true)).toBe(0)
  expect(await store.prune(scope, () => false)).toBe(1)
  await expect(store.reveal(scope, 'TOKEN', 1)).rejects.toMatchObject({ code: 'VALUES_INVALID' })
  expect((await store.reveal(scope, 'TOKEN', 3)).reveal()).toBe('one')
})

test('no value lies readable in the home, nor prints', async () => {
  await using home = await makeHome()
  const store = await home.open()
  await store.set(scope, 'TOKEN', new Secret('correct horse battery staple'), by)
  for (const name of await readdir(home.home)) {
    expect((await readFile(join(home.home, name))).includes('correct horse')).toBe(false)
  }
  const secret = await store.reveal(scope, 'TOKEN', 1)
  expect(`${String(secret)} ${JSON.stringify(secret)} ${inspect(secret)}`).toBe('[secret] "[secret]" [secret]')
  expect((await stat(join(home.home, 'key'))).mode & 0o777).toBe(0o600)
})

test('what is sealed opens for its own place alone, whatever it holds', async () => {
  await using home = await makeHome()
  const { keyring } = await home.open()
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string(), fc.nat(), (value, key, version) => {
      const sealed = keyring.seal(new Secret(value), ['shop', key, version])
      expect(keyring.open(sealed, ['shop', key, version]).reveal()).toBe(value)
      expect(() => keyring.open(sealed, ['shop', key, version + 1])).toThrow('cannot be decrypted')
      const changed = Uint8Array.from(sealed)
      changed[version % changed.length] = (changed[version % changed.length] ?? 0) ^ 1
      expect(() => keyring.open(changed, ['shop', key, version])).toThrow('cannot be decrypted')
    }),
  )
  expect(() => keyring.open(new Uint8Array(3), [])).toThrow('cannot be decrypted')
})

test('a fingerprint is the same in this home and another in the next', async () => {
  await using one = await makeHome()
  await using two = await makeHome()
  const [first, again, other] = [(await one.open()).keyring, (await one.open()).keyring, (await two.open()).keyring]
  const secret = new Secret('hunter2')
  expect(again.fingerprint(secret)).toBe(first.fingerprint(secret))
  expect(other.fingerprint(secret)).not.toBe(first.fingerprint(secret))
})

test('processes that make the key at once end with one', async () => {
  await using home = await makeHome()
  const program = `
import { randomBytes } from 'node:crypto'
import { openKeyring } from ${JSON.stringify(new URL('../../src/security/index.ts', import.meta.url).href)}
const rings = await Promise.all(Array.from({ length: 10 }, () => openKeyring(process.argv[1], { mayCreate: true, random: randomBytes })))
process.stdout.write(JSON.stringify(rings.map(({ id }) => id)))
`
  const runs = await Promise.all(
    Array.from({ length: 3 }, () =>
      execOk([process.execPath, '--input-type=module', '-e', program, home.home], { deadlineMs: 60_000 }),
    ),
  )
  const ids = runs.flatMap(({ stdout }): unknown => JSON.parse(stdout)).flat()
  expect(ids).toHaveLength(30)
  expect(new Set(ids).size).toBe(1)
  expect((await readdir(home.home)).filter((name) => name.startsWith('key'))).toEqual(['key'])
})

test('a missing, a wrong, a damaged and a readable key are each said so', async () => {
  await using home = await makeHome()
  await (await home.open()).set(scope, 'TOKEN', new Secret('hunter2'), by)
  const path = join(home.home, 'key')
  const key = await readFile(path)
  await rm(path)
  await expect(home.open()).rejects.toMatchObject({
    code: 'STATE_CORRUPT',
    message: `${path} is missing, and secrets were encrypted with it`,
  })
  await writeFile(path, randomBytes(32), { mode: 0o600 })
  await expect(home.open()).rejects.toMatchObject({
    code: 'STATE_CORRUPT',
    message: expect.stringContaining('is not the key'),
  })
  await writeFile(path, key.subarray(1))
  await expect(home.open()).rejects.toMatchObject({
    code: 'STATE_CORRUPT',
    message: expect.stringContaining('it has 31'),
  })
  await writeFile(path, key)
  await chmod(path, 0o640)
  await expect(home.open()).rejects.toMatchObject({ code: 'HOME_UNUSABLE' })
  await chmod(path, 0o600)
  expect((await (await home.open()).reveal(scope, 'TOKEN', 1)).reveal()).toBe('hunter2')
})

test('a name or a value no program could be given is refused', async () => {
  await using home = await makeHome()
  const store = await home.open()
  for (const [key, value] of [
    ['$(id)', 'x'],
    ['', 'x'],
    ['__proto__', 'x'],
    ['A', ''],
    ['A', 'a\0b'],
    ['A', 'x'.repeat(2 ** 20 + 1)],
  ] as const) {
    await expect(store.set(scope, key, new Secret(value), by)).rejects.toMatchObject({ code: 'VALUES_INVALID' })
  }
})
