/**
 * Whoever cuts a text that comes from outside says so with `…` at that end: people see it, and `Masker`, which must
 * not leave half a secret there.
 */
export const cutMark = '…'

/** `… 12 bytes cut …` */
export function countedCutMark(bytes: number): string {
  return `${cutMark} ${bytes} bytes cut ${cutMark}`
}

/** What stands between the marks of a text; all of it where it has none. */
export function uncutRange(text: string): { readonly from: number; readonly to: number } {
  const from = text.startsWith(cutMark) ? cutMark.length : 0
  const to = /(?: ?… \d+ bytes cut )?…$/.exec(text)?.index ?? text.length
  return { from, to: Math.max(from, to) }
}
