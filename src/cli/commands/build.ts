import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import type { Listen, ProbeTarget } from '../../config/index.ts'
import { buildServices, locateServices, openSource, parseModuleSource } from '../../pipeline/index.ts'
import type { CommandModule } from '../command.ts'
import { formatBytes } from '../report/describe.ts'
import { openReporter } from '../report/open-reporter.ts'

/** Builds without releasing; with --explain it says what would be built, and why. */
export const run: CommandModule['run'] = async ({ positionals, options }, context) => {
  const only = typeof options['only'] === 'string' ? options['only'] : undefined
  const [named] = positionals
  const isModule = named !== undefined && parseModuleSource(named) !== undefined
  const reporter = await openReporter(context)
  try {
    const opened = await openSource({
      source: named === undefined ? context.folder : isModule ? named : resolve(context.cwd, named),
      configuredIn: context.folder,
      home: context.home,
      environment: context.options.env,
      processEnvironment: context.environment,
      report: reporter.event,
      areValuesNeeded: false,
    })
    const located = await locateServices(opened, only)
    if (options['explain'] === true) {
      const { project, source, toolchain } = opened
      const explained = []
      for (const { specification, build, files, main } of located) {
        const { service, run: runSpecification } = specification
        const choice = build === undefined ? await source.choice() : undefined
        explained.push({
          service,
          package: main.package,
          why: main.why,
          candidates:
            choice?.candidates.map(({ candidate, reasons }) => ({ package: candidate.package, reasons })) ?? [],
          goVersion: `go${toolchain.version}`,
          whyGo: toolchain.why,
          files,
          listen: runSpecification.listen,
          probe: runSpecification.probe.target,
        })
      }
      const data = { project: project.name, nameFrom: project.nameFrom, services: explained }
      if (context.options.json === true) {
        context.stdout.write(`${JSON.stringify({ kind: 'result', outcome: 'done', data })}\n`)
        return 0
      }
      context.stdout.write(`project ${data.project}: ${data.nameFrom}\n`)
      for (const one of explained) {
        context.stdout.write(
          `\n${one.service}: ${one.package} with ${one.goVersion}\n  why: ${one.why}\n  Go: ${one.whyGo}\n`,
        )
        for (const { package: name, reasons } of one.candidates)
          context.stdout.write(`  ${name}: ${reasons.join('; ')}\n`)
        context.stdout.write(`  listens: ${describeListen(one.listen)}\n  probe: ${describeProbe(one.probe)}\n`)
        if (one.files.length > 0) context.stdout.write(`  files: ${one.files.join(', ')}\n`)
      }
      return 0
    }
    const built = await buildServices(opened, located, {
      cacheFolder: `${context.home}/cache`,
      processEnvironment: context.environment,
      report: reporter.event,
      now: Date.now,
      processors: availableParallelism(),
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

function describeListen(listen: Listen): string {
  switch (listen.kind) {
    case 'env':
      return `on the port in the variable ${listen.name}`
    case 'arg':
      return `on the port in the argument ${listen.template}`
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
    case 'exec':
      return `${probe.command.join(' ')} exits with 0`
    case 'alive':
      return 'none: healthy while it lives'
  }
}
