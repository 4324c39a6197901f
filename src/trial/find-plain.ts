import { flagsOf } from './clues.ts'
import type { Course, Served, Tries } from './course.ts'
import { judgePort, rankPorts } from './judge-ports.ts'

const maxPlainTries = 4

/** What it listens on wants TLS, which the gateway does not speak to it: does a flag make it listen without? */
export function* findPlain(course: Course, served: Served): Tries<Served> {
  const { seen, setup } = served
  const { said } = course.known
  const best = rankPorts(seen.ports)[0]
  const isTls = seen.ports.some(({ address, tls }) => tls && address.port === best?.port)
  if (!isTls || said.args !== undefined || said.protocol !== undefined) return served
  const help = course.helpOf(setup) ?? (yield* course.askHelp(setup))
  for (const word of plainWords(help).slice(0, maxPlainTries)) {
    if (setup.args.includes(word)) continue
    const because = [...setup.because, `with ${word} it listens without TLS, as the gateway speaks to it`]
    const again = yield* course.try(
      { ...setup, args: [...setup.args, word], because },
      served.listen,
      `does it listen without TLS with ${word}?`,
    )
    if (again.seen.ports.some((each) => !each.tls && judgePort(each).protocol !== 'tcp')) return again
  }
  return served
}

/** Flags of a help text that sound like the end of TLS: '--scheme=http', '--tls=false', '--no-tls'. */
export function plainWords(help: readonly string[]): string[] {
  return flagsOf(help).flatMap(({ name, about }) => {
    const bare = name.replace(/^-+/, '')
    if (/^(?:.*[-._])?(?:scheme|protocol)$/i.test(bare) && /\bhttps?\b/i.test(about)) return [`${name}=http`]
    if (/^(?:no|disable|without|skip)[-._]?(?:tls|ssl|https)$|^(?:tls|ssl|https)[-._]?(?:off|disabled?)$/i.test(bare))
      return [`${name}=true`]
    if (/^(?:enable|use|with)?[-._]?(?:tls|ssl|https)(?:[-._]?enabled?)?$/i.test(bare) && /\btrue\b/i.test(about))
      return [`${name}=false`]
    return []
  })
}
