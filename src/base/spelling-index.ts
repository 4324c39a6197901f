import { leastMasked } from './secret-spellings.ts'

const seedBits = 16

/** Spellings in the order of their characters, so that the one a text goes on with is found by halving. */
export class SpellingIndex {
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
export function reverse(text: string): string {
  return text.split('').reverse().join('')
}
