import { parsePseudoVersion, splitPathMajor } from '../module/index.ts'

/** What a go.mod calls its module. @see golang.org/x/mod/modfile: ModulePath */
export function modulePathOf(goMod: string): string | undefined {
  const [, quoted, plain] = /^[ \t]*module[ \t]+(?:["`]([^"`\n]+)["`]|([^\s"`]+))/m.exec(goMod) ?? []
  return quoted ?? plain
}

/** Whether a module that is called so may be of the major version that a path ends in ('', '/v2', '.v2'). */
export function isMajor(path: string | undefined, major: string): boolean {
  const own = path === undefined ? undefined : splitPathMajor(path)?.major
  if (own === undefined) return false
  if (major === '') return ['', '.v0', '.v1'].includes(own.replace(/-unstable$/, ''))
  return own !== '' && own.slice(1) === major.slice(1)
}

/** Of the `go` line: [1, 24]. Without one it is old. */
export function goLanguage(goMod: string): readonly [number, number] {
  const [, major = '1', minor = '0'] = /^[ \t]*go[ \t]+([0-9]+)\.([0-9]+)/m.exec(goMod) ?? []
  return [Number(major), Number(minor)]
}

/**
 * A version for a commit without one, just above the tag before it.
 * @param major 'v2'; '' where the path has none
 * @see golang.org/x/mod/module: PseudoVersion
 */
export function pseudoVersion(major: string, before: string | undefined, seconds: number, commit: string): string {
  const time = new Date(seconds * 1000).toISOString().replaceAll(/[-:T]|\.000Z/g, '')
  const end = `${time}-${commit.slice(0, 12)}`
  if (before === undefined) return `${major === '' ? 'v0' : major.replace(/-unstable$/, '')}.0.0-${end}`
  if (before.includes('-')) return `${before}.0.${end}`
  const [first = 'v0', second = '0', third = '0'] = before.split('.')
  return `${first}.${second}.${BigInt(third) + 1n}-0.${end}`
}

/** The tag that a pseudo-version says it comes after; undefined for one that says none. */
export function pseudoBase(version: string): string | undefined {
  if (parsePseudoVersion(version) === undefined) return undefined
  const [, base, beforePatch, patch] =
    /^(v[0-9]+\.[0-9]+\.[0-9]+-.+)\.0\.[0-9]{14}-\w+$/.exec(version) ??
    /^()(v[0-9]+\.[0-9]+\.)([0-9]+)-0\.[0-9]{14}-\w+$/.exec(version) ??
    []
  if (base !== undefined && base !== '') return base
  return beforePatch === undefined || patch === undefined ? undefined : `${beforePatch}${BigInt(patch) - 1n}`
}
