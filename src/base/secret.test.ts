import { inspect } from 'node:util'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { countedCutMark, cutMark, uncutRange } from './cut-mark.ts'
import { Masker } from './masker.ts'
import { Secret } from './secret.ts'
import { spellingsOf } from './secret-spellings.ts'

function maskSecrets(text: string, secrets: Iterable<Secret>): string {
  return new Masker(secrets).mask(text)
}

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

/** Every spelling at every place, and all that a cut may leave of it. */
function maskNaively(text: string, values: readonly string[]): string {
  const { from, to } = uncutRange(text)
  const isMasked = Array.from<boolean>({ length: text.length }).fill(false)
  const begins = new Set<number>()
  const hide = (part: string, at: number) => {
    if (at < 0 || !text.startsWith(part, at)) return
    isMasked.fill(true, at, at + part.length)
    begins.add(at)
  }
  for (const spelling of values.flatMap(spellingsOf)) {
    for (let at = 0; at < text.length; at++) hide(spelling, at)
    for (let length = 4; length <= Math.min(spelling.length - 1, to - from); length++) {
      if (from > 0) hide(spelling.slice(-length), from)
      if (to < text.length) hide(spelling.slice(0, length), to - length)
    }
  }
  return isMasked
    .map((masked, at) => (masked ? (isMasked[at - 1] === true ? '' : '[secret]') : text.charAt(at)))
    .join('')
}

test('as if every spelling were looked for at every place', () => {
  const letters = fc.constantFrom('a', 'b', 'ab', 'aab', '\n', ' ', '<', '%', 'ü')
  const texts = (maxLength: number) => fc.array(letters, { maxLength }).map((parts) => parts.join(''))
  const mark = fc.constantFrom('', cutMark, ` ${countedCutMark(12)}`)
  fc.assert(
    fc.property(
      fc.array(texts(12), { maxLength: 6 }),
      texts(40),
      fc.nat(),
      mark,
      mark,
      (values, filler, pick, a, b) => {
        const spellings = values.flatMap(spellingsOf)
        const one = spellings[pick % Math.max(1, spellings.length)] ?? ''
        const cut = pick % (one.length + 1)
        for (const text of [filler, `${filler}${one}${filler}`, `${one.slice(cut)}${filler}${one.slice(0, cut)}`]) {
          const marked = `${a.trim()}${text}${b}`
          const masked = maskSecrets(
            marked,
            values.map((value) => new Secret(value)),
          )
          expect(joinMasks(masked)).toBe(joinMasks(maskNaively(marked, values)))
        }
      },
    ),
    { numRuns: 1000 },
  )
})

/** Two secrets side by side may be shown as two or as one. */
function joinMasks(text: string): string {
  return text.replaceAll(/(\[secret\])+/g, '[secret]')
}

test.each([
  ['url.QueryEscape', 'P@ss!w(o)rd', 'P%40ss%21w%28o%29rd'],
  ['url.PathEscape', 'P@ss!w(o)rd', 'P@ss%21w%28o%29rd'],
  ['url.UserPassword', 'P@s:s;w/ord', 'P%40s%3As;w%2Ford'],
  ['url.QueryEscape', 'two words here', 'two+words+here'],
  ['url.PathEscape', 'two words here', 'two%20words%20here'],
  ['url.PathEscape', 'grün/a+b', 'gr%C3%BCn%2Fa+b'],
  ['percent in lower case', 'P@ss!w(o)rd', 'P%40ss%21w%28o%29rd'.toLowerCase().replace('p', 'P')],
  ['percent in lower case', 'key=/ü/', 'key%3d%2f%c3%bc%2f'],
  ['json.Marshal', 'a<b&c>d-12345', String.raw`a\u003cb\u0026c\u003ed-12345`],
  ['json.Marshal', 'line\u2028and\u2029end', String.raw`line\u2028and\u2029end`],
  ['log/slog', '<line>\u2028', String.raw`<line>\u2028`],
  ['log/slog', '\b\f\\b bell', String.raw`\u0008\u000c\\b bell`],
  ['base64.StdEncoding', 's3cret-val', 'czNjcmV0LXZhbA=='],
  ['base64.RawStdEncoding', 's3cret-val', 'czNjcmV0LXZhbA'],
  ['base64.URLEncoding', '?>?>secret', 'Pz4_PnNlY3JldA=='],
  ['base64.RawURLEncoding', '?>?>secret', 'Pz4_PnNlY3JldA'],
])('as %s spells it: %s', (_by, value, spelling) => {
  expect(maskSecrets(`<${spelling}>`, [new Secret(value)])).toBe('<[secret]>')
})

test('many secrets and many lines take little time', () => {
  const line = (i: number) =>
    Buffer.from(`${i * 7919} of the key`)
      .toString('base64')
      .padEnd(64, 'x')
  const masker = new Masker([new Secret(Array.from({ length: 2000 }, (_, i) => line(i)).join('\n'))])
  const begin = performance.now()
  for (let i = 0; i < 10_000; i++) masker.mask(`${i}: ${line(i).slice(1)} ${'y'.repeat(30)}`)
  expect(performance.now() - begin).toBeLessThan(2000) // some 50 ms where nothing else runs
})
