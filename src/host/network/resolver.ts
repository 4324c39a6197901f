import type { NameserverDetour } from './rules.ts'

/** systemd-resolved answers on these, to the machine's own loopback alone. */
const resolvedStubs = ['127.0.0.53', '127.0.0.54']

/**
 * A namespace has a loopback of its own, so a nameserver there is none for it: its questions take another way.
 * @param upstream what systemd-resolved itself asks: /run/systemd/resolve/resolv.conf; undefined without it
 */
export function planResolver(resolvConf: string, upstream: string | undefined): NameserverDetour[] {
  const loopback = nameservers(resolvConf).filter((server) => server.startsWith('127.'))
  const [next] = nameservers(upstream ?? '').filter((server) => !server.startsWith('127.') && !server.includes(':'))
  return loopback.map((from) => ({ from, to: resolvedStubs.includes(from) ? next : undefined }))
}

/** @see resolv.conf(5): at most three; without any, 127.0.0.1 is asked */
function nameservers(text: string): string[] {
  const found = text.split('\n').flatMap((line) => /^\s*nameserver\s+([0-9a-fA-F.:]+)/.exec(line)?.[1] ?? [])
  return found.slice(0, 3)
}
