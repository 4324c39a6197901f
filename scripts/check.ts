import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Everything CI runs, in the order of what it costs; goes on after a failure, so that one run shows all of them. Ends
 * with one line: `N passed, N failed, N skipped`.
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

const total = { passed: 0, failed: 0, skipped: 0 }
for (const [name, program, ...args] of checks) {
  const isGood = (await run(program, args)) === 0
  total[isGood ? 'passed' : 'failed'] += 1
  process.stdout.write(`${isGood ? 'ok' : 'FAILED'}: ${name}\n`)
}

const folder = await mkdtemp(join(tmpdir(), 'fairway-check-'))
try {
  for (const kind of kinds.length > 0 ? kinds : ['unit', 'contract', 'integration', 'e2e']) {
    const report = join(folder, `${kind}.json`)
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
    // A whole product with its load needs both cores: two at once would measure each other.
    const workers = kind === 'e2e' ? ['--maxWorkers=1'] : []
    const exit = await run(bin('vitest'), ['run', '--project', kind, ...workers, ...reporters])
    const counted = await countTests(report)
    total.passed += counted.passed
    total.skipped += counted.skipped
    // A suite that could not even be loaded counts too: the exit status knows it.
    total.failed += Math.max(counted.failed, exit === 0 ? 0 : 1)
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
process.stdout.write(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`)
process.exitCode = total.failed === 0 ? 0 : 1

async function run(program: string, args: readonly string[]): Promise<number | null> {
  const { promise, resolve } = Promise.withResolvers<number | null>()
  const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  child.on('error', () => resolve(null))
  child.on('close', resolve)
  return promise
}

async function countTests(report: string): Promise<{ passed: number; failed: number; skipped: number }> {
  try {
    const counted = JSON.parse(await readFile(report, 'utf8')) as Record<string, number>
    return {
      passed: counted['numPassedTests'] ?? 0,
      failed: counted['numFailedTests'] ?? 0,
      skipped: (counted['numPendingTests'] ?? 0) + (counted['numTodoTests'] ?? 0),
    }
  } catch {
    return { passed: 0, failed: 1, skipped: 0 }
  }
}
