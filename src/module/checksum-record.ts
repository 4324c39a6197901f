import type { ModuleVersion } from './module-path.ts'
import { isH1 } from './h1.ts'

/** An answer of `/lookup/`: a record of the log, its number, and a signed head of a tree that holds it. */
export interface LookupAnswer {
  readonly id: number
  /** What the log holds: only this is authenticated. */
  readonly record: Buffer
  readonly note: Buffer
}

/** undefined for what is no such answer. @see golang.org/x/mod/sumdb/tlog: ParseRecord */
export function parseLookup(answer: Buffer): LookupAnswer | undefined {
  const firstLine = answer.indexOf('\n')
  const digits = answer.subarray(0, Math.max(0, firstLine)).toString('latin1')
  if (!/^(?:0|[1-9][0-9]{0,15})$/.test(digits)) return undefined
  const border = answer.indexOf('\n\n', firstLine + 1)
  if (border < 0) return undefined
  const record = answer.subarray(firstLine + 1, border + 1)
  const text = record.toString('utf8')
  // oxlint-disable-next-line no-control-regex -- control bytes are what is looked for
  if (record.length < 2 || !Buffer.from(text).equals(record) || /[\u0000-\u0009\u000b-\u001f]/.test(text))
    return undefined
  return { id: Number(digits), record, note: answer.subarray(border + 2) }
}

export interface ModuleHashes {
  /** Of the zip. */
  readonly zip: string
  /** Of the go.mod. */
  readonly goMod?: string
}

/**
 * The lines for exactly this module and version, out of an authenticated record and nothing else.
 * @returns a fault where there is none, or two that differ: then nothing is known about it
 */
export function findHashes(
  record: Buffer,
  { path, version }: ModuleVersion,
): ModuleHashes | { readonly fault: string } {
  const found: { zip?: string; goMod?: string } = {}
  for (const line of record.toString('utf8').split('\n')) {
    const [name, about, h1 = '', ...more] = line.split(' ')
    if (name !== path || more.length > 0 || !isH1(h1)) continue
    const key = about === version ? 'zip' : about === `${version}/go.mod` ? 'goMod' : undefined
    if (key === undefined) continue
    if (found[key] !== undefined && found[key] !== h1)
      return { fault: `its record has two different hashes for ${path} ${about}` }
    found[key] = h1
  }
  const { zip, goMod } = found
  if (zip === undefined) return { fault: `its record holds no line for ${path} ${version}` }
  return { zip, ...(goMod === undefined ? {} : { goMod }) }
}
