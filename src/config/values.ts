import type { DotenvEntry } from './dotenv.ts'
import type { SpecifiedService } from './specify.ts'
import type { ResolvedValue } from './specification.ts'
import { checkValue, type Declaration } from './value-type.ts'

/** One file of values; they come in an order, the later wins. */
export interface ValueLayer {
  /** '.env', '.env.production', '.env.production.local' */
  readonly name: string
  /** This machine's own override: what it holds and nobody declares is taken for a secret. */
  readonly local: boolean
  readonly entries: readonly DotenvEntry[]
}

export interface ValueSources {
  readonly environment: string
  readonly services: readonly Pick<SpecifiedService, 'service' | 'run' | 'declarations'>[]
  readonly layers: readonly ValueLayer[]
  /** Keys given by `fairway secret set`, with the version in force; they win over all files. */
  readonly stored: ReadonlyMap<string, number>
  /** The line of fairway.yaml that declares a key. */
  readonly lineOf: (service: string, key: string) => number
}

/** One layer's say about a key; a secret's value is masked. */
export interface LayerValue {
  /** 'fairway.yaml' for a default, a file's name, or 'fairway secret set'. */
  readonly layer: string
  readonly line?: number
  readonly value: string
  readonly wins: boolean
}

/** All that is known of one key for one service: what `config explain` shows. */
export interface ValueTrace {
  readonly service: string
  readonly key: string
  readonly declaration?: Declaration
  readonly secret: boolean
  /** From the weakest to the one that wins; empty when no layer has it. */
  readonly layers: readonly LayerValue[]
}

/**
 * `missing`, `ill-typed` and `reserved` end the matter before anything starts; `undeclared` (reaches every service, typos
 * included) and `unused` (declared, without a value, default or need: the program never gets it) are for `config check`.
 */
export interface ValueFinding {
  readonly kind: 'missing' | 'ill-typed' | 'reserved' | 'undeclared' | 'unused'
  readonly service: string
  readonly key: string
  /** A sentence with its place. */
  readonly message: string
}

export interface ResolvedValues {
  readonly values: ReadonlyMap<string, Readonly<Record<string, ResolvedValue>>>
  readonly traces: readonly ValueTrace[]
  readonly findings: readonly ValueFinding[]
}

const maskedValue = '[secret]'
const storedLayer = 'fairway secret set'

/** Which layer gives each service each of its values. Pure. */
export function resolveValues(sources: ValueSources): ResolvedValues {
  const declaredAnywhere = new Set(sources.services.flatMap(({ declarations }) => [...declarations.keys()]))
  const given = [...sources.layers.flatMap(({ entries }) => entries.map(({ key }) => key)), ...sources.stored.keys()]
  const values = new Map<string, Record<string, ResolvedValue>>()
  const traces: ValueTrace[] = []
  const findings: ValueFinding[] = []
  for (const service of sources.services) {
    // What another service declares is that one's alone; what nobody declares reaches all.
    const undeclared = given.filter((key) => !declaredAnywhere.has(key))
    const keys = [...new Set([...service.declarations.keys(), ...undeclared])].toSorted()
    const resolved: Record<string, ResolvedValue> = {}
    for (const key of keys) {
      const one = resolveKey(key, service, sources)
      traces.push(one.trace)
      findings.push(...one.findings)
      if (one.value !== undefined) resolved[key] = one.value
    }
    for (const [key, { asFile }] of service.declarations) {
      const given = `${key}_FILE`
      if (!asFile || resolved[key] === undefined || resolved[given] === undefined) continue
      const message = `${given} is reserved: it tells ${service.service} where the file with ${key} is; remove it from the values`
      findings.push({ kind: 'reserved', service: service.service, key: given, message })
    }
    values.set(service.service, resolved)
  }
  return { values, traces, findings }
}

/** An instance is started through a few lines of sh, which keeps these for itself. */
const shellVariables = new Set(['PWD', 'OLDPWD', 'IFS', 'OPTIND', 'PPID', 'LINENO', 'SHLVL', '_'])

interface Candidate {
  readonly layer: string
  readonly line?: number
  readonly local: boolean
  /** undefined: only the control plane knows it. */
  readonly text?: string
}

function resolveKey(
  key: string,
  { service, run, declarations }: ValueSources['services'][number],
  sources: ValueSources,
): { trace: ValueTrace; value?: ResolvedValue; findings: ValueFinding[] } {
  const declaration = declarations.get(key)
  const candidates = candidatesFor(key, service, declaration, sources)
  const winner = candidates.at(-1)
  const version = sources.stored.get(key)
  const secret = version !== undefined || (declaration === undefined ? (winner?.local ?? false) : declaration.secret)
  const trace: ValueTrace = {
    service,
    key,
    ...(declaration === undefined ? {} : { declaration }),
    secret,
    layers: candidates.map((candidate) => ({
      layer: candidate.layer,
      ...(candidate.line === undefined ? {} : { line: candidate.line }),
      value: secret ? maskedValue : (candidate.text ?? maskedValue),
      wins: candidate === winner,
    })),
  }
  const place = winner?.line === undefined ? (winner?.layer ?? '') : `${winner.layer}:${winner.line}`
  const finding = (kind: ValueFinding['kind'], message: string): ValueFinding => ({ kind, service, key, message })
  const findings: ValueFinding[] = []
  if (winner !== undefined && run.listen.kind === 'env' && key === run.listen.name) {
    const message = `${place}: ${key} is reserved: Fairway gives each instance of ${service} its own; remove the line, or let \`listen\` name another variable`
    return { trace, findings: [finding('reserved', message)] }
  }
  if (winner !== undefined && shellVariables.has(key)) {
    const message = `${place}: ${key} is reserved: a shell sets it itself and would not pass it on; choose another name`
    return { trace, findings: [finding('reserved', message)] }
  }
  if (declaration === undefined && winner !== undefined) {
    findings.push(
      finding(
        'undeclared',
        `${place}: ${key} is not declared in services.${service}.config; it reaches ${service} all the same`,
      ),
    )
  }
  if (declaration !== undefined && (winner === undefined || (declaration.required && winner.text === ''))) {
    const line = sources.lineOf(service, key)
    if (declaration.required)
      findings.push(
        finding(
          'missing',
          `fairway.yaml:${line}: ${key} is required by ${service} and ${winner === undefined ? 'has no value' : `is empty in ${place}`}: ${whereToPut(key, secret, sources.environment)}`,
        ),
      )
    else
      findings.push(
        finding(
          'unused',
          `fairway.yaml:${line}: ${key} is declared by ${service} and has neither a value nor a default: the program does not get it`,
        ),
      )
  }
  if (winner === undefined) return { trace, findings }
  const asFile = declaration?.asFile ?? false
  if (version !== undefined) return { trace, value: { storedVersion: version, secret: true, asFile }, findings }
  const text = winner.text ?? ''
  const expected =
    declaration === undefined || (text === '' && !declaration.required) ? undefined : checkValue(text, declaration)
  if (expected !== undefined && !(declaration?.required === true && text === '')) {
    const found = secret ? '' : `, found ${JSON.stringify(text.slice(0, 60))}`
    findings.push(finding('ill-typed', `${place}: ${key}: expected ${expected}${found}`))
  }
  return { trace, value: { value: text, secret, asFile }, findings }
}

function candidatesFor(
  key: string,
  service: string,
  declaration: Declaration | undefined,
  { layers, stored, lineOf }: ValueSources,
): Candidate[] {
  const candidates: Candidate[] = []
  if (declaration?.default !== undefined) {
    candidates.push({ layer: 'fairway.yaml', line: lineOf(service, key), local: false, text: declaration.default })
  }
  for (const { name, local, entries } of layers) {
    const entry = entries.find((candidate) => candidate.key === key)
    if (entry !== undefined) candidates.push({ layer: name, line: entry.line, local, text: entry.value })
  }
  if (stored.has(key)) candidates.push({ layer: storedLayer, local: false })
  return candidates
}

function whereToPut(key: string, secret: boolean, environment: string): string {
  return secret
    ? `write it to .env.${environment}.local, or \`fairway secret set ${key} --env ${environment}\``
    : `write it to .env.${environment}`
}

/** A value as far as it may be shown and compared. */
export interface ValueChange {
  readonly key: string
  readonly change: 'added' | 'removed' | 'changed'
  readonly before?: string
  readonly after?: string
}

/** What differs between two releases' values, by key; a secret shows that it changed, never to what. */
export function diffValues(
  before: Readonly<Record<string, ResolvedValue>>,
  after: Readonly<Record<string, ResolvedValue>>,
): ValueChange[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted()
  return keys.flatMap((key): ValueChange[] => {
    const [old, fresh] = [before[key], after[key]]
    // A value that was a secret stays one where the other side shows it openly.
    const hide = (old?.secret ?? false) || (fresh?.secret ?? false)
    const shown = (value: ResolvedValue) => (hide || !('value' in value) ? maskedValue : value.value)
    if (old === undefined) return fresh === undefined ? [] : [{ key, change: 'added', after: shown(fresh) }]
    if (fresh === undefined) return [{ key, change: 'removed', before: shown(old) }]
    const equal = sameValue(old, fresh)
    return equal ? [] : [{ key, change: 'changed', before: shown(old), after: shown(fresh) }]
  })
}

function sameValue(a: ResolvedValue, b: ResolvedValue): boolean {
  if (a.asFile !== b.asFile) return false
  if ('value' in a && 'value' in b) return a.value === b.value
  return 'storedVersion' in a && 'storedVersion' in b && a.storedVersion === b.storedVersion
}
