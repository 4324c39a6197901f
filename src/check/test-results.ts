import { BoundedOutput } from './bounded-output.ts'
import { type FailureSign, findFailureSign } from './failure-sign.ts'
import type { TestEvent, TestLine } from './test-line.ts'

/** `unfinished`: its process ended before it did. */
export type TestOutcome = 'pass' | 'fail' | 'skip' | 'unfinished'

/** One run of one test. */
export interface TestResult {
  readonly package: string
  /** 'TestCart/empty' */
  readonly test: string
  readonly outcome: TestOutcome
  readonly tookMs: number
  /** What it printed, its frame ('=== RUN', '--- FAIL') left out; of one that passed, nothing. */
  readonly output: readonly string[]
  /** Lines that Go ≥ 1.27 marks as an error of the test's. */
  readonly errors: readonly string[]
}

/** `none-ran`: its test program ended well without a word of any test, though it has some: TestMain did not run them. */
export type PackageOutcome = 'pass' | 'fail' | 'no-tests' | 'none-ran' | 'build-failed'

export interface PackageResult {
  /** Its import path. */
  readonly package: string
  readonly outcome: PackageOutcome
  readonly tookMs: number
  /** Of an earlier run: nothing it depends on has changed. */
  readonly isCached: boolean
  readonly tests: readonly TestResult[]
  /** What belongs to no test: TestMain's, and what was printed after the last. */
  readonly output: readonly string[]
  /** The compiler's words, where it did not build. */
  readonly build: string
  /** What ended the process, or a race, wherever it was printed. */
  readonly sign?: FailureSign
}

/** What a run of `go test -json` says, put together as it comes. */
export class TestRun {
  readonly #packages = new Map<string, OpenPackage>()
  readonly #builds = new Map<string, string>()
  readonly #plain: string[] = []
  readonly #moduleFolder: string

  /** @param moduleFolder frames of a stack that lie below it are the module's own */
  constructor(moduleFolder: string) {
    this.#moduleFolder = moduleFolder
  }

  /** What belongs to no package: errors of go itself. */
  get plain(): readonly string[] {
    return this.#plain
  }

  /** Every build that printed something. */
  get builds(): string {
    return [...this.#builds.values()].join('')
  }

  /** @returns the package that is finished with this line */
  take(line: TestLine): PackageResult | undefined {
    switch (line.kind) {
      case 'plain':
        if (line.raw.trim() !== '') this.#plain.push(line.raw)
        return undefined
      case 'build': {
        const { ImportPath, Output = '' } = line.event
        this.#builds.set(ImportPath, (this.#builds.get(ImportPath) ?? '') + Output)
        return undefined
      }
      case 'test':
        return this.#takeEvent(line.event)
    }
  }

  /** Packages whose end never came: go was ended. */
  end(): PackageResult[] {
    const open = [...this.#packages.values()].filter(({ isFinished }) => !isFinished)
    return open.map((one) => this.#finish(one, 'fail', {}))
  }

  #takeEvent(event: TestEvent): PackageResult | undefined {
    const { Package: name, Test: test, Action: action, Output: output } = event
    const open = this.#packages.get(name) ?? {
      name,
      tests: new Map<string, OpenTest>(),
      output: new BoundedOutput(),
      isFinished: false,
    }
    this.#packages.set(name, open)
    if (test === undefined) {
      if (output !== undefined) open.output.push(output)
      if (action !== 'pass' && action !== 'fail' && action !== 'skip') return undefined
      return this.#finish(open, action, event)
    }
    const one = open.tests.get(test) ?? { output: new BoundedOutput(), errors: new BoundedOutput(), tookMs: 0 }
    open.tests.set(test, one)
    if (output !== undefined) one.output.push(output)
    if (output !== undefined && event.OutputType === 'error') one.errors.push(output)
    if (action === 'pass' || action === 'fail' || action === 'skip') {
      one.outcome = action
      one.tookMs = (event.Elapsed ?? 0) * 1000
      // Nobody asks for it; and a panic that it tells of was none.
      if (action === 'pass') one.output.clear()
    }
    return undefined
  }

  #finish(open: OpenPackage, action: 'pass' | 'fail' | 'skip', event: Partial<TestEvent>): PackageResult {
    open.isFinished = true
    const output = open.output.lines()
    const tests = [...open.tests].map(([test, { outcome = action === 'fail' ? 'unfinished' : 'pass', ...one }]) => ({
      package: open.name,
      test,
      outcome,
      tookMs: one.tookMs,
      output: one.output.lines().filter((line) => !frame.test(line)),
      errors: one.errors.lines(),
    }))
    const build = event.FailedBuild === undefined ? '' : (this.#builds.get(event.FailedBuild) ?? '')
    const isUnbuilt = event.FailedBuild !== undefined || output.some((line) => /^FAIL\t.*\[(?:build|setup) failed\]$/.test(line)) // prettier-ignore
    const ended = output.find((line) => line.startsWith('ok  \t')) // of a package without test files there is none
    const isSilent = tests.length === 0 && ended !== undefined && !ended.includes('[no tests to run]')
    const passed = isSilent ? 'none-ran' : tests.length === 0 ? 'no-tests' : 'pass'
    const all = [...tests.flatMap((test) => test.output), ...output]
    const sign = action === 'fail' && !isUnbuilt ? findFailureSign(all, this.#moduleFolder) : undefined
    return {
      package: open.name,
      outcome: isUnbuilt ? 'build-failed' : action === 'fail' ? 'fail' : passed,
      tookMs: (event.Elapsed ?? 0) * 1000,
      isCached: output.some((line) => /^ok {2}\t\S+\t\(cached\)/.test(line)),
      tests,
      output: output.filter((line) => !summary.test(line)),
      build,
      ...(sign === undefined ? {} : { sign }),
    }
  }
}

interface OpenTest {
  readonly output: BoundedOutput
  readonly errors: BoundedOutput
  outcome?: TestOutcome
  tookMs: number
}

interface OpenPackage {
  readonly name: string
  readonly tests: Map<string, OpenTest>
  readonly output: BoundedOutput
  isFinished: boolean
}

/** What testing prints around a test. */
const frame = /^\s*(?:=== (?:RUN|PAUSE|CONT|NAME|ATTR)\s|--- (?:PASS|FAIL|SKIP|BENCH): )/
/** What go prints around a package. */
const summary = /^(?:PASS|FAIL|ok {2}\t.*|FAIL\t.*|\?\s+\t.*|coverage: .*|\t\S+\t\tcoverage: .*)$/

/** A test that has failed by a subtest of its own is not the cause. */
export function failedLeaves(tests: readonly TestResult[]): TestResult[] {
  const failed = tests.filter(({ outcome }) => outcome === 'fail' || outcome === 'unfinished')
  return failed.filter(({ test }) => !failed.some((other) => other.test.startsWith(`${test}/`)))
}

/** 'TestCart/empty' → 'TestCart' */
export function topLevel(test: string): string {
  return test.split('/')[0] ?? test
}
