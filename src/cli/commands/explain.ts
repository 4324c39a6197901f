import type { Listen, ProbeTarget } from '../../config/index.ts'
import {
  type ExplainedService,
  explainServices,
  explainStart,
  locateServices,
  openSource,
  type OpenedSource,
  withStart,
} from '../../pipeline/index.ts'
import type { CommandInput } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { interruptible } from '../interrupt.ts'
import { openReporter } from '../report/open-reporter.ts'
import { visibleText } from '../report/visible.ts'
import { sourceOptions } from '../source-options.ts'
import { storedKeys } from '../stored-keys.ts'
import { tryStarts } from '../try-starts.ts'

/** `build --explain`: what would be built, why, and the line of fairway.yaml that says otherwise. */
export async function explain({ positionals, options }: CommandInput, context: CommandContext): Promise<number> {
  const reporter = await openReporter(context)
  return interruptible(reporter, 'aborted; nothing was changed', async (signal) => {
    const opened = await openSource({
      ...sourceOptions(positionals[0], context, reporter.event),
      stored: (project, environment) => storedKeys(context, project, environment),
      signal,
    })
    const located = await locateServices(opened, typeof options['only'] === 'string' ? options['only'] : undefined)
    const explained = await explainServices(opened, located, { processEnvironment: context.environment })
    const started = new Map<string, Started>()
    for (const start of await tryStarts(opened, located, { context, reporter, signal })) {
      const { specification, files } = start.service
      const { listen, probe } = specification.run
      const told = await explainStart(start, opened.project)
      started.set(specification.service, { files, listen, probe: probe.target, start: told })
    }
    const services = explained.services.map((one) => {
      const found = started.get(one.service)
      return found === undefined ? one : { ...withStart(one, found), start: found.start }
    })
    return print({ opened, explained: { ...explained, services } }, context)
  })
}

type Started = Pick<ExplainedService, 'files' | 'listen' | 'probe'> & {
  readonly start: Awaited<ReturnType<typeof explainStart>>
}

interface Explained {
  readonly opened: OpenedSource
  readonly explained: Pick<Awaited<ReturnType<typeof explainServices>>, 'modules'> & {
    readonly services: readonly (ExplainedService & Partial<Pick<Started, 'start'>>)[]
  }
}

function print({ opened: { project }, explained }: Explained, context: CommandContext): number {
  const data = {
    project: project.name,
    nameFrom: project.nameFrom,
    modules: explained.modules,
    services: explained.services,
  }
  if (context.options.json === true) {
    context.stdout.write(`${JSON.stringify({ kind: 'result', outcome: 'done', data })}\n`)
    return 0
  }
  const lines = [`project ${data.project}: ${data.nameFrom}`, `${explained.modules.says}: ${explained.modules.why}`]
  for (const {
    service,
    package: path,
    why,
    candidates,
    facts,
    flags,
    goVersion,
    whyGo,
    files,
    listen,
    probe,
    start,
  } of explained.services) {
    lines.push('', `${service}: ${path} with ${goVersion}`, `  why: ${why}`, `  line: build: ${path}`, `  Go: ${whyGo}`)
    for (const candidate of candidates) lines.push(`  ${candidate.package}: ${candidate.reasons.join('; ')}`)
    lines.push(`  go build ${flags.join(' ')}`)
    for (const fact of facts) {
      lines.push(`  ${fact.says}`, `    why: ${fact.why}`)
      if (fact.line !== undefined) lines.push(`    ${fact.isChosen ? 'line' : 'otherwise'}: ${fact.line}`)
    }
    lines.push(`  listens: ${describeListen(listen)}`, `  probe: ${describeProbe(probe)}`)
    if (files.length > 0 && !facts.some(({ topic }) => topic === 'files')) lines.push(`  files: ${files.join(', ')}`)
    for (const sentence of start?.evidence ?? []) lines.push(`  tried out: ${sentence}`)
    for (const sentence of start?.missing ?? []) lines.push(`  missing: ${sentence}`)
    if (start !== undefined && start.lines !== '')
      lines.push('  the same in fairway.yaml:', start.lines.replaceAll(/^/gm, '    '))
  }
  context.stdout.write(`${visibleText(lines.join('\n'))}\n`)
  return 0
}

function describeListen(listen: Listen): string {
  switch (listen.kind) {
    case 'env':
      return `on the port in the variable ${listen.name}`
    case 'arg':
      return `on the port in the argument ${listen.template}`
    case 'port':
      return `on its fixed port ${listen.port}`
    case 'none':
      return 'on nothing: a worker'
  }
}

function describeProbe(probe: ProbeTarget): string {
  switch (probe.kind) {
    case 'http':
      return `GET ${probe.path} answers 2xx`
    case 'tcp':
      return 'takes a connection'
    case 'grpc':
      return 'the gRPC health check answers SERVING'
    case 'exec':
      return `${probe.command.join(' ')} exits with 0`
    case 'alive':
      return 'none: healthy while it lives'
  }
}
