import { systemClock } from '../../base/clock.ts'
import { FairwayError } from '../../base/error.ts'
import type { FairwayEvent, ResultEvent } from '../../base/event.ts'
import type { CommandModule } from '../command.ts'
import { connect } from '../connect.ts'
import type { CommandContext } from '../context.ts'
import { describeEvent, formatTime } from '../report/describe.ts'
import { wholeNumber } from './change.ts'

/** How long a control plane may be away before we stop following it: it is soon started again when it is updated. */
const awayMs = 30_000

/** `reset`: some in between are not kept any more. */
type EventFrame = FairwayEvent | ResultEvent | { readonly kind: 'reset' }

/** Everything that happened, oldest first; with -f everything that happens, taken up where it broke off. */
export const run: CommandModule['run'] = async ({ options }, context) => {
  const last = typeof options['lines'] === 'string' ? wholeNumber(options['lines'], '--lines N') : 50
  const follow = options['follow'] === true
  const client = await connect(context, 'if-used')
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  const path = `/v1/events?last=${last}&follow=${follow ? '1' : '0'}`
  let lastSeq: number | undefined
  let goneAt: number | undefined
  for (;;) {
    try {
      const headers = lastSeq === undefined ? {} : { 'last-event-id': String(lastSeq) }
      for await (const frame of client.frames<EventFrame>('GET', path, { headers, signal: stop.signal })) {
        print(frame, context)
        if (frame.kind === 'result') return 0
        if (frame.kind !== 'reset') lastSeq = frame.seq
        if (goneAt !== undefined) context.stderr.write('the control plane is back\n')
        goneAt = undefined
      }
    } catch (error) {
      if (stop.signal.aborted) return 0
      const isAway = error instanceof FairwayError && error.code === 'SERVER_UNREACHABLE'
      if (!isAway || lastSeq === undefined) throw error // the first time it has to be there
    }
    if (stop.signal.aborted) return 0
    const now = systemClock.monotonicMs()
    if (goneAt === undefined)
      context.stderr.write(`the control plane went away: waiting up to ${awayMs / 1000} s for it to be back\n`)
    goneAt ??= now
    if (now - goneAt > awayMs) throw gone()
    await systemClock.sleep(200)
  }
}

function gone(): FairwayError {
  return new FairwayError(
    'SERVER_UNREACHABLE',
    `The control plane went away and was not back after ${awayMs / 1000} s`,
    {
      hint: 'Nothing is lost: `fairway events -f` shows all of it once a control plane runs again.',
    },
  )
}

function print(frame: EventFrame, { stdout, options }: CommandContext): void {
  if (options.json === true) stdout.write(`${JSON.stringify(frame)}\n`)
  else if (frame.kind !== 'result' && frame.kind !== 'reset') {
    const text = describeEvent(frame)
    if (text !== undefined) stdout.write(`${formatTime(frame.at)}  ${text}\n`)
  }
}
