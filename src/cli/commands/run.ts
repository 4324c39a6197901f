import { FairwayError } from '../../base/error.ts'
import type { CommandModule } from '../command.ts'
import { connect } from '../connect.ts'
import { exitOf, followOperation } from '../follow.ts'
import { projectName } from '../project-name.ts'
import { checkServiceName } from '../service-name.ts'
import { coloursOn, openReporter } from '../report/open-reporter.ts'
import { visibleLine } from '../report/visible.ts'

/** A job by hand: what it prints goes where ours goes, and its status is ours. */
export const run: CommandModule['run'] = async ({ positionals }, context) => {
  const { service, command } = split(positionals, process.argv)
  if (command.length === 0) {
    throw new FairwayError('USAGE', 'fairway run: which command?', { hint: 'fairway run [SERVICE] -- COMMAND…' })
  }
  if (service !== undefined) checkServiceName(service)
  const project = await projectName(context, service === undefined ? [] : [service])
  const client = await connect(context, 'always')
  const reporter = await openReporter(context)
  try {
    const body = {
      project,
      environment: context.options.env,
      command,
      ...(service === undefined ? {} : { service }),
    }
    const result = await followOperation('run', body, {
      client,
      context,
      reporter,
      onOutput: ({ stream, text }) => {
        if (context.options.json === true) context.stdout.write(`${JSON.stringify({ kind: 'output', stream, text })}\n`)
        else {
          const target = stream === 'out' ? context.stdout : context.stderr
          // In a pipe it is data, byte for byte; a terminal would obey it.
          const colours = coloursOn(target, context.environment)
          target.write(`${target.isTTY ? visibleLine(text, { colours }) : text}\n`)
        }
      },
    })
    if (context.options.json === true || result.outcome !== 'done') reporter.result(result)
    return result.outcome === 'done'
      ? ((result.data as { exitCode?: number } | undefined)?.exitCode ?? 0)
      : exitOf(result)
  } finally {
    reporter.close()
  }
}

/** `run SERVICE -- COMMAND…` and `run -- COMMAND…` look alike once `--` is taken away: look where it stood. */
export function split(
  positionals: readonly string[],
  argv: readonly string[],
): { service: string | undefined; command: readonly string[] } {
  const dashes = argv.indexOf('--')
  if (dashes < 0) return { service: positionals[0], command: positionals.slice(1) }
  const command = argv.slice(dashes + 1)
  const before = positionals.slice(0, positionals.length - command.length)
  return { service: before[0], command }
}
