import { FairwayError } from '../base/error.ts'
import type { OperationContext, OperationResult } from '../base/operation.ts'
import type { ServiceOutcome } from '../base/outcome.ts'
import { type ServiceScope, scopeKey } from '../config/index.ts'
import type { OperationEnd, ReleaseEngine } from './engine.ts'
import { warnOfOne } from './network.ts'
import { viewPlan } from './plan-view.ts'
import { serviceStatus, serviceUrl } from './status.ts'
import { hasJobs } from './jobs.ts'
import type { PlannedChange } from './store/rollout-store.ts'

type Context = OperationContext & { readonly engine: ReleaseEngine }

/** With `wait` it is tried again, from the planning on, whenever somebody else was faster. */
export async function inTurn(
  { engine, signal }: Context,
  scopes: readonly ServiceScope[],
  { wait }: { wait: boolean },
  work: () => Promise<OperationResult>,
): Promise<OperationResult> {
  for (;;) {
    if (wait) await engine.idle(scopes, { signal })
    try {
      return await work()
    } catch (error) {
      if (!wait || !(error instanceof FairwayError) || error.code !== 'ROLLOUT_BUSY') throw error
    }
  }
}

export async function planOrExecute(
  verb: string,
  plan: () => Promise<PlannedChange[]>,
  input: { plan: boolean },
  context: Context,
): Promise<OperationResult> {
  const changes = await plan()
  if (!input.plan) return execute(verb, changes, context)
  return { outcome: 'done', data: await Promise.all(changes.map((one) => viewPlan(context.engine, one))) }
}

export async function execute(
  verb: string,
  changes: readonly PlannedChange[],
  context: Context,
): Promise<OperationResult> {
  const { engine } = context
  for (const { scope, verb: of, desired, declaredInstances } of changes) {
    if (of !== 'up' || desired.instances === declaredInstances) continue
    const message = `it stays scaled to ${desired.instances}; the file says ${declaredInstances}`
    const environment = scope.environment === 'dev' ? '' : ` --env ${scope.environment}`
    const hint = `fairway scale ${declaredInstances} ${scope.service}${environment}`
    context.report({ kind: 'warning', scope: scopeKey(scope), message, hint })
  }
  for (const { scope, release, desired } of changes) {
    const target = release === null ? undefined : await engine.world.releases.find(scope, release)
    if (target !== undefined) await warnOfOne(engine.world, { scope, run: target.run, desired }, context.report)
  }
  const pending: PlannedChange[] = []
  const finished: ServiceOutcome[] = []
  for (const one of changes) {
    if (await isAsDesired(engine, one)) finished.push(await outcomeOf(engine, one, 'unchanged'))
    else pending.push(one)
  }
  if (pending.length === 0) return { outcome: 'unchanged', services: finished }
  const operation = await engine.start(verb, context.who, pending)
  context.follow?.(operation.id)
  const end = await followed(engine, operation.id, context)
  const services: ServiceOutcome[] = []
  for (const one of end.services) {
    const planned = changes.find(({ scope }) => scope.service === one.service)
    services.push(planned === undefined ? one : await outcomeOf(engine, planned, one.outcome))
  }
  return { outcome: end.outcome, services: [...finished, ...services] }
}

/** An abort by whoever asked for the operation turns it back; the answer is how it then ended. */
async function followed(engine: ReleaseEngine, operation: number, { signal, who }: Context): Promise<OperationEnd> {
  const onAbort = () => {
    engine.abortOperation(operation, who).catch(() => {}) // the waiter below sees how it ended
  }
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await engine.wait(operation)
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

async function outcomeOf(
  engine: ReleaseEngine,
  { scope }: PlannedChange,
  outcome: ServiceOutcome['outcome'],
): Promise<ServiceOutcome> {
  const state = await engine.world.services.find(scope)
  const isReached = state?.serving != null && state.desired.instances > 0
  const url = isReached ? serviceUrl(engine, state) : null
  return { service: scope.service, outcome, release: state?.serving ?? null, ...(url === null ? {} : { url }) }
}

/** Equal, *and* just confirmed by the gateway: every instance that is wanted answers there now. */
async function isAsDesired(engine: ReleaseEngine, planned: PlannedChange): Promise<boolean> {
  const state = await engine.world.services.find(planned.scope)
  if (planned.release === null) return state?.serving === null && !(await hasJobs(engine.world, planned.scope))
  if (state === undefined || state.serving !== planned.release) return false
  if (engine.isBusy(planned.scope)) return false
  if (!sameJson(state.desired, planned.desired) || !sameJson(state.needs, planned.needs)) return false
  if (state.declaredInstances !== planned.declaredInstances) return false
  const { condition, list } = await serviceStatus(engine, state)
  if (condition !== 'healthy' && condition !== 'scaled-to-zero') return false
  for (const instance of list) {
    if (instance.release !== planned.release || instance.traffic !== 'ready') continue
    try {
      await engine.world.gateway.confirm({ scope: planned.scope, server: instance.name }, { deadlineMs: 5000 })
    } catch (error) {
      if (error instanceof FairwayError) return false
      throw error
    }
  }
  return true
}

function sameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
