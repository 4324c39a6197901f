import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { describeEvent, describeFailure } from './describe.ts'
import { failureText } from './failure.ts'
import { table } from './table.ts'
import { visibleLine, visibleText } from './visible.ts'

/** Bytes below space but for tab, DEL, C1, and what turns text around or ends a line. */
function isUnseen(code: number): boolean {
  if (code < 0x20) return code !== 0x09
  return (
    (code >= 0x7f && code <= 0x9f) ||
    [0x61c, 0x200e, 0x200f, 0x2028, 0x2029].includes(code) ||
    (code >= 0x202a && code <= 0x202e) ||
    (code >= 0x2066 && code <= 0x2069)
  )
}
const unseenIn = (text: string) => Array.from(text, (one) => one.codePointAt(0) ?? 0).filter(isUnseen)

const escape = '\u001b'
const colours = fc
  .array(fc.constantFrom('0', '1', '31', '38;5;208', '38:2:1:2:3', ''))
  .map((codes) => `${escape}[${codes.join(';')}m`)
const nasty = fc.constantFrom(
  escape,
  `${escape}[2J`,
  `${escape}]0;title\u0007`,
  `${escape}]52;c;eA==\u0007`,
  '\u009b2J',
  '\r',
  '\n',
  '\u202e',
)
const lines = fc
  .array(fc.oneof(fc.string({ unit: 'binary' }), nasty, colours), { maxLength: 8 })
  .map((parts) => parts.join(''))

test('nothing that steers a terminal comes out, whatever a program prints', () => {
  fc.assert(
    fc.property(lines, (line) => {
      expect(unseenIn(visibleLine(line))).toEqual([])
    }),
  )
})

test('where colours pass nothing else does, and they end with the line', () => {
  fc.assert(
    fc.property(lines, (line) => {
      const shown = visibleLine(line, { colours: true })
      const rest = shown.replaceAll(new RegExp(`${escape}\\[[\\d;:]*m`, 'g'), '')
      expect(unseenIn(rest)).toEqual([])
      if (rest !== shown) expect(shown.endsWith(`${escape}[0m`)).toBe(true)
    }),
  )
})

test('what can be seen stays as it is, letter for letter', () => {
  fc.assert(
    fc.property(lines, (line) => {
      const plain = Array.from(line)
        .filter((one) => !isUnseen(one.codePointAt(0) ?? 0))
        .join('')
      expect(visibleLine(plain)).toBe(plain)
    }),
  )
})

test.for([
  [`${escape}]0;owned\u0007`, '␛]0;owned␇'],
  [`done${escape}[1A${escape}[2Kfine`, 'done␛[1A␛[2Kfine'],
  ['\u009b2J\u202e\u007f', '\\x9b2J\\u202e␡'],
  ['10 %\r20 %\r', '10 %␍20 %'],
  [`${escape}[31mERROR${escape}[0m\tdisk`, 'ERROR\tdisk'],
])('%j is shown as %j', ([text = '', shown = '']) => {
  expect(visibleLine(text)).toBe(shown)
})

test('events, evidence, errors and tables print no controls of a program', () => {
  const text = `boom${escape}[2J${escape}]52;c;eA==\u0007\u202e`
  const failure = {
    instance: '1-1.1',
    what: text,
    cause: 'exited' as const,
    exit: text,
    answers: [`${text}\n✓ web  done`],
    lines: [text],
    hint: text,
  }
  const printed = [
    describeEvent({ kind: 'warning', message: text, hint: text }) ?? '',
    describeEvent({ kind: 'job-begun', scope: 'shop/dev/web', release: 1, command: [text] }) ?? '',
    ...describeFailure(failure),
    ...failureText({ code: 'START_FAILED', message: text, hint: text, details: [text] }).split('\n'),
    ...table([[text], [text]], { isTerminal: true, numbers: [], paintHead: (head) => head }).split('\n'),
    ...table([[text]], { isTerminal: false, numbers: [], paintHead: (head) => head }).split('\n'),
  ]
  for (const line of printed) expect(unseenIn(line)).toEqual([])
  expect(visibleText('a\nb')).toBe('a\nb')
})
