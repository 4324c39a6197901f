import { compareVersions, isCanonicalVersion } from './semver.ts'

/** As much of a reason as fits a line. */
const mostCharacters = 200

/** Why a version was taken back, in its author's words; '' where he gives none; undefined for one that stands. */
export type Retractions = (version: string) => string | undefined

/**
 * Which versions a go.mod takes back: `retract v1.2.3 // why`, `retract [v1.2.0, v1.2.9]`, and blocks of these. The one of a
 * module's newest version counts.
 * @see https://go.dev/ref/mod#go-mod-file-retract
 */
export function readRetractions(goMod: string): Retractions {
  const ranges: { readonly low: string; readonly high: string; readonly why: string }[] = []
  let isInside = false
  let above: string[] = []
  for (const raw of goMod.split('\n')) {
    const [, code = '', comment] = /^(.*?)(?:\/\/(.*))?$/.exec(raw) ?? []
    const line = code.trim()
    const beside = comment?.trim() ?? ''
    if (isInside && line === ')') isInside = false
    const [, rest = ''] = /^retract\b\s*(.*)$/.exec(line) ?? (isInside ? ['', line] : [])
    if (rest === '(') isInside = true
    const [, low = rest, high = rest] = /^\[\s*(v[^\s,]+)\s*,\s*(v[^\s\]]+)\s*\]$/.exec(rest) ?? []
    if (isCanonicalVersion(low) && isCanonicalVersion(high))
      ranges.push({ low, high, why: oneLine(beside === '' ? above.join(' ') : beside) })
    above = line === '' && comment !== undefined ? [...above, beside] : []
  }
  return (version) =>
    ranges.find(({ low, high }) => compareVersions(low, version) <= 0 && compareVersions(version, high) <= 0)?.why
}

/** It is a stranger's, and goes to a terminal. */
function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ').slice(0, mostCharacters)
}
