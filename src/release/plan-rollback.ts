import { FairwayError } from '../base/error.ts'
import type { FairwayEventBody, Report } from '../base/event.ts'
import { type ServiceScope, scopeKey } from '../config/index.ts'
import type { ReleaseEngine } from './engine.ts'
import { findServices } from './find-services.ts'
import { previousRelease } from './history.ts'
import { requireArtifact } from './instance-spec.ts'
import type { Release, ServiceState } from './release.ts'
import type { PlannedChange } from './store/rollout-store.ts'

export async function planRollback(
  engine: ReleaseEngine,
  input: {
    readonly project: string
    readonly environment: string
    readonly services: readonly string[]
    readonly to?: number | undefined
  },
  report: Report,
): Promise<PlannedChange[]> {
  const states = await findServices(engine, input)
  const changes: PlannedChange[] = []
  for (const state of states) {
    const release = await rollbackTarget(engine, state, input.to)
    if (release === undefined) {
      if (input.services.length > 0 || states.length === 1) throw nothingBefore(state)
      continue // of several services, those with one release stay as they are
    }
    await requireArtifact(engine.world, release)
    if (release.provenAt === null) report(neverHealthy(release))
    changes.push({ ...unchangedOf(state), verb: 'rollback', release: release.number })
  }
  if (changes.length === 0) throw nothingBefore(states[0])
  return changes
}

async function rollbackTarget(
  engine: ReleaseEngine,
  { scope, serving }: ServiceState,
  to: number | undefined,
): Promise<Release | undefined> {
  if (to !== undefined) return requireRelease(engine, scope, to)
  const before = previousRelease(await engine.world.rollouts.list(scope, 10_000), serving)
  return before === undefined ? undefined : requireRelease(engine, scope, before)
}

export async function requireRelease(engine: ReleaseEngine, scope: ServiceScope, number: number): Promise<Release> {
  const release = await engine.world.releases.find(scope, number)
  if (release !== undefined) return release
  const all = await engine.world.releases.list(scope)
  throw new FairwayError('RELEASE_UNKNOWN', `${scope.service} has no release ${number} in ${scope.environment}`, {
    hint: all.length === 0 ? '`fairway up` makes the first one.' : `Known: ${all.map((one) => one.number).join(', ')}.`,
  })
}

export function unchangedOf({
  scope,
  desired,
  declaredInstances,
  needs,
}: ServiceState): Omit<PlannedChange, 'verb' | 'release'> {
  return { scope, desired, declaredInstances, needs }
}

function neverHealthy({ scope, number }: Release): FairwayEventBody {
  const message = `release ${number} never became healthy here`
  const hint = `It is tried once more; if it fails again, what serves now stays. fairway releases ${scope.service}`
  return { kind: 'warning', scope: scopeKey(scope), message, hint }
}

function nothingBefore(state: ServiceState | undefined): FairwayError {
  const what = state === undefined ? 'This environment' : state.scope.service
  const where = state === undefined ? '' : ` in ${state.scope.environment}`
  return new FairwayError('RELEASE_UNKNOWN', `${what} has no earlier release${where} to go back to`, {
    hint: '`fairway releases` lists what there is; --to N chooses one.',
  })
}
