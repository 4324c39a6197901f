import type { Recipe } from '../artifact/index.ts'

export interface ModuleChange {
  readonly path: string
  /** undefined: it came. */
  readonly before?: string
  /** undefined: it went. */
  readonly after?: string
}

/** What was linked into one binary and not, or otherwise, into the other. */
export function diffModules(
  before: Recipe,
  after: Recipe,
): { go: { before: string; after: string } | null; modules: ModuleChange[] } {
  const versions = ({ modules }: Recipe) => new Map(modules.map(({ path, version }) => [path, version]))
  const [old, fresh] = [versions(before), versions(after)]
  const paths = [...new Set([...old.keys(), ...fresh.keys()])].toSorted()
  const modules = paths.flatMap((path): ModuleChange[] => {
    const [from, to] = [old.get(path), fresh.get(path)]
    if (from === to) return []
    return [{ path, ...(from === undefined ? {} : { before: from }), ...(to === undefined ? {} : { after: to }) }]
  })
  const go = before.goVersion === after.goVersion ? null : { before: before.goVersion, after: after.goVersion }
  return { go, modules }
}
