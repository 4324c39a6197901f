import type { Known } from './known.ts'
import type { Observation } from './observation.ts'

/** Who waits for something of its surroundings takes longer. */
const atOnceMs = 1_000

const crashes = ['SIGSEGV', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGABRT', 'SIGTRAP']

/** What a sandbox lacks and a machine may have: a network, a daemon's socket, a device, rights, a proof of who one is. */
const surroundings =
  /\b(?:connect\w*|dial\w*|network|unreachable|resolv\w*|lookup|dns|hosts?|hostname|time(?:d )?-?out|deadline|daemon|sockets?|\w*\.sock|credentials?|tokens?|auth\w*|certificates?|tls|x509|https?|metadata|permission|permitted|denied|privileges?|root|capabilit\w+|userids?|cgroups?|devices?|fetch\w*|download\w*|remote|endpoint|cluster|unavailable)\b|:\/\/|\/(?:dev|proc|sys|run|var)\//i

/**
 * Nothing that only the sandbox lacks can be why it ended: it did its work and left, crashed, or gave up at once over
 * something that is the same everywhere. Of anything else the real start decides. Pure.
 */
export function endsByItself({ exit, lines, livedMs }: Observation, { hidden }: Pick<Known, 'hidden'>): boolean {
  if (exit?.kind !== 'exit' && exit?.kind !== 'signal') return false
  if (exit.kind === 'exit' && exit.code === 0) return !tellsOfSurroundings(lines)
  if (hidden.length > 0) return false // it was given placeholders, and may well refuse them
  const hasCrashed =
    exit.kind === 'signal' ? crashes.includes(exit.signal) : lines.some((line) => /^(?:panic|fatal error): /.test(line))
  return (hasCrashed || (exit.kind === 'exit' && livedMs < atOnceMs)) && !tellsOfSurroundings(lines)
}

/** In its own words: a trace names packages of the run-time, whatever the matter was. */
function tellsOfSurroundings(lines: readonly string[]): boolean {
  const trace = lines.findIndex((line) => /^goroutine \d+ /.test(line))
  return lines.slice(0, trace < 0 ? undefined : trace).some((line) => surroundings.test(line.slice(0, 2_000)))
}
