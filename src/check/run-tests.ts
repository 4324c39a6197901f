import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Abortable } from '../base/bounds.ts'
import type { Report } from '../base/event.ts'
import { explainBuildFailure, parseBuildText, type ProcessEnvironment, type Toolchain } from '../go/index.ts'
import { type Coverage, parseCoverProfile } from './coverage.ts'
import { LineReader, parseTestLine } from './test-line.ts'
import { type PackageResult, type TestResult, TestRun, topLevel } from './test-results.ts'
import type { TestTarget } from './targets.ts'

export interface TestSettings {
  readonly race: boolean
  /** Of a failed test. */
  readonly retries: number
  /** For the tests of one package. */
  readonly timeoutMs: number
  /** An own folder is made in it for each run, and taken away again: what a kill leaves is found there. */
  readonly workFolder: string
}

export interface CheckContext extends Abortable {
  readonly toolchain: Toolchain
  /** The project's; places are said from here. */
  readonly folder: string
  /** The tests' own. */
  readonly environment: ProcessEnvironment
  readonly report: Report
}

/** One package with all its runs. */
export interface TestedPackage {
  readonly package: string
  /** Absolute. */
  readonly folder: string
  readonly moduleFolder: string
  readonly outcome: PackageResult['outcome'] | 'flaky'
  readonly result: PackageResult
  /** Failed at first and passed when tried again: 'TestCart'. */
  readonly flaky: readonly string[]
  /** What failed to the end; of the last run. */
  readonly failed: readonly TestResult[]
  /** Why what failed was not tried again. */
  readonly notRetried?: string
}

export interface TestReport {
  readonly packages: readonly TestedPackage[]
  /** By import path. */
  readonly coverage: ReadonlyMap<string, Coverage>
  /** What go said that belongs to no package. */
  readonly notes: readonly string[]
}

/**
 * Tests the packages of one module; what failed is tried again, alone, unless its process was ended by it.
 * @throws FairwayError BUILD_FAILED when go could not begin; the signal's reason when aborted
 */
export async function runTests(target: TestTarget, settings: TestSettings, context: CheckContext): Promise<TestReport> {
  const place = await mkdtemp(join(settings.workFolder, 'run-'))
  try {
    const profile = join(place, 'cover.out')
    const run = await goTest(['-coverprofile', profile, ...target.patterns], target, place, settings, context)
    if (run.packages.length === 0 && run.exitCode !== 0) {
      const { moduleFolder: cwd } = target
      const text = [run.builds, ...run.plain].join('\n')
      throw explainBuildFailure(parseBuildText(text, { cwd, folder: context.folder }), 'the tests')
    }
    const packages: TestedPackage[] = []
    for (const result of run.packages) packages.push(await retry(result, target, place, settings, context))
    const text = await readFile(profile, 'utf8').catch(() => '') // none where nothing was built
    return { packages, coverage: parseCoverProfile(text), notes: run.plain }
  } finally {
    await rm(place, { recursive: true, force: true })
  }
}

interface GoTestRun {
  readonly packages: readonly PackageResult[]
  readonly plain: readonly string[]
  readonly builds: string
  readonly exitCode: number | null
}

async function goTest(
  words: readonly string[],
  target: TestTarget,
  place: string,
  { race, timeoutMs }: TestSettings,
  { toolchain, environment, report, signal }: CheckContext,
): Promise<GoTestRun> {
  const run = new TestRun(target.moduleFolder)
  const reader = new LineReader()
  const packages: PackageResult[] = []
  const take = (raw: string) => {
    const line = parseTestLine(raw)
    if (line.kind === 'test' && line.event.Action === 'start') {
      report({ kind: 'package-begun', package: line.event.Package })
    }
    const finished = run.take(line)
    if (finished === undefined) return
    packages.push(finished)
    report(describePackage(finished))
  }
  // vet is asked by itself: with all its analyzers, and not as a build that failed.
  const flags = ['-json', '-vet=off', `-timeout=${timeoutMs}ms`, ...(race ? ['-race'] : [])]
  const { exitCode, stderr } = await toolchain.run(['test', ...flags, ...words], {
    cwd: target.workingFolder,
    inherited: environment,
    temporaryFolder: place, // go leaves its own behind when it is killed
    signal,
    onStdout: (chunk) => reader.push(chunk).forEach(take),
    ...(race ? { cgo: true } : {}),
  })
  reader.end().forEach(take)
  for (const cut of run.end()) {
    packages.push(cut)
    report(describePackage(cut))
  }
  const said = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('go: downloading '))
  return { packages, plain: [...run.plain, ...said], builds: run.builds, exitCode }
}

async function retry(
  first: PackageResult,
  target: TestTarget,
  place: string,
  settings: TestSettings,
  context: CheckContext,
): Promise<TestedPackage> {
  const folder = target.folders.get(first.package) ?? target.moduleFolder
  const base = { package: first.package, folder, moduleFolder: target.moduleFolder, result: first }
  const failed = first.tests.filter(isFailed)
  if (first.outcome !== 'fail') return { ...base, outcome: first.outcome, flaky: [], failed: [] }
  const notRetried = whyNotAgain(first, failed, settings)
  if (notRetried !== undefined) return { ...base, outcome: 'fail', flaky: [], failed, notRetried }
  let left: readonly TestResult[] = failed
  const flaky = new Set<string>()
  for (let attempt = 1; attempt <= settings.retries && left.length > 0; attempt += 1) {
    const names = [...new Set(left.map(({ test }) => topLevel(test)))]
    context.report({ kind: 'tests-retried', package: first.package, tests: names, attempt })
    const pattern = `^(?:${names.join('|')})$` // Go's names of tests hold nothing that a pattern minds
    const again = await goTest(['-count=1', '-run', pattern, first.package], target, place, settings, {
      ...context,
      report: () => {},
    })
    const [result] = again.packages
    // Without an end for each of them it is no better than before.
    const outcomes = new Map(result?.tests.map((one) => [one.test, one]))
    if (result === undefined || names.some((name) => outcomes.get(name) === undefined)) break
    left = result.tests.filter(isFailed)
    const stillFailing = new Set(left.map(({ test }) => topLevel(test)))
    for (const name of names) if (!stillFailing.has(name)) flaky.add(name)
  }
  if (left.length === 0) {
    const { passed, failed: before, ...counts } = describePackage(first)
    context.report({ ...counts, outcome: 'flaky', passed: passed + before, failed: 0 })
  }
  return { ...base, outcome: left.length === 0 ? 'flaky' : 'fail', flaky: [...flaky], failed: left }
}

function isFailed({ outcome }: TestResult): boolean {
  return outcome === 'fail' || outcome === 'unfinished'
}

/** A test that took its whole process along may have hidden others; and a race is no matter of luck. */
function whyNotAgain(
  { sign, output }: PackageResult,
  failed: readonly TestResult[],
  { retries }: TestSettings,
): string | undefined {
  if (sign?.kind === 'race') return 'its package has a data race, a bug whenever it is seen'
  if (sign !== undefined) return `the whole package ended with it (${sign.kind})`
  if (failed.some(({ outcome }) => outcome === 'unfinished')) return 'the process ended while it ran'
  const [last] = output.slice(-1)
  if (failed.length === 0) return `no test failed, the package did${last === undefined ? '' : `: ${last}`}`
  return retries === 0 ? 'retries are turned off' : undefined
}

/** Subtests count with the test they belong to. */
function describePackage(result: PackageResult) {
  const tests = result.tests.filter(({ test }) => test === topLevel(test))
  const count = (outcome: TestResult['outcome']) => tests.filter((test) => test.outcome === outcome).length
  return {
    kind: 'package-done' as const,
    package: result.package,
    outcome: result.outcome,
    tookMs: result.tookMs,
    passed: count('pass'),
    failed: count('fail') + count('unfinished'),
    skipped: count('skip'),
    isCached: result.isCached,
  }
}
