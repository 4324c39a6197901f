import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeZip, type ZipFile } from '../../test/harness/zip.ts'
import { hashFiles, hashGoMod } from './h1.ts'
import { readModuleZip } from './module-zip.ts'

const module = { path: 'example.com/shop', version: 'v1.0.0' }
const prefix = 'example.com/shop@v1.0.0/'
let folder = ''
let count = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairway-zip-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function unpack(zip: Buffer) {
  const place = join(folder, String((count += 1)))
  await mkdir(place)
  const file = `${place}.zip`
  await writeFile(file, zip)
  return { place, read: () => readModuleZip(file, module, { unpackTo: place }) }
}

async function refusal(files: readonly ZipFile[]): Promise<string> {
  const { place, read } = await unpack(makeZip(files))
  const message = await read().then(
    () => 'was taken',
    (error: unknown) => String(error),
  )
  expect(await readdir(folder)).not.toContain('escaped')
  await rm(place, { recursive: true })
  return message
}

test('a zip is unpacked without its prefix, and hashed as go hashes it', async () => {
  const { place, read } = await unpack(
    makeZip([
      { name: `${prefix}main.go`, content: 'package main\n' },
      { name: `${prefix}web/é.txt`, content: 'x'.repeat(5000) },
      { name: `${prefix}empty`, content: '' },
      { name: `${prefix}stored`, content: 'as it is', method: 0 },
      { name: `${prefix}go.mod`, content: 'module example.com/shop\n' },
    ]),
  )
  const { h1, files } = await read()
  expect(await readFile(join(place, 'web/é.txt'), 'utf8')).toBe('x'.repeat(5000))
  expect(await readFile(join(place, 'stored'), 'utf8')).toBe('as it is')
  expect(files.map(({ path }) => path)).toContain('main.go')
  expect(h1).toMatch(/^h1:[A-Za-z0-9+/]{43}=$/)
})

test('the hash is of names and contents in byte order, whatever order they came in', () => {
  const files = ['b', 'a', 'é', '\u{10000}', '\uffee'].map((name, index) => ({
    name,
    sha256: String(index).repeat(64),
  }))
  expect(hashFiles(files)).toBe(hashFiles(files.toReversed()))
})

test('the hash of a go.mod is what go.sum holds', () => {
  expect(hashGoMod(Buffer.from('module golang.org/toolchain\n'))).toBe(
    'h1:8wlg68NqwW7eMnI1aABk/C2pDYXj8mrMY4TyRfiLeS0=',
  )
})

test('a large zip is read by threads to the same hash', async () => {
  const content = Buffer.alloc(3 * 1024 * 1024, 'go')
  const files = ['a', 'b', 'c/d', 'e'].map((name) => ({ name: `${prefix}${name}`, content }))
  const { place, read } = await unpack(makeZip(files))
  const [sha256] = [(await import('node:crypto')).hash('sha256', content, 'hex')]
  expect((await read()).h1).toBe(hashFiles(files.map(({ name }) => ({ name, sha256 }))))
  expect((await readFile(join(place, 'c/d'))).equals(content)).toBe(true)
})

test.each<[string, ZipFile[]]>([
  ['a name with ..', [{ name: `${prefix}../../escaped` }]],
  ['a name with ..', [{ name: '../escaped' }]],
  ['an absolute name', [{ name: '/tmp/escaped' }]],
  ['an absolute name', [{ name: 'C:\\escaped' }]],
  ['a name outside the module', [{ name: 'example.com/other@v1.0.0/x' }]],
  ['a name outside the module', [{ name: 'example.com/shop@v1.0.0' }]],
  ['a name that is not allowed', [{ name: `${prefix}a//b` }]],
  ['a name that is too long', [{ name: `${prefix}${'a'.repeat(256)}` }]],
  ['a name that is too long', [{ name: `${prefix}${'é'.repeat(128)}` }]],
  ['a name that is too long', [{ name: `${prefix}${'a/'.repeat(1100)}b` }]],
  ['a name that is not allowed', [{ name: `${prefix}a:b` }]],
  ['a name that is not allowed', [{ name: `${prefix}con.go` }]],
  ['a name that is not allowed', [{ name: `${prefix}./a` }]],
  ['a symbolic link', [{ name: `${prefix}link`, content: '/etc/passwd', mode: 0o120777 }]],
  ['not a regular file', [{ name: `${prefix}pipe`, mode: 0o010644 }]],
  ['names that differ by case alone', [{ name: `${prefix}README` }, { name: `${prefix}readme` }]],
  ['names that differ by case alone', [{ name: `${prefix}a/x` }, { name: `${prefix}A/y` }]],
  ['names that differ by case alone', [{ name: `${prefix}k` }, { name: `${prefix}\u212a` }]],
  ['a name that comes twice', [{ name: `${prefix}a` }, { name: `${prefix}a` }]],
  ['a name that comes twice', [{ name: `${prefix}a` }, { name: `${prefix}a/b` }]],
  ['a go.mod below the root', [{ name: `${prefix}sub/go.mod` }]],
  ['a go.mod below the root', [{ name: `${prefix}Go.Mod` }]],
  ['a way of packing that is not allowed', [{ name: `${prefix}a`, flags: 1 }]],
  ['a way of packing that is not allowed', [{ name: `${prefix}a`, method: 12 }]],
  ['too large', [{ name: `${prefix}go.mod`, claimedBytes: 17 * 1024 * 1024 }]],
  ['too large', [{ name: `${prefix}LICENSE`, claimedBytes: 17 * 1024 * 1024 }]],
  ['too large', [1, 2, 3].map((n) => ({ name: `${prefix}${n}`, claimedBytes: 200 * 1024 * 1024 }))],
])('refused by the rule’s name: %s', async (rule, files) => {
  expect(await refusal(files)).toContain(`is refused: ${rule}: `)
})

test('a bomb is not believed: what is inflated is counted, whatever the directory says', async () => {
  const bomb = { name: `${prefix}zeros`, content: Buffer.alloc(64 * 1024 * 1024), claimedBytes: 1000 }
  const before = process.memoryUsage().rss
  expect(await refusal([bomb])).toContain('more than the 1000 bytes that the directory says')
  expect(await refusal([{ name: `${prefix}short`, content: 'abc', claimedBytes: 4 }])).toContain(
    'has 3 bytes, the directory says 4',
  )
  expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024)
})

test('what is no zip, or cut off, is said to be so', async () => {
  const whole = makeZip([{ name: `${prefix}a`, content: 'abc' }])
  for (const wrong of [Buffer.from(''), Buffer.from('<html>'), whole.subarray(0, -1), whole.subarray(5)])
    await expect((await unpack(wrong)).read()).rejects.toThrow(/not a zip|directory says/)
})

test('whatever byte is changed: the same hash means the same files', async () => {
  const zip = makeZip([{ name: `${prefix}a`, content: 'some content of a file' }])
  const right = (await (await unpack(zip)).read()).h1
  for (let at = 0; at < zip.length; at += 1) {
    const changed = Buffer.from(zip)
    changed[at] = (changed[at] ?? 0) ^ 0x41
    const { place, read } = await unpack(changed)
    const h1 = await read().then(
      (result) => result.h1,
      () => 'refused',
    )
    if (h1 === right) expect(await readFile(join(place, 'a'), 'utf8')).toBe('some content of a file') // a time, a version
  }
})
