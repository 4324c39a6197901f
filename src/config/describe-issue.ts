import type { z } from 'zod'
import { didYouMean } from '../base/nearest.ts'
import type { Finding, Path, YamlSource } from './yaml-source.ts'

type Issue = z.core.$ZodIssue
type JsonSchema = Readonly<Record<string, unknown>>

/** Words the design knows and this version does not: said so, rather than called a typo. */
const laterKeys = new Set(['judge', 'hosts', 'canary', 'blue-green', 'slo', 'alerts'])
const laterWords: Readonly<Record<string, readonly string[]>> = {
  strategy: ['canary', 'blue-green'],
  runtime: ['systemd', 'supervisord', 'docker', 'kubernetes'],
}

/** What the schema found, as sentences with a place: what was expected, what was found, the nearest known key. */
export function describeIssues(issues: readonly Issue[], source: YamlSource, schema: JsonSchema): Finding[] {
  return issues.flatMap((issue) => describeIssue(issue, [], { source, schema }))
}

interface Context {
  readonly source: YamlSource
  readonly schema: JsonSchema
}

function describeIssue(issue: Issue, base: Path, context: Context): Finding[] {
  const { source, schema } = context
  const path: Path = [...base, ...issue.path.filter((step) => typeof step !== 'symbol')]
  const raw = valueAt(source.value, path)
  const finding = (message: string, key?: string): Finding => ({
    ...source.locate(path, key),
    message: key === undefined && path.length > 0 ? `${dotted(path)}: ${message}` : message,
  })
  const later = laterWord(path, raw)
  if (later !== undefined) return [finding(`\`${later.word}\` is not available yet; known: ${later.known}`)]
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = knownKeys(schema, path)
      return issue.keys.map((key) => {
        const inside = path.length === 0 ? '' : ` in \`${dotted(path)}\``
        const what = laterKeys.has(key) ? `\`${key}\` is not available yet` : `unknown key \`${key}\`${inside}`
        const near = laterKeys.has(key) ? '' : didYouMean(key, known)
        return finding(`${what}${near === '' ? `; known: ${known.join(', ')}` : near}`, key)
      })
    }
    case 'invalid_union': {
      // Whoever wrote a mapping meant the branch that takes one: its findings say more than "none of these".
      const branch = issue.errors.find((errors) =>
        errors.some((inner) => inner.path.length > 0 || inner.code === 'unrecognized_keys'),
      )
      if (branch !== undefined) return branch.flatMap((inner) => describeIssue(inner, path, context))
      return [finding(`${issue.message}${found(raw, path)}`)]
    }
    case 'invalid_key':
      return [
        {
          ...finding(''),
          message: `${dotted(path.slice(0, -1))}: ${issue.issues[0]?.message}${found(path.at(-1), [])}`,
        },
      ]
    case 'invalid_type':
      return [finding(`${ours(issue.message) ?? `expected ${kindWord(issue.expected)}`}${found(raw, path)}`)]
    case 'custom':
    case 'invalid_element':
    case 'invalid_format':
    case 'invalid_value':
    case 'not_multiple_of':
    case 'too_big':
    case 'too_small':
      return [finding(`${issue.message}${found(raw, path)}`)]
  }
}

const ours = (message: string): string | undefined => (message.startsWith('expected ') ? message : undefined)

const kinds: Readonly<Record<string, string>> = {
  object: 'a mapping (`key: value`)',
  record: 'a mapping (`key: value`)',
  array: 'a list',
  string: 'text',
  boolean: 'true or false',
}
const kindWord = (expected: string): string => kinds[expected] ?? `a ${expected}`

/** ', found the text "5s"': short, and never a value that could be a secret put in the wrong place. */
function found(raw: unknown, path: Path): string {
  if (raw === undefined || raw === null) return ', found nothing'
  if (Array.isArray(raw)) return ', found a list'
  if (typeof raw === 'object') return ''
  const kind = typeof raw === 'string' ? 'the text' : typeof raw === 'number' ? 'the number' : ''
  if (path.includes('config')) return kind === '' ? ', found true or false' : `, found ${kind.replace('the', 'a')}`
  const text = JSON.stringify(raw)
  return `, found ${kind} ${text.length > 60 ? `${text.slice(0, 57)}…` : text}`.replace('  ', ' ')
}

function laterWord(path: Path, raw: unknown): { word: string; known: string } | undefined {
  const place = path.at(-1)
  if (place !== 'strategy' && place !== 'runtime') return undefined
  const words = typeof raw === 'string' ? [raw] : typeof raw === 'object' && raw !== null ? Object.keys(raw) : []
  const word = words.find((candidate) => laterWords[place]?.includes(candidate))
  return word === undefined ? undefined : { word, known: place === 'strategy' ? 'recreate, rolling' : 'process' }
}

/** 'services.web.probe.every' */
export function dotted(path: Path): string {
  return path.map((step, index) => (typeof step === 'number' ? `[${step}]` : `${index > 0 ? '.' : ''}${step}`)).join('')
}

function valueAt(value: unknown, path: Path): unknown {
  let current = value
  for (const step of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, step)) return undefined
    current = Reflect.get(current, step)
  }
  return current
}

/** The keys a mapping may have, read from the JSON Schema, the one description that can be walked by path. */
function knownKeys(schema: JsonSchema, path: Path): string[] {
  let candidates = branches(schema)
  for (const step of path) {
    candidates = candidates.flatMap((candidate) => {
      const properties = asSchema(candidate['properties'])
      const next =
        typeof step === 'number' ? candidate['items'] : (properties?.[step] ?? candidate['additionalProperties'])
      const inner = asSchema(next)
      return inner === undefined ? [] : branches(inner)
    })
  }
  return candidates.flatMap((candidate) => Object.keys(asSchema(candidate['properties']) ?? {}))
}

function branches(schema: JsonSchema): JsonSchema[] {
  const anyOf = schema['anyOf']
  return Array.isArray(anyOf) ? anyOf.flatMap((inner) => branches(asSchema(inner) ?? {})) : [schema]
}

function asSchema(value: unknown): JsonSchema | undefined {
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : undefined
}
