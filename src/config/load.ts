import { join } from 'node:path'
import type { z } from 'zod'
import type { InspectedProject, LoadOptions, Project } from './project.ts'
import type { ServiceSpecification } from './specification.ts'
import type { Declaration } from './value-type.ts'
import type { Line, WrittenDown } from './write-down.ts'

// The doors to what needs zod and yaml: loaded when a project is read, so that a plain command pays for neither.

/** @see readProject for its errors */
export async function loadProject(options: LoadOptions): Promise<Project> {
  const { readProject } = await import('./project.ts')
  return readProject(options)
}

/**
 * What the services of an environment declare of a key, by service; empty where none does.
 * @throws FairwayError ENVIRONMENT_UNKNOWN, CONFIG_INVALID; a folder without fairway.yaml knows dev alone
 */
export async function findDeclarations(
  folder: string,
  environment: string,
  key: string | undefined,
): Promise<ReadonlyMap<string, Declaration>> {
  const { declarationsOf } = await import('./project.ts')
  return declarationsOf(folder, environment, key)
}

/** Whether changes of an environment are to be asked for: the file alone is read, not its values. @throws FairwayError CONFIG_INVALID */
export async function protects(folder: string, environment: string): Promise<boolean> {
  const { readProjectFile } = await import('./project-file.ts')
  return (await readProjectFile(folder)).file.environments?.[environment]?.protected ?? false
}

/** For `config check`: missing and ill-typed values come out as findings. */
export async function checkProject(options: LoadOptions): Promise<InspectedProject> {
  const { inspectProject } = await import('./project.ts')
  return inspectProject(options)
}

/** The JSON Schema of fairway.yaml: what `fairway schema` prints. */
export async function jsonSchema(): Promise<Record<string, unknown>> {
  const { projectJsonSchema } = await import('./schema.ts')
  return projectJsonSchema()
}

/** For the API: what travels from the source to the control plane. */
export async function specificationSchema(): Promise<z.ZodType<ServiceSpecification>> {
  const { serviceSpecificationSchema } = await import('./specification-schema.ts')
  return serviceSpecificationSchema
}

/** Adds lines to a folder's fairway.yaml; see write-down.ts for its errors. @returns the text before and after */
export async function addToProjectFile(
  folder: string,
  lines: readonly Line[],
): Promise<WrittenDown & { readonly before: string }> {
  const { writeDown } = await import('./write-down.ts')
  const { readInputFile } = await import('./input-file.ts')
  const name = 'fairway.yaml'
  const before = (await readInputFile(join(folder, name), { code: 'CONFIG_INVALID', name }))?.text ?? ''
  return { ...writeDown(before, lines), before }
}

/** '+ services:', '+   web: …' */
export async function showDifference(before: string, after: string): Promise<string[]> {
  const { lineDiff } = await import('./write-down.ts')
  return lineDiff(before, after)
}
