import type { Abortable } from '../base/bounds.ts'
import { FairwayError } from '../base/error.ts'
import type { Report } from '../base/event.ts'
import type { Artifact } from '../artifact/index.ts'
import { dataWorkdir, isStartSaid, type Project, type ProjectService } from '../config/index.ts'
import type { ProcessEnvironment } from '../go/index.ts'
import { type BuiltService, deliveryOf, type OpenedSource } from './deliver.ts'
import type { FoundStart } from './find-start.ts'

export interface FindStartsOptions extends Abortable {
  readonly cacheFolder: string
  readonly processEnvironment: ProcessEnvironment
  readonly report: Report
  readonly now: () => number
}

/** What is unsaid of how these are started, as far as it can be found out. */
export async function lookAtStarts(
  { project, source }: OpenedSource,
  built: readonly BuiltService[],
  options: FindStartsOptions,
): Promise<FoundStart[]> {
  const starts: FoundStart[] = []
  for (const { located, artifact, sources } of built) {
    if (isStartSaid(located)) starts.push({ service: located, artifact, sources })
    else {
      const { findStart } = await tryingOut()
      starts.push(await findStart(located, { artifact, sources }, { ...options, project, source }))
    }
  }
  return starts
}

/** What a trial came to, in words and as lines of fairway.yaml. */
export async function explainStart(start: FoundStart, project: Project) {
  return (await tryingOut()).explainStart(start, project)
}

/** As they can be written down in fairway.yaml, each with its place there. */
export async function linesOfStart(start: FoundStart): Promise<{ path: string[]; value: unknown }[]> {
  return start.findings === undefined ? [] : (await tryingOut()).linesOfStart(start)
}

/** Loaded where something is to be tried: it brings a third of all that a build takes. */
const tryingOut = () => import('./find-start.ts')

/**
 * The services with all that is known of how they start: one that cannot serve as it is stops them all.
 * @throws FairwayError START_UNKNOWN, CONFIG_INVALID
 */
export async function findStarts(
  opened: OpenedSource,
  built: readonly BuiltService[],
  options: FindStartsOptions,
): Promise<BuiltService[]> {
  const { project } = opened
  const starts = await lookAtStarts(opened, built, options)
  if (starts.some(({ findings }) => findings !== undefined)) {
    const { describeDoubt, explainMissing } = await tryingOut()
    const missing = await explainMissing(starts, project)
    if (missing !== undefined) throw missing
    for (const doubt of starts.flatMap((start) => describeDoubt(start) ?? []))
      options.report({ kind: 'warning', message: doubt })
  }
  for (const { service, artifact } of starts) checkWorkdir(service.specification, artifact)
  return built.map((one, at) => {
    const { service, artifact, sources } = starts[at] ?? { ...one, service: one.located }
    const { specification } = service
    return {
      ...one,
      artifact,
      sources,
      delivery: deliveryOf({ specification, artifact, recipe: one.recipe }, project),
      [Symbol.asyncDispose]: () => one[Symbol.asyncDispose](),
    }
  })
}

/** @throws FairwayError CONFIG_INVALID for a folder that will not be there: an artifact has files, and the folders they lie in */
function checkWorkdir({ service, run: { workdir = '.' } }: ProjectService['specification'], { files }: Artifact): void {
  if (workdir === '.' || workdir === dataWorkdir || files.some(({ path }) => path.startsWith(`${workdir}/`))) return
  throw new FairwayError(
    'CONFIG_INVALID',
    `services.${service}.workdir: no file of the artifact lies in \`${workdir}\``,
    {
      hint: `Name what it reads there: \`files: [${workdir}/templates]\`.`,
    },
  )
}
