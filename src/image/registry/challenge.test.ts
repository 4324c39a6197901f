import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseChallenges } from './challenge.ts'

const token = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,10}$/)
const parameters = fc.uniqueArray(
  fc.tuple(token, fc.string({ unit: fc.constantFrom(...Array.from('abc ,="\\:/?&漢')) })),
  {
    selector: ([name]) => name.toLowerCase(),
    minLength: 1,
    maxLength: 5,
  },
)
const quoted = (text: string) => `"${text.replaceAll(/["\\]/g, '\\$&')}"`

test('challenges are read as they were written, however their values look', () => {
  const challenges = fc.array(fc.tuple(token, parameters), { minLength: 1, maxLength: 3 })
  fc.assert(
    fc.property(challenges, fc.constantFrom(', ', ',', ' , '), (written, comma) => {
      const header = written
        .map(([scheme, all]) => `${scheme} ${all.map(([name, value]) => `${name}=${quoted(value)}`).join(comma)}`)
        .join(comma)
      expect(parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)])).toEqual(
        written.map(([scheme, all]) => [
          scheme.toLowerCase(),
          Object.fromEntries(all.map(([name, value]) => [name.toLowerCase(), value])),
        ]),
      )
    }),
  )
})

test('any text ends, in time', () => {
  fc.assert(fc.property(fc.string({ maxLength: 400 }), (text) => void parseChallenges(text)))
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(...Array.from('a=",\\ ')), maxLength: 400 }),
      (text) => void parseChallenges(text),
    ),
  )
  const begin = performance.now()
  parseChallenges(`Bearer a="${'\\'.repeat(100_000)}`)
  parseChallenges('a '.repeat(10_000))
  expect(performance.now() - begin).toBeLessThan(2000)
})

test('what registries send', () => {
  const [bearer, basic] = parseChallenges(
    'Bearer realm="https://auth.example.com/token",service="registry.example.com",scope="repository:shop/web:pull,push",error="insufficient_scope", Basic realm=registry',
  )
  expect(bearer?.parameters.get('scope')).toBe('repository:shop/web:pull,push')
  expect(basic).toMatchObject({ scheme: 'basic' })
  expect(parseChallenges('Basic')).toEqual([{ scheme: 'basic', parameters: new Map() }])
  expect(parseChallenges('Negotiate abc==, Basic realm="x"').map(({ scheme }) => scheme)).toEqual([
    'negotiate',
    'basic',
  ])
})

test('of a name that stands twice the first counts', () => {
  const [challenge] = parseChallenges('Bearer realm="https://good.example/",realm="https://bad.example/"')
  expect(challenge?.parameters.get('realm')).toBe('https://good.example/')
})
