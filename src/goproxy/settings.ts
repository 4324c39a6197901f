import type { ModuleSettings, PrivateModules } from '../config/index.ts'
import { matchesPatterns } from '../module/index.ts'

/** The rule that keeps a module from being given out, in words; undefined where none does. */
export function findDenial({ deny, allow }: Pick<ModuleSettings, 'deny' | 'allow'>, path: string): string | undefined {
  const rule = deny.find((pattern) => [path, plainPath(path)].some((spelled) => matchesPatterns(pattern, spelled)))
  if (rule !== undefined) return `modules.deny of the home’s config.yaml names ${rule}`
  const isAllowed = allow.length === 0 || allow.some((pattern) => matchesPatterns(pattern, path))
  return isAllowed ? undefined : `modules.allow of the home’s config.yaml names ${allow.join(', ')} alone`
}

/** To many hosts github.com/Acme/Tool and github.com/acme/tool.git are one repository: nobody is let in by spelling. */
function plainPath(path: string): string {
  return path.toLowerCase().replaceAll(/\.git(?=\/|$)/g, '')
}

/** A module below a private repository. */
export interface PrivatePlace {
  /** 'git.example.com/team/lib' */
  readonly root: string
  readonly url: string
  readonly tokenFile?: string | undefined
}

export function findPrivate(patterns: readonly PrivateModules[], path: string): PrivatePlace | undefined {
  const found = patterns.find(({ match }) => matchesPatterns(match, path))
  if (found === undefined) return undefined
  const root = path.split('/').slice(0, found.match.split('/').filter((part) => part !== '').length).join('/') // prettier-ignore
  const slash = root.indexOf('/')
  const values: Readonly<Record<string, string>> = { root, host: root.slice(0, slash), path: root.slice(slash + 1) }
  const url = found.repository.replaceAll(/\{(root|host|path)\}/g, (whole, name: string) => values[name] ?? whole)
  return { root, url, ...(found.tokenFile === undefined ? {} : { tokenFile: found.tokenFile }) }
}
