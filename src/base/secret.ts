import { inspect } from 'node:util'
import { uncutRange } from './cut-mark.ts'

const shown = '[secret]'
const leastMasked = 4

/** A value that prints as `[secret]` wherever it is printed; only `reveal` gives it away, so uses can be found by name. */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  reveal(): string {
    return this.#value
  }

  toString(): string {
    return shown
  }

  toJSON(): string {
    return shown
  }

  [inspect.custom](): string {
    return shown
  }
}

/**
 * Replaces every occurrence of the secrets' values, and of their JSON, URL and base64 spellings, by `[secret]`: for text
 * that comes from outside (a program's last lines, a probe's answer) before it is stored or shown. Values shorter than
 * four characters are left alone: masking `1` would make every line unreadable and hides nothing. Where the text says
 * that it was cut (`…` at an end, see cut-mark.ts), the part of a secret that is left there is masked as well.
 */
export function maskSecrets(text: string, secrets: Iterable<Secret>): string {
  const spellings = new Set<string>()
  for (const secret of secrets) {
    const value = secret.reveal()
    if (value.length < leastMasked) continue
    for (const spelling of [
      value,
      JSON.stringify(value).slice(1, -1),
      encodeURIComponent(value.toWellFormed()),
      Buffer.from(value).toString('base64'),
    ]) {
      spellings.add(spelling)
    }
    // A multi-line value (a key) may come out one line at a time.
    for (const line of value.split('\n')) if (line.trim().length >= 8) spellings.add(line.trim())
  }
  const ranges = [...spellings].flatMap((spelling) => [...occurrences(text, spelling), ...remnants(text, spelling)])
  return replaceRanges(text, mergeRanges(ranges))
}

interface Range {
  readonly from: number
  readonly to: number
}

/** Overlapping ones too: 'aa' occurs twice in 'aaa'. */
function occurrences(text: string, part: string): Range[] {
  const found: Range[] = []
  for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + 1)) {
    found.push({ from: at, to: at + part.length })
  }
  return found
}

/** What a cut left of `part`: its end after a mark at the text's beginning, its beginning before one at the end. */
function remnants(text: string, part: string): Range[] {
  const { from, to } = uncutRange(text)
  const most = Math.min(part.length - 1, to - from)
  const found: Range[] = []
  for (let length = leastMasked; length <= most; length++) {
    const isEnd = from > 0 && text.startsWith(part.slice(-length), from)
    const isBeginning = to < text.length && text.startsWith(part.slice(0, length), to - length)
    if (isEnd) found.push({ from, to: from + length })
    if (isBeginning) found.push({ from: to - length, to })
  }
  return found
}

/** Where two secrets overlap, the rest of neither may show. */
function mergeRanges(ranges: readonly Range[]): Range[] {
  const merged: Range[] = []
  for (const range of [...ranges].sort((a, b) => a.from - b.from)) {
    const last = merged.at(-1)
    if (last !== undefined && range.from < last.to) {
      merged[merged.length - 1] = { from: last.from, to: Math.max(last.to, range.to) }
    } else merged.push(range)
  }
  return merged
}

function replaceRanges(text: string, ranges: readonly Range[]): string {
  let result = ''
  let at = 0
  for (const { from, to } of ranges) {
    result += text.slice(at, from) + shown
    at = to
  }
  return result + text.slice(at)
}
