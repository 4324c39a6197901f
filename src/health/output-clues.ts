/**
 * What real Go programs print when they cannot start, read out of their last lines. Each finds one thing or nothing;
 * what it means is for diagnose.ts.
 */

import { findNamedTogether, type NamesKnown, withoutExcuses } from './missing-values.ts'

/** 'Usage of ./web:', 'USAGE:', 'Available Commands:' and their like. */
export function findUsage(lines: readonly string[]): boolean {
  return lines.some(
    (line) =>
      /^\s*(usage\b.*|available commands|commands|flags|options|name|global options)\s*:/i.test(line) ||
      /^\s*usage\b/i.test(line),
  )
}

/** A subcommand in a usage text that makes a server of the program. */
export function findServeCommand(lines: readonly string[]): string | undefined {
  const names = lines.flatMap((line) => /^\s+([a-z][a-z0-9-]*)[,\s:]/.exec(`${line} `)?.[1] ?? [])
  return ['serve', 'server', 'run', 'start', 'daemon', 'web', 'http', 'api', 'relay', 'agent', 'up'].find((name) =>
    names.includes(name),
  )
}

export interface Panic {
  /** 'assignment to entry in nil map' */
  readonly message: string
  /** 'main.main (main.go:97)', nearest first, without the run-time's own. */
  readonly frames: readonly string[]
}

/** The first goroutine after the message is the one that panicked; where the message is lost, the one that was running. */
export function findPanic(lines: readonly string[]): Panic | undefined {
  const start = lines.findIndex((line) => /^(panic|fatal error|SIG[A-Z]+): /.test(line))
  const isTrace = start === -1 ? /^goroutine \d+ .*\[running.*\]:$/ : /^goroutine \d+ .*\[.*\]:$/
  const trace = lines.findIndex((line, i) => i >= start && isTrace.test(line))
  if (start === -1 && !lines.some((line) => /^goroutine \d+ .*\[.*\]:$/.test(line))) return undefined
  const message =
    start === -1 ? 'the beginning of its trace is lost' : (lines[start] ?? '').replace(/^(panic|fatal error): /, '')
  return { message, frames: trace === -1 ? [] : framesAfter(lines, trace) }
}

function framesAfter(lines: readonly string[], trace: number): string[] {
  const frames: string[] = []
  for (let i = trace + 1; i + 1 < lines.length && frames.length < 3; i += 2) {
    const [call = '', place = ''] = [lines[i], lines[i + 1]]
    const file = /^\s+(?:.*\/)?([^/]+:\d+)/.exec(place)?.[1]
    if (file === undefined) break
    const name = call.replace(/^created by /, '').replace(/\((?:0x|\.\.\.|\{|\)$).*$/, '')
    if (!/^(runtime|panic|log|syscall|internal)(\.|\/|\()/.test(name)) frames.push(`${name} (${file})`)
  }
  return frames
}

/** The address a program could not listen on. */
export function findPortInUse(lines: readonly string[]): { readonly address?: string } | undefined {
  for (const line of lines) {
    if (!/address already in use|EADDRINUSE/i.test(line)) continue
    const address = /listen (?:tcp|udp)[46]? (\S+): /.exec(line)?.[1]
    return address === undefined ? {} : { address }
  }
  return undefined
}

/** flag, pflag, kingpin, urfave/cli, go-flags: what they do not know, as they name it. */
export function findUnknownFlag(lines: readonly string[]): string | undefined {
  const patterns = [
    /flag provided but not defined: (-\S+)/,
    /unknown (?:long |short |shorthand )?flag:? [`'"]?(?:[a-zA-Z]'? in )?(-{1,2}[\w.-]+)/i,
    /(?:unknown|unrecognized|unexpected|invalid) (?:option|argument|flag|command|subcommand):? ?[`'"]?([\w./=-]+)/i,
  ]
  return firstMatch(lines, patterns)
}

/** Keys of the environment and flags without which the program will not start: all that it names. */
export function findMissingValues(lines: readonly string[], known: NamesKnown): string[] {
  const together = findNamedTogether(lines, known)
  const single = together.length > 0 ? undefined : findSingleValue(withoutExcuses(lines), known.keys)
  return single === undefined ? together : [single]
}

function findSingleValue(lines: readonly string[], known: readonly string[]): string | undefined {
  const lacking = String.raw`(?i:not set|unset|missing|required|must be (?:set|provided|specified|given)|(?:is|be|was) empty|undefined|not (?:found|provided|defined|specified|configured)|no value)`
  const asking = String.raw`(?i:missing|requires?|required|must set|must specify|must provide|please set|please provide|set the|need|no value for|could not find|expected)`
  const key = String.raw`\b([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\b`
  const patterns = [
    /required key (\S+) missing value/, // envconfig
    /required environment variable "?(\w+)"? is not set/, // caarlos0/env
    /environment variable "(\w+)" should not be empty/,
    /[Rr]equired flags? (?:\(s\) |\(s\))?"?(-{0,2}[\w.-]+)"?.*not (?:set|provided)/, // cobra, urfave, kingpin
    /required flag\(s\) "?([\w.-]+)"?/,
    /the required flags? [`'"](-[\w.-]+).*not specified/, // go-flags
    /required argument [`'"]?([\w.-]+)[`'"]? not provided/,
    /(?:flag|option) [`'"]?(-{1,2}[\w.-]+)[`'"]? (?:is required|must be|required|not set)/i,
    /(?<![\w-])[`'"]?(-{1,2}[a-z][\w.-]+)[`'"]? (?:is required|must be (?:set|specified|provided)|not set)/,
    /[`'"]([a-z][\w.-]*)[`'"] (?:flag )?(?:is required|must be (?:set|specified|provided|given)|is not set)/,
    new RegExp(`${key}.{0,40}?\\b${lacking}`),
    new RegExp(`\\b${asking}\\b.{0,60}?${key}`),
    ...known
      .filter((name) => /^\w+$/.test(name))
      .flatMap((name) => [
        new RegExp(`\\b(${name})\\b.{0,40}?\\b${lacking}`),
        new RegExp(`\\b${asking}\\b.{0,60}?\\b(${name})\\b`),
      ]),
  ]
  return firstMatch(lines, patterns)
}

/** A file or folder that is not there, as the program names it; `templates/*` for a pattern without a file. */
export function findMissingFile(lines: readonly string[]): string | undefined {
  const patterns = [
    // Of Go's own error the words alone, whatever a program wrote before it, with a space or without.
    /(?:open|l?stat|chdir|readdirent) ["']?([^"':\s]+)["']?: (?:no such file or directory|file does not exist)/,
    /\b(?:open|stat|lstat|read|chdir|readdirent|mkdir|fork\/exec|exec:?|unlink|load) ["']?([^"':]+)["']?: (?:no such file or directory|file does not exist|executable file not found)/,
    /exec: "([^"]+)": executable file not found/,
    /pattern matches no files: `([^`]+)`/,
    /Config File "([^"]+)" Not Found/, // viper
    /(?:file|folder|directory|config) ["'`]?([\w./~-]+)["'`]? (?:does not exist|not found|missing)/i,
    /(?<![\w./~-])([\w./~-]+\/[\w./~-]*|[\w-]+\.[a-z]{2,5})["'`]?:? (?:no such file or directory|does not exist)/i,
  ]
  return firstMatch(lines, patterns)
}

export interface Refusal {
  /** A path, or the address for a port below 1024. */
  readonly what: string
  readonly kind: 'port' | 'file' | 'other'
}

export function findPermission(lines: readonly string[]): Refusal | undefined {
  const port = firstMatch(lines, [/listen (?:tcp|udp)[46]? (\S+): bind: permission denied/])
  if (port !== undefined) return { kind: 'port', what: port }
  const file = firstMatch(lines, [
    /\b\w+ ["']?([^"':\s]+)["']?: (?:permission denied|read-only file system|operation not permitted)/,
    /["'`]?(\/[^"'`:\s]+)["'`]?:? .*(?:permission denied|read-only file system)/i,
  ])
  if (file !== undefined) return { kind: 'file', what: file }
  const other = lines.find((line) => /permission denied|operation not permitted/i.test(line))
  return other === undefined ? undefined : { kind: 'other', what: other.trim().slice(0, 200) }
}

/** '127.0.0.1:5432', where nothing took its connection. */
export function findRefusedLoopback(lines: readonly string[]): string | undefined {
  const refusals = lines.filter((line) => /connection refused|ECONNREFUSED/i.test(line))
  return firstMatch(refusals, [/(?<![\w.])((?:127(?:\.\d{1,3}){3}|localhost|\[::1\]):\d{1,5})\b/])
}

/** A flag or variable in the program's own words that sounds like where to listen. */
export function findListenSetting(
  lines: readonly string[],
  not: string,
): { readonly flag?: string; readonly variable?: string } {
  const sounds = /(?:^|[-._])(?:port|addr|address|listen|bind)(?:$|[-._a-z])|(?:port|addr|address)$/i
  const flags = lines.flatMap((line) =>
    [...line.matchAll(/(?<![\w-])(--?[a-zA-Z][\w.-]*)/g)].map((match) => match[1] ?? ''),
  )
  const flag = flags.find((name) => sounds.test(name.replace(/^-+/, '')))
  const variables = lines.flatMap((line) =>
    [...line.matchAll(/\b([A-Z][A-Z0-9_]*(?:PORT|ADDR|ADDRESS|LISTEN|BIND))\b/g)].map((match) => match[1] ?? ''),
  )
  const variable = variables.find((name) => name !== not)
  return { ...(flag === undefined ? {} : { flag }), ...(variable === undefined ? {} : { variable }) }
}

function firstMatch(lines: readonly string[], patterns: readonly RegExp[]): string | undefined {
  for (const pattern of patterns) {
    for (const line of lines) {
      const found = pattern.exec(line.slice(0, 2000))?.[1]
      if (found !== undefined) return found.trim()
    }
  }
  return undefined
}
