import { FairwayError } from '../base/error.ts'
import { compareGoVersions, explainGoFailure } from '../go/index.ts'
import type { ModuleContext } from './listed-module.ts'

/**
 * What `go mod tidy` would do to go.mod and go.sum, as a diff; nothing is written.
 * @returns '' where it is tidy
 * @throws FairwayError GO_MISSING before Go 1.23; BUILD_FAILED for a file that cannot be read, COMMAND_FAILED for all else, with go's own words
 */
export async function tidyDiff(
  folder: string,
  { toolchain, signal, projectFolder = folder }: ModuleContext,
): Promise<string> {
  if (compareGoVersions(toolchain.version, '1.23') < 0) {
    throw new FairwayError('GO_MISSING', `go mod tidy -diff came with Go 1.23, this is ${toolchain.version}`, {
      hint: 'A newer Go reads modules with older `go` lines as they are: fairway toolchain use latest',
    })
  }
  const result = await toolchain.run(['mod', 'tidy', '-diff'], { cwd: folder, signal, deadlineMs: 600_000 })
  if (result.exitCode === 0 || result.stdout.startsWith('diff ')) return result.stdout
  const failed = '`go mod tidy` cannot say what it would change'
  throw explainGoFailure(result.stderr, { failed, cwd: folder, projectFolder })
}
