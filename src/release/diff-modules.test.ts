import { expect, test } from 'vitest'
import { diffModules } from './diff-modules.ts'

const recipe = (goVersion: string, ...modules: [path: string, version: string][]) => ({
  goVersion,
  goos: 'linux',
  goarch: 'amd64',
  mainPackage: 'e.x/shop',
  module: 'e.x/shop',
  modules: modules.map(([path, version]) => ({ path, version })),
  flags: [],
  cgo: false,
  builtAt: 0,
})

test('what came, went or changed its version between two binaries', () => {
  const before = recipe('go1.26.7', ['e.x/same', 'v1.0.0'], ['e.x/old', 'v1.0.0'], ['e.x/moved', 'v1.0.0'])
  const after = recipe('go1.26.8', ['e.x/same', 'v1.0.0'], ['e.x/moved', 'v1.1.0'], ['e.x/new', 'v2.0.0'])
  expect(diffModules(before, after)).toEqual({
    go: { before: 'go1.26.7', after: 'go1.26.8' },
    modules: [
      { path: 'e.x/moved', before: 'v1.0.0', after: 'v1.1.0' },
      { path: 'e.x/new', after: 'v2.0.0' },
      { path: 'e.x/old', before: 'v1.0.0' },
    ],
  })
  expect(diffModules(before, before)).toEqual({ go: null, modules: [] })
})
