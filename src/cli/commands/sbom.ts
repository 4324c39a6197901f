import { readlink } from 'node:fs/promises'
import { resolve } from 'node:path'
import { FairwayError } from '../../base/error.ts'
import { writeOutput } from '../../base/output-file.ts'
import { buildServices, locateServices, openSource } from '../../pipeline/index.ts'
import { creationTime, describeBuilt, sbomFormats, type SbomFormat } from '../../pipeline/images.ts'
import { version } from '../../server/api.ts'
import type { CommandModule } from '../command.ts'
import { interruptible } from '../interrupt.ts'
import { sourceOptions } from '../source-options.ts'
import { openReporter } from '../report/open-reporter.ts'

/** Builds a service and says what it consists of. */
export const run: CommandModule['run'] = async ({ positionals: [wanted], options }, context) => {
  const format = formatOf(options['format'])
  const output = typeof options['output'] === 'string' ? options['output'] : undefined
  const reporter = await openReporter(context)
  return interruptible(reporter, 'aborted before anything was written', async (signal) => {
    const { environment, home } = context
    const opened = await openSource({ ...sourceOptions(undefined, context, reporter.event), signal })
    const [service, ...more] = await locateServices(opened, wanted)
    const names = opened.project.services.map(({ specification }) => specification.service)
    if (service === undefined || more.length > 0) {
      throw new FairwayError('USAGE', `Which service? There are ${names.join(', ')}`, {
        hint: `fairway sbom ${names[0] ?? 'web'}`,
      })
    }
    const shared = {
      cacheFolder: `${home}/cache`,
      processEnvironment: environment,
      report: reporter.event,
      now: Date.now,
      signal,
    }
    const file = output === undefined ? undefined : resolve(context.cwd, output)
    const built = await buildServices(opened, [service], {
      ...shared,
      processors: 1,
      outputs: [file ?? (await standardOutputFile())].filter((path) => path !== undefined),
    })
    try {
      const [one] = built
      if (one === undefined) throw new TypeError('a build of nothing')
      const createdAt = await creationTime(opened.project.folder, built, shared)
      const text = (await describeBuilt(opened, service.main, one, { createdAt, toolVersion: version, signal }))[format]
      if (file !== undefined) await writeOutput(file, (handle) => handle.writeFile(text))
      if (context.options.json === true) {
        const data = {
          service: one.service,
          format,
          ...(file === undefined ? { document: JSON.parse(text) as unknown } : { file }),
        }
        reporter.result({ kind: 'result', outcome: 'done', data })
      } else if (file === undefined) context.stdout.write(text)
      else context.stderr.write(`${one.service}: written to ${file}\n`)
      return 0
    } finally {
      for (const one of built) await one[Symbol.asyncDispose]()
    }
  })
}

/** `fairway sbom > web.cdx.json`: the shell has made it before anything is read. */
async function standardOutputFile(): Promise<string | undefined> {
  const path = await readlink('/proc/self/fd/1').catch(() => '')
  return path.startsWith('/') && !path.startsWith('/dev/') ? path : undefined
}

function formatOf(text: string | boolean | undefined): SbomFormat {
  if (text === undefined) return 'cyclonedx'
  const known = Object.keys(sbomFormats)
  if (typeof text === 'string' && Object.hasOwn(sbomFormats, text)) return text as SbomFormat
  throw new FairwayError('USAGE', `--format: expected ${known.join(' or ')}, found ${JSON.stringify(text)}`, {
    hint: known.map((name) => `--format ${name}`).join(', or '),
  })
}
