import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseDotenv } from './dotenv.ts'
import { keyPattern } from './value-type.ts'

const parse = (text: string) => {
  const { entries, problems } = parseDotenv(text)
  expect(problems).toEqual([])
  return Object.fromEntries(entries.map(({ key, value }) => [key, value]))
}
const problem = (text: string) => parseDotenv(text).problems.map(({ line, message }) => `${line}: ${message}`)

const quoteDouble = (value: string) =>
  `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n').replaceAll('\r', '\\r')}"`

test('bare values end at the line or at a # after a space', () => {
  expect(parse('A=1\nB = two words  # said so\nC=a#b\nD=#fff\nE=\nF= # nothing\nexport G=$HOME\r\n')).toEqual({
    A: '1',
    B: 'two words',
    C: 'a#b',
    D: '#fff',
    E: '',
    F: '',
    G: '$HOME',
  })
})

test('quoted values keep lines, spaces and the other quote', () => {
  expect(parse(`A="x\\n\\"y\\" \\$"  # said so\nB='it is "\\n"'\nKEY="-----BEGIN\nabc\n-----END"\nZ=1`)).toEqual({
    A: 'x\n"y" $',
    B: 'it is "\\n"',
    KEY: '-----BEGIN\nabc\n-----END',
    Z: '1',
  })
})

test('a bad line is named by its number and what was expected, never by its text', () => {
  expect(problem('A=1\nhunter2\n\n# fine\n1B=2\nC=`x`\nD="\\q"\nA=3\nE="a" b\nF="open')).toEqual([
    '2: expected KEY=VALUE, found no `=`',
    '5: expected a key of letters, digits and underscores before the `=`',
    '6: C: expected \' or " as quotes, found a backtick',
    '7: D: expected \\n, \\r, \\t, \\\\, \\" or \\$ after a backslash in double quotes',
    '8: A stands on line 1 already',
    '9: E: expected nothing after the closing "',
    '10: F: expected a closing ", found the end of the file',
  ])
})

const keys = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,20}$/).filter((key) => keyPattern.test(key))

test('what is written in quotes is read back, whatever it holds', () => {
  const values = fc.string({ unit: 'binary' }).map((value) => value.replaceAll('\0', ''))
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(keys, values), { selector: ([key]) => key }), (pairs) => {
      const text = pairs.map(([key, value]) => `${key}=${quoteDouble(value)}\n`).join('')
      expect(Object.entries(parse(text))).toEqual(pairs)
    }),
  )
})

test('any text is read in one pass, and each line is an entry, a problem or nothing', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme' }),
      fc.array(fc.constantFrom('A=', '"', "'", '\n', ' #', '\\', 'b', '=')),
      (a, b) => {
        const text = `${a}${b.join('')}`
        const { entries, problems } = parseDotenv(text)
        const lines = text.split('\n').length
        for (const { line } of [...entries, ...problems]) expect(line).toBeLessThanOrEqual(lines)
        for (const { key } of entries) expect(key).toMatch(keyPattern)
      },
    ),
  )
})
