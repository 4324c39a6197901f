import { relative } from 'node:path'
import type { CheckFinding } from '../base/event.ts'
import { formatFinding, parseBuildText } from '../go/index.ts'
import type { CheckContext } from './run-tests.ts'
import type { TestTarget } from './targets.ts'
import { parseVetOutput } from './vet-output.ts'

/** All analyzers of `go vet`. What does not compile is the tests' to say, unless no test is built of it. */
export async function runVet(target: TestTarget, { toolchain, folder, signal }: CheckContext): Promise<CheckFinding[]> {
  const result = await toolchain.run(['vet', '-json', ...target.patterns], { cwd: target.workingFolder, signal })
  const { findings, rest } = parseVetOutput(result.stdout, result.stderr)
  const said = findings.map(({ analyzer, file, line, message }): CheckFinding => ({
    check: 'vet',
    severity: 'block',
    what: analyzer,
    place: `${relative(folder, file)}:${line}`,
    message,
  }))
  if (result.exitCode === 0) return said
  const broken = parseBuildText(rest.replaceAll(/^vet: /gm, ''), { cwd: target.workingFolder, folder })
  const [first] = broken
  if (first === undefined && said.length > 0) return said
  return [
    ...said,
    {
      check: 'vet',
      severity: 'block',
      what: 'vet',
      ...(first?.file === undefined ? {} : { place: `${first.file}:${first.line}` }),
      message: `could not look at everything: ${first?.message ?? `go vet ended with ${result.exitCode ?? result.signal}`}`,
      lines: broken.slice(0, 20).map(formatFinding),
    },
  ]
}
