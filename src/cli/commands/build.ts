import { resolve } from 'node:path'
import type { Listen, ProbeTarget } from '../../config/index.ts'
import { FairwayError } from '../../base/error.ts'
import {
  buildServices,
  explainStart,
  type FoundStart,
  type LocatedService,
  locateServices,
  openSource,
  type OpenedSource,
} from '../../pipeline/index.ts'
import type { CommandModule } from '../command.ts'
import { formatBytes } from '../report/describe.ts'
import { visibleLine } from '../report/visible.ts'
import type { CommandContext } from '../context.ts'
import { openReporter } from '../report/open-reporter.ts'

/** Builds without releasing; with --explain it says what would be built, and why. */
export const run: CommandModule['run'] = async ({ positionals, options }, context) => {
  const only = typeof options['only'] === 'string' ? options['only'] : undefined
  const opened = await openSource({
    folder: positionals[0] === undefined ? context.folder : resolve(context.cwd, positionals[0]),
    environment: context.options.env,
    processEnvironment: context.environment,
    areValuesNeeded: false,
  })
  const located = await locateServices(opened, only)
  if (options['explain'] === true) {
    const { project, source, toolchain } = opened
    const explained = []
    const starts = await lookAtStarts(opened, located, context)
    for (const { specification: written, build, files: named, main } of located) {
      const { service } = written
      const start = starts.get(service)
      const { specification, files } = start?.service ?? { specification: written, files: named }
      const { run: runSpecification } = specification
      const choice = build === undefined ? await source.choice() : undefined
      explained.push({
        service,
        package: main.package,
        why: main.why,
        candidates: choice?.candidates.map(({ candidate, reasons }) => ({ package: candidate.package, reasons })) ?? [],
        goVersion: `go${toolchain.version}`,
        files,
        listen: runSpecification.listen,
        probe: runSpecification.probe.target,
        ...(start === undefined ? {} : { start: await explainStart(start, project) }),
      })
    }
    const data = { project: project.name, nameFrom: project.nameFrom, services: explained }
    if (context.options.json === true) {
      context.stdout.write(`${JSON.stringify({ kind: 'result', outcome: 'done', data })}\n`)
      return 0
    }
    context.stdout.write(`project ${data.project}: ${data.nameFrom}\n`)
    for (const one of explained) {
      context.stdout.write(`\n${one.service}: ${one.package} with ${one.goVersion}\n  why: ${one.why}\n`)
      for (const { package: name, reasons } of one.candidates)
        context.stdout.write(`  ${name}: ${reasons.join('; ')}\n`)
      context.stdout.write(`  listens: ${describeListen(one.listen)}\n  probe: ${describeProbe(one.probe)}\n`)
      if (one.files.length > 0) context.stdout.write(`  files: ${one.files.join(', ')}\n`)
      if (one.start === undefined) continue
      for (const sentence of one.start.evidence) context.stdout.write(`  tried out: ${visibleLine(sentence)}\n`)
      for (const sentence of one.start.missing) context.stdout.write(`  missing: ${visibleLine(sentence)}\n`)
      if (one.start.lines === '') continue
      context.stdout.write(`  the same in fairway.yaml:\n${one.start.lines.replaceAll(/^/gm, '    ')}\n`)
    }
    return 0
  }
  const reporter = await openReporter(context)
  try {
    const built = await buildServices(opened, located, {
      cacheFolder: `${context.home}/cache`,
      processEnvironment: context.environment,
      report: reporter.event,
      now: Date.now,
    })
    const data = built.map(({ service, artifact, recipe }) => ({ service, artifact, recipe }))
    if (context.options.json === true) reporter.result({ kind: 'result', outcome: 'done', data })
    else {
      for (const { service, artifact } of data) {
        const bytes = artifact.files.reduce((sum, { size }) => sum + size, 0)
        context.stdout.write(`${service}  ${artifact.digest}  ${formatBytes(bytes)}\n`)
      }
    }
    for (const one of built) await one[Symbol.asyncDispose]()
    return 0
  } finally {
    reporter.close()
  }
}

/** Builds and tries out what is not said; nothing where it does not compile: that is for the build to say. */
async function lookAtStarts(
  opened: OpenedSource,
  located: readonly LocatedService[],
  context: CommandContext,
): Promise<ReadonlyMap<string, FoundStart>> {
  const reporter = await openReporter(context)
  try {
    const built = await buildServices(opened, located, {
      cacheFolder: `${context.home}/cache`,
      processEnvironment: context.environment,
      report: reporter.event,
      now: Date.now,
      starts: 'look',
    })
    for (const one of built) await one[Symbol.asyncDispose]()
    return new Map(built.map(({ service, start }) => [service, start]))
  } catch (error) {
    if (!(error instanceof FairwayError)) throw error
    reporter.event({ kind: 'warning', message: `nothing was tried out: ${error.message}` })
    return new Map()
  } finally {
    reporter.close()
  }
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
