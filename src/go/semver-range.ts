/**
 * Whether a version fulfils what `engines` of a package.json asks for: comparators, `^`, `~`, `x`, hyphens and `||`.
 * @param version '22.11.0', with or without `v`
 * @returns undefined for a range in another language than that
 * @see https://docs.npmjs.com/cli/v11/using-npm/semver#ranges
 */
export function fulfils(version: string, range: string): boolean | undefined {
  const found = parseParts(version.replace(/^v/, '').replace(/[-+].*$/, ''))
  if (found === undefined) return undefined
  let isKnown = true
  const holds = range.split('||').some((alternative) => {
    const bounds = boundsOf(alternative.trim())
    if (bounds === undefined) isKnown = false
    return bounds?.every((bound) => isWithin(found, bound)) === true
  })
  return holds ? true : isKnown ? false : undefined
}

type Version = readonly [major: number, minor: number, patch: number]
/** `min` is within, `max` is not. */
interface Bound {
  readonly min?: Version
  readonly max?: Version
}

function isWithin(version: Version, { min, max }: Bound): boolean {
  return (min === undefined || compare(version, min) >= 0) && (max === undefined || compare(version, max) < 0)
}

function compare(a: Version, b: Version): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2]
}

function boundsOf(text: string): Bound[] | undefined {
  if (text === '' || text === '*' || text === 'latest') return [{}]
  const hyphen = /^(\S+)\s+-\s+(\S+)$/.exec(text)
  if (hyphen !== null) {
    const [low, high] = [spanOf(hyphen[1] ?? ''), spanOf(hyphen[2] ?? '')]
    return low === undefined || high === undefined
      ? undefined
      : [
          {
            ...(low.min === undefined ? {} : { min: low.min }),
            ...(high.max === undefined ? {} : { max: high.max }),
          },
        ]
  }
  const bounds = text
    .replaceAll(/([<>=~^]+)\s+/g, '$1')
    .split(/\s+/)
    .map(boundOf)
  return bounds.every((bound) => bound !== undefined) ? bounds : undefined
}

function boundOf(text: string): Bound | undefined {
  const [, sign = '', rest = ''] = /^(>=|<=|>|<|=|\^|~>?)?v?(.*)$/.exec(text) ?? []
  const span = spanOf(rest)
  if (span === undefined) return undefined
  const { min, max } = span
  if (min === undefined) return {} // x
  switch (sign) {
    case '>=':
      return { min }
    case '>':
      return max === undefined ? {} : { min: max }
    case '<':
      return { max: min }
    case '<=':
      return max === undefined ? {} : { max }
    case '^': {
      // The leftmost part that is not 0 stays.
      const at = min[0] > 0 || rest.split('.').length === 1 ? 0 : min[1] > 0 || rest.split('.').length === 2 ? 1 : 2
      return { min, max: next(min, at) }
    }
    case '~':
    case '~>':
      return { min, max: next(min, rest.split('.').length === 1 ? 0 : 1) }
    default:
      return span
  }
}

/** '18' and '18.x' stand for everything that begins so. */
function spanOf(text: string): Bound | undefined {
  const words = text
    .replace(/^v/, '')
    .replace(/[-+].*$/, '')
    .split('.')
  const length = words.findIndex((word) => /^[xX*]$/.test(word))
  const said = length < 0 ? words : words.slice(0, length)
  if (said.length === 0) return {}
  const min = parseParts(said.join('.'))
  return min === undefined ? undefined : { min, max: next(min, said.length - 1) }
}

function next([major, minor, patch]: Version, at: number): Version {
  return at === 0 ? [major + 1, 0, 0] : at === 1 ? [major, minor + 1, 0] : [major, minor, patch + 1]
}

function parseParts(text: string): Version | undefined {
  const [whole, major, minor, patch] = /^([0-9]{1,9})(?:\.([0-9]{1,9})(?:\.([0-9]{1,9}))?)?$/.exec(text) ?? []
  return whole === undefined ? undefined : [Number(major), Number(minor ?? 0), Number(patch ?? 0)]
}
