/**
 * Versions of modules: semantic versions with a `v`, and pseudo-versions, which name a commit.
 * @see golang.org/x/mod/semver, golang.org/x/mod/module
 */
export interface ModuleSemver {
  /** Decimal digits, as long as anyone cares to write: compared as text. */
  readonly numbers: readonly [major: string, minor: string, patch: string]
  /** 'rc.1'; '' is a release. */
  readonly prerelease: string
  /** 'incompatible'; it does not count in comparisons. */
  readonly build: string
  /** All three numbers were written. */
  readonly isFull: boolean
}

const number = '(0|[1-9][0-9]*)'
const semverPattern = new RegExp(
  `^v${number}(?:\\.${number}(?:\\.${number}(?:-([0-9A-Za-z.-]+))?(?:\\+([0-9A-Za-z.-]+))?)?)?$`,
)

/** 'v1.2.3-rc.1+incompatible', 'v1'; undefined for anything else. */
export function parseSemver(text: string): ModuleSemver | undefined {
  const [whole, major = '', minor, patch, prerelease = '', build = ''] = semverPattern.exec(text) ?? []
  if (whole === undefined) return undefined
  const words = prerelease === '' ? [] : prerelease.split('.')
  if (words.some((word) => word === '' || /^0[0-9]+$/.test(word))) return undefined
  if (build !== '' && build.split('.').includes('')) return undefined
  return { numbers: [major, minor ?? '0', patch ?? '0'], prerelease, build, isFull: patch !== undefined }
}

/** Below 0 when `a` is older; what is no version is older than any. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [parseSemver(a), parseSemver(b)]
  if (left === undefined || right === undefined) return Number(left !== undefined) - Number(right !== undefined)
  for (const [index, digits] of left.numbers.entries()) {
    const difference = compareDigits(digits, right.numbers[index] ?? '')
    if (difference !== 0) return difference
  }
  return comparePrereleases(left.prerelease, right.prerelease)
}

function compareDigits(a: string, b: string): number {
  return a.length === b.length ? compareText(a, b) : a.length - b.length
}

function compareText(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1
}

/** @see semver.org 2.0.0, rule 11 */
function comparePrereleases(a: string, b: string): number {
  if (a === b) return 0
  if (a === '') return 1
  if (b === '') return -1
  const [left, right] = [a.split('.'), b.split('.')]
  for (const [index, word] of left.entries()) {
    const other = right[index]
    if (other === undefined) return 1
    const [isNumber, isOtherNumber] = [/^[0-9]+$/.test(word), /^[0-9]+$/.test(other)]
    if (isNumber !== isOtherNumber) return isNumber ? -1 : 1
    const difference = isNumber ? compareDigits(word, other) : compareText(word, other)
    if (difference !== 0) return difference
  }
  return left.length - right.length
}

/** The one way a version is written in file names and go.sum; undefined for what is no version, or only part of one. */
export function canonicalVersion(text: string): string | undefined {
  const version = parseSemver(text)
  if (version === undefined) return undefined
  const { numbers, prerelease, build } = version
  return `v${numbers.join('.')}${prerelease === '' ? '' : `-${prerelease}`}${build === 'incompatible' ? '+incompatible' : ''}`
}

/** 'v1.2.3', not 'v1.2', 'v1.2.3+meta' or 'main'. */
export function isCanonicalVersion(text: string): boolean {
  return canonicalVersion(text) === text
}

/** Which release line: 'v2'. */
export function majorVersion(text: string): string | undefined {
  const version = parseSemver(text)
  return version === undefined ? undefined : `v${version.numbers[0]}`
}

function isPrerelease(text: string): boolean {
  return (parseSemver(text)?.prerelease ?? '') !== ''
}

const pseudoPattern =
  /^v[0-9]+\.(?:0\.0-|[0-9]+\.[0-9]+-(?:[^+]*\.)?0\.)([0-9]{14})-([A-Za-z0-9]+)(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/

/** A commit that has no tag: its time (UTC, '20250910200901') and the start of its name. */
export function parsePseudoVersion(text: string): { readonly time: string; readonly revision: string } | undefined {
  if (parseSemver(text) === undefined) return undefined
  const [, time, revision] = pseudoPattern.exec(text) ?? []
  return time === undefined || revision === undefined ? undefined : { time, revision }
}

/** The one `@latest` means: the highest release, else the highest pre-release. */
export function latestVersion(versions: readonly string[]): string | undefined {
  const highest = (some: readonly string[]) =>
    some.reduce<string | undefined>(
      (best, each) => (best === undefined || compareVersions(each, best) > 0 ? each : best),
      undefined,
    )
  const tagged = versions.filter((version) => isCanonicalVersion(version) && parsePseudoVersion(version) === undefined)
  return highest(tagged.filter((version) => !isPrerelease(version))) ?? highest(tagged)
}
