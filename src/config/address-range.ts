/** A block of IPv4 addresses: '10.83.16.0/20'. */
export interface AddressRange {
  /** As a number: 10.83.16.0 is 0x0a531000. */
  readonly first: number
  /** Of the prefix: 20. */
  readonly bits: number
}

/** Private by RFC 1918, and what RFC 2544 keeps for tests. */
export const privateBlocks: readonly AddressRange[] = [
  { first: 0x0a00_0000, bits: 8 }, // 10.0.0.0
  { first: 0xac10_0000, bits: 12 }, // 172.16.0.0
  { first: 0xc0a8_0000, bits: 16 }, // 192.168.0.0
  { first: 0xc612_0000, bits: 15 }, // 198.18.0.0
]

/** undefined for anything else, a range whose first address is not its first among it; '10.1.2.3' is a range of one. */
export function parseAddressRange(text: string): AddressRange | undefined {
  const match = /^(\d{1,3}(?:\.\d{1,3}){3})(?:\/(\d{1,2}))?$/.exec(text)
  const parts = match?.[1]?.split('.').map(Number) ?? []
  const bits = Number(match?.[2] ?? 32)
  if (match === null || parts.some((part) => part > 255) || bits > 32) return undefined
  const first = parts.reduce((sum, part) => sum * 256 + part, 0)
  return first % sizeOf({ bits }) === 0 ? { first, bits } : undefined
}

export function formatAddressRange({ first, bits }: AddressRange): string {
  return `${formatIpv4(first)}/${bits}`
}

export function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.')
}

export function sizeOf({ bits }: Pick<AddressRange, 'bits'>): number {
  return 2 ** (32 - bits)
}

export function overlap(a: AddressRange, b: AddressRange): boolean {
  return a.first < b.first + sizeOf(b) && b.first < a.first + sizeOf(a)
}

export function isWithin(inner: AddressRange, outer: AddressRange): boolean {
  return inner.bits >= outer.bits && overlap(inner, outer)
}
