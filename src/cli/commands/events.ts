import type { FairwayEvent, ResultEvent } from '../../base/event.ts'
import type { CommandModule } from '../command-table.ts'
import { connect } from '../connect.ts'
import { describeEvent, formatTime } from '../report/describe.ts'
import { wholeNumber } from './change.ts'

/** Everything that happened, oldest first; with -f everything that happens. */
export const run: CommandModule['run'] = async ({ options }, context) => {
  const last = typeof options['lines'] === 'string' ? wholeNumber(options['lines'], '--lines N') : 50
  const path = `/v1/events?last=${last}&follow=${options['follow'] === true ? '1' : '0'}`
  const client = await connect(context, 'if-used')
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  try {
    for await (const frame of client.frames<FairwayEvent | ResultEvent>('GET', path, { signal: stop.signal })) {
      if (context.options.json === true) context.stdout.write(`${JSON.stringify(frame)}\n`)
      else if (frame.kind !== 'result' && 'seq' in frame) {
        const text = describeEvent(frame)
        if (text !== undefined) context.stdout.write(`${formatTime(frame.at)}  ${text}\n`)
      }
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error
  }
  return 0
}
