import fc from 'fast-check'
import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { parseNetrc } from './netrc.ts'
import { isPrivate, isUnrecorded, matchesPatterns, parseChecksumSource, parseSources } from './settings.ts'

test('a GOPROXY list says what comes after what', () => {
  expect(parseSources('https://a.example.com/x/|http://b, file:///c ,direct,https://never')).toEqual([
    { kind: 'proxy', url: 'https://a.example.com/x', fallsOn: 'anything' },
    { kind: 'proxy', url: 'http://b', fallsOn: 'absent' },
    { kind: 'proxy', url: 'file:///c', fallsOn: 'absent' },
    { kind: 'direct' },
  ])
  expect(parseSources('modules.example.com')).toMatchObject([{ url: 'https://modules.example.com' }])
  for (const wrong of ['', ' , |', 'ftp://x', 'http://']) expect(() => parseSources(wrong)).toThrow('GOPROXY')
})

test('a password is in nothing that is shown, right or wrong', () => {
  const [source] = parseSources('https://ada:sword%40fish@modules.example.com/x')
  expect(source).toMatchObject({ url: 'https://modules.example.com/x', user: { name: 'ada' } })
  expect(inspect(source, { depth: 9 }) + JSON.stringify(source)).not.toContain('fish')
  expect(() => parseSources('ftp://ada:secret@x')).toThrow(/^(?!.*secret)/)
})

test('whatever a list holds, it is read or refused in words', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', '.', ',', '|', ':', '/', '@', ' ', '%', '-', 'off', 'direct') }),
      (text) => {
        try {
          expect(parseSources(text).length).toBeGreaterThan(0)
        } catch (error) {
          expect(error).toMatchObject({ code: 'USAGE' })
        }
      },
    ),
  )
})

test('GOSUMDB is a name, a key, or a key and an address', () => {
  const known = 'sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8'
  expect(parseChecksumSource('')?.key.name).toBe('sum.golang.org')
  expect(parseChecksumSource(`${known} https://sum.example.com/`)).toMatchObject({ url: 'https://sum.example.com' })
  expect(parseChecksumSource('sum.golang.google.cn')).toMatchObject({
    key: { name: 'sum.golang.org' },
    url: 'https://sum.golang.google.cn',
  })
  expect(parseChecksumSource('off')).toBeUndefined()
  for (const wrong of ['sum.example.com', `${known}x`, `${known} https://x y`])
    expect(() => parseChecksumSource(wrong)).toThrow('GOSUMDB')
})

test('patterns fit a path or the start of it, element by element', () => {
  expect(matchesPatterns('*.corp.example.com,rsc.io/private', 'git.corp.example.com/xyzzy')).toBe(true)
  expect(matchesPatterns('*.corp.example.com,rsc.io/private', 'rsc.io/private/quux')).toBe(true)
  expect(matchesPatterns('*.corp.example.com,rsc.io/private', 'rsc.io/privateer')).toBe(false)
  expect(matchesPatterns('example.com/*/x', 'example.com/a/x/y')).toBe(true)
  expect(matchesPatterns('example.com/[a-c]?', 'example.com/b1')).toBe(true)
  expect(matchesPatterns('example.com/[^a-c]', 'example.com/b')).toBe(false)
  expect(matchesPatterns('example.com/a+b', 'example.com/a+b')).toBe(true)
  expect(matchesPatterns('', 'example.com')).toBe(false)
  fc.assert(fc.property(fc.string(), (pattern) => typeof matchesPatterns(pattern, 'example.com/a') === 'boolean'))
})

test('GOPRIVATE is what GONOPROXY and GONOSUMDB are by default; a toolchain is never exempt', () => {
  const variables = { GOPROXY: '', GOSUMDB: '', GOPRIVATE: '*', GONOPROXY: '', GONOSUMDB: '' }
  expect(isPrivate(variables, 'example.com/a')).toBe(true)
  expect(isPrivate({ ...variables, GONOPROXY: 'none' }, 'example.com/a')).toBe(false)
  expect(isUnrecorded(variables, 'example.com/a')).toBe(true)
  expect(isUnrecorded(variables, 'golang.org/toolchain')).toBe(false)
})

test('.netrc is read as go reads it', () => {
  const text =
    'machine a.example.com login ada password one\nmacdef x\nmachine no\n\nmachine b\n  login bob\n  password two three\ndefault login c password d\nmachine e login f password g\n'
  expect(parseNetrc(text).map(({ machine, login, password }) => [machine, login, password.reveal()])).toEqual([
    ['a.example.com', 'ada', 'one'],
    ['b', 'bob', 'two'],
  ])
  fc.assert(fc.property(fc.string(), (any) => Array.isArray(parseNetrc(any))))
})
