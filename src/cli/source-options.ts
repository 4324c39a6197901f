import { resolve } from 'node:path'
import type { Report } from '../base/event.ts'
import { parseModuleSource } from '../pipeline/index.ts'
import type { CommandContext } from './context.ts'

/**
 * Where a command that only builds reads its source: the folder or module that was named, else the project's.
 * @throws FairwayError USAGE for what is neither
 */
export function sourceOptions(
  named: string | undefined,
  { folder, cwd, home, options, environment }: CommandContext,
  report: Report,
) {
  const isModule = named !== undefined && parseModuleSource(named) !== undefined
  return {
    source: named === undefined ? folder : isModule ? named : resolve(cwd, named),
    configuredIn: folder,
    home,
    environment: options.env,
    processEnvironment: environment,
    report,
    areValuesNeeded: false,
  }
}
