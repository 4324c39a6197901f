import { isAbsolute, relative, resolve } from 'node:path'
import { FairwayError } from '../base/error.ts'

/** One thing the compiler, or go itself, has to say. */
export interface BuildFinding {
  /** From the project's folder. */
  readonly file?: string
  readonly line?: number
  readonly column?: number
  /** May have several lines. */
  readonly message: string
}

/** The text of a build: the output of `go build -json` events, and whatever was plain. */
export function buildText(stdout: string, stderr: string): string {
  const lines = stdout.split('\n').map((line) => {
    if (!line.startsWith('{')) return line === '' ? '' : `${line}\n`
    try {
      const event: unknown = JSON.parse(line)
      if (typeof event === 'object' && event !== null && 'Action' in event) {
        return 'Output' in event && typeof event.Output === 'string' ? event.Output : ''
      }
    } catch {
      // not an event
    }
    return `${line}\n`
  })
  return `${lines.join('')}${stderr}`
}

/**
 * What has a place comes first: it is the cause; what follows from it ("build failed", "too many errors") says nothing new.
 * @param cwd where go ran: its paths begin there
 */
export function parseBuildText(text: string, { cwd, folder }: { cwd: string; folder: string }): BuildFinding[] {
  const findings: { file?: string; line?: number; column?: number; message: string }[] = []
  for (const raw of text.split('\n')) {
    const line = raw.trimEnd()
    if (
      line === '' ||
      /^(?:# |go: (?:downloading |finding |errors parsing ))/.test(line) ||
      /(?:^|: )too many errors$/.test(line)
    )
      continue
    const last = findings.at(-1)
    if (/^\s/.test(line) && last !== undefined) {
      last.message += `\n${line}` // goes on with what it said
      continue
    }
    const match =
      /^((?:[^:\s]|[^:\s][^:]*[^:\s])\.[A-Za-z]+|(?:.*\/)?go\.(?:mod|work|sum)):([0-9]+)(?::([0-9]+))?: (.*)$/.exec(
        line,
      )
    const [, file, row, column, message] = match ?? []
    if (file === undefined || message === undefined) findings.push({ message: withoutUserinfo(line) })
    else {
      findings.push({
        file: fromFolder(file, cwd, folder),
        line: Number(row),
        ...(column === undefined ? {} : { column: Number(column) }),
        message: withoutUserinfo(message),
      })
    }
  }
  const placed = findings.filter(({ file }) => file !== undefined)
  return [...placed, ...findings.filter(({ file }) => file === undefined)]
}

function fromFolder(file: string, cwd: string, folder: string): string {
  const absolute = isAbsolute(file) ? file : resolve(cwd, file)
  const path = relative(folder, absolute)
  return path.startsWith('../../..') ? absolute : path
}

/** Module proxies and repositories may be reached by a URL with a password in it. */
function withoutUserinfo(text: string): string {
  return text.replaceAll(/([a-z][a-z0-9+.-]*:\/\/)[^/\s@]+@/gi, '$1')
}

export function formatFinding({ file, line, column, message }: BuildFinding): string {
  return file === undefined ? message : `${file}:${line}${column === undefined ? '' : `:${column}`}: ${message}`
}

/** What to do, where the compiler's own words do not say it. */
const hints: readonly (readonly [RegExp, string])[] = [
  [
    /missing go\.sum entry|updates to go\.mod needed|go mod tidy|no required module provides package/,
    'Bring go.mod and go.sum up to date: go mod tidy',
  ],
  [
    /pattern .*: (?:no matching files found|cannot embed)/,
    'The files to embed are not there: they are mostly made by another build (a front-end: npm run build), to be run before.',
  ],
  [/inconsistent vendoring/, 'Bring vendor/ up to date: go mod vendor'],
  [
    /C compiler .* not found|exec: "(?:gcc|clang|cc)"/,
    'A package needs cgo, and cgo a C compiler: sudo apt-get install gcc libc6-dev',
  ],
  [
    /dial tcp|no such host|i\/o timeout|connection refused|TLS handshake/,
    'A module could not be fetched: is the network up, and is GOPROXY right (go env GOPROXY)?',
  ],
  [/(?:^|[\n/])go\.mod:[0-9]+: /, 'Mend this line; once go can read the file, this says nothing: go mod edit -fmt'],
  [/(?:^|[\n/])go\.work:[0-9]+: /, 'Mend this line; once go can read the file, this says nothing: go work edit -fmt'],
  [/function main is undeclared|is not a main package/, 'A program has a `package main` with a func main.'],
]

/**
 * go could not begin: where its words have a place, a file is to be mended, as when a build fails.
 * @param failed '`go mod tidy` cannot say what it would change'
 * @param projectFolder where places are said from
 */
export function explainGoFailure(
  stderr: string,
  { failed, cwd, projectFolder }: { failed: string; cwd: string; projectFolder: string },
): FairwayError {
  const findings = parseBuildText(stderr, { cwd, folder: projectFolder })
  const [first] = findings
  const explained = explainBuildFailure(findings, failed)
  if (first?.file !== undefined || explained.code !== 'BUILD_FAILED') return explained
  const words = first?.message.replaceAll(/\s*\n\s*/g, ' ') ?? 'go does not say why'
  return new FairwayError('COMMAND_FAILED', `${failed}: ${words.replace(/^go: /, '')}`, {
    hint: explained.hint,
    details: explained.details,
  })
}

/** @throws never; the error is the answer: BUILD_FAILED, or DISK_FULL and GO_MISSING where that is the cause */
export function explainBuildFailure(findings: readonly BuildFinding[], what: string): FairwayError {
  const details = findings.slice(0, 20).map(formatFinding)
  const text = details.join('\n')
  if (/no space left on device|disk quota exceeded/.test(text)) {
    return new FairwayError('DISK_FULL', `No space left while building ${what}`, {
      hint: 'Free some space (df -h; `go clean -cache` empties Go’s own build cache) and try again.',
      details,
    })
  }
  const requires = /requires go >= ?([0-9][^\s;)]*)/.exec(text)
  if (requires !== null) {
    return new FairwayError('GO_MISSING', `${what} needs Go ${requires[1]} or newer`, {
      hint: 'Say in go.mod which Go the whole build needs (go get go@VERSION): it is fetched then.',
      details,
    })
  }
  const [first = `go could not build ${what}`] = details
  return new FairwayError('BUILD_FAILED', first.split('\n')[0] ?? first, {
    hint: hints.find(([pattern]) => pattern.test(text))?.[1],
    details,
  })
}
