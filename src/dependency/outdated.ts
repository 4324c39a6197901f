import { type ListedModule, listModules, listPackages, type ModuleContext } from './listed-module.ts'

export interface OutdatedModule {
  readonly path: string
  readonly version: string
  /** The newest of the same major version; undefined: this is it, or it could not be asked. */
  readonly newest?: string
  /** When that one was made: ISO 8601. */
  readonly newestAt?: string
  /** go.mod names it for the module's own sake. */
  readonly isDirect: boolean
  /** Something here is built of it. */
  readonly isUsed: boolean
  /** Why its authors took this version back. */
  readonly retracted?: string
  /** What its authors say to do instead. */
  readonly deprecated?: string
  /** What the proxy said instead of an answer. */
  readonly unknown?: string
}

/** Those with something to say: direct ones first, then what is built of, by path. */
export async function findOutdated(folder: string, context: ModuleContext): Promise<OutdatedModule[]> {
  const modules = await listModules(['-u', 'all'], folder, context)
  const packages = await listPackages(['./...'], folder, context)
  return outdatedModules(modules, new Set(packages.flatMap(({ Module: one }) => one?.Path ?? [])))
}

export function outdatedModules(modules: readonly ListedModule[], used: ReadonlySet<string>): OutdatedModule[] {
  const outdated = modules.flatMap((module): OutdatedModule[] => {
    const {
      Path: path,
      Version: version,
      Update: update,
      Retracted: retracted,
      Deprecated: deprecated,
      Error: error,
    } = module
    if (module.Main === true || version === undefined) return []
    if (update === undefined && retracted === undefined && deprecated === undefined && error === undefined) return []
    return [
      {
        path,
        version,
        ...(update?.Version === undefined ? {} : { newest: update.Version }),
        ...(update?.Time === undefined ? {} : { newestAt: update.Time }),
        isDirect: module.Indirect !== true,
        isUsed: used.has(path),
        ...(retracted === undefined ? {} : { retracted: retracted.join('; ') || 'no reason given' }),
        ...(deprecated === undefined ? {} : { deprecated }),
        ...(error === undefined ? {} : { unknown: error.Err.split('\n')[0] ?? '' }),
      },
    ]
  })
  const rank = (one: OutdatedModule) => (one.isDirect ? 0 : one.isUsed ? 1 : 2)
  return outdated.toSorted((a, b) => rank(a) - rank(b) || a.path.localeCompare(b.path))
}
