import { expect, test } from 'vitest'
import type { CheckReport } from '../../check/index.ts'
import { checkSummary } from './check-summary.ts'
import { describeEvent } from './describe.ts'

const report = (fields: Partial<CheckReport> = {}): CheckReport => ({
  evidence: { tests: 'not-enough', vet: 'pass', races: 'off', coverage: 'off', vulnerabilities: 'not-enough' },
  missing: [],
  packages: [],
  coverage: { packages: {} },
  findings: [],
  notes: [],
  ...fields,
})

test('each kind of evidence has its line, also where there is none', () => {
  expect(checkSummary(report({ notes: ['vulnerabilities were not looked for: \u001b[2Jaway'] }))).toBe(
    [
      'tests            none ran',
      'vet              nothing to remark',
      'data races       not looked for (--race)',
      'coverage         nothing to cover',
      'vulnerabilities  not looked for: no database',
      'note: vulnerabilities were not looked for: ␛[2Jaway',
      '',
    ].join('\n'),
  )
})

test('a flaky test is counted as passed, and named', () => {
  const one = (name: string, outcome: 'pass' | 'fail' | 'skip') => ({
    package: 'e.x/a',
    test: name,
    outcome,
    tookMs: 1,
    output: [],
    errors: [],
  })
  const tests = [one('TestA', 'pass'), one('TestB', 'fail'), one('TestC', 'skip'), one('TestA/sub', 'pass')]
  const result = {
    package: 'e.x/a',
    outcome: 'fail' as const,
    tookMs: 1,
    isCached: false,
    tests,
    output: [],
    build: '',
  }
  const packages = [
    {
      package: 'e.x/a',
      folder: '/',
      moduleFolder: '/',
      outcome: 'flaky' as const,
      result,
      flaky: ['TestB'],
      failed: [],
    },
  ]
  const evidence = { ...report().evidence, tests: 'pass' as const }
  expect(checkSummary(report({ packages, evidence })).split('\n')[0]).toBe(
    'tests            2 passed (1 of them flaky: e.x/a TestB), 1 skipped (subtests count with theirs)',
  )
})

test('what a test prints reaches no terminal as an order, and a finding stands with its place and its hint', () => {
  const finding = {
    check: 'test' as const,
    severity: 'block' as const,
    what: 'e.x/a TestA',
    place: 'a_test.go:3',
    message: 'got 3',
    lines: ['\u001b]0;title\u0007'],
    hint: 'look',
  }
  expect(describeEvent({ kind: 'check-finding', finding })).toBe(
    '✗ a_test.go:3: e.x/a TestA: got 3\n    ␛]0;title␇\n  → look',
  )
})

test('a package’s line says how it went; one without tests says nothing', () => {
  const done = {
    kind: 'package-done' as const,
    package: 'e.x/a',
    outcome: 'pass' as const,
    tookMs: 1200,
    passed: 3,
    failed: 0,
    skipped: 1,
    isCached: false,
  }
  expect(describeEvent(done)).toBe('e.x/a: 3 passed, 1 skipped (1.20 s)')
  expect(describeEvent({ ...done, skipped: 0, isCached: true })).toBe('e.x/a: 3 passed (unchanged since it passed)')
  expect(describeEvent({ ...done, outcome: 'flaky' })).toBe('e.x/a: passed when tried again')
  expect(describeEvent({ ...done, outcome: 'no-tests' })).toBeUndefined()
})
