import type { CheckReport } from '../../check/index.ts'
import { counted } from '../../base/counted.ts'
import { visibleText } from './visible.ts'

/** A line for each kind of evidence: what it says, or why it says nothing. */
export function checkSummary(report: CheckReport): string {
  return visibleText(
    [testLine(report), vetLine(report), raceLine(report), ...coverageLines(report), vulnerabilityLine(report), ...noteLines(report), ''] // prettier-ignore
      .join('\n'),
  )
}

function testLine({ packages, evidence }: CheckReport): string {
  const all = packages.flatMap(({ result }) => result.tests)
  const tests = all.filter(({ test }) => !test.includes('/'))
  const subtests = tests.length < all.length ? ' (subtests count with theirs)' : ''
  const flaky = packages.flatMap(({ package: name, flaky: names }) => names.map((test) => `${name} ${test}`))
  const count = (outcome: string) => tests.filter((test) => test.outcome === outcome).length
  const failed = packages.flatMap((one) => one.failed).filter(({ test }) => !test.includes('/')).length
  const untested = packages.filter(({ outcome }) => outcome === 'no-tests' || outcome === 'none-ran').length
  const parts = [
    `${count('pass') + flaky.length} passed${flaky.length === 0 ? '' : ` (${flaky.length} of them flaky: ${flaky.join(', ')})`}`,
    ...(failed === 0 ? [] : [`${failed} failed`]),
    ...(count('skip') === 0 ? [] : [`${count('skip')} skipped`]),
  ]
  const without = untested === 0 ? '' : `, ${counted(untested, 'package')} without tests`
  return `tests            ${evidence.tests === 'not-enough' ? 'none ran' : `${parts.join(', ')}${subtests}${without}`}`
}

function vetLine({ findings, evidence }: CheckReport): string {
  const count = findings.filter(({ check }) => check === 'vet').length
  if (count === 0 && evidence.vet === 'not-enough') return 'vet              could not look at what does not compile'
  return `vet              ${count === 0 ? 'nothing to remark' : counted(count, 'finding')}`
}

function raceLine({ evidence, packages }: CheckReport): string {
  const seen = packages.filter(({ result }) => result.sign?.kind === 'race').map(({ package: name }) => name)
  const words = { pass: 'none seen', fail: `seen in ${seen.join(', ')}`, 'not-enough': 'not looked for', off: 'not looked for (--race)' } // prettier-ignore
  return `data races       ${words[evidence.races]}`
}

function coverageLines({ coverage }: CheckReport): string[] {
  const { total, packages } = coverage
  if (total === undefined) return ['coverage         nothing to cover']
  const width = Math.max(...Object.keys(packages).map((name) => name.length))
  const rows = Object.entries(packages).map(
    ([name, percent]) => `  ${name.padEnd(width)}  ${percent.toFixed(1).padStart(5)} %`,
  )
  return [`coverage         ${total.toFixed(1)} % of all statements`, ...(rows.length > 1 ? rows : [])]
}

function vulnerabilityLine({ evidence, scan, findings }: CheckReport): string {
  if (evidence.vulnerabilities === 'off') return 'vulnerabilities  not looked for (--vuln wanted)'
  if (scan === undefined) return 'vulnerabilities  not looked for: no database'
  const own = findings.filter(({ check }) => check === 'vulnerability')
  const blocking = own.filter(({ severity }) => severity === 'block').length
  const said = own.length === 0 ? 'none known' : `${blocking} that block, ${own.length - blocking} to know of`
  return `vulnerabilities  ${said}; by ${scan.scanner}, from ${scan.database.location} of ${age(scan.database.modified)}`
}

/** '2026-11-20 (2 days old)' */
function age(modified: string): string {
  const days = Math.floor((Date.now() - Date.parse(modified)) / 86_400_000)
  return Number.isNaN(days) ? modified : `${modified.slice(0, 10)} (${counted(days, 'day')} old)`
}

function noteLines({ notes }: CheckReport): string[] {
  return notes.map((note) => `note: ${note}`)
}
