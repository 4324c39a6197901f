import type { CheckFinding } from '../base/event.ts'
import type { TestedPackage } from './run-tests.ts'
import { topLevel } from './test-results.ts'

/**
 * One testsuite for each package, one testcase for each test; a package that failed as a whole has a testcase of its own name.
 * A flaky test is a passed one with `<flakyFailure>`, as Maven's Surefire writes it.
 */
export function junitXml(packages: readonly TestedPackage[], findings: readonly CheckFinding[]): string {
  const suites = packages.map((tested) => suite(tested, findings))
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${suites.join('')}</testsuites>\n`
}

function suite(tested: TestedPackage, findings: readonly CheckFinding[]): string {
  const { package: name, result, flaky } = tested
  const failing = new Set(tested.failed.map(({ test }) => test))
  const cases: string[] = []
  let failures = 0
  for (const { test, outcome, tookMs, output } of result.tests) {
    const finding = findings.find(({ what }) => what === `${name} ${test}`)
    let inside = ''
    if (failing.has(test)) {
      failures += 1
      const text = [finding?.place, ...(finding?.lines ?? output)].filter((line) => line !== undefined).join('\n')
      inside = `<failure message="${escape(finding?.message ?? 'failed')}">${escape(text)}</failure>`
    } else if (outcome === 'fail' && flaky.includes(topLevel(test))) {
      inside = `<flakyFailure message="passed when tried again">${escape(output.join('\n'))}</flakyFailure>`
    } else if (outcome === 'skip') inside = `<skipped message="${escape(output.join(' ').trim())}"/>`
    cases.push(testcase(name, test, tookMs, inside))
  }
  if (tested.outcome === 'build-failed' || (tested.outcome === 'fail' && failures === 0)) {
    const finding = findings.find(({ what }) => what === name)
    const text = [finding?.place, ...(finding?.lines ?? [])].filter((line) => line !== undefined).join('\n')
    failures += 1
    cases.push(testcase(name, name, result.tookMs, `<error message="${escape(finding?.message ?? 'failed')}">${escape(text)}</error>`)) // prettier-ignore
  }
  const skipped = result.tests.filter(({ outcome }) => outcome === 'skip').length
  const counts = `tests="${cases.length}" failures="${failures}" skipped="${skipped}"`
  return `  <testsuite name="${escape(name)}" ${counts} time="${seconds(result.tookMs)}">\n${cases.join('')}  </testsuite>\n`
}

function testcase(classname: string, name: string, tookMs: number, inside: string): string {
  const head = `    <testcase classname="${escape(classname)}" name="${escape(name)}" time="${seconds(tookMs)}"`
  return inside === '' ? `${head}/>\n` : `${head}>${inside}</testcase>\n`
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3)
}

/** What XML 1.0 cannot hold, not even escaped, becomes U+FFFD. @see https://www.w3.org/TR/xml/#charsets */
function escape(text: string): string {
  return (
    text
      .toWellFormed()
      // oxlint-disable-next-line no-control-regex -- they are what is replaced
      .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
      .replaceAll(/[&<>"\n\r\t]/g, (character) => entities[character] ?? character)
  )
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\n': '&#10;', '\r': '&#13;', '\t': '&#9;' } // prettier-ignore
