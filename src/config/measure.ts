/** Durations and sizes as people write them: in fairway.yaml `500ms`, `1m30s`, `256Mi`; inside, milliseconds and bytes. */

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
export const durationPattern = /^(?:0|(?:[0-9]{1,9}(?:\.[0-9]{1,3})?(?:ms|s|m|h))+)$/
export const durationRule = 'a duration like `500ms`, `1s`, `10m` or `1h30m`'

/** @returns ms, rounded; undefined for what is none. As in Go's time.ParseDuration, without sign and units below ms. */
export function parseDuration(text: string): number | undefined {
  if (!durationPattern.test(text)) return undefined
  let total = 0
  for (const [, amount, unit = 'ms'] of text.matchAll(/([0-9.]+)(ms|s|m|h)/g)) {
    total += Number(amount) * (durationUnits[unit] ?? 1)
  }
  return Math.round(total)
}

/** The shortest spelling with whole numbers: 90000 → '1m30s'. */
export function formatDuration(ms: number): string {
  let rest = Math.round(ms)
  let text = ''
  for (const [unit, size] of Object.entries(durationUnits).toReversed()) {
    const amount = Math.floor(rest / size)
    rest -= amount * size
    if (amount > 0) text += `${amount}${unit}`
  }
  return text === '' ? '0s' : text
}

const sizeUnits: Readonly<Record<string, number>> = {
  k: 1e3,
  K: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
}
export const sizePattern = /^[0-9]{1,15}(?:\.[0-9]{1,3})?(?:[kKMGT]|[KMGT]i)$/
export const sizeRule = 'a size like `256Mi`, `1Gi` or `64M`'

/** @returns bytes, rounded; undefined for what is none. Suffixes as Kubernetes has them: `M` is a million, `Mi` 2²⁰. */
export function parseSize(text: string): number | undefined {
  if (!sizePattern.test(text)) return undefined
  const [, amount, unit = ''] = /^([0-9.]+)([A-Za-z]*)$/.exec(text) ?? []
  return Math.round(Number(amount) * (sizeUnits[unit] ?? 1))
}
