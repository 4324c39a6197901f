import { uncutRange } from './cut-mark.ts'
import { shownSecret, type Secret } from './secret.ts'
import { spellingsOf } from './secret-spellings.ts'
import { reverse, SpellingIndex } from './spelling-index.ts'

/**
 * Replaces every occurrence of the secrets' values, and of the ways Go's own packages spell them (`spellingsOf`), by
 * `[secret]`: for text that comes from outside (a program's last lines, a probe's answer) before it is stored or shown.
 * Values shorter than four characters are left alone: masking `1` would make every line unreadable and hides nothing.
 * Where the text says that it was cut (`…` at an end, see cut-mark.ts), the part of a secret that is left there is masked
 * as well. Made once for many texts: what it costs to mask one hardly depends on how many secrets there are.
 */
export class Masker {
  readonly #spellings: SpellingIndex
  /** Each from its end to its beginning; made when a text is cut at its beginning. */
  #reversed: SpellingIndex | undefined

  constructor(secrets: Iterable<Secret>) {
    this.#spellings = new SpellingIndex([...secrets].flatMap((secret) => spellingsOf(secret.reveal())))
  }

  mask(text: string): string {
    if (this.#spellings.longest === 0) return text
    const ranges = [...this.#occurrences(text), ...this.#remnants(text)]
    return ranges.length === 0 ? text : replaceRanges(text, mergeRanges(ranges))
  }

  /** Overlapping ones too: 'aa' occurs twice in 'aaa'. Of those that begin at the same place, the longest. */
  *#occurrences(text: string): Generator<Range> {
    for (let from = this.#spellings.nextSeed(text, 0); from !== -1; from = this.#spellings.nextSeed(text, from + 1)) {
      const length = this.#spellings.longestAt(text, from)
      if (length > 0) yield { from, to: from + length }
    }
  }

  /** What a cut left of a secret: its end after a mark at the text's beginning, its beginning before one at the end. */
  *#remnants(text: string): Generator<Range> {
    const { from, to } = uncutRange(text)
    if (to < text.length) {
      const length = this.#spellings.longestBegun(text.slice(from, to))
      if (length > 0) yield { from: to - length, to }
    }
    if (from > 0) {
      this.#reversed ??= this.#spellings.reversed()
      const length = this.#reversed.longestBegun(
        reverse(text.slice(from, Math.min(to, from + this.#spellings.longest))),
      )
      if (length > 0) yield { from, to: from + length }
    }
  }
}

interface Range {
  readonly from: number
  readonly to: number
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
    result += text.slice(at, from) + shownSecret
    at = to
  }
  return result + text.slice(at)
}
