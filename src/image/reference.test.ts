import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fullReferenceText, type ImageReference, parseReference, referenceText } from './reference.ts'

const word = fc.stringMatching(/^[a-z0-9]{1,8}$/)
const component = fc.tuple(word, fc.array(fc.tuple(fc.constantFrom('.', '_', '__', '-', '---'), word), { maxLength: 2 })).map(([first, rest]) => first + rest.flat().join('')) // prettier-ignore
const references: fc.Arbitrary<ImageReference> = fc
  .record(
    {
      registry: fc.constantFrom('localhost', 'localhost:5000', '127.0.0.1:5000', 'registry.example.com', '[::1]:5000', 'r.example:80'), // prettier-ignore
      repository: fc.array(component, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/')),
      tag: fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,20}$/),
    },
    { requiredKeys: ['repository', 'tag'] },
  )
  // Without a registry the first part must not look like one.
  .filter(({ registry, repository }) => registry !== undefined || !(repository.includes('/') && /^[^/]*\.|^localhost\//.test(repository))) // prettier-ignore

test('what is written of a reference reads as that reference', () => {
  fc.assert(
    fc.property(references, (reference) => {
      expect(parseReference(referenceText(reference))).toEqual(reference)
    }),
  )
})

test('any text is a reference or is refused with words, and what is taken is written as it was', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...Array.from('aZ0._-/:@[] ')) })), (text) => {
      try {
        const written = referenceText(parseReference(text))
        expect([text, `${text}:latest`]).toContain(written)
      } catch (error) {
        expect(error).toMatchObject({ code: 'USAGE' })
      }
    }),
    { numRuns: 1000 },
  )
})

test.for([
  ['web', { repository: 'web', tag: 'latest' }],
  ['shop/web:v1', { repository: 'shop/web', tag: 'v1' }],
  ['localhost/web', { registry: 'localhost', repository: 'web', tag: 'latest' }],
  ['example.com/a/b', { registry: 'example.com', repository: 'a/b', tag: 'latest' }],
  ['example.com:443/a:b', { registry: 'example.com:443', repository: 'a', tag: 'b' }],
] as const)('%s', ([text, reference]) => expect(parseReference(text)).toEqual(reference))

test.for([
  '', 'Web', 'a//b', '/a', 'a/', 'a:', 'a:-x', `a:${'x'.repeat(129)}`, 'a@sha256:00', 'example.com:99999/a', 'user@example.com/a', 'a b', '../a', 'a/../b', 'a..b',
  'http://example.com/a', 'example.com/a?x=1', 'example.com/a#b',
])('%j is refused', (text) => expect(() => parseReference(text)).toThrow(/is no image’s name/)) // prettier-ignore

test('containerd is told a name as it stores it', () => {
  expect(fullReferenceText(parseReference('web'))).toMatch(/\/library\/web:latest$/)
  expect(fullReferenceText(parseReference('localhost:5000/web:1'))).toBe('localhost:5000/web:1')
})
