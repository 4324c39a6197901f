import type { FairwayEvent, FairwayEventBody, ResultEvent } from '../../base/event.ts'
import type { CommandContext } from '../context.ts'

/** Takes events as they come, and the result once. */
export interface Reporter {
  readonly event: (event: FairwayEvent | FairwayEventBody) => void
  /** Prints how it ended; nothing comes after it. */
  result(result: ResultEvent): void
  /** Ends what is drawn, whatever happened. */
  close(): void
}

/**
 * JSON where asked; live on a terminal; plain lines in a pipe, in CI, on a dumb terminal, or where asked. All from the
 * same events, with the same words.
 */
export async function openReporter(context: CommandContext): Promise<Reporter> {
  const { options, environment, stdout, stderr } = context
  if (options.json === true) return (await import('./json.ts')).jsonReporter(stdout)
  const isPlain =
    options.plain === true ||
    !stderr.isTTY ||
    environment['TERM'] === 'dumb' ||
    isSet(environment['CI']) ||
    isSet(environment['ACCESSIBLE'])
  const colours = coloursOn(stderr, environment)
  if (isPlain) return (await import('./plain.ts')).plainReporter(stdout, stderr, { colours })
  return (await import('./live.ts')).liveReporter(stdout, stderr, { colours })
}

/** On a terminal that has them, unless NO_COLOR is set: to anything at all (no-color.org). */
export function coloursOn(stream: NodeJS.WriteStream, environment: CommandContext['environment']): boolean {
  return stream.isTTY && (environment['NO_COLOR'] ?? '') === '' && environment['TERM'] !== 'dumb'
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '' && value !== '0' && value !== 'false'
}
