import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { BoundedOutput } from './bounded-output.ts'
import { coveragePercent, parseCoverProfile, sumCoverage } from './coverage.ts'
import { failureLines, findFailureSign } from './failure-sign.ts'
import { junitXml } from './junit.ts'
import { LineReader, parseTestLine } from './test-line.ts'
import { failedLeaves, TestRun } from './test-results.ts'
import { parseVetOutput } from './vet-output.ts'

const event = (fields: object) => JSON.stringify(fields)

test('wherever chunks are cut, every line comes out whole, in order, and nothing is lost', () => {
  const text = fc.array(
    fc.string({ unit: 'binary' }).map((line) => line.replaceAll('\n', ' ')),
    { maxLength: 8 },
  )
  fc.assert(
    fc.property(text, fc.array(fc.nat(12), { maxLength: 40 }), (lines, cuts) => {
      const bytes = Buffer.from(lines.join('\n').toWellFormed())
      const reader = new LineReader()
      const read: string[] = []
      let at = 0
      for (const size of cuts) {
        read.push(...reader.push(bytes.subarray(at, at + size)))
        at += size
      }
      read.push(...reader.push(bytes.subarray(at)), ...reader.end())
      expect(read.join('\n')).toBe(bytes.toString().replace(/\n$/, ''))
      expect(read.map((line) => parseTestLine(line).raw)).toEqual(read)
    }),
  )
})

test('what a test prints is kept, whatever it looks like', () => {
  const output = fc.array(
    fc.string().filter((line) => !/^\s*(?:===|---)/.test(line) && !/[\n\r]/.test(line)),
    { minLength: 1 },
  )
  fc.assert(
    fc.property(output, fc.boolean(), (lines, isTorn) => {
      const run = new TestRun('/src')
      const take = (fields: object) => run.take(parseTestLine(event(fields)))
      take({ Action: 'run', Package: 'p', Test: 'T' })
      const text = `${lines.join('\n')}\n`
      const half = Math.floor(text.length / 2)
      for (const part of isTorn ? [text.slice(0, half), text.slice(half)] : [text]) {
        take({ Action: 'output', Package: 'p', Test: 'T', Output: part })
      }
      take({ Action: 'fail', Package: 'p', Test: 'T', Elapsed: 0.5 })
      const done = take({ Action: 'fail', Package: 'p', Elapsed: 1 })
      expect(done?.tests).toMatchObject([{ test: 'T', outcome: 'fail', tookMs: 500, output: lines }])
    }),
  )
})

test('torn and plain lines are text, and an unknown kind of event does no harm', () => {
  const run = new TestRun('/src')
  for (const line of [
    '{"Action":"pass","Packa',
    'go: warning',
    '{"Action":"later","Package":"p","New":1}',
    '{"a":1}',
  ]) {
    expect(run.take(parseTestLine(line))).toBeUndefined()
  }
  expect(run.plain).toEqual(['{"Action":"pass","Packa', 'go: warning', '{"a":1}'])
})

test('a test that prints without end is kept at both ends, and what is left out is counted', () => {
  const output = new BoundedOutput(10)
  for (let line = 0; line < 1000; line += 1) output.push(`${line}\n`)
  expect(output.lines().join('\n')).toMatch(/^0\n1\n2\n3\n4\n\n… 3870 characters left out …\n(?:.*\n)*999$/)
})

test('a panic that a passing test tells of is none', () => {
  const run = new TestRun('/src')
  const take = (fields: object) => run.take(parseTestLine(event({ Package: 'p', ...fields })))
  take({ Action: 'output', Test: 'Fine', Output: 'panic: told\n\ngoroutine 1 [running]:\n' })
  take({ Action: 'pass', Test: 'Fine' })
  take({ Action: 'output', Test: 'Bad', Output: 'panic: only the word\n' })
  take({ Action: 'fail', Test: 'Bad' })
  expect(take({ Action: 'fail' })?.sign).toBeUndefined()
})

test('a package that was cut off has failed, and what ran in it is unfinished', () => {
  const run = new TestRun('/src')
  run.take(parseTestLine(event({ Action: 'run', Package: 'p', Test: 'T' })))
  expect(run.end()).toMatchObject([{ package: 'p', outcome: 'fail', tests: [{ test: 'T', outcome: 'unfinished' }] }])
})

test('a build that failed is found by FailedBuild, which is not the package’s own name', () => {
  const run = new TestRun('/src')
  const lines = [
    { ImportPath: 'p [p.test]', Action: 'build-output', Output: '# p [p.test]\n' },
    { ImportPath: 'p [p.test]', Action: 'build-output', Output: 'p/p_test.go:3:28: undefined: x\n' },
    { ImportPath: 'p [p.test]', Action: 'build-fail' },
    { Action: 'start', Package: 'p' },
    { Action: 'output', Package: 'p', Output: 'FAIL\tp [build failed]\n' },
    { Action: 'fail', Package: 'p', Elapsed: 0, FailedBuild: 'p [p.test]' },
  ]
  const ends = lines.flatMap((line) => run.take(parseTestLine(event(line))) ?? [])
  expect(ends).toMatchObject([{ outcome: 'build-failed', build: expect.stringContaining('undefined: x') }])
})

test('of subtests the innermost that failed is the cause', () => {
  const make = (name: string, outcome: 'pass' | 'fail') => ({ package: 'p', test: name, outcome, tookMs: 0, output: [], errors: [] }) // prettier-ignore
  const tests = [make('A', 'fail'), make('A/b', 'fail'), make('A/b/c', 'fail'), make('AA', 'fail'), make('A/d', 'pass')]
  expect(failedLeaves(tests).map(({ test: name }) => name)).toEqual(['A/b/c', 'AA'])
})

test('a panic, a timeout, a deadlock and a race are known by their words, with the place in the module’s own code', () => {
  const stack = [
    'goroutine 18 [running]:',
    'panic({0x5, 0x2})',
    '\t/go/src/runtime/panic.go:860 +0x13a',
    'p.T()',
    '\t/src/b/b_test.go:3 +0x9',
  ]
  expect(findFailureSign(['panic: boom [recovered, repanicked]', '', ...stack], '/src')).toEqual({
    kind: 'panic',
    message: 'panic: boom',
    places: [{ file: '/src/b/b_test.go', line: 3 }],
  })
  expect(findFailureSign(['panic: test timed out after 2s', '\trunning tests:', ...stack], '/src')?.kind).toBe(
    'timeout',
  )
  expect(findFailureSign(['fatal error: all goroutines are asleep - deadlock!'], '/src')?.kind).toBe('deadlock')
  expect(findFailureSign(['fatal error: concurrent map writes'], '/src')?.kind).toBe('fatal')
  const race = [
    '==================',
    'WARNING: DATA RACE',
    'Read at 0x00c0 by goroutine 8:',
    '  p.T.func1()',
    '      /src/r.go:3 +0x33',
    '',
    'Previous write at 0x00c0 by goroutine 7:',
    '  p.T()',
    '      /src/vendor/x/x.go:9 +0x1',
    '      /src/r.go:5 +0x116',
    '',
    '==================',
  ]
  expect(findFailureSign(race, '/src')).toMatchObject({ kind: 'race', places: [{ line: 3 }, { line: 5 }] })
  expect(findFailureSign(['all is well', 'they said "panic: "'], '/src')).toBeUndefined()
  fc.assert(fc.property(fc.array(fc.string()), (lines) => void findFailureSign(lines, '/src')))
})

test('the line of a failure is testing’s own, or that of testify’s trace', () => {
  expect(
    failureLines(['    cart_test.go:12: got 3', '    testing.go:1: race detected during execution of test']),
  ).toEqual([{ file: 'cart_test.go', line: 12, message: 'got 3' }])
  const testify = [
    '    a_test.go:7: ',
    '        \tError Trace:\t/src/a_test.go:9',
    '        \tError:      \tNot equal: ',
  ]
  expect(failureLines(testify).at(-1)).toEqual({ file: '/src/a_test.go', line: 9, message: 'Not equal:' })
})

test('statements count once, whichever of several test binaries ran them; percents are rounded down', () => {
  const profile =
    'mode: set\ne/a/a.go:2.24,2.37 1 1\ne/a/a.go:2.37,2.49 1 0\ne/a/a.go:2.37,2.49 1 1\ne/b/b.go:1.1,2.2 2 0\ntorn'
  const packages = parseCoverProfile(profile)
  expect([...packages]).toEqual([
    ['e/a', { covered: 2, statements: 2 }],
    ['e/b', { covered: 0, statements: 2 }],
  ])
  expect(coveragePercent(sumCoverage(packages.values()))).toBe(50)
  expect(coveragePercent({ covered: 7999, statements: 10_000 })).toBe(79.9)
  expect(coveragePercent({ covered: 0, statements: 0 })).toBeUndefined()
  fc.assert(fc.property(fc.string(), (text) => void parseCoverProfile(text)))
})

test('vet is read from either stream, with or without headings; what is no finding is kept', () => {
  const object = JSON.stringify(
    { p: { printf: [{ posn: '/src/n.go:3:24', end: 'x', message: 'm' }], bad: { error: 'e' } } },
    null,
    '\t',
  )
  const read = parseVetOutput('{}\n', `# p\n${object}\nvet: c.go:3:28: undefined: x\n`)
  expect(read.findings).toEqual([{ package: 'p', analyzer: 'printf', file: '/src/n.go', line: 3, message: 'm' }])
  expect(read.rest).toContain('undefined: x')
  expect(read.rest).toContain('{"error":"e"}')
  fc.assert(fc.property(fc.string(), fc.string(), (out, err) => void parseVetOutput(out, err)))
})

test('a JUnit report holds whatever a test prints, and is well-formed', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const failed = {
        package: 'p',
        test: `T/${text}`,
        outcome: 'fail' as const,
        tookMs: 1,
        output: [text],
        errors: [],
      }
      const result = {
        package: 'p',
        outcome: 'fail' as const,
        tookMs: 1,
        isCached: false,
        tests: [failed],
        output: [],
        build: '',
      }
      const xml = junitXml(
        [{ package: 'p', folder: '/', moduleFolder: '/', outcome: 'fail', result, flaky: [], failed: [failed] }],
        [],
      )
      // oxlint-disable-next-line no-control-regex -- they are what must not be there
      expect(xml).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/)
      expect(xml.replaceAll(/<[^<>]*>/g, '')).not.toMatch(/[<>]/)
      expect(xml).toContain('tests="1" failures="1" skipped="0"')
    }),
  )
})
