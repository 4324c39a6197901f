import { inspect } from 'node:util'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { maskSecrets, Secret } from './secret.ts'

test('a secret prints as [secret] however it is printed', () => {
  const secret = new Secret('hunter22')
  const shown = [String(secret), JSON.stringify({ secret }), inspect(secret), inspect({ deep: [secret] })]
  for (const text of shown) expect(text).not.toContain('hunter22')
  expect(secret.reveal()).toBe('hunter22')
})

test('no spelling of a secret is left in a masked text', () => {
  const values = fc
    .string({ unit: 'binary', minLength: 4, maxLength: 40 })
    .filter((value) => !'[secret]'.includes(value))
  fc.assert(
    fc.property(values, fc.string(), fc.string(), (value, before, after) => {
      const spellings = [value, JSON.stringify(value), encodeURIComponent(value), Buffer.from(value).toString('base64')]
      for (const spelling of spellings) {
        expect(maskSecrets(before + spelling + after, [new Secret(value)])).toContain('[secret]')
      }
      expect(maskSecrets(before + value + after, [new Secret(value)]).replaceAll('[secret]', '\n')).not.toContain(value)
    }),
  )
})

test('where two secrets overlap, the rest of neither shows', () => {
  const secrets = [new Secret('abcd1234'), new Secret('1234efgh')]
  expect(maskSecrets('<abcd1234efgh>', secrets)).toBe('<[secret]>')
})

test('a secret called like the mask is masked once', () => {
  expect(maskSecrets('a secret here', [new Secret('secret'), new Secret('here')])).toBe('a [secret] [secret]')
})

test('a key of several lines is masked line by line', () => {
  const key = new Secret('-----BEGIN KEY-----\nMIIEvQIBADANBg\n-----END KEY-----\n')
  expect(maskSecrets('bad line: MIIEvQIBADANBg', [key])).toBe('bad line: [secret]')
})

test('a value of fewer than four characters is left alone, and a broken one does no harm', () => {
  expect(maskSecrets('1 and 2', [new Secret('1')])).toBe('1 and 2')
  expect(maskSecrets('text', [new Secret('\ud800\ud800\ud800\ud800')])).toBe('text')
})
