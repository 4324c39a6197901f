import { relative } from 'node:path'
import type { Abortable } from '../base/bounds.ts'
import { counted } from '../base/counted.ts'
import type { Listen, ProbeTarget } from '../config/index.ts'
import { type BuildFact, buildFlags, explainBuild, type ProcessEnvironment, settingText } from '../go/index.ts'
import type { LocatedService, OpenedSource } from './deliver.ts'

/** A service as it would be built. */
export interface ExplainedService {
  readonly service: string
  readonly package: string
  readonly why: string
  /** The best first; empty where fairway.yaml names the package. */
  readonly candidates: readonly { readonly package: string; readonly reasons: readonly string[] }[]
  readonly goVersion: string
  readonly whyGo: string
  /** Of `go build`. */
  readonly flags: readonly string[]
  /** `line` is the setting as fairway.yaml has it. */
  readonly facts: readonly (BuildFact & { readonly line?: string })[]
  readonly files: readonly string[]
  readonly listen: Listen
  readonly probe: ProbeTarget
}

export interface ExplainedSource {
  readonly modules: { readonly says: string; readonly why: string; readonly folders: readonly string[] }
  readonly services: readonly ExplainedService[]
}

/** Every choice of a build with its reason; nothing is built, and nothing but the source is read. */
export async function explainServices(
  { project, source, toolchain }: OpenedSource,
  services: readonly LocatedService[],
  { processEnvironment, signal }: Abortable & { processEnvironment: ProcessEnvironment },
): Promise<ExplainedSource> {
  const explained: ExplainedService[] = []
  for (const { specification, build, go, files, main } of services) {
    const { service, run } = specification
    const choice = build === undefined ? await source.choice() : undefined
    const facts = await explainBuild(
      { folder: project.folder, mainFolder: main.mainFolder, moduleFolder: main.moduleFolder, settings: go, files },
      { toolchain, environment: processEnvironment, signal },
    )
    const cgo = facts.find(({ topic }) => topic === 'cgo')?.says.startsWith('cgo is on') === true
    explained.push({
      service,
      package: main.package,
      why: main.why,
      candidates: choice?.candidates.map(({ candidate, reasons }) => ({ package: candidate.package, reasons })) ?? [],
      goVersion: `go${toolchain.version}`,
      whyGo: toolchain.why.replaceAll(`${project.folder}/`, ''),
      flags: buildFlags(go, cgo ? (go.cgo === 'static' ? 'static' : 'on') : 'off'),
      facts: facts.map((fact) => (fact.setting === undefined ? fact : { ...fact, line: settingText(fact.setting) })),
      files,
      listen: run.listen,
      probe: run.probe.target,
    })
  }
  return { modules: explainModules({ project, source }), services: explained }
}

/** With what trying it out found, which is nearer to the truth than what its source lets one guess. */
export function withStart(
  explained: ExplainedService,
  { files, listen, probe }: Pick<ExplainedService, 'files' | 'listen' | 'probe'>,
): ExplainedService {
  const facts = explained.facts.map((fact): ExplainedService['facts'][number] => {
    if (fact.topic !== 'files' || fact.setting === undefined || files.length === 0) return fact
    const setting = { key: ['files'], value: files }
    const why = `${fact.why}; it was tried out with them`
    return {
      ...fact,
      says: `beside the binary: ${files.join(', ')}`,
      why,
      setting,
      line: settingText(setting),
      isChosen: true,
    }
  })
  return { ...explained, facts, files, listen, probe }
}

function explainModules({ project, source }: Pick<OpenedSource, 'project' | 'source'>): ExplainedSource['modules'] {
  const { kind, modules } = source.source
  const folders = modules.map(({ folder }) => relative(project.folder, folder) || '.')
  const [first] = modules
  switch (kind) {
    case 'workspace':
      return {
        says: `workspace of ${counted(modules.length, 'module')}`,
        why: `go.work uses ${folders.join(', ')}`,
        folders,
      }
    case 'module':
      return { says: `module ${first?.path ?? ''}`, why: `its go.mod is in ${folders[0] ?? '.'}`, folders }
    case 'nested':
      return {
        says: counted(modules.length, 'module'),
        why: `there is no go.mod above; found below: ${folders.join(', ')}`,
        folders,
      }
  }
}

/** What fairway.yaml would say for every choice to stay as it is: the lines that `init --detect` writes. */
export function linesOf({ services }: ExplainedSource): { path: string[]; value: unknown }[] {
  return services.flatMap(({ service, package: path, facts }) => [
    { path: ['services', service, 'build'], value: path },
    ...facts.flatMap(({ topic, setting, isChosen }) =>
      // Files are no choice of a build, but what the program reads is known here and nowhere else.
      setting !== undefined && (isChosen || topic === 'files')
        ? [{ path: ['services', service, ...setting.key], value: setting.value }]
        : [],
    ),
  ])
}
