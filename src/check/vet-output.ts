import { z } from 'zod'
import { parseJsonStream } from '../go/index.ts'

export interface VetFinding {
  readonly package: string
  /** 'printf' */
  readonly analyzer: string
  /** Absolute. */
  readonly file: string
  readonly line: number
  readonly message: string
}

const findings = z.array(z.object({ posn: z.string(), message: z.string() }))

/**
 * Of `go vet -json`: objects of package → analyzer → findings, one after the other; a package with nothing to say is `{}`. An older Go prints
 * them to stderr, under a heading '# PACKAGE'. What is neither goes back as `rest`: why a package could not be looked at.
 */
export function parseVetOutput(stdout: string, stderr: string): { findings: VetFinding[]; rest: string } {
  const lines = `${stdout}\n${stderr}`.split('\n')
  const inObject: string[] = []
  const rest: string[] = []
  let isInside = false
  for (const line of lines) {
    if (line === '{') isInside = true
    if (isInside) inObject.push(line)
    else if (line !== '{}' && line !== '' && !/^(?:# |go: downloading )/.test(line)) rest.push(line)
    if (line === '}') isInside = false
  }
  const found: VetFinding[] = []
  for (const object of parseObjects(inObject, rest)) {
    for (const [name, analyzers] of Object.entries(object)) {
      if (typeof analyzers !== 'object' || analyzers === null) continue
      for (const [analyzer, value] of Object.entries(analyzers)) {
        const parsed = findings.safeParse(value)
        if (!parsed.success) rest.push(`${name}: ${analyzer}: ${JSON.stringify(value)}`) // an analyzer's own error
        else
          for (const { posn, message } of parsed.data)
            found.push({ package: name, analyzer, ...placeOf(posn), message })
      }
    }
  }
  return { findings: distinct(found), rest: rest.join('\n') }
}

/** Torn output is text, not lost. */
function parseObjects(lines: readonly string[], rest: string[]): Record<string, unknown>[] {
  try {
    return parseJsonStream(`${lines.join('\n')}\n`)
  } catch {
    rest.push(...lines)
    return []
  }
}

/** '/src/shop/cart.go:3:24' */
function placeOf(posn: string): { file: string; line: number } {
  const [, file = posn, line = '0'] = /^(.*?):([0-9]+)(?::[0-9]+)?$/.exec(posn) ?? []
  return { file, line: Number(line) }
}

/** A package and its test variant say the same thing twice. */
function distinct(all: readonly VetFinding[]): VetFinding[] {
  const seen = new Map(all.map((one) => [`${one.file}:${one.line}:${one.analyzer}:${one.message}`, one]))
  return [...seen.values()]
}
