import { isAbsolute, relative, resolve } from 'node:path'
import type { CheckFinding } from '../base/event.ts'
import { readText } from '../base/read-file.ts'
import { formatFinding, parseBuildText } from '../go/index.ts'
import { failureLines, type FailureSign, type Place } from './failure-sign.ts'
import type { TestedPackage } from './run-tests.ts'
import { failedLeaves, type TestResult } from './test-results.ts'

/** Of the printed lines, this many from the end are shown. */
const maxLines = 40

/** What failed in a package, each with its place; of what passed nothing is said. */
export async function testFindings(tested: TestedPackage, folder: string): Promise<CheckFinding[]> {
  const { result, outcome } = tested
  if (outcome === 'build-failed') return [unbuilt(tested, folder)]
  if (outcome === 'none-ran') return [noneRan(tested)]
  if (outcome !== 'fail') return []
  const { sign } = result
  const findings: CheckFinding[] = []
  const notRetried = tested.notRetried === undefined ? {} : { hint: `Not tried again: ${tested.notRetried}.` }
  for (const test of failedLeaves(tested.failed)) {
    const own = sign !== undefined && isIn(test, sign) ? sign : undefined
    const failing = own === undefined ? await findFailing(test, tested.folder) : undefined
    const [first, ...others] = own?.places ?? (failing === undefined ? [] : [failing])
    const message = own?.message ?? (failing?.message || (test.outcome === 'unfinished' ? 'its process ended while it ran: os.Exit?' : 'failed')) // prettier-ignore
    findings.push({
      check: 'test',
      severity: 'block',
      what: `${tested.package} ${test.test}`,
      ...(first === undefined ? {} : { place: placeText(first, folder) }),
      message: [message, ...others.map((other) => `with ${placeText(other, folder)}`)].join(', '),
      lines: test.output.slice(-maxLines),
      ...notRetried,
    })
  }
  if (findings.length > 0) return findings
  const [place] = sign?.places ?? []
  return [
    {
      check: 'test',
      severity: 'block',
      what: tested.package,
      ...(place === undefined ? {} : { place: placeText(place, folder) }),
      message: sign?.message ?? 'the package failed, none of its tests did: TestMain, or os.Exit in a test?',
      lines: result.output.slice(-maxLines),
      ...notRetried,
    },
  ]
}

/** No more than a warning: some run theirs only where a variable or a database says so. */
function noneRan({ package: name, result }: TestedPackage): CheckFinding {
  return {
    check: 'test',
    severity: 'warn',
    what: name,
    message: 'passed, and none of its tests ran: does its TestMain end without m.Run()?',
    lines: result.output.slice(-maxLines),
  }
}

function unbuilt({ package: name, result, moduleFolder }: TestedPackage, folder: string): CheckFinding {
  const findings = parseBuildText(result.build === '' ? result.output.join('\n') : result.build, {
    cwd: moduleFolder,
    folder,
  })
  const [first] = findings
  return {
    check: 'test',
    severity: 'block',
    what: name,
    ...(first?.file === undefined ? {} : { place: `${first.file}:${first.line}` }),
    message: `does not build: ${first?.message.split('\n')[0] ?? 'go does not say why'}`,
    lines: findings.slice(0, maxLines).map(formatFinding),
  }
}

/** Which test of a package its sign was seen in. */
function isIn({ output }: TestResult, { kind, message }: FailureSign): boolean {
  const words = kind === 'race' ? 'WARNING: DATA RACE' : message
  return output.some((line) => line.includes(words))
}

function placeText({ file, line }: Place, folder: string): string {
  return `${relative(folder, file)}:${line}`
}

/** The first line that is no `t.Log`: what looks the same in the output differs in the source. */
async function findFailing({ errors, output }: TestResult, packageFolder: string) {
  const candidates = failureLines(errors.length > 0 ? errors : output).map((one) => ({
    ...one,
    file: isAbsolute(one.file) ? one.file : resolve(packageFolder, one.file),
  }))
  // testify's block: its own line has no message, the trace in it has both.
  const named = candidates.filter(({ message }) => message !== '')
  const all = named.length > 0 ? named : candidates
  for (const candidate of all) {
    const source = await readText(candidate.file).catch(() => '')
    const line = source.split('\n')[candidate.line - 1] ?? ''
    if (!/\.(?:Logf?|Skipf?)\(/.test(line)) return candidate
  }
  return all[0]
}
