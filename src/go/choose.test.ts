import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { chooseMain, demandMain, type MainCandidate } from './choose.ts'

const candidate = (path: string, more: Partial<MainCandidate> = {}): MainCandidate => ({
  package: path,
  folder: `/shop/${path}`,
  moduleFolder: '/shop',
  importPath: `example.com/shop/${path}`,
  service: path.split('/').at(-1) ?? 'web',
  named: 'otherwise',
  decoy: undefined,
  serves: undefined,
  ...more,
})
const serves = 'main.go has ListenAndServe'
const chosen = (...candidates: MainCandidate[]) => chooseMain(candidates).chosen?.package

test('what serves and is named like the module is meant, whatever else serves', () => {
  expect(chosen(candidate('./cmd/shop', { named: 'like-module', serves }), candidate('./cmd/admin', { serves }))).toBe(
    './cmd/shop',
  )
})

test('the only one, the only one that serves, the only one outside examples is meant', () => {
  expect(chosen(candidate('./x'))).toBe('./x')
  expect(chosen(candidate('./x'), candidate('./y', { serves }))).toBe('./y')
  expect(chosen(candidate('./x'), candidate('./examples/y', { serves, decoy: 'examples' }))).toBe('./x')
})

test('of several modules side by side, none is meant more than another', () => {
  const roots = ['./fixed', './own', './two'].map((path) => candidate(path, { named: 'root', serves }))
  expect(chosen(...roots)).toBeUndefined()
})

test('where nothing serves, the module’s root or namesake is meant', () => {
  expect(chosen(candidate('.', { named: 'root' }), candidate('./cmd/gen'))).toBe('.')
})

test('several that could serve are not chosen among: the error shows them and the lines to write', () => {
  const choice = chooseMain([
    candidate('./cmd/web', { serves }),
    candidate('./cmd/api', { serves }),
    candidate('./cmd/cli'),
  ])
  expect(() => demandMain(choice)).toThrow(
    expect.objectContaining({
      code: 'MAIN_AMBIGUOUS',
      message: 'several main packages could serve: ./cmd/api, ./cmd/web, ./cmd/cli',
      hint: 'Write to fairway.yaml which one is meant: services: { api: { build: ./cmd/api } }',
      details: [
        './cmd/api: main.go has ListenAndServe',
        './cmd/web: main.go has ListenAndServe',
        './cmd/cli: nothing was seen that listens',
      ],
    }),
  )
  expect(() => demandMain(chooseMain([]))).toThrow(expect.objectContaining({ code: 'MAIN_NOT_FOUND' }))
})

test('the choice does not depend on the order, and prefers nothing that does not serve to what does', () => {
  const arbitrary = fc.record({
    package: fc.stringMatching(/^\.\/[a-z]{1,6}$/),
    named: fc.constantFrom('root' as const, 'like-module' as const, 'otherwise' as const),
    decoy: fc.constantFrom(undefined, 'examples'),
    serves: fc.constantFrom(undefined, serves),
  })
  fc.assert(
    fc.property(fc.uniqueArray(arbitrary, { selector: (each) => each.package }), (each) => {
      const candidates = each.map(({ package: path, ...more }) => candidate(path, more))
      const choice = chooseMain(candidates)
      expect(chooseMain(candidates.toReversed())).toEqual(choice)
      expect(choice.candidates).toHaveLength(candidates.length)
      const rivals = candidates.filter(({ decoy }) => decoy === undefined)
      if (choice.chosen?.serves === undefined && choice.chosen?.decoy === undefined && choice.chosen !== undefined) {
        expect(rivals.filter((rival) => rival.serves !== undefined)).toEqual([])
      }
    }),
  )
})
