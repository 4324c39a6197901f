import { z } from 'zod'
import { FairwayError } from '../base/error.ts'
import { defineOperation, type OperationContext } from '../base/operation.ts'
import { scopeKey } from '../config/index.ts'
import { type DeployContext, planDeploy } from './deploy.ts'
import { diffReleases } from './diff-releases.ts'
import { findServices, scopesOf } from './find-services.ts'
import { formatAddress } from '../host/index.ts'
import { applyBinds } from './gateway-wish.ts'
import { warnOfOne } from './network.ts'
import { viewPlan } from './plan-view.ts'
import { planRollback, requireRelease, unchangedOf } from './plan-rollback.ts'
import { instanceRef, type ServiceState } from './release.ts'
import { execute, inTurn, planOrExecute } from './run-changes.ts'
import { runJob } from './run-job.ts'
import { releaseHistory, serviceStatus, summarizeRollout } from './status.ts'
import type { PlannedChange } from './store/rollout-store.ts'
import { type Delivery, delivery, name } from './wire.ts'

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
    if (input.plan) {
      const planned = await planDeploy(input, context, { dry: true })
      for (const { change, content } of planned)
        await warnOfOne(context.engine.world, { ...change, ...content }, context.report)
      const views = planned.map(({ change, content }) => viewPlan(context.engine, change, content))
      return { outcome: 'done', data: await Promise.all(views) }
    }
    const { project, environment } = input
    const services = input.services.map(({ specification }) => specification.service)
    const scopes = services.map((service) => ({ project, environment, service }))
    warnOfUsers(input.services, context)
    if (input.isWhole) await warnOfLeftOvers(context, { project, environment, services })
    const release = async () => {
      for (const scope of scopes) context.engine.refuseBusy(scope) // what is refused makes no release and moves no bind
      const planned = await planDeploy(input, context, { dry: false })
      const changes = planned.map(({ change }) => change)
      await applyBinds(context.engine.world, { project, environment }, input.binds)
      return execute('up', changes, context)
    }
    // Who was faster with a route is known by the second look: then there may be another for us.
    const lookTwice = (error: unknown) => {
      if (error instanceof FairwayError && error.code === 'ROUTE_TAKEN') return release()
      throw error
    }
    return inTurn(context, scopes, input, () => release().catch(lookTwice))
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
    const plan = async () => planRollback(context.engine, input, context.report)
    return inTurn(context, await scopesOf(context.engine, input), input, async () =>
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
      (await findServices(context.engine, input)).map((state): PlannedChange => {
        if (state.serving === null) throw notServing(state)
        const desired = { ...state.desired, instances: input.instances }
        return { ...unchangedOf(state), verb: 'scale', release: state.serving, desired }
      })
    return inTurn(context, await scopesOf(context.engine, input), input, async () =>
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
      (await findServices(context.engine, input))
        .reverse()
        .map((state): PlannedChange => ({ ...unchangedOf(state), verb: 'down', release: null }))
    return inTurn(context, await scopesOf(context.engine, input), input, async () =>
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
    if (project !== undefined && environment !== undefined && services.length > 0) {
      await findServices(engine, { project, environment, services }) // a name that is not known is no empty answer
    }
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
    const states = await findServices(engine, input)
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
    const states = await findServices(engine, input)
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
    const busy = (await findServices(engine, input)).filter(({ scope }) => engine.isBusy(scope))
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
    const states = await findServices(engine, input)
    const services = []
    for (const { scope } of states) {
      const known = await engine.world.releases.list(scope)
      // Numbers are a service's own: of several, those without these releases have nothing to compare.
      const hasBoth = [input.from, input.to].every((number) => known.some((release) => release.number === number))
      if (!hasBoth && input.services.length === 0 && states.length > 1) continue
      const before = await requireRelease(engine, scope, input.from)
      const after = await requireRelease(engine, scope, input.to)
      services.push({ service: scope.service, ...diffReleases(before, after) })
    }
    if (services.length === 0) throw nobodyHas(input)
    return { outcome: 'done', data: { services } }
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
    const [state, ...others] = await findServices(context.engine, {
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

/** Whoever is not root starts everything as itself: said, since the file says otherwise. */
function warnOfUsers(services: readonly Delivery[], { engine, report }: Context): void {
  for (const { specification } of services) {
    const { user } = specification.run
    if (user === undefined || engine.world.mayRunAs(user)) continue
    const message = `\`user: ${user}\` of ${specification.service} is not followed: it runs as the user of the control plane`
    report({ kind: 'warning', message, hint: 'Only a control plane that root started can run it as another user.' })
  }
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

function nobodyHas({ from, to, environment }: { from: number; to: number; environment: string }): FairwayError {
  return new FairwayError('RELEASE_UNKNOWN', `No service in ${environment} has both releases ${from} and ${to}`, {
    hint: '`fairway releases` lists what there is.',
  })
}

function notServing(state: ServiceState): FairwayError {
  return new FairwayError('RELEASE_UNKNOWN', `${scopeKey(state.scope)} is down: no release serves`, {
    hint: '`fairway up` or `fairway rollback` brings one up.',
  })
}
