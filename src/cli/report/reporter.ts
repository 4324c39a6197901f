import type { FairwayEvent, FairwayEventBody, ResultEvent } from '../../base/event.ts'
import type { CommandContext } from '../context.ts'
import { type Palette, palette } from './colour.ts'

/** One for each stream: the terminal may be one of them alone. */
export interface Paint {
  readonly out: Palette
  readonly err: Palette
}

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
  const paint = { out: palette(coloursOn(stdout, environment)), err: palette(coloursOn(stderr, environment)) }
  if (isPlain) return (await import('./plain.ts')).plainReporter(stdout, stderr, paint)
  return (await import('./live.ts')).liveReporter(stdout, stderr, paint)
}

/** On a terminal that has them, unless NO_COLOR is set: to anything at all (no-color.org). */
export function coloursOn(stream: NodeJS.WriteStream, environment: CommandContext['environment']): boolean {
  return stream.isTTY && (environment['NO_COLOR'] ?? '') === '' && environment['TERM'] !== 'dumb'
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '' && value !== '0' && value !== 'false'
}
