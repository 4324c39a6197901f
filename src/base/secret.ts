import { inspect } from 'node:util'
import { uncutRange } from './cut-mark.ts'

const shown = '[secret]'
const leastMasked = 4
const seedBits = 16

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

/** A value as Go's packages print it, besides as it is. */
export function spellingsOf(value: string): string[] {
  if (value.length < leastMasked) return []
  const bytes = Buffer.from(value)
  const json = JSON.stringify(value).slice(1, -1)
  const jsonLines = escapeAsJson(json, /[\u2028\u2029]/g)
  const percent = [
    encodeURIComponent(value.toWellFormed()),
    escapeBytes(bytes, pathLeaves),
    escapeBytes(bytes, userLeaves),
    escapeBytes(bytes, queryLeaves).replaceAll('%20', '+'),
  ]
  const base64 = [bytes.toString('base64'), bytes.toString('base64url')]
  return [
    value,
    json,
    jsonLines.replaceAll(/\\./g, (escape) => slogEscapes[escape] ?? escape),
    escapeAsJson(jsonLines, /[<>&]/g), // json.Marshal
    ...percent,
    ...percent.map((text) => text.replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase())),
    ...base64.flatMap((text) => [text, text.replace(/=+$/, ''), text.padEnd(Math.ceil(text.length / 4) * 4, '=')]),
    // A multi-line value (a key) may come out one line at a time.
    ...value.split('\n').flatMap((line) => (line.trim().length >= 8 ? [line.trim()] : [])),
  ]
}

function escapeAsJson(json: string, characters: RegExp): string {
  return json.replaceAll(characters, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Where log/slog differs from json.Marshal, besides that it leaves `<>&`. */
const slogEscapes: Readonly<Record<string, string>> = { '\\b': '\\u0008', '\\f': '\\u000c' }

/** What `url.PathEscape`, `url.UserPassword` and `url.QueryEscape` leave as it is. */
const pathLeaves = /[\w.~$&+:=@-]/
const userLeaves = /[\w.~$&+,;=-]/
const queryLeaves = /[\w.~-]/

function escapeBytes(bytes: Buffer, left: RegExp): string {
  return bytes
    .toString('latin1')
    .replaceAll(/[^]/g, (one) =>
      left.test(one) ? one : `%${one.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
    )
}

/** Spellings in the order of their characters, so that the one a text goes on with is found by halving. */
class SpellingIndex {
  readonly #sorted: readonly string[]
  /** For each the longest other one that it begins with. */
  readonly #shorter: readonly (string | undefined)[]
  /** Marked where a spelling begins with four characters of that hash: nearly all of a text is passed over by it. */
  readonly #seeds = new Uint8Array(1 << seedBits)
  readonly longest: number

  constructor(spellings: Iterable<string>) {
    this.#sorted = [...new Set(spellings)].sort(byCodeUnits)
    const shorter: (string | undefined)[] = []
    const open: string[] = [] // each begins with the one before it
    for (const spelling of this.#sorted) {
      while (open.length > 0 && !spelling.startsWith(open.at(-1) ?? '')) open.pop()
      shorter.push(open.at(-1))
      open.push(spelling)
      this.#seeds[seedAt(spelling, 0)] = 1
    }
    this.#shorter = shorter
    this.longest = Math.max(0, ...this.#sorted.map(({ length }) => length))
  }

  reversed(): SpellingIndex {
    return new SpellingIndex(this.#sorted.map(reverse))
  }

  /** Where next a spelling may begin; -1 where none can. */
  nextSeed(text: string, from: number): number {
    for (let at = from; at <= text.length - leastMasked; at++) if (this.#seeds[seedAt(text, at)] === 1) return at
    return -1
  }

  /** The length of the longest spelling that stands there; 0 where none does. */
  longestAt(text: string, at: number): number {
    const rest = text.slice(at, at + this.longest)
    const next = this.#firstFrom(rest)
    if (this.#sorted[next] === rest) return rest.length
    // Whatever `rest` begins with, the last spelling before it begins with too.
    for (let index = next - 1; index >= 0;) {
      const spelling = this.#sorted[index] ?? ''
      if (rest.startsWith(spelling)) return spelling.length
      const shorter = this.#shorter[index]
      if (shorter === undefined) return 0
      index = this.#firstFrom(shorter)
    }
    return 0
  }

  /** How much of a spelling's beginning the text ends with, at least four characters. */
  longestBegun(text: string): number {
    const first = Math.max(0, text.length - this.longest)
    for (let at = this.nextSeed(text, first); at !== -1; at = this.nextSeed(text, at + 1)) {
      const rest = text.slice(at)
      if (this.#sorted[this.#firstFrom(rest)]?.startsWith(rest) === true) return rest.length
    }
    return 0
  }

  /** The index of the first spelling that is not before `text`. */
  #firstFrom(text: string): number {
    let [low, high] = [0, this.#sorted.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#sorted[middle] ?? '') < text) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Of the four characters there. */
function seedAt(text: string, at: number): number {
  let hash = 0
  for (let index = at; index < at + leastMasked; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x9e3779b1)
  return hash >>> (32 - seedBits)
}

function byCodeUnits(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

/** By code units, as texts are cut. */
function reverse(text: string): string {
  return text.split('').reverse().join('')
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
    result += text.slice(at, from) + shown
    at = to
  }
  return result + text.slice(at)
}
