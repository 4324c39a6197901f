import { FairwayError } from '../../base/error.ts'
import type { ResultEvent } from '../../base/event.ts'
import type { LogFrame } from '../../server/api.ts'
import { fromReport } from '../client.ts'
import type { CommandModule } from '../command.ts'
import { connect } from '../connect.ts'
import { exitOf } from '../follow.ts'
import { projectName } from '../project-name.ts'
import { coloursOn } from '../report/open-reporter.ts'
import { visibleLine } from '../report/visible.ts'
import { wholeNumber } from './change.ts'

/** Lines of instances, each with the service, release and instance it came from. */
export const run: CommandModule['run'] = async ({ positionals, options }, context) => {
  const follow = options['follow'] === true
  const lines = typeof options['lines'] === 'string' ? wholeNumber(options['lines'], '--lines N') : 100
  const query = new URLSearchParams({
    project: await projectName(context, positionals),
    environment: context.options.env,
    services: positionals.join(','),
    follow: follow ? '1' : '0',
    lines: String(lines),
  })
  const client = await connect(context, 'if-used')
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  const many = positionals.length !== 1
  const colours = coloursOn(context.stdout, context.environment)
  let exit = 0
  let isComplete = false
  try {
    for await (const frame of client.frames<LogFrame | ResultEvent>('GET', `/v1/logs?${query.toString()}`, {
      signal: stop.signal,
    })) {
      if (frame.kind === 'result') {
        isComplete = true
        if (frame.error !== undefined) exit = exitOf(frame)
      }
      if (context.options.json === true) context.stdout.write(`${JSON.stringify(frame)}\n`)
      else if (frame.kind === 'log')
        context.stdout.write(
          `${many ? `${frame.service} ` : ''}${frame.instance} | ${visibleLine(frame.text, { colours })}\n`,
        )
      else if (frame.error !== undefined) throw fromReport(frame.error)
    }
  } catch (error) {
    if (!stop.signal.aborted || !(error instanceof FairwayError)) throw error
  }
  if (!isComplete && !stop.signal.aborted) {
    throw new FairwayError('SERVER_UNREACHABLE', 'The control plane went away: no more lines come from it', {
      hint: 'Instances go on, and what they print is kept: `fairway logs -f` shows it once a control plane runs again.',
    })
  }
  return exit
}
