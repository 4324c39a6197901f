import { join } from 'node:path'
import { writeFileAtomic } from '../base/atomic-file.ts'
import { errnoOf } from '../base/error.ts'
import { readText } from '../base/read-file.ts'
import type { GenerateStep, GoSettings } from '../config/index.ts'
import type { UnmetEmbed } from './embed.ts'
import { findFrontEnd, type FrontEnd } from './front-end.ts'
import { generate, type GenerateContext } from './generate.ts'

export interface PrepareOrder {
  readonly service: string
  readonly folder: string
  readonly settings: GoSettings
  /** Of this service: which front-ends were built for it is noted there. */
  readonly place: string
}

/**
 * What has to be there before go begins: the steps that fairway.yaml names; else the front-ends that were built here
 * before, once something in them changed. A front-end somebody else built is left as it is.
 * @throws FairwayError BUILD_FAILED
 */
export async function prepare(
  { service, folder, settings, place }: PrepareOrder,
  context: GenerateContext,
): Promise<void> {
  if (settings.generate !== undefined) {
    await generate({ service, folder, steps: settings.generate, why: 'fairway.yaml says so' }, context)
    return
  }
  for (const { steps, node, folder: where } of await readFrontEnds(place)) {
    await generate({ service, folder, steps, node, why: `something in ${where} changed` }, context)
  }
}

/**
 * Builds the front-ends whose files are to be embedded and are not there.
 * @param since ms since 1970: what another build made after that is not made again
 * @returns whether there is something new to embed now
 * @throws FairwayError BUILD_FAILED
 */
export async function prepareMissing(
  { service, folder, settings, place }: PrepareOrder,
  unmet: readonly UnmetEmbed[],
  { since, ...context }: GenerateContext & { since: number },
): Promise<boolean> {
  if (settings.generate !== undefined) return false
  const built: FrontEnd[] = []
  for (const frontEnd of await findFrontEnds(folder, unmet)) {
    if (frontEnd.lockFile === undefined) continue
    const why = `${frontEnd.missing}, and ${frontEnd.lockFile} says how it is made`
    await generate({ service, folder, steps: frontEnd.steps, node: frontEnd.node, why, since }, context)
    built.push(frontEnd)
  }
  if (built.length === 0) return false
  const known = (await readFrontEnds(place)).filter((one) => built.every((other) => other.folder !== one.folder))
  await writeFileAtomic(join(place, noteName), JSON.stringify([...known, ...built]))
  return true
}

/** Each once, with what is missing of it: 'web/dist holds only .gitkeep'. */
export async function findFrontEnds(
  folder: string,
  unmet: readonly UnmetEmbed[],
): Promise<(FrontEnd & { readonly missing: string })[]> {
  const found = new Map<string, FrontEnd & { missing: string }>()
  for (const one of unmet) {
    const frontEnd = await findFrontEnd(folder, one)
    if (frontEnd !== undefined && !found.has(frontEnd.folder)) {
      found.set(frontEnd.folder, { ...frontEnd, missing: describeUnmet(one, folder) })
    }
  }
  return [...found.values()]
}

/** 'web/dist/* matches no file', 'web/dist holds only .gitkeep' */
export function describeUnmet({ folder: place, pattern, placeholder }: UnmetEmbed, folder: string): string {
  const below = place === folder ? '' : `${place.slice(folder.length + 1)}/`
  if (placeholder === undefined) return `${below}${pattern} matches no file`
  return `behind ${below}${pattern} there is only ${below}${placeholder}`
}

/** What is to be done where its files are still not there. */
export function explainFrontEnd(
  { folder, steps, lockFile }: FrontEnd,
  { isForeign, settings }: { readonly isForeign: boolean; readonly settings: GoSettings },
): string {
  if (isForeign) return `${join(folder, 'package.json')} makes them, and ${notRunHint}`
  const line = `in fairway.yaml: ${stepsText(steps)}`
  if (settings.generate !== undefined)
    return `fairway.yaml says what is run (go: { generate }), and that makes none; ${line}`
  if (lockFile === undefined)
    return `${join(folder, 'package.json')} makes them, but has no lock file, so nothing is run by itself; ${line}`
  return `${folder} was built and wrote nothing there: where does its build write to?`
}

/** Whoever named a module trusts what it is built to, not what its author would run on this machine. */
export const notRunHint =
  'commands of a module from elsewhere are not run here: check out its repository (git clone), and in that folder: fairway up'

/** As fairway.yaml has them. */
function stepsText(steps: readonly GenerateStep[]): string {
  const words = steps.map(({ in: where, run }) =>
    where === '.' ? `[${run.join(', ')}]` : `{ in: ${where}, run: [${run.join(', ')}] }`,
  )
  return `go: { generate: [${words.join(', ')}] }`
}

const noteName = 'front-ends.json'

async function readFrontEnds(place: string): Promise<FrontEnd[]> {
  try {
    return JSON.parse(await readText(join(place, noteName))) as FrontEnd[] // ours alone, written whole
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  }
}
