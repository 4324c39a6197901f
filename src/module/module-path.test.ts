import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  escapeText,
  findFileFault,
  findPackageFault,
  findPathFault,
  findVersionFault,
  isQuery,
  unescapePath,
  unescapeText,
} from './module-path.ts'

test('paths of real modules are allowed', () => {
  const paths = [
    'golang.org/toolchain',
    'github.com/BurntSushi/toml',
    'github.com/jackc/pgx/v5',
    'gopkg.in/yaml.v3',
    'gopkg.in/fsnotify.v0',
    'gopkg.in/mgo.v2-unstable',
    'go.yaml.in/yaml/v3',
    'example.com/a~b/c_d',
  ]
  expect(paths.map(findPathFault)).toEqual(paths.map(() => undefined))
})

test.each([
  [''],
  ['/a.b'],
  ['a.b/'],
  ['a.b//c'],
  ['-a.b/c'],
  ['nodot/c'],
  ['Upper.com/c'],
  ['a.b/.c'],
  ['a.b/c.'],
  ['a.b/../c'],
  ['a.b/con'],
  ['a.b/Com1.x'],
  ['a.b/c~1'],
  ['a.b/c d'],
  ['a.b/ü'],
  ['a.b/c@d'],
  ['a.b/v1'],
  ['a.b/v0'],
  ['a.b/v02'],
  ['a.b/v2.1'],
  ['gopkg.in/yaml'],
  ['gopkg.in/yaml.v01'],
  ['a.b/\ud800'],
])('%j is no module’s path', (path) => {
  expect(findPathFault(path)).toBeTypeOf('string')
})

test('a package may have a plus, a file letters of any script, and neither a colon', () => {
  expect(findPackageFault('a.b/c++/cmd')).toBeUndefined()
  expect(findFileFault('testdata/ünï côdé+(1).txt')).toBeUndefined()
  expect(findFileFault('.github/x')).toBeUndefined()
  for (const name of ['a:b', 'a\\b', 'a*', 'a\n', 'NUL', 'a/aux.go', 'a/..', '...'])
    expect(findFileFault(name)).toBeTypeOf('string')
})

test('a version fits its path', () => {
  const fits = (path: string, version: string) => findVersionFault({ path, version }) === undefined
  expect(fits('a.b/c', 'v1.2.3')).toBe(true)
  expect(fits('a.b/c', 'v2.0.0+incompatible')).toBe(true)
  expect(fits('a.b/c/v2', 'v2.1.0')).toBe(true)
  expect(fits('gopkg.in/yaml.v3', 'v3.0.1')).toBe(true)
  expect(fits('gopkg.in/check.v1', 'v0.0.0-20161208181325-20d25e280405')).toBe(true)
  expect(fits('golang.org/toolchain', 'v0.0.1-go1.26.8.linux-amd64')).toBe(true)
  expect(fits('a.b/c', 'v2.0.0')).toBe(false)
  expect(fits('a.b/c/v2', 'v1.0.0')).toBe(false)
  expect(fits('a.b/c/v2', 'v2.0.0+incompatible')).toBe(false)
  expect(fits('a.b/c', 'v1.2')).toBe(false)
  expect(fits('a.b/c', 'v1.2.3+meta')).toBe(false)
  expect(fits('a.b/c', 'main')).toBe(false)
})

const text = fc.string({ unit: fc.constantFrom('a', 'B', 'z', 'Z', '!', '.', '-', '/', '0', 'é') })

test('what was escaped comes back, and is unlike anything in small letters alone', () => {
  const plain = fc.string({ unit: fc.constantFrom('a', 'B', 'z', 'Z', '.', '-', '/', '0') })
  fc.assert(
    fc.property(plain, (path) => {
      expect(unescapeText(escapeText(path))).toBe(path)
      expect(escapeText(path)).not.toMatch(/[A-Z]/)
    }),
  )
  fc.assert(
    fc.property(plain, plain, (a, b) => {
      if (a !== b) expect(escapeText(a)).not.toBe(escapeText(b))
    }),
  )
})

test('only what escaping yields is unescaped', () => {
  fc.assert(
    fc.property(text, (escaped) => {
      const back = unescapeText(escaped)
      if (back !== undefined) expect(escapeText(back)).toBe(escaped)
    }),
  )
  for (const wrong of ['A', 'a!', '!A', '!1', '!!a', 'é']) expect(unescapeText(wrong)).toBeUndefined()
  expect(unescapePath('github.com/!burnt!sushi/toml')).toBe('github.com/BurntSushi/toml')
  expect(unescapePath('github.com/../x')).toBeUndefined()
})

test('a query is one element of plain characters', () => {
  expect(['latest', 'v1', 'main', 'e86405a8674e', 'v1.2.3-rc.1', 'feature_x'].every(isQuery)).toBe(true)
  expect(['', '..', 'a/b', 'a!b', 'a\n', 'ü', 'con'].some(isQuery)).toBe(false)
})
