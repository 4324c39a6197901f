import { isAbsolute, join } from 'node:path'
import { readText } from '../base/read-file.ts'
import type { ProcessEnvironment } from './toolchain.ts'

/** Flags that change what is built are of the project, or nobody else's build would be the same. */
export interface IgnoredFlags {
  /** '-tags=extra' */
  readonly flags: readonly string[]
  /** 'GOFLAGS', or the file that `go env -w` wrote. */
  readonly from: string
  /** The line of fairway.yaml that says the same, where there is one. */
  readonly line?: string
}

/** Those that change nothing here: the build has its own, or they only say more. */
const harmless = /^--?(?:trimpath|buildvcs|v|x|n|p|mod|modcacherw|json|a|work)(?:=.*)?$/

/** GOFLAGS of the environment, else of the user's `go env`; undefined where nothing would have come of them. */
export async function findIgnoredFlags(environment: ProcessEnvironment): Promise<IgnoredFlags | undefined> {
  const { GOFLAGS } = environment
  if (GOFLAGS !== undefined) return ignoredFlags(GOFLAGS, 'GOFLAGS')
  const file = goEnvFile(environment)
  const text = file === undefined ? '' : await readText(file).catch(() => '')
  return ignoredFlags(/^GOFLAGS=(.*)$/m.exec(text)?.[1] ?? '', file ?? '')
}

/** @see `go help environment`: quotes may be around a flag */
export function ignoredFlags(text: string, from: string): IgnoredFlags | undefined {
  const words = Array.from(text.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g), ([, a, b, c]) => a ?? b ?? c ?? '')
  const flags = words.filter((word) => !harmless.test(word))
  if (flags.length === 0) return undefined
  const line = flags.flatMap((flag) => lineOf(flag) ?? [])
  return { flags, from, ...(line.length === 0 ? {} : { line: `go: { ${line.join(', ')} }` }) }
}

function lineOf(flag: string): string | undefined {
  const [, key, value = ''] = /^--?(tags|ldflags)=(.*)$/.exec(flag) ?? []
  if (key === 'tags') return `tags: [${value.split(/[\s,]+/).join(', ')}]`
  return key === 'ldflags' ? `ldflags: [${JSON.stringify(value)}]` : undefined
}

/** @see os.UserConfigDir in Go's library */
function goEnvFile({ GOENV = '', XDG_CONFIG_HOME = '', HOME = '' }: ProcessEnvironment): string | undefined {
  if (GOENV === 'off') return undefined
  if (GOENV !== '') return GOENV
  const base = isAbsolute(XDG_CONFIG_HOME) ? XDG_CONFIG_HOME : HOME === '' ? undefined : join(HOME, '.config')
  return base === undefined ? undefined : join(base, 'go/env')
}
