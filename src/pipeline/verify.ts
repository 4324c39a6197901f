import type { Artifact, Recipe } from '../artifact/index.ts'
import type { Abortable } from '../base/bounds.ts'
import { FairwayError } from '../base/error.ts'
import type { Report } from '../base/event.ts'
import { type ProcessEnvironment, type Verification, verifyBinary } from '../go/index.ts'
import type { LocatedService, OpenedSource } from './deliver.ts'
import { openSupply } from './supply.ts'

/** What a rebuild is to be compared with. */
export interface Verifiable {
  readonly service: LocatedService
  readonly artifact: Artifact
  readonly recipe: Recipe
  /** Where its bytes lie. */
  readonly binary?: string
}

export interface VerifyOptions extends Abortable {
  readonly processEnvironment: ProcessEnvironment
  readonly home: string
  readonly temporaryFolder: string
  readonly report: Report
  readonly now: () => number
}

/**
 * Builds a service again, elsewhere, with the Go it was built with.
 * @throws FairwayError BUILD_FAILED when it cannot be built again, GO_MISSING when that Go cannot be had
 */
export async function verifyService(
  { project, toolchain }: OpenedSource,
  { service: { specification, go, main }, artifact, recipe, binary }: Verifiable,
  { processEnvironment, home, ...options }: VerifyOptions,
): Promise<Verification> {
  const file = artifact.files.find(({ path }) => path === artifact.binary)
  if (file === undefined) throw new FairwayError('ARTIFACT_CORRUPT', `${artifact.binary} is not in the artifact`)
  const wanted = recipe.goVersion.replace(/^go/, '')
  const { report, signal } = options
  const supply = () => openSupply({ home, processEnvironment, report, signal })
  const used = toolchain.version === wanted ? toolchain : await supply().choose({ wanted: [], pin: wanted })
  return verifyBinary(
    {
      service: specification.service,
      folder: project.folder,
      mainFolder: main.mainFolder,
      moduleFolder: main.moduleFolder,
      settings: go,
      recipe,
      expected: file.digest,
      ...(binary === undefined ? {} : { binary }),
    },
    { toolchain: used, environment: processEnvironment, ...options },
  )
}

/** 'web: .rodata (constants …) differs: …' for each; the causes first. */
export function describeVerification({ service, differences, expected, actual }: Verification): string[] {
  if (differences.length === 0) return [`${service}: ${actual.slice(0, 12)}, was ${expected.slice(0, 12)}`]
  return differences.map(
    ({ section, holds, how, isConsequence }) =>
      `${service}: ${section} (${holds}) differs: ${how}${isConsequence ? '; it follows from the others' : ''}`,
  )
}
