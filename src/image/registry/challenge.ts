/** One way to authenticate, as a server offers it. */
export interface Challenge {
  /** Lower-case: 'bearer', 'basic' */
  readonly scheme: string
  /** By lower-case name. */
  readonly parameters: ReadonlyMap<string, string>
}

/**
 * WWW-Authenticate: several challenges may stand in one line, apart by commas as their parameters are. What cannot be
 * understood is left out.
 * @see RFC 9110, 11.3 "Challenge and Response"
 */
export function parseChallenges(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = []
  const reader = new Reader(header)
  for (;;) {
    reader.take(/^[\s,]+/)
    if (reader.rest === '') return challenges
    const parameter = reader.take(parameterPattern)
    const scheme = parameter === undefined ? reader.take(schemePattern) : undefined
    if (parameter !== undefined) {
      const [, name = '', quoted, bare = ''] = parameter
      const key = name.toLowerCase()
      const current = challenges.at(-1)
      // The first of a name counts: a second could only be there to mislead.
      if (current?.parameters.has(key) === false)
        current.parameters.set(key, quoted === undefined ? bare : quoted.replaceAll(/\\(.)/g, '$1'))
    } else if (scheme !== undefined) {
      challenges.push({ scheme: (scheme[1] ?? '').toLowerCase(), parameters: new Map() })
    } else reader.take(/^[^,]+/)
  }
}

const parameterPattern = /^([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([\w!#$%&'*+.^`|~:/?@[\]{}()-]+))/
/** A scheme; what follows it may be one word of a token instead of parameters. */
const schemePattern = /^([\w!#$%&'*+.^`|~-]+)(?:\s+[\w.~+/-]+=*(?=\s*(?:,|$)))?/

class Reader {
  rest: string

  constructor(text: string) {
    this.rest = text
  }

  take(pattern: RegExp): RegExpExecArray | undefined {
    const match = pattern.exec(this.rest)
    if (match === null) return undefined
    this.rest = this.rest.slice(match[0].length)
    return match
  }
}
