import { createHash } from 'node:crypto'
import { type AddressRange, formatIpv4, overlap, parseAddressRange, privateBlocks, sizeOf } from '../../config/index.ts'

/** 2047 instances at once. */
const defaultBits = 20

/**
 * A home's range is cut into pairs: the even address is the machine's end of a link, the odd one the instance's. The first
 * and the last pair are left alone, since programs take their addresses for a network's name and its broadcast.
 */
export function instanceAddress({ first }: AddressRange, pair: number): string {
  return formatIpv4(first + 2 * pair + 1)
}

/** The machine's end of an instance's link; the instance's way out. */
export function machineEnd(instance: string): string {
  return formatIpv4(requireAddress(instance) - 1)
}

export function pairsIn(range: AddressRange): { readonly first: number; readonly last: number } {
  return { first: 1, last: sizeOf(range) / 2 - 2 }
}

/** 'fw3fa2b1-531007': 15 characters, the most a link's name can have. */
export function linkName(prefix: string, instance: string): string {
  return `${prefix}-${(requireAddress(instance) % 2 ** 24).toString(16).padStart(6, '0')}`
}

function requireAddress(text: string): number {
  const range = parseAddressRange(text)
  if (range?.bits !== 32) throw new TypeError(`not an IPv4 address: ${JSON.stringify(text)}`)
  return range.first
}

/**
 * A range that nothing here uses, counted from a place that depends on the home: the same each time, and two homes seldom
 * want the same.
 * @param used by the machine's routes and addresses
 */
export function chooseRange(homeId: string, used: readonly AddressRange[]): AddressRange | undefined {
  const seed = createHash('sha256').update(homeId).digest().readUInt32BE(0)
  for (const block of privateBlocks) {
    const count = 2 ** (defaultBits - block.bits)
    for (let step = 0; step < count; step += 1) {
      const first = block.first + ((seed + step) % count) * sizeOf({ bits: defaultBits })
      const range = { first, bits: defaultBits }
      if (!used.some((other) => overlap(other, range))) return range
    }
  }
  return undefined
}

/** How a home's own things are known among the machine's. */
export interface OwnMarks {
  /** Of its links. */
  readonly prefix: string
  /** Of the route that keeps its range. */
  readonly metric: string
}

/** What routes of others take, from `ip -4 route show table all`; the way to everywhere takes nothing. */
export function parseRoutes(text: string, { prefix, metric }: OwnMarks): AddressRange[] {
  return text.split('\n').flatMap((line) => {
    const words = line.trim().split(/\s+/)
    const kinds = new Set(['local', 'broadcast', 'unreachable', 'blackhole', 'prohibit', 'multicast', 'unicast'])
    const destination = kinds.has(words[0] ?? '') ? words[1] : words[0]
    const valueOf = (key: string) => (words.includes(key) ? words[words.indexOf(key) + 1] : undefined)
    if (valueOf('dev')?.startsWith(`${prefix}-`) === true || valueOf('metric') === metric) return []
    const range = parseAddressRange(destination ?? '')
    return range === undefined || range.bits === 0 ? [] : [range]
  })
}
