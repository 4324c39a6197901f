import { readText } from '../base/read-file.ts'
import { join } from 'node:path'
import { FairwayError } from '../base/error.ts'
import type { ModuleVariables } from '../module/index.ts'
import type { ProcessEnvironment, Toolchain } from './toolchain.ts'

const keys = ['GOPROXY', 'GOSUMDB', 'GOPRIVATE', 'GONOPROXY', 'GONOSUMDB'] as const

/**
 * Where modules come from: the environment; `modules.proxy` of the home; what the machine's go says; the user's own
 * settings of go, which hold without a go too; the defaults in the go.env of a toolchain that was fetched.
 * @param goroots of toolchains, the newest first
 * @throws FairwayError GO_MISSING when no source is known
 */
export async function readModuleVariables({
  environment,
  proxy,
  machine,
  goroots,
}: {
  environment: ProcessEnvironment
  proxy: string | undefined
  machine: Toolchain | undefined
  goroots: readonly string[]
}): Promise<ModuleVariables> {
  const { HOME = '', XDG_CONFIG_HOME = '', GOENV = '' } = environment
  const userFile =
    GOENV !== '' ? GOENV : XDG_CONFIG_HOME !== '' ? join(XDG_CONFIG_HOME, 'go/env') : join(HOME, '.config/go/env')
  const user = userFile === 'off' ? {} : await readVariables(userFile)
  const own = goroots[0] === undefined ? {} : await readVariables(join(goroots[0], 'go.env'))
  const layers = [
    nonEmpty(environment),
    proxy === undefined ? {} : { GOPROXY: proxy },
    machine?.variables ?? {},
    user,
    own,
  ]
  const read = (key: string) =>
    layers
      .map((layer: Readonly<Record<string, string | undefined>>) => layer[key])
      .find((value) => value !== undefined && value !== '') ?? ''
  const variables = Object.fromEntries(keys.map((key) => [key, read(key)])) as Record<(typeof keys)[number], string>
  if (variables.GOPROXY !== '') return variables
  throw new FairwayError(
    'GO_MISSING',
    'no module source is known: GOPROXY is not set, and there is no `go` to say one',
    {
      hint: 'Name one: GOPROXY=https://HOST fairway …, or for good in config.yaml of the home: `modules: { proxy: https://HOST }`. Or install Go (https://go.dev/doc/install).',
    },
  )
}

/** An empty variable is an unset one. */
function nonEmpty(environment: ProcessEnvironment): ProcessEnvironment {
  return Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''))
}

/** KEY=VALUE lines; `#` begins a comment line. None where there is no such file. */
async function readVariables(path: string): Promise<Record<string, string>> {
  const text = await readText(path).catch(() => '')
  return Object.fromEntries(
    Array.from(text.matchAll(/^([A-Z0-9_]+)=(.*)$/gm), ([, key = '', value = '']) => [key, value.trim()]),
  )
}
