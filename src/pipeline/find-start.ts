import type { Abortable } from '../base/bounds.ts'
import { FairwayError } from '../base/error.ts'
import type { Report } from '../base/event.ts'
import { type Artifact, makeArtifact } from '../artifact/index.ts'
import type { Project, ProjectService } from '../config/index.ts'
import { type Built, collectFiles, type ProcessEnvironment, type ProjectSource } from '../go/index.ts'
import { diagnose } from '../health/index.ts'
import {
  applyFindings,
  binaryName,
  describeMissing,
  describeTls,
  type Findings,
  renderFindings,
  type ServiceLines,
  serviceLines,
  summarize,
  trial,
} from '../trial/index.ts'

/** A built service that is to be started as fairway.yaml says, and as was found out where that is silent. */
export interface FoundStart {
  readonly service: ProjectService
  readonly artifact: Artifact
  /** Where the content of each file lies. */
  readonly sources: ReadonlyMap<string, string>
  /** undefined: everything was said, or there is no sandbox here. */
  readonly findings?: Findings
}

export interface FindStartContext extends Abortable {
  readonly project: Project
  readonly source: ProjectSource
  readonly cacheFolder: string
  readonly processEnvironment: ProcessEnvironment
  readonly report: Report
  readonly now: () => number
}

/**
 * Tries the program out where fairway.yaml leaves open how it starts; what it reads of the project goes into its artifact.
 * @throws the signal's reason when aborted
 */
export async function findStart(
  service: ProjectService & { readonly main: { readonly mainFolder: string; readonly moduleFolder: string } },
  { artifact, sources }: Pick<Built, 'artifact' | 'sources'>,
  context: FindStartContext,
): Promise<FoundStart> {
  const { project, source, cacheFolder, processEnvironment, report, now, signal } = context
  const { service: name } = service.specification
  const path = sources.get(artifact.binary)
  const binaryFile = artifact.files.find((file) => file.path === artifact.binary)
  if (path === undefined || binaryFile === undefined) throw new Error(`no content for ${artifact.binary}`)
  const begin = now()
  let isTold = false
  const outcome = await trial(
    {
      service,
      project: project.folder,
      mainFolder: service.main.mainFolder,
      moduleFolder: service.main.moduleFolder,
      modules: source.source.modules,
      binary: { path, digest: binaryFile.digest },
    },
    {
      cacheFolder,
      now: begin,
      path: processEnvironment['PATH'] ?? '',
      user: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
      onTry: () => {
        if (!isTold) report({ kind: 'trial-begun', service: name })
        isTold = true
      },
      ...(signal === undefined ? {} : { signal }),
    },
  )
  if (outcome.kind === 'refused') {
    const message = `${name} was not tried out, since no sandbox can be had here (${outcome.why}): it is started as fairway.yaml says`
    report({
      kind: 'warning',
      message,
      hint: 'What it needs can be said: listen, probe, args (docs/start-detection.md).',
    })
    return { service, artifact, sources }
  }
  const { findings, isKept } = outcome
  const warning = service.said.has('protocol') ? undefined : describeTls(findings, name)
  if (warning !== undefined) report({ kind: 'warning', ...warning })
  if (!isKept) {
    const { evidence, tries } = findings
    report({ kind: 'trial-done', service: name, found: summarize(findings), evidence, tries, tookMs: now() - begin })
  }
  const applied = applyFindings(service, findings)
  const more = applied.files.filter((file) => !service.files.includes(file))
  const collected = await collectFiles(project.folder, more)
  if (more.length === 0) return { service: applied, artifact, sources, findings }
  const others = [...artifact.files.filter((file) => file.path !== artifact.binary), ...collected]
  const binary = binaryName(
    artifact.binary,
    others.map((file) => file.path),
  )
  const all = new Map([...others, { ...binaryFile, path: binary }].map((file) => [file.path, file]))
  const files = [...all.values()].map(({ path, digest, size, executable }) => ({ path, digest, size, executable }))
  return {
    service: applied,
    artifact: makeArtifact({ files, binary }),
    sources: new Map([
      ...[...sources].map(([at, from]): [string, string] => [at === artifact.binary ? binary : at, from]),
      ...collected.map((file): [string, string] => [file.path, file.source]),
    ]),
    findings,
  }
}

/**
 * What cannot serve as it is, all services in one; undefined where every one can. A trial that failed for want of a network alone
 * is no failure: the real start decides.
 */
export async function explainMissing(
  found: readonly FoundStart[],
  { environment }: Project,
): Promise<FairwayError | undefined> {
  const lacking = found.flatMap(({ service, findings }) =>
    findings?.verdict === 'needs' ? [{ service: service.specification.service, findings }] : [],
  )
  const ended = found.flatMap((start) => describeEnd(start) ?? [])
  const [end] = ended
  if (end !== undefined && lacking.length === 0)
    return new FairwayError(
      'START_UNKNOWN',
      `${end.message}${ended.length === 1 ? '' : ` (and ${ended.length - 1} more)`}`,
      {
        details: ended.flatMap(({ message, lines }, at) => [...(at === 0 ? [] : [message]), ...lines]),
        hint: `${end.hint} ${end.override}`,
      },
    )
  const details = lacking.flatMap(({ service, findings: { missing, wants } }) => [
    ...missing.map((each) => describeMissing(each, { service, environment })),
    ...wants.map((want) => `${service} wants ${want}: nothing answers there in the sandbox it was tried out in`),
  ])
  details.push(...ended.flatMap(({ message, lines }) => [message, ...lines]))
  const [first] = details
  if (first === undefined) return undefined
  const lines = await renderFindings(Object.fromEntries(lacking.map(({ service, findings }) => [service, findings])))
  const said = lacking.flatMap(({ service, findings: { missing, words } }) =>
    words !== undefined && missing[0]?.kind === 'flag' ? [`${service} says: ${words}`] : [],
  )[0]
  const more = details.length === 1 ? '' : ` (and ${details.length - 1} more)`
  const isFileLacking = lacking.some(({ findings: { missing } }) => missing[0]?.kind === 'file')
  const isAnything = lacking.some(({ findings }) => Object.keys(serviceLines(findings)).length > 0)
  return new FairwayError('START_UNKNOWN', said ?? `${first}${more}`, {
    details,
    hint: isAnything
      ? `Write in fairway.yaml (\`fairway build --explain\` shows why):\n\n${lines.replaceAll(/^/gm, '    ')}`
      : isFileLacking
        ? 'Put it there; where it is to lie elsewhere, a flag or a variable of the program says so: `args: […]`.'
        : 'Say in fairway.yaml how it is started: `args: […]`, `listen: { … }`; `fairway build --explain` shows what was tried.',
  })
}

const shownLines = 20

/** As it stands in fairway.yaml: what its help or its source speaks of, else the variable that every service gets. */
function listenWords({ listen }: Findings): string {
  if (listen?.kind === 'arg') return `listen: { arg: '${listen.template}' }`
  if (listen?.kind === 'port') return `listen: { port: ${listen.port} }`
  return `listen: { env: ${listen?.kind === 'env' ? listen.name : 'PORT'} }`
}

/** One that ended by itself when it was tried out: what it was, its last lines, and what to do. */
function describeEnd({ service: { specification }, findings }: Pick<FoundStart, 'service' | 'findings'>) {
  if (findings?.verdict !== 'ends' || findings.end === undefined) return undefined
  const { service, run, values } = specification
  const { exit, livedMs, lines } = findings.end
  const { what, hint } = diagnose(
    { lines, exit, answers: [], listening: [] },
    { service, listen: run.listen, probe: run.probe, knownKeys: Object.keys(values), livedMs },
  )
  const last = lines.filter((line) => line.trim() !== '').slice(-shownLines)
  const how = exit.kind === 'exit' ? `exit status ${exit.code}` : exit.kind === 'signal' ? exit.signal : 'no status'
  return {
    message: `${service} was tried out, and ${what}`,
    lines: [
      `it ended after ${livedMs} ms with ${how}${last.length === 0 ? ', and printed nothing' : '; its last lines:'}`,
      ...last.map((line) => `  ${line}`),
    ],
    hint,
    override: `If it does serve where it really runs, say how, and nothing is tried: \`services: { ${service}: { ${listenWords(findings)}, probe: { http: /healthz } } }\``,
  }
}

/** What one that was only half made out is started with, and why: the real start will tell. */
export function describeDoubt({ service, findings }: FoundStart): string | undefined {
  if (findings?.verdict !== 'unsure') return undefined
  const { service: name } = service.specification
  return `${name} did not serve when it was tried out: ${findings.doubt ?? 'it did not say why'}. The real start will tell${findings.listen === undefined ? '' : `; it is started so: ${summarize(findings)}`}`
}

/** What a trial came to, in words and as lines of fairway.yaml. */
export async function explainStart(
  { service, findings }: FoundStart,
  { environment }: Project,
): Promise<{ evidence: readonly string[]; missing: readonly string[]; lines: string }> {
  if (findings === undefined) return { evidence: [], missing: [], lines: '' }
  const { service: name } = service.specification
  const end = describeEnd({ service, findings })
  const missing = [
    ...findings.missing.map((each) => describeMissing(each, { service: name, environment })),
    ...(end === undefined ? [] : [`${end.message}: ${end.hint}`]),
  ]
  const isPlain = end !== undefined || Object.keys(serviceLines(findings)).length === 0
  return { evidence: findings.evidence, missing, lines: isPlain ? '' : await renderFindings({ [name]: findings }) }
}

/** What holds anyway: written down it need not be found out again. */
function defaultLines({ said }: ProjectService, { listen, probe }: Findings): ServiceLines {
  return {
    ...(said.has('listen') || listen?.kind !== 'env' ? {} : { listen: { env: listen.name } }),
    ...(said.has('probe') || probe.kind !== 'tcp' ? {} : { probe: { tcp: true } }),
  }
}

/** What was seen to serve, line by line; also where values are all that it lacks. What is only a guess is no line to write down. */
export function linesOfStart({ service, findings }: FoundStart): { path: string[]; value: unknown }[] {
  if (findings === undefined) return []
  const { verdict, missing } = findings
  const isKnown = verdict === 'serves' || (verdict === 'needs' && missing.every(({ kind }) => kind === 'value'))
  const place = ['services', service.specification.service]
  const { config, ...lines } = isKnown ? { ...defaultLines(service, findings), ...serviceLines(findings) } : {}
  const declared = typeof config === 'object' && config !== null ? Object.entries(config) : []
  return [
    ...Object.entries(lines).map(([key, value]) => ({ path: [...place, key], value })),
    ...declared.map(([key, value]: [string, unknown]) => ({ path: [...place, 'config', key], value })),
  ]
}
