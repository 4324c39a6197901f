import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import type { CheckFinding } from '../base/event.ts'
import { makeFolder } from '../base/make-folder.ts'
import { sweepFolder } from '../base/sweep-folder.ts'
import type { Source } from '../go/index.ts'
import { type Coverage, coveragePercent, sumCoverage } from './coverage.ts'
import { type CheckContext, runTests, type TestedPackage, type TestReport, type TestSettings } from './run-tests.ts'
import { runVet } from './run-vet.ts'
import { findTargets, type TestTarget } from './targets.ts'
import { testFindings } from './test-findings.ts'
import { DatabaseMissing, publicDatabase } from './vulnerability/database.ts'
import { judgeVulnerabilities, type Waiver } from './vulnerability/gate.ts'
import { type ScanOrder, type ScanReport, scanVulnerabilities } from './vulnerability/scan.ts'

const leftoverAgeMs = 86_400_000

export interface CheckOrder extends Omit<ScanOrder, 'targets' | 'location'> {
  readonly source: Source
  /** Packages as the user names them; none: all. */
  readonly words: readonly string[]
  /** Where those are meant from. */
  readonly cwd: string
  readonly tests: Omit<TestSettings, 'workFolder'>
  /** In percent. */
  readonly coverageMin?: number
  readonly vulnerabilities: 'required' | 'wanted' | 'off'
  /** By default GOVULNDB, else the public one. */
  readonly location?: string
  readonly waivers: readonly Waiver[]
  /** '2026-11-22', UTC */
  readonly today: string
}

/** Missing evidence is never a pass and never a failure: `not-enough`. `off` was not asked for. */
export type Evidence = 'pass' | 'fail' | 'not-enough' | 'off'

export interface CheckReport {
  readonly evidence: { tests: Evidence; vet: Evidence; races: Evidence; coverage: Evidence; vulnerabilities: Evidence }
  /** What was asked for by name and could not be had, in words: then the whole is incomplete. */
  readonly missing: readonly string[]
  readonly packages: readonly TestedPackage[]
  /** By import path; in percent, undefined where there is nothing to cover. */
  readonly coverage: { readonly total?: number; readonly packages: Readonly<Record<string, number>> }
  readonly findings: readonly CheckFinding[]
  readonly scan?: ScanReport
  readonly notes: readonly string[]
}

/**
 * Tests, vet, coverage, races, vulnerabilities of every module; all of it is done, whatever fails first.
 * @throws FairwayError when it could not begin: USAGE, BUILD_FAILED, GO_MISSING; the signal's reason when aborted
 */
export async function checkSource(order: CheckOrder, context: CheckContext): Promise<CheckReport> {
  const { source, words, cwd } = order
  const targets = await findTargets(source, words, { cwd, toolchain: context.toolchain, signal: context.signal })
  const findings: CheckFinding[] = []
  const say = (all: readonly CheckFinding[]) => {
    for (const finding of all) context.report({ kind: 'check-finding', finding })
    findings.push(...all)
  }
  const noRace = order.tests.race ? await whyNoRaceDetector(context) : undefined
  const workFolder = await openWorkFolder(order)
  const settings = { ...order.tests, workFolder, race: order.tests.race && noRace === undefined }
  const reports: TestReport[] = []
  let isVetPartial = false
  for (const target of targets) {
    const { toolchain, report } = context
    report({
      kind: 'check-begun',
      module: target.module,
      packages: target.folders.size,
      goVersion: `go${toolchain.version}`,
    })
    const tested = await runTests(target, settings, context)
    reports.push(tested)
    for (const one of tested.packages) say(await testFindings(one, context.folder))
    const vetted = await runVet(target, context)
    const fresh = withoutRepetition(vetted, findings)
    if (fresh.length < vetted.length) isVetPartial = true
    say(fresh)
  }
  const packages = reports.flatMap((report) => report.packages)
  const coverage = new Map(reports.flatMap((report) => [...report.coverage]))
  const covered = judgeCoverage(coverage, order.coverageMin)
  say(covered.findings)
  const { scan, missing: noDatabase } = await scanWhereAsked(order, targets, context)
  say(scan === undefined ? [] : judgeVulnerabilities(scan.vulnerabilities, order.waivers, order.today))
  const undecided = undecidedOf(scan, findings)
  const blocked = (check: CheckFinding['check']) =>
    findings.some((one) => one.check === check && one.severity === 'block')
  const ran = packages.some(({ result }) => result.tests.length > 0) // of an earlier run they are said again
  const missing = [
    ...(noRace === undefined ? [] : [`data races: ${noRace}`]),
    ...(order.coverageMin !== undefined && covered.evidence === 'not-enough' ? ['coverage: no statement was built for a test'] : []), // prettier-ignore
    ...(noDatabase !== undefined && order.vulnerabilities === 'required' ? [`vulnerabilities: ${noDatabase}`] : []),
    ...(undecided.length > 0 && order.vulnerabilities === 'required' ? [`vulnerabilities: whether ${undecided.join(', ')} can be reached: no service could be built to look`] : []), // prettier-ignore
  ]
  const raced = packages.some(({ result }) => result.sign?.kind === 'race')
  return {
    evidence: {
      tests: blocked('test') ? 'fail' : ran ? 'pass' : 'not-enough',
      vet: blocked('vet') ? 'fail' : isVetPartial ? 'not-enough' : 'pass',
      races: !order.tests.race ? 'off' : noRace !== undefined || !ran ? 'not-enough' : raced ? 'fail' : 'pass',
      coverage: covered.evidence,
      vulnerabilities: order.vulnerabilities === 'off' ? 'off' : scan === undefined ? 'not-enough' : blocked('vulnerability') ? 'fail' : undecided.length > 0 ? 'not-enough' : 'pass', // prettier-ignore
    },
    missing,
    packages,
    coverage: covered.coverage,
    findings,
    ...(scan === undefined ? {} : { scan }),
    notes: [
      ...reports.flatMap((report) => report.notes),
      ...(noRace === undefined ? [] : [`data races were not looked for: ${noRace}`]),
      ...(noDatabase === undefined ? [] : [`vulnerabilities were not looked for: ${noDatabase}`]),
      ...(scan?.notes ?? []),
    ],
  }
}

/** With what a kill left there swept away. */
async function openWorkFolder({ cacheFolder, today }: CheckOrder): Promise<string> {
  const folder = join(cacheFolder, 'check')
  await makeFolder(folder, 0o700)
  await sweepFolder(folder, /^run-/, { before: Date.parse(today) - leftoverAgeMs })
  return folder
}

/** Those of which nothing here can say whether they are reached, and that no waiver names. */
function undecidedOf(scan: ScanReport | undefined, findings: readonly CheckFinding[]): string[] {
  const open = (scan?.vulnerabilities ?? []).filter(({ isUndecided }) => isUndecided === true)
  const waived = new Set(findings.flatMap(({ what, message }) => (message.includes('; waived until ') ? [what] : [])))
  return [...new Set(open.map(({ id }) => id))].filter((id) => !waived.has(id))
}

/** What does not compile was said by the tests, in the same words. */
function withoutRepetition(fresh: readonly CheckFinding[], said: readonly CheckFinding[]): CheckFinding[] {
  const places = new Set(said.flatMap(({ place }) => place ?? []))
  return fresh.filter(({ what, place }) => what !== 'vet' || place === undefined || !places.has(place))
}

function judgeCoverage(
  packages: ReadonlyMap<string, Coverage>,
  min: number | undefined,
): { evidence: Evidence; coverage: CheckReport['coverage']; findings: CheckFinding[] } {
  const total = coveragePercent(sumCoverage(packages.values()))
  const shown = Object.fromEntries(
    [...packages].flatMap(([name, one]): [string, number][] => {
      const percent = coveragePercent(one)
      return percent === undefined ? [] : [[name, percent]]
    }),
  )
  const coverage = { ...(total === undefined ? {} : { total }), packages: shown }
  if (min === undefined) return { evidence: 'off', coverage, findings: [] }
  if (total === undefined) return { evidence: 'not-enough', coverage, findings: [] }
  if (total >= min) return { evidence: 'pass', coverage, findings: [] }
  const message = `${total} % of all statements are covered, ${min} % are asked for`
  return { evidence: 'fail', coverage, findings: [{ check: 'coverage', severity: 'block', what: 'total', message }] }
}

async function scanWhereAsked(
  order: CheckOrder,
  targets: readonly TestTarget[],
  context: CheckContext,
): Promise<{ scan?: ScanReport; missing?: string }> {
  if (order.vulnerabilities === 'off') return {}
  const { GOVULNDB = '' } = context.environment
  const location = order.location ?? (GOVULNDB === '' ? publicDatabase : GOVULNDB)
  try {
    return { scan: await scanVulnerabilities({ ...order, targets, location }, context) }
  } catch (error) {
    if (error instanceof DatabaseMissing) return { missing: error.message }
    throw error
  }
}

/** The detector is C, and knows a few platforms. @see https://go.dev/doc/articles/race_detector#Requirements */
async function whyNoRaceDetector({ toolchain, environment, signal }: CheckContext): Promise<string | undefined> {
  const { goos, goarch } = toolchain
  const known = ['linux/amd64', 'linux/arm64', 'linux/ppc64le', 'linux/s390x', 'linux/riscv64', 'linux/loong64', 'darwin/amd64', 'darwin/arm64'] // prettier-ignore
  if (!known.includes(`${goos}/${goarch}`)) return `the race detector does not know ${goos}/${goarch}`
  const { stdout } = await toolchain.run(['env', 'CC'], { cwd: '/', signal, deadlineMs: 30_000 })
  const compiler = stdout.trim().split(/\s+/)[0] ?? ''
  const { PATH = '' } = environment
  const places = compiler.startsWith('/') ? [compiler] : PATH.split(delimiter).map((folder) => join(folder, compiler))
  for (const place of places) {
    try {
      await access(place, constants.X_OK)
      return undefined
    } catch {
      // the next one
    }
  }
  return `the race detector needs a C compiler, and ${compiler === '' ? 'none' : `no \`${compiler}\``} is on the PATH: sudo apt-get install gcc libc6-dev`
}
