import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { domainOf, type Import, importsOf, root, sourceFiles } from './imports.ts'

const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8')
const direction = readDirection(page)
const passages = readPassages(page)
const all = sourceFiles('src').flatMap(importsOf)
const between = all.filter(({ from, to }) => to.startsWith('src/') && domainOf(from) !== domainOf(to))

/** 'src/go/  the build  ← artifact' for each folder, and through those it names the folders they name. */
function readDirection(text: string): ReadonlyMap<string, ReadonlySet<string>> {
  const below = new Map<string, Set<string>>()
  for (const [, folder = '', , names = ''] of text.matchAll(/^src\/([\w.]+)\/?\s([^←\n]*)(?:←([^\n]*))?$/gm)) {
    const named = names.split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim()]))
    below.set(folder, new Set(named.flatMap((name) => [name, ...(below.get(name) ?? [])])))
  }
  return below
}

/** Doors that may be passed by: rows of the page's table, by folder or file. */
function readPassages(text: string): { from: string; to: string }[] {
  const named = (cell: string) => Array.from(cell.matchAll(/`([^`]*)`/g), ([, name = '']) => name)
  const rows = text.matchAll(/^\| (`src\/[^|]*) \| ([^|]*) \|/gm)
  return Array.from(rows).flatMap(([, from = '', to = '']) =>
    named(from).flatMap((importer) => named(to).map((imported) => ({ from: importer, to: imported }))),
  )
}

const isPassage = ({ from, to }: Import) =>
  passages.some((passage) => from.startsWith(passage.from) && to === passage.to)
const said = ({ from, to }: Import) => `${from} imports ${to}`

test('the page names every folder of src, and no other', () => {
  const folders = new Set(sourceFiles('src').map(domainOf))
  expect([...direction.keys()].toSorted()).toEqual([...folders].toSorted())
})

test('a folder imports only those it builds on', () => {
  const against = between.filter(({ from, to }) => direction.get(domainOf(from))?.has(domainOf(to)) !== true)
  expect(against.map(said)).toEqual([])
})

test('a domain is entered through its index.ts alone; base file by file', () => {
  const byTheWindow = between.filter(
    (one) => domainOf(one.to) !== 'base' && !/^src\/\w+\/index\.ts$/.test(one.to) && !isPassage(one),
  )
  expect(byTheWindow.map(said)).toEqual([])
})

// A door that opens when it is passed is another matter: `completion` prints the table that leads to it.
test('no file imports, by whatever way, one that imports it; not for a type either', () => {
  const below = new Map<string, string[]>()
  for (const { from, to, isDynamic } of all)
    if (to.startsWith('src/') && !isDynamic) below.set(from, [...(below.get(from) ?? []), to])
  const inCircle = [...below.keys()].filter((file) => {
    const seen = new Set<string>()
    const open = [...(below.get(file) ?? [])]
    for (let one = open.pop(); one !== undefined; one = open.pop()) {
      if (seen.has(one)) continue
      seen.add(one)
      open.push(...(below.get(one) ?? []))
    }
    return seen.has(file)
  })
  expect(inCircle).toEqual([])
})

test('no passage by a door is kept that nothing uses', () => {
  const unused = passages.filter(({ from, to }) => !between.some((one) => one.from.startsWith(from) && one.to === to))
  expect(unused).toEqual([])
})

test('what a test needs is beside it or in test/, and the product imports no test', () => {
  const product = all.filter(({ from }) => !from.endsWith('.test.ts'))
  expect(product.filter(({ to }) => to.startsWith('test/') || to.endsWith('.test.ts') || to === 'vitest')).toEqual([])
})

test('SQL stands in stores alone', () => {
  const places = /^src\/base\/(store\/|lease\.ts|journal\.ts|event-log\.ts)|^src\/\w+\/store(\.ts$|\/)/
  const elsewhere = all.filter(({ from, to }) => to === 'kysely' && !places.test(from))
  expect(elsewhere.map(said)).toEqual([])
})

test('what reads folders that others made reads no pipe', () => {
  const readers = /^src\/(?:go|lint|trial|scaffold|dependency)\//
  const own = ['src/go/toolchain-tree.ts', 'src/trial/memory.ts'] // bytes of files that Fairway wrote
  const plain = all.filter(({ from, names }) => readers.test(from) && /\breadFile\b/.test(names))
  expect(plain.flatMap(({ from }) => (from.endsWith('.test.ts') || own.includes(from) ? [] : [from]))).toEqual([])
})

test('only app.ts opens drivers: a release knows interfaces', () => {
  const opens = all.filter(({ names }) => /\bopen\w+(Runtime|Gateway)\b/.test(names))
  expect(new Set(opens.flatMap(({ from }) => (/\/index\.ts$|\.test\.ts$/.test(from) ? [] : [from])))).toEqual(
    new Set(['src/app.ts']),
  )
  const inside = between.filter(({ to }) => /\/drivers\/|\/haproxy\//.test(to))
  expect(inside.map(said)).toEqual([])
})

test('outside packages are the few that were chosen', () => {
  const chosen = new Set(['zod', 'yaml', 'kysely', 'fastify', 'commander'])
  const others = all.filter(
    ({ from, to }) =>
      !from.endsWith('.test.ts') && !to.startsWith('src/') && !to.startsWith('node:') && !chosen.has(to),
  )
  expect(others.map(said)).toEqual([])
})
