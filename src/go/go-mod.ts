/** What we need of go.mod and go.work, read without starting go: which refuses both when they ask for a newer one. */
export interface GoMod {
  readonly module?: string
  /** The `go` line, with its place. */
  readonly go?: { readonly version: string; readonly line: number }
  /** The `toolchain` line: 'go1.26.8', 'default'. */
  readonly toolchain?: { readonly name: string; readonly line: number }
  /** `replace` lines that point to a folder. */
  readonly replacements: readonly { readonly module: string; readonly folder: string; readonly line: number }[]
  /** The folders of a workspace's `use` lines. */
  readonly uses: readonly string[]
}

/**
 * Reads the verbs `module`, `go`, `toolchain`, `replace` and `use`, alone or in a block; every other line is the go command's business.
 * @see https://go.dev/ref/mod#go-mod-file-grammar
 */
export function parseGoMod(text: string): GoMod {
  let module: string | undefined
  let go: GoMod['go']
  let toolchain: GoMod['toolchain']
  const replacements: { module: string; folder: string; line: number }[] = []
  const uses: string[] = []
  let block: string | undefined
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const words = splitWords(raw)
    if (words.length === 0) continue
    if (block !== undefined && words[0] === ')') {
      block = undefined
      continue
    }
    if (block === undefined && words[1] === '(') {
      block = words[0]
      continue
    }
    const [verb, value] = block === undefined ? [words[0], words[1]] : [block, words[0]]
    if (value === undefined) continue
    if (verb === 'module') module ??= value
    else if (verb === 'go') go ??= { version: value, line: index + 1 }
    else if (verb === 'toolchain') toolchain ??= { name: value, line: index + 1 }
    else if (verb === 'use') uses.push(value)
    else if (verb === 'replace') {
      const folder = words[words.indexOf('=>') + 1] ?? ''
      if (words.includes('=>') && /^\.{0,2}\//.test(folder))
        replacements.push({ module: value, folder, line: index + 1 })
    }
  }
  return {
    ...(module === undefined ? {} : { module }),
    ...(go === undefined ? {} : { go }),
    ...(toolchain === undefined ? {} : { toolchain }),
    replacements,
    uses,
  }
}

function splitWords(line: string): string[] {
  const words: string[] = []
  for (const [, quoted, raw, bare] of line.matchAll(/"((?:[^"\\]|\\.)*)"|`([^`]*)`|(\/\/.*|[()]|[^\s"`()]+)/g)) {
    if (bare?.startsWith('//')) break
    words.push(quoted?.replaceAll(/\\(.)/g, '$1') ?? raw ?? bare ?? '')
  }
  return words
}
