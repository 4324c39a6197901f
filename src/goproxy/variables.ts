import { exec } from '../base/exec.ts'
import type { ModuleVariables } from '../module/index.ts'

const keys = ['GOPROXY', 'GOSUMDB', 'GOPRIVATE', 'GONOPROXY', 'GONOSUMDB'] as const

/** The go command's variables: of the environment, else what this machine's `go env` says, else nothing. */
export async function machineVariables(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ModuleVariables> {
  const env = Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
  const asked = await exec(['go', 'env', '-json', ...keys], {
    cwd: '/',
    env: { ...env, GOTOOLCHAIN: 'local' },
    deadlineMs: 30_000,
  }).catch(() => undefined)
  const said: unknown = asked?.exitCode === 0 ? JSON.parse(asked.stdout) : {}
  const go: Readonly<Record<string, unknown>> = typeof said === 'object' && said !== null ? { ...said } : {}
  const read = (key: (typeof keys)[number]) => {
    const own = environment[key]
    const ofGo = go[key]
    return own !== undefined && own !== '' ? own : typeof ofGo === 'string' ? ofGo : ''
  }
  return {
    GOPROXY: read('GOPROXY'),
    GOSUMDB: read('GOSUMDB'),
    GOPRIVATE: read('GOPRIVATE'),
    GONOPROXY: read('GONOPROXY'),
    GONOSUMDB: read('GONOSUMDB'),
  }
}
