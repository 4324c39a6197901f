import type { DesiredState, ServiceScope } from '../config/index.ts'
import { diffReleases } from './diff-releases.ts'
import type { ReleaseEngine } from './engine.ts'
import type { ReleaseContent } from './release.ts'
import type { PlannedChange } from './store/rollout-store.ts'

/** What would become of one service: what `--plan` prints, and a person is asked about. */
export interface PlanView {
  readonly scope: ServiceScope
  readonly verb: string
  /** null: nothing serves. */
  readonly from: number | null
  readonly release: number | null
  readonly instances: { readonly from: number; readonly to: number }
  /** 'binary', 'values: API_KEY', 'instances'; empty where nothing would change. */
  readonly changes: readonly string[]
}

/** @param content of a release that is not recorded yet, as in a plan of `up` */
export async function viewPlan(
  { world }: ReleaseEngine,
  { scope, verb, release, desired }: PlannedChange,
  content?: ReleaseContent,
): Promise<PlanView> {
  const state = await world.services.find(scope)
  const from = state?.serving ?? null
  const instances = {
    from: from === null ? 0 : (state?.desired.instances ?? 0),
    to: release === null ? 0 : desired.instances,
  }
  const what = { scope, verb, from, release, instances }
  if (state === undefined || from === null || release === null) {
    return { ...what, changes: from === release ? [] : [release === null ? 'taken down' : 'first to serve'] }
  }
  const [before, recorded] = await Promise.all([
    world.releases.find(scope, from),
    content === undefined ? world.releases.find(scope, release) : undefined,
  ])
  const after = content ?? recorded
  const changes = before === undefined || after === undefined ? [] : whatDiffers(before, after)
  return { ...what, changes: [...changes, ...wishesThatDiffer(state.desired, desired)] }
}

function whatDiffers(before: ReleaseContent, after: ReleaseContent): string[] {
  const { artifact, values, run } = diffReleases(before, after)
  return [
    ...(artifact === null ? [] : ['artifact']),
    ...(values.length === 0 ? [] : [`values: ${values.map(({ key }) => key).join(', ')}`]),
    ...run.map(({ part }) => part),
  ]
}

const wishes = {
  instances: 'instances',
  route: 'route',
  strategy: 'strategy',
  keepWarmMs: 'keepWarm',
  drainMs: 'drain',
} as const

function wishesThatDiffer(before: DesiredState, after: DesiredState): string[] {
  return Object.entries(wishes).flatMap(([key, word]) => {
    const [old, fresh] = [before, after].map((wish) => JSON.stringify(wish[key as keyof typeof wishes]))
    return old === fresh ? [] : [word]
  })
}
