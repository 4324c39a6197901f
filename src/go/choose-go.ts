import type { WantedGo } from './source.ts'
import { compareGoVersions, isGoRelease, languageLine } from './version.ts'

/** What there is to choose from, and what is asked for. */
export interface GoQuestion {
  /** `go` and `toolchain` lines. */
  readonly wanted: readonly WantedGo[]
  /** Exactly this one, and who says so: 'fairway.yaml', 'GOTOOLCHAIN'. */
  readonly pin?: { readonly version: string; readonly by: string }
  /** `fairway toolchain use`: where it is new enough. */
  readonly preferred?: string
  /** The Go on the PATH or in GOROOT. */
  readonly machine?: string
  /** Why the machine's cannot be taken: 'this machine’s Go 1.18.1 is too old: …'. */
  readonly unfit?: string
  /** Fetched before. */
  readonly installed: readonly string[]
  /** Why none may be fetched: 'GOTOOLCHAIN=local'. */
  readonly mayNotFetch?: string
  /** The oldest language line that gets security fixes, as far as is known: '1.26'. A line before it surely gets none. */
  readonly oldestSupported?: string
}

export type GoChoice =
  | { readonly kind: 'machine'; readonly version: string; readonly why: string }
  | {
      readonly kind: 'installed'
      readonly version: string
      readonly why: string
      /** It is of another line than was asked for, though that one could be had. */
      readonly isInstead?: true
    }
  /** Exactly this one. */
  | { readonly kind: 'fetch'; readonly version: string; readonly why: string }
  /** The newest patch of a language line, not older than `floor`; `instead` where nothing can be fetched. */
  | {
      readonly kind: 'fetch-newest'
      readonly line: string
      readonly floor: string
      readonly why: string
      readonly instead?: Instead
    }
  | { readonly kind: 'none'; readonly message: string }

export interface Instead {
  readonly kind: 'machine' | 'installed'
  readonly version: string
}

/** The language that is taken where nothing asks for one: the newest that is. */
export const newestLine = 'newest'

/**
 * Which Go: the one that is pinned; else one of the language line that is asked for, new enough and here; else any newer one
 * of this machine, since Go compiles older languages as they were; else the newest patch of the line, fetched. In the place of
 * a line without security fixes a newer one that gets them is taken where it is here: go itself reads the line as the least.
 */
export function chooseGo(question: GoQuestion): GoChoice {
  const { pin, preferred, machine, installed, mayNotFetch } = question
  // Who says `local` says that a suggestion is not enough.
  const wanted = question.wanted.filter(({ line }) => line === 'go' || mayNotFetch === undefined)
  const floor = wanted.reduce<WantedGo | undefined>(
    (most, each) => (most === undefined || compareGoVersions(each.version, most.version) > 0 ? each : most),
    undefined,
  )
  const asked = floor === undefined ? 'no file asks for a version' : `${floor.place} asks for Go ${floor.version}`
  const isEnough = (version: string) => floor === undefined || compareGoVersions(version, floor.version) >= 0
  const here = describeHere(question)
  const own = describeHere({ ...question, installed: [] })
  if (pin !== undefined) {
    if (!isEnough(pin.version)) return { kind: 'none', message: `${pin.by} says Go ${pin.version}, but ${asked}` }
    const why = `${pin.by} says so`
    if (machine !== undefined && isSame(machine, pin.version)) return { kind: 'machine', version: machine, why }
    const found = installed.find((version) => isSame(version, pin.version))
    if (found !== undefined) return { kind: 'installed', version: found, why }
    if (mayNotFetch === undefined) return { kind: 'fetch', version: pin.version, why }
    return {
      kind: 'none',
      message: `${pin.by} says Go ${pin.version}; ${here}, and ${mayNotFetch} lets none be fetched`,
    }
  }
  if (preferred !== undefined && installed.includes(preferred) && isEnough(preferred))
    return { kind: 'installed', version: preferred, why: '`fairway toolchain use` says so' }
  const line = floor === undefined ? undefined : languageLine(floor.version)
  const isOfLine = (version: string) => line === undefined || languageLine(version) === line
  const newestInstalled = (fits: (version: string) => boolean) =>
    installed.filter((version) => isEnough(version) && fits(version)).toSorted((a, b) => compareGoVersions(b, a))[0]
  if (machine !== undefined && isEnough(machine) && isOfLine(machine))
    return { kind: 'machine', version: machine, why: `${asked}; ${own}` }
  const isOld = (version: string | undefined) => isUnsupported(version, question.oldestSupported)
  if (isOld(line)) {
    const why = `${asked}, which gets no security fixes any more; a newer one that does is here`
    // As `go` itself would: nothing to be told.
    if (machine !== undefined && isEnough(machine) && !isOld(machine))
      return {
        kind: 'machine',
        version: machine,
        why: `${asked}, which gets no security fixes any more; ${own}, which does`,
      }
    const newer = newestInstalled((version) => !isOld(version))
    if (newer !== undefined) return { kind: 'installed', version: newer, why, isInstead: true }
  }
  const ofLine = newestInstalled(isOfLine)
  if (ofLine !== undefined)
    return { kind: 'installed', version: ofLine, why: `${asked}; ${own}, and ${ofLine} was fetched before` }
  if (machine !== undefined && isEnough(machine))
    return {
      kind: 'machine',
      version: machine,
      why: `${asked}; ${own}, which is newer and builds older modules as they were`,
    }
  const fetched = newestInstalled(() => true)
  if (mayNotFetch !== undefined) {
    const why = `${asked}; ${own}, and ${fetched ?? ''} was fetched before (${mayNotFetch} lets none be fetched)`
    if (fetched !== undefined) return { kind: 'installed', version: fetched, why }
    return { kind: 'none', message: `${asked}; ${here}, and ${mayNotFetch} lets none be fetched` }
  }
  const instead = fetched === undefined ? allowedHere(question) : ({ kind: 'installed', version: fetched } as const)
  return {
    kind: 'fetch-newest',
    line: line ?? newestLine,
    floor: floor?.version ?? '',
    why: asked,
    ...(instead === undefined ? {} : { instead }),
  }
}

/** A `toolchain` line only suggests: what is here and new enough for every `go` line builds as well. */
function allowedHere({ wanted, machine, installed }: GoQuestion): Instead | undefined {
  const isAllowed = (version: string) =>
    wanted.every(({ line, version: least }) => line !== 'go' || compareGoVersions(version, least) >= 0)
  if (machine !== undefined && isAllowed(machine)) return { kind: 'machine', version: machine }
  const newest = installed.filter(isAllowed).toSorted((a, b) => compareGoVersions(b, a))[0]
  return newest === undefined ? undefined : { kind: 'installed', version: newest }
}

/** 'this machine has Go 1.26.8, and 1.25.13 fetched before' */
export function describeHere({
  machine,
  unfit,
  installed,
}: Pick<GoQuestion, 'machine' | 'unfit' | 'installed'>): string {
  const own = machine === undefined ? (unfit ?? 'there is no `go` on the PATH') : `this machine has Go ${machine}`
  return installed.length === 0 ? own : `${own}; fetched before: ${installed.join(', ')}`
}

function isSame(a: string, b: string): boolean {
  return compareGoVersions(a, b) === 0
}

/** What GOTOOLCHAIN means to us. undefined: nothing is said. @see https://go.dev/doc/toolchain#select */
export function readGoToolchain(
  text: string,
): { readonly pin?: string; readonly floor?: string; readonly mayFetch: boolean } | undefined {
  const [, name = '', more] = /^(local|auto|path|go[0-9][\w.-]*?)(\+auto|\+path)?$/.exec(text) ?? []
  if (name === '') return undefined
  if (name === 'auto') return { mayFetch: true }
  if (name === 'local' || name === 'path') return { mayFetch: name === 'local' && more === '+auto' }
  const version = name.slice(2)
  return more === undefined ? { pin: version, mayFetch: true } : { floor: version, mayFetch: more === '+auto' }
}

/**
 * The newest patch of each of the two newest lines gets security fixes: the newest line here, and the one before it.
 * @param versions in any order; trials (`1.27rc1`) do not count
 */
export function supportedLines(versions: readonly string[]): string[] {
  const lines = versions.filter(isGoRelease).flatMap((version) => languageLine(version) ?? [])
  const newest = lines.toSorted((a, b) => compareGoVersions(b, a))[0]
  if (newest === undefined) return []
  const [major = '', minor = ''] = newest.split('.')
  return Number(minor) === 0 ? [newest] : [newest, `${major}.${Number(minor) - 1}`]
}

/** Of a version or a line; false where it is not known. */
export function isUnsupported(version: string | undefined, oldestSupported: string | undefined): boolean {
  const line = version === undefined ? undefined : languageLine(version)
  return line !== undefined && oldestSupported !== undefined && compareGoVersions(line, oldestSupported) < 0
}
