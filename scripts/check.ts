import { type ChildProcess, spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'

/**
 * Everything CI runs, in the order of what it costs; goes on after a failure, so that one run shows all of them. Ends
 * with what failed, once more (a log of CI is often cut to its end), and one line: `N passed, N failed, N skipped`.
 */
const root = new URL('..', import.meta.url).pathname
const bin = (name: string) => join(root, 'node_modules/.bin', name)

const checks: readonly (readonly [name: string, ...argv: [string, ...string[]]])[] = [
  ['format', bin('oxfmt'), '--check'],
  ['lint', bin('oxlint'), '--type-aware', '--deny-warnings'],
  ['types', bin('tsc'), '--noEmit'],
  ['unused', bin('knip')],
]
const kinds = process.argv.slice(2)

let running: ChildProcess | undefined
const total = { passed: 0, failed: 0, skipped: 0 }
const failures: string[] = []
for (const [name, program, ...args] of checks) {
  const isGood = (await run(program, args)) === 0
  total[isGood ? 'passed' : 'failed'] += 1
  if (!isGood) failures.push(name)
  process.stdout.write(`${isGood ? 'ok' : 'FAILED'}: ${name}\n`)
}

const folder = await mkdtemp(join(tmpdir(), 'fairway-reports-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    running?.kill(signal)
    process.exit(1)
  })
for (const kind of kinds.length > 0 ? kinds : ['unit', 'contract', 'integration', 'e2e']) {
  const report = join(folder, `${kind}.json`)
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  // A whole product with its load needs both cores: two at once would measure each other.
  const workers = kind === 'e2e' ? ['--maxWorkers=1'] : []
  const exit = await run(bin('vitest'), ['run', '--project', kind, ...workers, ...reporters])
  const counted = await readReport(report)
  total.passed += counted.passed
  total.skipped += counted.skipped
  // What failed outside of any test counts too: the exit status knows it.
  total.failed += Math.max(counted.failed, exit === 0 ? 0 : 1)
  failures.push(...counted.failures.map((failure) => `${kind}: ${failure}`))
  if (exit !== 0 && counted.failures.length === 0) failures.push(`${kind}: exited with ${exit}, with no failed test`)
}
for (const failure of failures) process.stdout.write(`FAILED: ${failure}\n`)
process.stdout.write(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`)
process.exitCode = total.failed === 0 ? 0 : 1

async function run(program: string, args: readonly string[]): Promise<number | null> {
  const { promise, resolve } = Promise.withResolvers<number | null>()
  const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  running = child
  child.on('error', () => resolve(null))
  child.on('close', resolve)
  return promise
}

interface Report {
  numPassedTests: number
  numFailedTests: number
  numPendingTests: number
  numTodoTests: number
  testResults: {
    name: string
    status: string
    message: string
    assertionResults: { fullName: string; status: string; failureMessages: string[] }[]
  }[]
}

async function readReport(
  path: string,
): Promise<{ passed: number; failed: number; skipped: number; failures: readonly string[] }> {
  try {
    const report = JSON.parse(await readFile(path, 'utf8')) as Report
    return {
      passed: report.numPassedTests,
      failed: report.numFailedTests,
      skipped: report.numPendingTests + report.numTodoTests,
      failures: report.testResults.flatMap(({ name, status, message, assertionResults }) => {
        const failed = assertionResults.filter((result) => result.status === 'failed')
        const told = failed.map((result) => `${result.fullName}\n${result.failureMessages.join('\n')}`)
        // A file that could not be loaded, or whose `beforeAll` threw, has a message and no failed test.
        if (status === 'failed' && told.length === 0) told.push(message)
        return told.map((text) => `${relative(root, name)}: ${text.slice(0, 2000)}`)
      }),
    }
  } catch {
    return { passed: 0, failed: 1, skipped: 0, failures: ['no report of the tests'] }
  }
}
