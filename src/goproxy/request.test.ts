import fc from 'fast-check'
import { expect, test } from 'vitest'
import { escapeText } from '../module/index.ts'
import { parseProxyRequest } from './request.ts'

test.each([
  ['/github.com/!burnt!sushi/toml/@v/list', { kind: 'list', path: 'github.com/BurntSushi/toml' }],
  ['/github.com/%21burnt%21sushi/toml/@latest', { kind: 'latest', path: 'github.com/BurntSushi/toml' }],
  ['/example.com/m/@v/main.info', { kind: 'query', path: 'example.com/m', query: 'main' }],
  ['/example.com/m/@v/v1.2.info', { kind: 'query', path: 'example.com/m', query: 'v1.2' }],
  [
    '/example.com/m/v2/@v/v2.0.0.zip',
    { kind: 'file', file: 'zip', module: { path: 'example.com/m/v2', version: 'v2.0.0' } },
  ],
  ['/sumdb/sum.golang.org/supported', { kind: 'supported', database: 'sum.golang.org' }],
  [
    '/sumdb/sum.golang.org/tile/8/0/x001/234.p/7',
    { kind: 'tile', database: 'sum.golang.org', tile: 'tile/8/0/x001/234.p/7' },
  ],
  [
    '/sumdb/sum.golang.org/lookup/example.com/m@v1.0.0',
    { kind: 'lookup', database: 'sum.golang.org', module: { path: 'example.com/m', version: 'v1.0.0' } },
  ],
])('%s asks for %o', (target, expected) => {
  expect(parseProxyRequest(target)).toEqual(expected)
})

test.each([
  '', '/', '/@v/list', '/example.com/m/@v/', '/example.com/m/@v/upgrade.info', '/example.com/M/@v/list', '/example.com/m/@v/v1.0.0.exe',
  '/example.com/m/@v/v1.0.0.zip/x', '/sumdb/x', '/sumdb/../latest', '/sumdb/sum.golang.org/lookup/example.com/m', '/sumdb/a/tile/8/0/1',
])('%j is malformed', (target) => {
  expect(parseProxyRequest(target).kind).toBe('malformed')
}) // prettier-ignore

test('whatever is asked, no path leads out of the store', () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom('..', '@v', 'list', 'sumdb', 'example.com', 'v1.0.0.zip', '%2e%2e', '%2f', '!a'),
  )
  fc.assert(
    fc.property(fc.array(word, { maxLength: 7 }), (words) => {
      const asked = parseProxyRequest(`/${words.join('/')}`)
      const path =
        'module' in asked ? `${asked.module.path}@${asked.module.version}` : 'path' in asked ? asked.path : 'a.b'
      expect(escapeText(path).split(/[/@]/)).not.toContain('..')
      expect(path).not.toMatch(/\0|^\//)
    }),
  )
})
