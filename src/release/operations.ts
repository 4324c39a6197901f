import { z } from 'zod'
import { FairwayError } from '../base/error.ts'
import { defineOperation, type OperationContext, type OperationResult, type ServiceOutcome } from '../base/operation.ts'
import { diffValues, type ResolvedValue, type ServiceScope, scopeKey } from '../config/index.ts'
import { type DeployContext, planDeploy } from './deploy.ts'
import { formatAddress } from '../host/index.ts'
import type { OperationEnd, ReleaseEngine } from './engine.ts'
import { previousRelease } from './history.ts'
import { requireArtifact } from './instance-spec.ts'
import { instanceRef, type Release, type ServiceState } from './release.ts'
import { runJob } from './run-job.ts'
import { releaseHistory, serviceStatus, serviceUrl, summarizeRollout } from './status.ts'
import type { PlannedChange } from './store/rollout-store.ts'
import { delivery, name } from './wire.ts'

export type ReleaseContext = Omit<DeployContext, 'who'>
type Context = ReleaseContext & OperationContext

/** Which services of an environment: all of them where none is named. */
const target = z.object({
  project: name,
  environment: name,
  services: z.array(name).default([]).describe('SERVICE… | by default all'),
})
const change = target.extend({
  wait: z.boolean().default(false).describe('wait for who is at work instead of refusing'),
  plan: z.boolean().default(false).describe('show what would be done, and do nothing'),
})

/** `*` is every address of the machine. */
const bind = z.object({
  host: z.union([
    z.ipv4(),
    z.ipv6(),
    z.literal('*').transform(() => '0.0.0.0'),
    z.literal('localhost').transform(() => '127.0.0.1'),
  ]),
  port: z.number().int().min(1).max(65_535),
})

const up = defineOperation({
  name: 'up',
  summary: 'Build, release and roll out',
  kind: 'change',
  input: z.object({
    project: name,
    environment: name,
    services: z.array(delivery).min(1),
    binds: z.array(bind).default([]),
    isWhole: z.boolean().default(false), // every service the file has, so that others are known to be left over
    wait: z.boolean().default(false),
    plan: z.boolean().default(false),
  }),
  async run(input, context: Context) {
    if (input.plan) return { outcome: 'done', data: await planDeploy(input, context, { dry: true }) }
    const { project, environment } = input
    const services = input.services.map(({ specification }) => specification.service)
    const scopes = services.map((service) => ({ project, environment, service }))
    if (input.isWhole) await warnOfLeftOvers(context, { project, environment, services })
    return inTurn(context, scopes, input, async () => {
      for (const scope of scopes) context.engine.refuseBusy(scope) // what is refused makes no release and moves no bind
      const changes = await planDeploy(input, context, { dry: false })
      await context.engine.applyBinds({ project, environment }, input.binds)
      return execute('up', changes, context)
    })
  },
})

const rollback = defineOperation({
  name: 'rollback',
  summary: 'Give the traffic back to an earlier release',
  kind: 'change',
  input: change.extend({
    to: z
      .number()
      .int()
      .positive()
      .optional()
      .describe('by default the release that served before this one, skipping those rolled back from'),
  }),
  async run(input, context: Context) {
    const plan = async () => planRollback(context.engine, input)
    return inTurn(context, await scopesOf(context, input), input, async () =>
      planOrExecute('rollback', plan, input, context),
    )
  },
})

const scale = defineOperation({
  name: 'scale',
  summary: 'Run another number of instances, until the file says something new',
  kind: 'change',
  input: change.extend({ instances: z.number().int().min(0).max(1000).describe('N | how many') }),
  async run(input, context: Context) {
    const plan = async () =>
      (await known(context.engine, input)).map((state): PlannedChange => {
        if (state.serving === null) throw notServing(state)
        const desired = { ...state.desired, instances: input.instances }
        return { ...unchangedOf(state), verb: 'scale', release: state.serving, desired }
      })
    return inTurn(context, await scopesOf(context, input), input, async () =>
      planOrExecute('scale', plan, input, context),
    )
  },
})

const down = defineOperation({
  name: 'down',
  summary: 'End instances and routes; releases and data are kept',
  kind: 'change',
  input: change,
  async run(input, context: Context) {
    // Whoever needs another goes first.
    const plan = async () =>
      (await known(context.engine, input))
        .reverse()
        .map((state): PlannedChange => ({ ...unchangedOf(state), verb: 'down', release: null }))
    return inTurn(context, await scopesOf(context, input), input, async () =>
      planOrExecute('down', plan, input, context),
    )
  },
})

const status = defineOperation({
  name: 'status',
  summary: 'What runs, where, and how it is',
  kind: 'read',
  input: z.object({
    project: name.optional(),
    environment: name.optional(),
    services: z.array(name).default([]).describe('SERVICE… | by default all'),
  }),
  async run({ project, environment, services }, { engine }: Context) {
    const states = (await engine.world.services.list({ project, environment })).filter(
      ({ scope }) => services.length === 0 || services.includes(scope.service),
    )
    const { gateway } = engine.world
    const [all, counters] = await Promise.all([
      Promise.all(states.map((state) => serviceStatus(engine, state))),
      gateway.counters().catch(() => ({ retries: null, redispatches: null })), // it does not answer: not known, not 0
    ])
    return {
      outcome: 'done',
      data: { services: all, gateway: { binds: gateway.binds.map(formatAddress), ...counters } },
    }
  },
})

const releases = defineOperation({
  name: 'releases',
  summary: 'The releases of a service and how their rollouts went',
  kind: 'read',
  input: target,
  async run(input, { engine }: Context) {
    const states = await known(engine, input)
    const all = states.map(async ({ scope }) => ({
      service: scope.service,
      releases: await releaseHistory(engine, scope),
    }))
    return { outcome: 'done', data: { services: await Promise.all(all) } }
  },
})

const rolloutShow = defineOperation({
  name: 'rollout-show',
  summary: 'The last rollout of a service, or the one under way',
  kind: 'read',
  input: target,
  async run(input, { engine }: Context) {
    const states = await known(engine, input)
    const all = states.map(async ({ scope }) => {
      const [last] = await engine.world.rollouts.list(scope, 1)
      return { service: scope.service, rollout: last === undefined ? null : summarizeRollout(last) }
    })
    return { outcome: 'done', data: { services: await Promise.all(all) } }
  },
})

const rolloutAbort = defineOperation({
  name: 'rollout-abort',
  summary: 'Turn a rollout back to where it began, at any moment',
  kind: 'change',
  input: target,
  async run(input, { engine, who }: Context) {
    const busy = (await known(engine, input)).filter(({ scope }) => engine.isBusy(scope))
    const [first] = busy
    if (first === undefined) {
      throw new FairwayError('ROLLOUT_NONE', `Nothing is under way in ${input.project}/${input.environment}`, {
        hint: 'To go back to an earlier release: fairway rollback.',
      })
    }
    const end = await engine.abort(first.scope, who)
    // Done when it stands again where it began: the abort itself succeeded.
    return { outcome: end.outcome === 'aborted' ? 'done' : end.outcome, services: end.services }
  },
})

const rolloutPromote = defineOperation({
  name: 'rollout-promote',
  summary: 'Let a rollout that waits go on',
  kind: 'change',
  input: target,
  async run(input) {
    throw new FairwayError('ROLLOUT_NONE', `No rollout of ${input.project}/${input.environment} waits to be promoted`, {
      hint: 'The strategies recreate and rolling go on by themselves.',
    })
  },
})

const configDiff = defineOperation({
  name: 'config-diff',
  summary: 'What differs between the configurations of two releases',
  kind: 'read',
  input: target.extend({
    from: z.number().int().positive().describe('RELEASE'),
    to: z.number().int().positive().describe('RELEASE'),
  }),
  async run(input, { engine }: Context) {
    const states = await known(engine, input)
    const all = states.map(async ({ scope }) => {
      const before = await existing(engine, scope, input.from)
      const after = await existing(engine, scope, input.to)
      return {
        service: scope.service,
        values: diffValues(comparable(before), comparable(after)),
        run: diffRun(before, after),
        artifact: before.artifact === after.artifact ? null : { before: before.artifact, after: after.artifact },
      }
    })
    return { outcome: 'done', data: { services: await Promise.all(all) } }
  },
})

const run = defineOperation({
  name: 'run',
  summary: 'Run a command of a release as a job, with its environment',
  kind: 'change',
  input: z.object({
    project: name,
    environment: name,
    service: name.optional(),
    command: z.array(z.string()).min(1).describe('COMMAND… | a whole command, run in the artifact’s folder'),
  }),
  async run(input, context: Context) {
    const [state, ...others] = await known(context.engine, {
      ...input,
      services: input.service === undefined ? [] : [input.service],
    })
    if (state === undefined || others.length > 0) {
      const names = [state, ...others].flatMap((one) => (one === undefined ? [] : [one.scope.service]))
      throw new FairwayError('USAGE', `Which service? ${names.join(', ')}`, { hint: 'fairway run SERVICE -- COMMAND…' })
    }
    if (state.serving === null) throw notServing(state)
    return runJob(context, state.scope, instanceRef(state.serving, 0), input.command)
  },
})

export const releaseOperations = [
  up,
  status,
  releases,
  rollback,
  scale,
  down,
  rolloutShow,
  rolloutAbort,
  rolloutPromote,
  configDiff,
  run,
]

async function execute(verb: string, changes: readonly PlannedChange[], context: Context): Promise<OperationResult> {
  const { engine } = context
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
  { scope, desired }: PlannedChange,
  outcome: ServiceOutcome['outcome'],
): Promise<ServiceOutcome> {
  const state = await engine.world.services.find(scope)
  const url = state?.serving ? serviceUrl(engine, { desired: state.desired ?? desired }) : null
  return { service: scope.service, outcome, release: state?.serving ?? null, ...(url === null ? {} : { url }) }
}

/** Equal, *and* just confirmed by the gateway: every instance that is wanted answers there now. */
async function isAsDesired(engine: ReleaseEngine, planned: PlannedChange): Promise<boolean> {
  const state = await engine.world.services.find(planned.scope)
  if (planned.release === null) return state?.serving === null
  if (state === undefined || state.serving !== planned.release) return false
  if (engine.isBusy(planned.scope)) return false
  if (!sameJson(state.desired, planned.desired) || !sameJson(state.needs, planned.needs)) return false
  if (state.declaredInstances !== planned.declaredInstances) return false
  const { condition, list } = await serviceStatus(engine, state)
  if (condition !== 'healthy') return false
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

/** With `wait` it is tried again, from the planning on, whenever somebody else was faster. */
async function inTurn(
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

async function planOrExecute(
  verb: string,
  plan: () => Promise<PlannedChange[]>,
  input: { plan: boolean },
  context: Context,
): Promise<OperationResult> {
  const changes = await plan()
  return input.plan ? { outcome: 'done', data: changes } : execute(verb, changes, context)
}

async function scopesOf({ engine }: Context, input: z.output<typeof target>): Promise<ServiceScope[]> {
  return (await known(engine, input)).map(({ scope }) => scope)
}

async function planRollback(
  engine: ReleaseEngine,
  input: z.output<typeof target> & { to?: number | undefined },
): Promise<PlannedChange[]> {
  const states = await known(engine, input)
  const changes: PlannedChange[] = []
  for (const state of states) {
    const release = await rollbackTarget(engine, state, input.to)
    if (release === undefined) {
      if (input.services.length > 0 || states.length === 1) throw nothingBefore(state)
      continue // of several services, those with one release stay as they are
    }
    await requireArtifact(engine.world, release)
    changes.push({ ...unchangedOf(state), verb: 'rollback', release: release.number })
  }
  if (changes.length === 0) throw nothingBefore(states[0])
  return changes
}

/** Services that were released from an earlier fairway.yaml go on until somebody takes them down: said, not done. */
async function warnOfLeftOvers(
  { engine, report }: Context,
  { project, environment, services }: { project: string; environment: string; services: readonly string[] },
): Promise<void> {
  const all = await engine.world.services.list({ project, environment })
  for (const { scope, serving } of all) {
    if (serving === null || services.includes(scope.service)) continue
    const message = `${scope.service} serves release ${serving} and is not in fairway.yaml any more`
    report({ kind: 'warning', scope: scopeKey(scope), message, hint: `fairway down ${scope.service} ends it` })
  }
}

/** @throws FairwayError SERVICE_UNKNOWN */
async function known(
  engine: ReleaseEngine,
  { project, environment, services }: { project: string; environment: string; services: readonly string[] },
): Promise<ServiceState[]> {
  const all = await engine.world.services.list({ project, environment })
  const unknown = services.filter((service) => !all.some(({ scope }) => scope.service === service))
  if (unknown.length > 0 || all.length === 0) {
    const names = all.map(({ scope }) => scope.service)
    throw new FairwayError(
      'SERVICE_UNKNOWN',
      unknown.length > 0
        ? `There is no service ${unknown.join(', ')} in ${project}/${environment}`
        : `Nothing was released in ${project}/${environment} yet`,
      { hint: names.length > 0 ? `Known: ${names.join(', ')}.` : 'fairway up releases the folder you stand in.' },
    )
  }
  const chosen = services.length === 0 ? all : all.filter(({ scope }) => services.includes(scope.service))
  return inOrder(chosen)
}

/** Those that are needed come first. */
function inOrder(states: readonly ServiceState[]): ServiceState[] {
  const ordered: ServiceState[] = []
  const visit = (state: ServiceState, path: readonly string[]) => {
    if (ordered.includes(state) || path.includes(state.scope.service)) return
    for (const need of state.needs) {
      const needed = states.find(({ scope }) => scope.service === need)
      if (needed !== undefined) visit(needed, [...path, state.scope.service])
    }
    ordered.push(state)
  }
  for (const state of states) visit(state, [])
  return ordered
}

async function rollbackTarget(
  engine: ReleaseEngine,
  { scope, serving }: ServiceState,
  to: number | undefined,
): Promise<Release | undefined> {
  if (to !== undefined) return existing(engine, scope, to)
  const before = previousRelease(await engine.world.rollouts.list(scope, 10_000), serving)
  return before === undefined ? undefined : existing(engine, scope, before)
}

async function existing(engine: ReleaseEngine, scope: ServiceScope, number: number): Promise<Release> {
  const release = await engine.world.releases.find(scope, number)
  if (release !== undefined) return release
  const all = await engine.world.releases.list(scope)
  throw new FairwayError('RELEASE_UNKNOWN', `There is no release ${scopeKey(scope)}#${number}`, {
    hint: all.length === 0 ? 'fairway up makes the first one.' : `Known: ${all.map((one) => one.number).join(', ')}.`,
  })
}

function unchangedOf({
  scope,
  desired,
  declaredInstances,
  needs,
}: ServiceState): Omit<PlannedChange, 'verb' | 'release'> {
  return { scope, desired, declaredInstances, needs }
}

function nothingBefore(state: ServiceState | undefined): FairwayError {
  const what = state === undefined ? 'This environment' : scopeKey(state.scope)
  return new FairwayError('RELEASE_UNKNOWN', `${what} has no earlier release to go back to`, {
    hint: '`fairway releases` lists what there is; --to N chooses one.',
  })
}

function notServing(state: ServiceState): FairwayError {
  return new FairwayError('RELEASE_UNKNOWN', `${scopeKey(state.scope)} is down: no release serves`, {
    hint: '`fairway up` or `fairway rollback` brings one up.',
  })
}

function comparable({ values }: Release): Record<string, ResolvedValue> {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]): [string, ResolvedValue] => [
      key,
      value.kind === 'plain'
        ? { value: value.value, secret: false, asFile: value.asFile }
        : { value: value.fingerprint, secret: true, asFile: value.asFile }, // never shown: it is a secret
    ]),
  )
}

/** Each part of the run specification that differs, as text. */
function diffRun(before: Release, after: Release): { part: string; before: string; after: string }[] {
  const parts = new Set([...Object.keys(before.run), ...Object.keys(after.run)])
  const text = (release: Release, part: string) =>
    JSON.stringify(Object.entries(release.run).find(([key]) => key === part)?.[1]) ?? '-'
  return [...parts]
    .map((part) => ({ part, before: text(before, part), after: text(after, part) }))
    .filter((one) => one.before !== one.after)
}

function sameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
