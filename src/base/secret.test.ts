import { inspect } from 'node:util'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { countedCutMark, cutMark } from './cut-mark.ts'
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

test('where a text was cut, no part of a secret is left', () => {
  const secret = [new Secret('hunter22hunter23')]
  const marks = [cutMark, ` ${countedCutMark(12)}`]
  for (const mark of marks) {
    expect(maskSecrets(`log: hunter22hun${mark}`, secret)).toBe(`log: [secret]${mark}`)
    expect(maskSecrets(`hunt${mark}`, secret)).toBe(`[secret]${mark}`)
    expect(maskSecrets(`${cutMark}r23 ok${mark}`, secret)).toBe(`${cutMark}r23 ok${mark}`)
  }
  expect(maskSecrets(`${cutMark}22hunter23 ok`, secret)).toBe(`${cutMark}[secret] ok`)
  expect(maskSecrets(`${cutMark}er23 hunter22${cutMark}`, secret)).toBe(`${cutMark}[secret] [secret]${cutMark}`)
  expect(maskSecrets('a hunter', secret)).toBe('a hunter') // nothing was cut here
})

test('however a line with a secret is cut, at most three of its characters are seen', () => {
  const cut = fc.record({
    value: fc.string({ minLength: 4, maxLength: 30 }).filter((value) => !'[secret]…'.includes(value)),
    at: fc.nat(30),
  })
  fc.assert(
    fc.property(cut, ({ value, at }) => {
      const [before, after] = [value.slice(0, at), value.slice(at)]
      const secret = [new Secret(value)]
      if (before.length >= 4) expect(maskSecrets(`|${before}${cutMark}`, secret)).toContain(`[secret]${cutMark}`)
      if (after.length >= 4) expect(maskSecrets(`${cutMark}${after}|`, secret)).toContain(`${cutMark}[secret]`)
    }),
  )
})

test('a value of fewer than four characters is left alone, and a broken one does no harm', () => {
  expect(maskSecrets('1 and 2', [new Secret('1')])).toBe('1 and 2')
  expect(maskSecrets('text', [new Secret('\ud800\ud800\ud800\ud800')])).toBe('text')
})
