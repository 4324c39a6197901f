/**
 * `.env` files, strictly, so that what one line means is never a guess:
 *
 *     file    = { blank | comment | entry }
 *     comment = "#" …
 *     entry   = [ "export " ] KEY "=" value        KEY: letters, digits, "_"; not a digit first
 *     value   = "'" … "'"      as it stands, over several lines if need be
 *             | '"' … '"'      the same, with \\n \\r \\t \\\\ \\" \\$
 *             | …              to the end of the line or to a "#" after a space; spaces at its ends do not count
 *
 * Nothing is interpolated: `$NAME` is five characters. A key stands once in a file.
 */

import { keyPattern } from './value-type.ts'

export interface DotenvEntry {
  readonly key: string
  readonly value: string
  /** From 1. */
  readonly line: number
}

export interface DotenvProblem {
  readonly line: number
  /** What was expected; never the line's own text, which may be a secret. */
  readonly message: string
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '\\': '\\', '"': '"', $: '$' }

export function parseDotenv(text: string): { entries: DotenvEntry[]; problems: DotenvProblem[] } {
  const scanner = new Scanner(text.startsWith('\ufeff') ? text.slice(1) : text)
  const entries = new Map<string, DotenvEntry>()
  const problems: DotenvProblem[] = []
  while (!scanner.ended) {
    const line = scanner.line
    try {
      const entry = scanEntry(scanner)
      if (entry === undefined) continue
      const before = entries.get(entry.key)
      if (before === undefined) entries.set(entry.key, { ...entry, line })
      else problems.push({ line, message: `${entry.key} stands on line ${before.line} already` })
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      problems.push({ line, message: error.message })
      scanner.skipLine()
    }
  }
  return { entries: [...entries.values()], problems }
}

class Problem extends Error {}

class Scanner {
  line = 1
  readonly #text: string
  #offset = 0

  constructor(text: string) {
    this.#text = text.replaceAll('\r\n', '\n')
  }

  get ended(): boolean {
    return this.#offset >= this.#text.length
  }

  get rest(): string {
    const end = this.#text.indexOf('\n', this.#offset)
    return this.#text.slice(this.#offset, end < 0 ? undefined : end)
  }

  /** Takes so many characters, and counts the lines in them. */
  take(count: number): string {
    const taken = this.#text.slice(this.#offset, this.#offset + count)
    this.#offset += count
    this.line += taken.split('\n').length - 1
    return taken
  }

  skipLine(): void {
    this.take(this.rest.length + 1)
  }

  end(): void {
    this.#offset = this.#text.length
  }

  /** Where the quote at the offset ends: the offset of the closing one from here. */
  findClosing(quote: string): number | undefined {
    for (let index = this.#offset + 1; index < this.#text.length; index += 1) {
      if (quote === '"' && this.#text[index] === '\\') index += 1
      else if (this.#text[index] === quote) return index - this.#offset
    }
    return undefined
  }
}

function scanEntry(scanner: Scanner): { key: string; value: string } | undefined {
  if (/^[ \t]*(#|$)/.test(scanner.rest)) {
    scanner.skipLine()
    return undefined
  }
  const match = /^[ \t]*(?:export[ \t]+)?([^=\s]*)[ \t]*(=?)/.exec(scanner.rest)
  const [head = '', key = '', equals = ''] = match ?? []
  if (equals === '') throw new Problem('expected KEY=VALUE, found no `=`')
  if (!keyPattern.test(key)) throw new Problem('expected a key of letters, digits and underscores before the `=`')
  scanner.take(head.length)
  const rest = scanner.rest
  const [quote] = rest.trimStart()
  if (quote === '`') throw new Problem(`${key}: expected ' or " as quotes, found a backtick`)
  if (quote !== '"' && quote !== "'") {
    const [bare = ''] = rest.split(/[ \t]#/, 1)
    scanner.skipLine()
    return { key, value: bare.trim() }
  }
  scanner.take(rest.length - rest.trimStart().length)
  return { key, value: scanQuoted(scanner, quote, key) }
}

function scanQuoted(scanner: Scanner, quote: string, key: string): string {
  const closing = scanner.findClosing(quote)
  if (closing === undefined) {
    scanner.end() // what follows cannot be told from the value
    throw new Problem(`${key}: expected a closing ${quote}, found the end of the file`)
  }
  const inner = scanner.take(closing + 1).slice(1, -1)
  if (!/^[ \t]*(#|$)/.test(scanner.rest)) throw new Problem(`${key}: expected nothing after the closing ${quote}`)
  const value = quote === "'" ? inner : unescape(inner, key)
  scanner.skipLine()
  return value
}

function unescape(text: string, key: string): string {
  return text.replaceAll(/\\([\s\S])/g, (_, letter: string) => {
    const meant = escapes[letter]
    if (meant === undefined) {
      throw new Problem(`${key}: expected \\n, \\r, \\t, \\\\, \\" or \\$ after a backslash in double quotes`)
    }
    return meant
  })
}
