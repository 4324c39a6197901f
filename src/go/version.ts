/**
 * Go's own version numbers: language version first, then (1.N itself) < rc < .P; before 1.21, where `1.20` is the first
 * release, it comes after its rc. A suffix (`-custom`) does not count.
 * @see golang.org/x/mod/gover
 */
interface GoVersion {
  readonly major: number
  readonly minor: number
  /** undefined for a bare `1.26`. */
  readonly patch?: number
  readonly pre?: { readonly kind: 'alpha' | 'beta' | 'rc'; readonly number: number }
}

const pattern = /^(?:go)?([0-9]{1,4})(?:\.([0-9]{1,5}))?(?:\.([0-9]{1,5})|(alpha|beta|rc)([0-9]{1,5}))?(?:[-+ ].*)?$/

/** 'go1.26.8', '1.26', '1.27rc1'; undefined for anything else. */
function parseGoVersion(text: string): GoVersion | undefined {
  const [whole, major, minor, patch, kind, number] = pattern.exec(text.replace(/^devel /, '')) ?? []
  if (whole === undefined) return undefined
  return {
    major: Number(major),
    minor: Number(minor ?? 0),
    ...(patch === undefined ? {} : { patch: Number(patch) }),
    ...(kind === 'alpha' || kind === 'beta' || kind === 'rc' ? { pre: { kind, number: Number(number) } } : {}),
  }
}

/** Below 0 when `a` is older; what is no version is older than any. */
export function compareGoVersions(a: string, b: string): number {
  const [left, right] = [rank(parseGoVersion(a)), rank(parseGoVersion(b))]
  for (const [index, value] of left.entries()) {
    const difference = value - (right[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

const preRank = { alpha: 1, beta: 2, rc: 3 }

function rank(version: GoVersion | undefined): number[] {
  if (version === undefined) return [-1, 0, 0, 0, 0]
  const { major, minor, patch, pre } = version
  // A bare 1.N is the language before any release of it, since 1.21 named its first release 1.21.0.
  const bare = patch === undefined && pre === undefined && (major > 1 || minor >= 21)
  const stage = bare ? 0 : pre === undefined ? 9 : preRank[pre.kind]
  return [major, minor, stage, pre?.number ?? 0, patch ?? 0]
}

/** The language a version belongs to: '1.26' for go1.26.8; undefined for what is no version. */
export function languageLine(text: string): string | undefined {
  const version = parseGoVersion(text)
  return version === undefined ? undefined : `${version.major}.${version.minor}`
}

/** A version that can be fetched and is not a trial: '1.26.8', '1.20'; not '1.27rc1', nor '1.26', which is a language alone. */
export function isGoRelease(text: string): boolean {
  const version = parseGoVersion(text)
  if (version === undefined || version.pre !== undefined || !/^(?:go)?[0-9.]+$/.test(text)) return false
  return version.patch !== undefined || version.major > 1 || version.minor < 21
}

/** 'go1.26.8' → '1.26.8'; undefined for what is no version. */
export function plainGoVersion(text: string): string | undefined {
  return parseGoVersion(text) === undefined ? undefined : text.replace(/^go/, '')
}
