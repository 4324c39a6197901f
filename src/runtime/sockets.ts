import type { Address } from '../host/index.ts'

export interface ListeningSocket {
  readonly address: Address
  readonly inode: number
}

const listenState = '0A'

/**
 * The listening rows of /proc/PID/net/tcp or tcp6. A line that is none of these is passed over.
 * @see proc(5); addresses are 32-bit words in the machine's byte order, which is little-endian wherever we run
 */
export function parseListeningSockets(table: string): ListeningSocket[] {
  const sockets: ListeningSocket[] = []
  for (const line of table.split('\n')) {
    const fields = line.trim().split(/\s+/)
    const [local, state, inode] = [fields[1], fields[3], fields[9]]
    if (local === undefined || state !== listenState || inode === undefined || !/^\d+$/.test(inode)) continue
    const match = /^([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})$/.exec(local)
    if (match === null) continue
    const [, words = '', port = ''] = match
    sockets.push({ address: { host: formatHost(words), port: Number.parseInt(port, 16) }, inode: Number(inode) })
  }
  return sockets
}

function formatHost(words: string): string {
  const bytes = words.match(/.{8}/g)?.flatMap((word) => (word.match(/../g) ?? []).reverse()) ?? []
  const numbers = bytes.map((byte) => Number.parseInt(byte, 16))
  if (numbers.length === 4) return numbers.join('.')
  // An IPv4 address in IPv6 clothes is reached by IPv4 alone.
  if (/^(00){10}ffff/i.test(bytes.join(''))) return numbers.slice(12).join('.')
  const groups = Array.from({ length: 8 }, (_, i) =>
    ((numbers[2 * i] ?? 0) * 256 + (numbers[2 * i + 1] ?? 0)).toString(16),
  )
  return compressZeros(groups)
}

/** @see RFC 5952: the longest run of two zero groups or more, the first of equals */
function compressZeros(groups: readonly string[]): string {
  const runs = groups.map((_, at) => {
    const end = groups.findIndex((group, i) => i >= at && group !== '0')
    return { at, length: (end === -1 ? groups.length : end) - at }
  })
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), { at: 0, length: 1 })
  if (longest.length < 2) return groups.join(':')
  return `${groups.slice(0, longest.at).join(':')}::${groups.slice(longest.at + longest.length).join(':')}`
}

/**
 * Would a connection to `wanted` arrive at one of these sockets? `::` is taken to serve IPv4 too, as it does unless a
 * program asks for IPv6 alone, which /proc does not show.
 */
export function reaches(listening: readonly Address[], wanted: Address): boolean {
  const isIpv4 = !wanted.host.includes(':')
  return listening.some(({ host, port }) => {
    if (port !== wanted.port) return false
    return host === wanted.host || host === '::' || (host === '0.0.0.0' && isIpv4)
  })
}
