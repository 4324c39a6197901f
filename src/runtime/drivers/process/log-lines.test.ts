import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Masker } from '../../../base/masker.ts'
import { Secret } from '../../../base/secret.ts'
import { LineSplitter, maxLineBytes, mergeTails, type RawLine, timeOf } from './log-lines.ts'

function split(chunks: readonly Buffer[], offset = 0): RawLine[] {
  const splitter = new LineSplitter(offset)
  return [...chunks.flatMap((chunk) => [...splitter.push(chunk)]), ...splitter.end()]
}

describe('splitting', () => {
  test('however the chunks fall, the lines are the same, and their offsets true', () => {
    const texts = fc.array(fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll(/[\n\r]/g, '')))
    fc.assert(
      fc.property(texts, fc.array(fc.nat(500)), fc.nat(10_000), (lines, cuts, offset) => {
        const whole = Buffer.from(lines.map((line) => `${line}\n`).join(''))
        const places = [0, ...cuts.map((cut) => Math.min(cut, whole.length)).sort((a, b) => a - b), whole.length]
        const chunks = places.slice(1).map((end, i) => whole.subarray(places[i], end))
        const found = split(chunks, offset)
        expect(found.map(({ text }) => text)).toEqual(lines)
        for (const { text, offset: at } of found) {
          expect(whole.subarray(at - offset, at - offset + Buffer.byteLength(text)).toString()).toBe(text)
        }
      }),
    )
  })

  test('a character that two chunks share is whole', () => {
    const bytes = Buffer.from('grün 😀\n')
    expect(split([...bytes].map((byte) => Buffer.from([byte])))[0]?.text).toBe('grün 😀')
  })

  test('a line too long shows its beginning and counts the rest', () => {
    const chunk = Buffer.alloc(10_000, 'x')
    const [line] = split([...Array.from({ length: 20 }, () => chunk), Buffer.from('\nnext')])
    expect(line?.cutBytes).toBe(200_000 - maxLineBytes)
    expect(line?.text).toBe(`${'x'.repeat(maxLineBytes)} … ${200_000 - maxLineBytes} bytes cut …`)
  })

  test('a secret that the cut of a long line goes through is masked up to the cut', () => {
    const secret = new Secret('grün-hunter22')
    for (let shown = 4; shown < Buffer.byteLength(secret.reveal()); shown++) {
      const begin = maxLineBytes - shown
      const [line] = split([Buffer.from(`${'x'.repeat(begin)}${secret.reveal()}${'y'.repeat(100)}\n`)])
      const rest = begin + Buffer.byteLength(secret.reveal()) + 100 - maxLineBytes
      expect(new Masker([secret]).mask(line?.text ?? '').slice(begin)).toMatch(
        new RegExp(`^(\\[secret\\]|grü) … ${rest} bytes cut …$`),
      )
    }
  })

  test('what is left of a line whose beginning is gone says so, and the next does not', () => {
    const splitter = new LineSplitter(0)
    expect([...splitter.jump(5, { isMidLine: true })]).toHaveLength(1)
    const rest = Buffer.from('ünter22 ok\nwhole\n').subarray(1) // the cut goes through a character too
    expect([...splitter.push(rest)].map(({ text }) => text)).toEqual(['…nter22 ok', 'whole'])
  })

  test('any bytes make text', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array()), (chunks) => {
        const lines = split(chunks.map((chunk) => Buffer.from(chunk)))
        for (const { text } of lines) expect(text.isWellFormed()).toBe(true)
      }),
    )
  })

  test('after a jump it is where it was told, and says what lay between', () => {
    const splitter = new LineSplitter(100)
    expect([...splitter.push(Buffer.from('half a li'))]).toEqual([])
    expect([...splitter.jump(5000)]).toEqual([{ text: '… 4900 bytes cut …', offset: 100, cutBytes: 4900 }])
    expect([...splitter.push(Buffer.from('whole\n'))]).toEqual([{ text: 'whole', offset: 5000 }])
  })
})

describe('the times of lines', () => {
  test('as slog, log, zap, logrus and nginx write them', () => {
    const at = Date.parse('2026-01-02T03:04:05.500Z')
    expect(timeOf('time=2026-01-02T03:04:05.500Z level=INFO msg=x')).toBe(at)
    expect(timeOf('{"level":"info","ts":"2026-01-02T03:04:05.500Z"}')).toBe(at)
    expect(timeOf('{"time":"2026-01-02T04:04:05.5+01:00"}')).toBe(at)
    expect(timeOf('2026/01/02 03:04:05 listening')).toBe(Date.parse('2026-01-02T03:04:05'))
    expect(timeOf('[app] 2026/01/02 03:04:05.123456 listening')).toBe(Date.parse('2026-01-02T03:04:05.123'))
    for (const line of ['', 'no time', '2026-99-99T99:99:99Z', '12:30:00 only']) expect(timeOf(line)).toBeUndefined()
  })

  test('no text makes it throw', () => {
    fc.assert(fc.property(fc.string(), (line) => typeof timeOf(line) !== 'string'))
  })
})

describe('two streams as one', () => {
  const lines = (count: number, text: (i: number) => string): RawLine[] =>
    Array.from({ length: count }, (_, offset) => ({ text: text(offset), offset }))
  const texts = (out: RawLine[], err: RawLine[], count: number) => mergeTails(out, err, count).map(({ text }) => text)

  test('neither is reordered, and no more come than were asked for', () => {
    const stream = fc.array(
      fc.oneof(
        fc.string(),
        fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
      ),
    )
    fc.assert(
      fc.property(stream, stream, fc.nat(50), (outTexts, errTexts, count) => {
        const [out, err] = [outTexts, errTexts].map((all) => all.map((text, offset) => ({ text, offset })))
        const merged = mergeTails(out ?? [], err ?? [], count)
        expect(merged.length).toBe(Math.min(count, outTexts.length + errTexts.length))
        for (const name of ['out', 'err'] as const) {
          const offsets = merged.filter(({ stream }) => stream === name).map(({ offset }) => offset)
          expect(offsets).toEqual(offsets.toSorted((a, b) => a - b))
        }
      }),
    )
  })

  test('without times the errors come last, and each has its share', () => {
    expect(
      texts(
        lines(100, (i) => `out ${i}`),
        lines(2, (i) => `err ${i}`),
        4,
      ),
    ).toEqual(['out 98', 'out 99', 'err 0', 'err 1'])
    expect(
      texts(
        lines(1, () => 'out'),
        lines(100, (i) => `err ${i}`),
        4,
      ),
    ).toEqual(['out', 'err 97', 'err 98', 'err 99'])
    expect(
      texts(
        lines(100, (i) => `out ${i}`),
        lines(100, (i) => `err ${i}`),
        3,
      ),
    ).toEqual(['out 98', 'out 99', 'err 99'])
  })

  test('with times the last lines are the last in time', () => {
    const old = lines(50, (i) => `2026-01-01T00:00:${String(i).padStart(2, '0')}Z old`)
    const fresh = lines(3, (i) => `2026-01-02T00:00:0${i}Z fresh`)
    expect(texts(old, fresh, 4).map((text) => text.slice(21))).toEqual(['old', 'fresh', 'fresh', 'fresh'])
  })
})
