import type { CommandContext } from '../context.ts'
import { palette } from './colour.ts'
import type { Reporter } from './reporter.ts'

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
  const style = { ...paint, sameOptions: sameOptions(options), isElsewhere: options.server !== undefined }
  if (isPlain) return (await import('./plain.ts')).plainReporter(stdout, stderr, style)
  return (await import('./live.ts')).liveReporter(stdout, stderr, style)
}

/** As they are to be typed. What comes from the environment stays there for the next command too. */
function sameOptions({ env, project, home, server, tokenFile }: CommandContext['options']): string {
  const given = { env: env === 'dev' ? undefined : env, project, home, server, 'token-file': tokenFile }
  return Object.entries(given)
    .flatMap(([name, value]) => (value === undefined ? [] : [` --${name} ${quoted(value)}`]))
    .join('')
}

/** For a POSIX shell. */
function quoted(word: string): string {
  return /^[\w./:@+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

/** On a terminal that has them, unless NO_COLOR is set: to anything at all (no-color.org). */
export function coloursOn(stream: NodeJS.WriteStream, environment: CommandContext['environment']): boolean {
  return stream.isTTY && (environment['NO_COLOR'] ?? '') === '' && environment['TERM'] !== 'dumb'
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '' && value !== '0' && value !== 'false'
}
