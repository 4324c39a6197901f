/** One `go build` or `go install` as somebody wrote it down. */
export interface BuildLine {
  /** 'Dockerfile:12' */
  readonly where: string
  /** As written, a file's folder for the file: './cmd/web', '.', 'example.com/shop/cmd/web'. */
  readonly packages: readonly string[]
  /** The last part of what `-o` names. */
  readonly binary?: string
  readonly tags: readonly string[]
  /** 'main.version', of each `-X main.version=…` */
  readonly stamps: readonly string[]
}

/** What a file says is started. */
export interface StartLine {
  readonly where: string
  /** The program's name without its folder. */
  readonly binary: string
}

export interface Recorded {
  readonly builds: readonly BuildLine[]
  readonly starts: readonly StartLine[]
}

/**
 * Reads how others build and start the program: Dockerfile, Makefile and scripts by their lines, Procfile, .goreleaser.yaml
 * and .ko.yaml by their keys. What has variables in it says nothing. Pure, and no text is refused.
 * @param name 'Dockerfile', 'Makefile', 'Procfile', '.goreleaser.yaml', '.ko.yaml', with folders before it
 */
export function parseRecorded(name: string, text: string): Recorded {
  const base = name.split('/').at(-1) ?? name
  if (base === 'Procfile') return { builds: [], starts: parseProcfile(name, text) }
  if (/^\.?(?:goreleaser|ko)\.ya?ml$/.test(base)) return { builds: parseReleaser(name, text), starts: [] }
  const lines = logicalLines(text)
  return {
    builds: lines.flatMap(({ line, words }) => parseBuilds(`${name}:${line}`, words)),
    // Of several stages the last one is what runs.
    starts: /Dockerfile|Containerfile/.test(base) ? parseStarts(name, lines).slice(-2) : [],
  }
}

function parseProcfile(name: string, text: string): StartLine[] {
  return text.split(/\r?\n/).flatMap((line, index) => {
    const binary = /^web:\s*(.*)$/.exec(line)?.[1]
    const program = binary === undefined ? undefined : programOf(splitWords(binary))
    return program === undefined ? [] : [{ where: `${name}:${index + 1}`, binary: program }]
  })
}

/** Lines of `main:`, `binary:`, `dir:` and flags below a list; enough of YAML for what these files hold. */
function parseReleaser(name: string, text: string): BuildLine[] {
  const builds: { where: string; packages: string[]; binary?: string; tags: string[]; stamps: string[] }[] = []
  let inTags = false
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const [, key, raw = ''] = /^\s*(?:-\s+)?(main|binary|dir|tags):\s*(.*?)\s*(?:#.*)?$/.exec(line) ?? []
    const value = raw.replaceAll(/^['"]|['"]$/g, '')
    const last = builds.at(-1)
    if (key === 'main' && isPlain(value)) {
      const where = `${name}:${index + 1}`
      builds.push({ where, packages: [folderOf(value)], tags: [], stamps: [] })
    } else if (key === 'binary' && last !== undefined && isPlain(value)) last.binary = value
    else if (key === 'tags') {
      last?.tags.push(
        ...value
          .replaceAll(/[[\]'"]/g, ' ')
          .split(/[\s,]+/)
          .filter((tag) => tag !== ''),
      )
      inTags = value === ''
      continue
    }
    const tag = inTags ? /^\s*-\s+['"]?([\w.]+)['"]?\s*$/.exec(line)?.[1] : undefined
    if (tag !== undefined) last?.tags.push(tag)
    else inTags = false
    last?.stamps.push(...stampsOf(line))
  }
  return builds
}

interface LogicalLine {
  /** Where it begins, from 1. */
  readonly line: number
  readonly words: readonly string[]
}

/** Lines that go on behind a backslash as one. */
function logicalLines(text: string): LogicalLine[] {
  const lines: LogicalLine[] = []
  let held = ''
  let begin = 1
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    if (held === '') begin = index + 1
    if (/^\s*#/.test(raw)) continue // also between two that go on
    if (raw.endsWith('\\')) {
      held += `${raw.slice(0, -1)} `
      continue
    }
    const whole = held + raw
    held = ''
    if (whole.trim() !== '') lines.push({ line: begin, words: splitWords(whole) })
  }
  return lines
}

/** As a shell would part them; quotes off. */
function splitWords(text: string): string[] {
  return Array.from(text.matchAll(/(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s"']+))+/g), ([whole]) =>
    whole.replaceAll(
      /"((?:[^"\\]|\\.)*)"|'([^']*)'/g,
      (_, a: string | undefined, b: string | undefined) => a ?? b ?? '',
    ),
  )
}

/** Flags of `go build` with a value of their own behind them. */
const valued = new Set(['-o', '-p', '-tags', '-ldflags', '-gcflags', '-asmflags', '-mod', '-modfile', '-buildmode', '-covermode', '-coverpkg', '-pgo', '-pkgdir', '-toolexec', '-overlay', '-C', '-exec', '-installsuffix', '-compiler']) // prettier-ignore

function parseBuilds(where: string, words: readonly string[]): BuildLine[] {
  const builds: BuildLine[] = []
  for (let at = 0; at + 1 < words.length; at += 1) {
    const isGo = /(?:^|[/@(])go$|^\$[({]?GO(?:CMD|BIN)?[)}]?$/.test(words[at] ?? '')
    if (!isGo || !/^(?:build|install|run)$/.test(words[at + 1] ?? '')) continue
    const packages: string[] = []
    let output = ''
    let tags = ''
    let linker = ''
    let place = at + 2
    for (; place < words.length; place += 1) {
      const word = words[place] ?? ''
      if (/^(?:&&|\|\||;|\||>|2>|&)/.test(word)) break
      if (!word.startsWith('-')) {
        if (isPlain(word) && (/^\.{1,2}(?:\/|$)/.test(word) || word.includes('/') || word.endsWith('.go'))) {
          packages.push(folderOf(word.replace(/;$/, '')))
        }
        if (words[at + 1] === 'run' || word.endsWith(';')) break // what follows are its own arguments
        continue
      }
      const [key = '', ...rest] = word.replace(/^--/, '-').split('=')
      const value = rest.length > 0 ? rest.join('=') : valued.has(key) ? (words[(place += 1)] ?? '') : ''
      if (key === '-o') output = value
      else if (key === '-tags') tags = value
      else if (key === '-ldflags') linker = value
    }
    at = place - 1
    const binary = output.split('/').at(-1) ?? ''
    builds.push({
      where,
      packages: packages.length > 0 ? packages.filter((path) => !path.includes('...')) : ['.'],
      ...(isPlain(binary) && binary !== '' ? { binary } : {}),
      tags: isPlain(tags) ? tags.split(/[\s,]+/).filter((tag) => tag !== '') : [],
      stamps: stampsOf(linker),
    })
  }
  return builds
}

function stampsOf(text: string): string[] {
  return Array.from(text.matchAll(/-X[\s=]+['"]?([\w./-]+\.\w+)=/g), ([, name = '']) => name)
}

function parseStarts(name: string, lines: readonly LogicalLine[]): StartLine[] {
  return lines.flatMap(({ line, words: [verb = '', ...rest] }) => {
    if (!/^(?:CMD|ENTRYPOINT)$/i.test(verb)) return []
    // The list form too: `["/app/web", "serve"]`
    const words = rest
      .join(' ')
      .replaceAll(/[[\],]/g, ' ')
      .split(/\s+/)
    const binary = programOf(words)
    return binary === undefined ? [] : [{ where: `${name}:${line}`, binary }]
  })
}

/** The first word that is a program of one's own, without its folder. */
function programOf(words: readonly string[]): string | undefined {
  const starters = /^(?:sh|bash|ash|env|exec|tini|dumb-init|gosu|su-exec|nohup|-.*|\w+=.*|)$/
  const program = words
    .map((word) => word.replaceAll(/["']/g, '').split('/').at(-1) ?? '')
    .find((word) => !starters.test(word))
  return program === undefined || !isPlain(program) ? undefined : program
}

/** No variable, no template in it. */
function isPlain(text: string): boolean {
  return !/[$`{}<>*]/.test(text)
}

function folderOf(path: string): string {
  const tidy = path.replace(/\/+$/, '')
  if (!tidy.endsWith('.go')) return tidy
  const parts = tidy.split('/').slice(0, -1)
  return parts.length === 0 ? '.' : parts.join('/')
}
