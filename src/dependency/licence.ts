import { licenceTexts, restrictions } from './licence-text.ts'

/** What a file says of a licence. */
export interface RecognizedLicence {
  /** SPDX identifiers, each whose text is in the file; empty: not known. */
  readonly ids: readonly string[]
  /** What restricts them: 'Commons Clause'. Then the ids alone are not the licence. */
  readonly restrictions: readonly string[]
}

/** Never a guess: a text that differs by a clause is not known. */
export function recognizeLicence(text: string): RecognizedLicence {
  const said = normalize(text)
  let left = said
  const ids: string[] = []
  for (const { id, patterns } of patterned) {
    for (let match = findParts(left, patterns); match !== undefined; match = findParts(left, patterns)) {
      if (!ids.includes(id)) ids.push(id)
      // Taken out, so that its words are not counted again for a licence that is a part of it.
      left = `${left.slice(0, match.begin)} | ${left.slice(match.end)}`
    }
  }
  return { ids, restrictions: restrictions.filter(([, words]) => said.includes(words)).map(([name]) => name) }
}

const patterned = licenceTexts.map(({ id, parts }) => ({ id, patterns: parts.map(partPattern) }))

/** Parts are words alone: nothing in them means anything to a pattern but `*`. */
function partPattern(part: string): RegExp {
  return new RegExp(part.replaceAll(' * ', '(?: [^ ]+){0,12} '), 'g')
}

function findParts(text: string, patterns: readonly RegExp[]): { begin: number; end: number } | undefined {
  let begin = -1
  let at = 0
  for (const pattern of patterns) {
    pattern.lastIndex = at
    const found = pattern.exec(text)
    if (found === null) return undefined
    if (begin < 0) begin = found.index
    at = found.index + found[0].length
  }
  return { begin, end: at }
}

/** Words alone, so that line breaks, quotes, bullets and comment marks do not count; enumerations lose their letters, not their numbers. */
function normalize(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .split('\n')
    .filter((line) => !/^[\s/*#;-]*(?:copyright\s*(?:\(c\)|©|[0-9]{4})|\(c\)\s|©|all rights reserved)/.test(line))
    .join(' ')
    .replaceAll(/\(c\)|©/g, ' ')
    .replaceAll(/licence/g, 'license')
    .replaceAll(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()
}
