import { createHash } from 'node:crypto'
import type { Digest } from '../artifact/index.ts'
import type { RunSpecification } from '../config/index.ts'
import type { ReleaseValue } from './release.ts'

/**
 * A release's identity: sha256 of artifact, values and run specification in one canonical text. A secret enters by its
 * HMAC under the home's key, so that the digest says nothing about a short password.
 */
export function releaseDigest(
  artifact: Digest,
  values: Readonly<Record<string, ReleaseValue>>,
  run: RunSpecification,
): string {
  const identifying = Object.fromEntries(
    Object.entries(values).map(([key, value]) => [
      key,
      value.kind === 'plain' ? ['plain', value.value, value.asFile] : ['secret', value.fingerprint, value.asFile], // not the version: the same text set again is the same value
    ]),
  )
  return createHash('sha256')
    .update(canonicalJson({ artifact, values: identifying, run }))
    .digest('hex')
}

/** JSON with sorted keys: equal values give equal text, whatever order they were written in. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
    return `{${entries.map(([key, field]) => `${JSON.stringify(key)}:${canonicalJson(field)}`).join(',')}}`
  }
  return JSON.stringify(value)
}
