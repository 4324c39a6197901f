import { FairwayError } from '../base/error.ts'
import { findProjectName } from '../config/project-name.ts'
import type { CommandContext } from './context.ts'

/** @throws FairwayError USAGE where the folder is no project's */
export async function projectName(context: CommandContext): Promise<string> {
  const name = await findProjectName(context.folder)
  if (name !== undefined) return name
  throw new FairwayError('USAGE', `${context.folder} is not a project’s folder`, {
    hint: 'Go to the folder with fairway.yaml or go.mod, or name it: --project DIR.',
  })
}
