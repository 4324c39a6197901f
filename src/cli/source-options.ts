import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { FairwayError } from '../base/error.ts'
import type { Report } from '../base/event.ts'
import { isModulePath, parseModuleSource } from '../pipeline/index.ts'
import type { CommandContext } from './context.ts'

/**
 * What SOURCE names: a module at a version, as it stands, else a folder.
 * @throws FairwayError USAGE for what is neither, SOURCE_NOT_GO for a module without a version
 */
export function namedSource(named: string, cwd: string, command: 'up' | 'build'): string {
  if (parseModuleSource(named) !== undefined) return named
  const folder = resolve(cwd, named)
  if (existsSync(folder) || !isModulePath(named)) return folder
  throw new FairwayError(
    'SOURCE_NOT_GO',
    `${named} is no folder here, and as a module from elsewhere it lacks a version`,
    {
      hint: `fairway ${command} ${named}@latest`,
    },
  )
}

/**
 * Where a command that only builds reads its source: the folder or module that was named, else the project's.
 * @throws FairwayError USAGE for what is neither
 */
export function sourceOptions(
  named: string | undefined,
  { folder, cwd, home, options, environment }: CommandContext,
  report: Report,
) {
  return {
    source: named === undefined ? folder : namedSource(named, cwd, 'build'),
    configuredIn: folder,
    home,
    environment: options.env,
    processEnvironment: environment,
    report,
    areValuesNeeded: false,
  }
}
