import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parsePseudoVersion } from '../module/index.ts'
import { neededModules } from './bundle.ts'
import { pinsOf, planEviction } from './eviction.ts'
import { isVendored } from './git-zip.ts'
import { goLanguage, isMajor, modulePathOf, pseudoBase, pseudoVersion } from './git-versions.ts'
import { withoutOwn } from './open.ts'
import { findDenial, findPrivate } from './settings.ts'
import { readTar, TarWriter } from './tar.ts'

const versions = fc.array(fc.record({ bytes: fc.nat(1000), usedAt: fc.nat(100), isPinned: fc.boolean() }), {
  maxLength: 30,
})

test('an eviction frees enough, or all that may go; what is pinned stays; no younger one goes before an older one', () => {
  fc.assert(
    fc.property(versions, fc.nat(10_000), (some, target) => {
      const all = some.map((each, n) => ({ ...each, path: `example.com/m${n}`, version: 'v1.0.0', hasZip: true }))
      const pinned = new Set(all.filter(({ isPinned }) => isPinned).map(({ path }) => path))
      const going = planEviction(all, { target, isPinned: ({ path }) => pinned.has(path) })
      const rest = all.filter((each) => !going.some(({ path }) => path === each.path))
      const bytes = rest.reduce((sum, each) => sum + each.bytes, 0)
      expect(going.some(({ path }) => pinned.has(path))).toBe(false)
      expect(bytes <= target || rest.every(({ path }) => pinned.has(path))).toBe(true)
      const youngest = Math.max(0, ...going.map(({ usedAt }) => usedAt))
      expect(rest.every(({ path, usedAt }) => pinned.has(path) || usedAt >= youngest)).toBe(true)
    }),
  )
})

const goSum = 'a.b/c v1.0.0 h1:x=\na.b/c v1.0.0/go.mod h1:y=\na.b/d v2.0.0/go.mod h1:z=\n\nnonsense\n'

test('a go.sum pins what it names, and says of what the files are needed', () => {
  expect([...new Set(pinsOf(goSum))]).toEqual(['a.b/c v1.0.0', 'a.b/d v2.0.0'])
  expect(neededModules(goSum)).toEqual([
    { path: 'a.b/c', version: 'v1.0.0', isWhole: true },
    { path: 'a.b/d', version: 'v2.0.0', isWhole: false },
  ])
})

test.each([
  ['vendor/modules.txt', false, true],
  ['vendor/a/a.go', true, true],
  ['pkg/vendor/v.go', true, false],
  ['pkg/vendor/y/y.go', true, true],
  ['vendored/a.go', false, false],
])('%s is vendored: before Go 1.24 %s, from then on %s', (name, before, after) => {
  expect([isVendored(name, [1, 23]), isVendored(name, [1, 24])]).toEqual([before, after])
})

test('pseudo-versions are just above the tag before them, and name it', () => {
  const commit = 'e86405a8674e0123456789'
  expect(pseudoVersion('', undefined, 0, commit)).toBe('v0.0.0-19700101000000-e86405a8674e')
  expect(pseudoVersion('v2', undefined, 0, commit)).toBe('v2.0.0-19700101000000-e86405a8674e')
  for (const [before, made] of [
    ['v1.2.3', 'v1.2.4-0.19700101000000-e86405a8674e'],
    ['v1.2.3-rc.1', 'v1.2.3-rc.1.0.19700101000000-e86405a8674e'],
    ['v1.2.9999999999999999999', 'v1.2.10000000000000000000-0.19700101000000-e86405a8674e'],
  ] as const) {
    expect(pseudoVersion('', before, 0, commit)).toBe(made)
    expect(parsePseudoVersion(made)).toBeDefined()
    expect(pseudoBase(made)).toBe(before)
  }
})

test('of a go.mod is read what counts', () => {
  expect(modulePathOf('// x\nmodule "a.b/c" // y\n')).toBe('a.b/c')
  expect(modulePathOf('module a.b/c/v2\n')).toBe('a.b/c/v2')
  expect(goLanguage('module a.b/c\n\ngo 1.24.3\n')).toEqual([1, 24])
  expect(isMajor('a.b/c/v2', '/v2')).toBe(true)
  expect(isMajor('a.b/c', '/v2')).toBe(false)
})

test('rules are told in their own words, and a private path leads to its repository', () => {
  expect(findDenial({ deny: ['a.b/*'], allow: [] }, 'a.b/c/d')).toContain('modules.deny')
  for (const path of ['a.b/C', 'a.b/c.git', 'a.b/c.git/v2'])
    expect(findDenial({ deny: ['a.b/c'], allow: [] }, path)).toContain('modules.deny')
  expect(findDenial({ deny: ['a.b/c'], allow: [] }, 'a.b/c.github')).toBeUndefined()
  expect(findDenial({ deny: [], allow: ['a.b'] }, 'x.y/z')).toContain('modules.allow')
  expect(findDenial({ deny: [], allow: ['a.b'] }, 'a.b/z')).toBeUndefined()
  const patterns = [{ match: 'git.x.y/team/*', repository: 'ssh://git@{host}/{path}.git' }]
  expect(findPrivate(patterns, 'git.x.y/team/lib/sub/v2')).toEqual({
    root: 'git.x.y/team/lib',
    url: 'ssh://git@git.x.y/team/lib.git',
  })
  expect(findPrivate(patterns, 'git.x.y/other/lib')).toBeUndefined()
})

test('the proxy never asks itself', () => {
  const own = { host: '127.0.0.1', port: 8470 }
  expect(withoutOwn('http://localhost:8470/goproxy,https://p.example.com|direct', own)).toBe(
    'https://p.example.com|direct',
  )
  expect(withoutOwn('http://127.0.0.1:8470/goproxy', own)).toBe('')
  expect(withoutOwn('http://127.0.0.1:8471/goproxy,direct', own)).toBe('http://127.0.0.1:8471/goproxy,direct')
})

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = []
  for await (const item of items) list.push(item)
  return list
}

test('what is written as a tar is read again, long names too; anything else is refused', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fairway-tar-'))
  try {
    const files = [['a/b', 'x'], ['empty/c', ''], [`long/${'d'.repeat(300)}/é`, 'y'.repeat(1000)]] as const
    {
      await using file = await open(join(folder, 't'), 'w')
      const tar = new TarWriter(file)
      for (const [name, content] of files) await tar.add(name, Buffer.byteLength(content), [Buffer.from(content)])
      await tar.end()
    }
    await using file = await open(join(folder, 't'), 'r+')
    const read = await all(readTar(file))
    expect(read.map(({ name, bytes }) => [name, bytes])).toEqual(files.map(([name, content]) => [name, content.length]))
    await file.truncate(1500)
    await expect(all(readTar(file))).rejects.toThrow('ends in the middle')
    await file.write(Buffer.alloc(600, 65), 0, 600, 0)
    await expect(all(readTar(file))).rejects.toThrow('no tar')
  } finally {
    await rm(folder, { recursive: true })
  }
}) // prettier-ignore
