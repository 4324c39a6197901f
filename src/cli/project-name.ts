import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { FairwayError } from '../base/error.ts'
import { findProjectName } from '../config/project-name.ts'
import { namePattern, validName } from '../config/scope.ts'
import type { ServiceStatus } from '../server/api.ts'
import { isAbsent } from './client.ts'
import { connect } from './connect.ts'
import type { CommandContext } from './context.ts'

/**
 * Which project a command is about: the folder's, also where there are but modules below it; outside of one, where a module
 * from elsewhere may have been released, the one that `--project` calls by its name, or the only one with these services.
 * @throws FairwayError USAGE where it is none of them
 */
export async function projectName(context: CommandContext, services: readonly string[] = []): Promise<string> {
  const name = await findProjectName(context.folder)
  if (name !== undefined) return name
  const { project: said, env } = context.options
  const isName = said !== undefined && namePattern.test(said) && !existsSync(context.folder)
  const released = await releasedIn(context)
  // One of modules side by side is called by its folder.
  const here = isName ? undefined : released.find(({ project }) => project === validName(basename(context.folder)))
  if (here !== undefined) return here.project
  const fitting = isName
    ? released.filter(({ project }) => project === said)
    : released.filter(({ service }) => said === undefined && services.includes(service))
  const projects = [...new Set(fitting.map(({ project }) => project))]
  const [only] = projects
  if (only !== undefined && projects.length === 1) return only
  if (projects.length > 1) {
    throw new FairwayError('USAGE', `${services.join(' and ')}: of which project?`, {
      hint: `It stands in ${projects.join(' and ')}: --project ${only ?? 'NAME'}`,
    })
  }
  const known = released.slice(0, 5).map(({ project, service }) => `${service} (--project ${project})`)
  throw new FairwayError('USAGE', `${context.folder} is not a project’s folder`, {
    hint:
      known.length === 0
        ? 'Go to the folder with fairway.yaml or go.mod, or name it: --project DIR.'
        : `Go to the folder with fairway.yaml or go.mod, or name what is meant: in ${env} there is ${known.join(', ')}.`,
  })
}

/** What was ever released in this environment; nothing where no control plane can tell. */
async function releasedIn(context: CommandContext): Promise<{ project: string; service: string }[]> {
  try {
    const client = await connect(context, 'if-used')
    const { data } = await client.json<{ data: { services: ServiceStatus[] } }>('POST', '/v1/operations/status', {
      body: { environment: context.options.env },
    })
    return data.services.map(({ scope, service }) => ({ project: scope.split('/')[0] ?? '', service }))
  } catch (error) {
    if (isAbsent(error)) return []
    throw error
  }
}
