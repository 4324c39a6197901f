import { join } from 'node:path'
import { FairwayError } from '../base/error.ts'
import { describeIssues, dotted } from './describe-issue.ts'
import { readInputFile } from './input-file.ts'
import { type ProjectFile, projectFileSchema, projectJsonSchema } from './schema.ts'
import { type Finding, type Path, YamlSource } from './yaml-source.ts'

const projectFileName = 'fairway.yaml'
const maxFindings = 20

/** fairway.yaml as written, checked; `locate` gives the place of any part of it for findings that come later. */
export interface ParsedProjectFile {
  readonly file: ProjectFile
  readonly source: YamlSource
}

/** @throws FairwayError CONFIG_INVALID with up to 20 findings, each with its place */
export function parseProjectFile(text: string, name: string = projectFileName): ParsedProjectFile {
  const source = new YamlSource(text)
  if (source.findings.length > 0) throw configInvalid(source.findings, name)
  const parsed = projectFileSchema.safeParse(source.value)
  if (parsed.success) {
    const changed = findChangedNumbers(parsed.data, source)
    if (changed.length > 0) throw configInvalid(changed, name)
    return { file: parsed.data, source }
  }
  throw configInvalid(describeIssues(parsed.error.issues, source, projectJsonSchema()), name)
}

/** Defaults that YAML reads as numbers and that a program would be given changed: `1.10` would reach it as 1.1. */
function findChangedNumbers(file: ProjectFile, source: YamlSource): Finding[] {
  const places: [Path, ProjectFile['services']][] = [[['services'], file.services]]
  for (const [environment, { services }] of Object.entries(file.environments ?? {})) {
    places.push([['environments', environment, 'services'], services])
  }
  return places.flatMap(([base, services]) =>
    Object.entries(services ?? {}).flatMap(([service, { config = {} }]) =>
      Object.entries(config).flatMap(([key, declaration]): Finding[] => {
        const path = [...base, service, 'config', key, 'default']
        const written = source.written(path)
        if (typeof declaration.default !== 'number' || String(declaration.default) === written) return []
        const message = `${dotted(path)}: the number would become ${declaration.default}; write it in quotes`
        return [{ ...source.locate(path), message }]
      }),
    ),
  )
}

/** An empty one where there is none. @throws FairwayError CONFIG_INVALID */
export async function readProjectFile(folder: string): Promise<ParsedProjectFile> {
  const read = (name: string) => readInputFile(join(folder, name), { code: 'CONFIG_INVALID', name })
  const content = await read(projectFileName)
  if (content !== undefined) return parseProjectFile(content.text)
  if ((await read('fairway.yml')) !== undefined) {
    throw new FairwayError('CONFIG_INVALID', 'fairway.yml: the file is called fairway.yaml', {
      hint: 'Rename it: mv fairway.yml fairway.yaml',
    })
  }
  return parseProjectFile('')
}

export function configInvalid(findings: readonly Finding[], name: string = projectFileName): FairwayError {
  const sorted = [...findings].sort((a, b) => a.line - b.line || a.column - b.column)
  const details = [...new Set(sorted.map(({ line, column, message }) => `${name}:${line}:${column}: ${message}`))]
  const left = details.length - maxFindings
  return new FairwayError('CONFIG_INVALID', details[0] ?? `${name} is not valid`, {
    hint: '`fairway schema` prints the JSON Schema, from which editors complete and check the file.',
    details: left > 0 ? [...details.slice(0, maxFindings), `and ${left} more`] : details,
  })
}
