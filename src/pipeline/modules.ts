import { join } from 'node:path'
import { ArtifactStore } from '../artifact/index.ts'
import type { Clock } from '../base/clock.ts'
import { readHomeConfig } from '../config/index.ts'
import type { ProcessEnvironment } from '../go/index.ts'
import { type ModuleProxy, openModuleProxy, pinnedModules, withoutOwn } from '../goproxy/index.ts'
import { openSupply } from './supply.ts'

/**
 * A home's modules, for the control plane or beside it.
 * @param source the only one to be asked, instead of those that are set: of a bundle, a folder
 * @throws FairwayError GO_MISSING when no source is known; USAGE, HOME_UNUSABLE, DISK_FULL
 */
export async function openHomeModules({
  home,
  environment,
  clock,
  warn,
  source,
  isOffline = false,
}: {
  home: string
  environment: ProcessEnvironment
  clock: Clock
  warn: (message: string) => void
  source?: string
  /** Nobody is asked, whatever is set. */
  isOffline?: boolean
}): Promise<ModuleProxy> {
  const { api, modules } = await readHomeConfig(home, environment)
  // Whoever sets all of a machine's Go to this proxy does not mean that it asks itself.
  const GOPROXY = source ?? withoutOwn(environment['GOPROXY'] ?? '', api)
  const processEnvironment = { ...environment, GOPROXY }
  const { variables } = await openSupply({ home, processEnvironment, report: () => {} }).access()
  const pins = async () => pinnedModules(await ArtifactStore.open(join(home, 'artifacts'), { now: clock.now() }))
  const privatePaths = modules.private.map(({ match }) => match)
  return openModuleProxy({
    home,
    // From a bundle private modules come as all others do, and still no database is asked about them.
    settings:
      source === undefined
        ? { ...modules, offline: modules.offline || isOffline }
        : { ...modules, private: [], deny: [], allow: [], offline: false },
    variables:
      source === undefined
        ? { ...variables, GOPROXY: withoutOwn(variables.GOPROXY, api) }
        : {
            ...variables,
            GOPROXY: source,
            GONOSUMDB: [variables.GONOSUMDB === '' ? variables.GOPRIVATE : variables.GONOSUMDB, ...privatePaths].join(
              ',',
            ),
          },
    environment,
    clock,
    pins,
    warn,
  })
}
