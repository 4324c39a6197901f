/** What of a Go file's text is code: strings keep their quotes, comments and what is in strings become blanks; places stay. */
export interface GoText {
  /** As long as the file, line breaks where they were. */
  readonly code: string
  /** 'main', 'cart_test'; '' where there is no package clause. */
  readonly package: string
  readonly imports: readonly { readonly path: string; readonly name: string; readonly line: number }[]
  /** The `//go:build` line's expression; of an older file, what its `// +build` lines come to. */
  readonly constraint?: string
  /** "Code generated … DO NOT EDIT." stands before the package clause. */
  readonly isGenerated: boolean
}

/** Reads enough of Go's grammar to look for calls; never fails, whatever it is given. */
export function readGoText(text: string): GoText {
  const code = maskGo(text)
  const clause = /^[ \t]*package[ \t]+([\p{L}_][\p{L}\p{N}_]*)/mu.exec(code)
  const head = clause === null ? text : text.slice(0, clause.index)
  const constraint = /^\/\/go:build[ \t]+(.+)$/m.exec(head)?.[1]?.trim() ?? oldConstraint(head)
  return {
    code,
    package: clause?.[1] ?? '',
    imports: readImports(text, code),
    ...(constraint === undefined ? {} : { constraint }),
    isGenerated: /^\/\/ Code generated .* DO NOT EDIT\.\r?$/m.test(head),
  }
}

/** '// +build a,b c' of before Go 1.17: lines are joined by and, words by or, commas by and. */
function oldConstraint(head: string): string | undefined {
  const lines = Array.from(head.matchAll(/^\/\/[ \t]*\+build[ \t]+(.+)$/gm), ([, words = '']) =>
    words
      .trim()
      .split(/\s+/)
      .map((word) => `(${word.split(',').join(' && ')})`)
      .join(' || '),
  )
  if (lines.length === 0) return undefined
  return lines.length === 1 && /^\(!?\w+\)$/.test(lines[0] ?? '')
    ? lines[0]?.slice(1, -1)
    : lines.map((line) => `(${line})`).join(' && ')
}

/** @see https://go.dev/ref/spec#Lexical_elements */
export function maskGo(text: string): string {
  const pattern =
    /\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|`[^`]*(?:`|$)|"(?:[^"\\\n]|\\.)*(?:"|$|(?=\n))|'(?:[^'\\\n]|\\.)*(?:'|$|(?=\n))/g
  return text.replaceAll(pattern, (token) => {
    const blank = (part: string) => part.replaceAll(/[^\n]/g, ' ')
    if (token.startsWith('/')) return blank(token)
    const [quote = ''] = token
    const isClosed = token.length > 1 && token.endsWith(quote)
    return `${quote}${blank(token.slice(1, isClosed ? -1 : undefined))}${isClosed ? quote : ''}`
  })
}

/** Import declarations stand before all others. */
function readImports(text: string, code: string): { path: string; name: string; line: number }[] {
  const end = /^(?:func|type|var|const)\b/m.exec(code)?.index ?? code.length
  const found: { path: string; name: string; line: number }[] = []
  for (const declaration of code.slice(0, end).matchAll(/^[ \t]*import\b[ \t]*(?:\(([^)]*)\)|([^\n]*))/gm)) {
    for (const spec of declaration[0].matchAll(/([\p{L}_.][\p{L}\p{N}_]*)?[ \t]*(["`])([^"`\n]*)\2/gu)) {
      const at = declaration.index + spec.index
      const begin = at + spec[0].indexOf(spec[2] ?? '"') + 1
      const name = spec[1] === 'import' ? '' : (spec[1] ?? '')
      found.push({ path: text.slice(begin, begin + (spec[3] ?? '').length), name, line: lineAt(text, at) })
    }
  }
  return found
}

/** 1 is the first. */
export function lineAt(text: string, offset: number): number {
  let line = 1
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) line += 1
  return line
}

/** From an opening bracket to the one that closes it, both included; to the end where none does. */
export function bracketed(code: string, open: number): string {
  const pairs: Readonly<Record<string, string>> = { '(': ')', '{': '}', '[': ']' }
  const opening = code[open] ?? ''
  const closing = pairs[opening]
  let depth = 0
  for (let at = open; at < code.length; at += 1) {
    if (code[at] === opening) depth += 1
    else if (code[at] === closing) depth -= 1
    if (depth === 0) return code.slice(open, at + 1)
  }
  return code.slice(open)
}
