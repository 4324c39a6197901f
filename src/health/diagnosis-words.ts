import type { Listen, ProbeSpecification } from '../config/index.ts'
import { parseAddress } from '../host/index.ts'
import { type ExitStatus, reaches } from '../runtime/index.ts'
import type { Diagnosis, Evidence } from './health.ts'
import { findListenSetting } from './output-clues.ts'

export interface DiagnosisContext {
  readonly service: string
  readonly listen: Listen
  readonly probe: ProbeSpecification
  /** Fixed ones beside `listen`. */
  readonly ports?: readonly number[]
  /** Whose it has; the machine's where nothing is said. */
  readonly network?: 'own' | 'host'
  /** The keys the service declares or has values for. */
  readonly knownKeys: readonly string[]
  /** From its start to its end, or to the end of our patience. */
  readonly livedMs: number
}

/** One cause: its diagnosis where it applies. */
export type Rule = (evidence: Evidence, context: DiagnosisContext) => Diagnosis | undefined

/** The line of fairway.yaml that tells this program its port, whole: it can be pasted where there is no file yet. */
export function listenHint(lines: readonly string[], { service, listen }: DiagnosisContext): string {
  const told = listen.kind === 'env' ? listen.name : ''
  const { flag, variable } = findListenSetting(lines, told)
  const line = (setting: string) => `\`services: { ${service}: { ${setting} } }\``
  if (flag !== undefined && !(listen.kind === 'arg' && listen.template.includes(flag))) {
    return `It speaks of ${flag}. In fairway.yaml: ${line(listenArg(flag))}`
  }
  if (variable !== undefined) {
    return `It speaks of ${variable}. In fairway.yaml: ${line(`listen: { env: ${variable} }`)}`
  }
  const obeys = told === '' ? 'what it was told' : told
  return `It does not obey ${obeys}. Has it a flag for its port? In fairway.yaml: ${line(listenArg('--port'))}; a variable of another name: ${line('listen: { env: NAME }')}. Its \`-help\` says.`
}

/** For a program that listens there whatever it is told. */
export function fixedPortLine(ports: readonly number[], { service }: Pick<DiagnosisContext, 'service'>): string {
  const [first, ...more] = ports
  const further = more.length === 0 ? '' : `, ports: [${more.join(', ')}]`
  return `\`services: { ${service}: { listen: { port: ${first ?? 8080} }${further} } }\``
}

export function listenArg(flag: string): string {
  const value = /port/i.test(flag) && !/addr/i.test(flag) ? '{{port}}' : '{{host}}:{{port}}'
  return `listen: { arg: '${flag}=${value}' }`
}

export function serves(listening: readonly string[], expected: string | undefined): boolean {
  const wanted = expected === undefined ? undefined : parseAddress(expected)
  if (wanted === undefined) return false
  return reaches(
    listening.flatMap((text) => parseAddress(text) ?? []),
    wanted,
  )
}

export function portOf(address: string): string {
  return address.slice(address.lastIndexOf(':') + 1)
}

export function lastWords(lines: readonly string[]): string | undefined {
  return lines
    .findLast((line) => line.trim() !== '')
    ?.trim()
    .slice(0, 200)
}

export function describeExit(exit: ExitStatus): string {
  switch (exit.kind) {
    case 'exit':
      return `exited with status ${exit.code}`
    case 'signal':
      return `was ended by ${exit.signal}`
    case 'out-of-memory':
      return 'was killed for its memory'
    case 'unknown':
      return 'ended, nobody saw how,'
  }
}

export function after(livedMs: number): string {
  return livedMs < 2000 ? 'at once' : `after ${seconds(livedMs)}`
}

export function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 100) / 10} s`
}
