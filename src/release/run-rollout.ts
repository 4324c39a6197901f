import { FairwayError, reportError } from '../base/error.ts'
import type { Report } from '../base/event.ts'
import { runStep } from '../base/journal.ts'
import type { KeyedQueue } from '../base/keyed-queue.ts'
import type { Outcome } from '../base/outcome.ts'
import { scopeKey } from '../config/index.ts'
import { Interrupted, isAborted } from './abort.ts'
import { journaledStep, type Patience } from './execute.ts'
import { Gap } from './gap.ts'
import { InstanceFailure } from './instance-failure.ts'
import type { Keeper } from './keeper.ts'
import { desiredAfter, planRevert } from './plan.ts'
import type { DesiredInstances, RolloutRecord, RolloutStep, Stage } from './release.ts'
import type { WarmUntil } from './store/rollout-store.ts'
import type { World } from './world.ts'

export interface RolloutRun {
  readonly world: World
  readonly keeper: Keeper
  /** One writer per service: a stage here, or the keeper's actions, never both. */
  readonly queue: KeyedQueue
  /** Aborted with ABORTED it turns back; with `Interrupted` it stays as it is. */
  readonly signal: AbortSignal
  readonly patience: Patience
  readonly keepWarmMs: number
}

/**
 * Brings a rollout to its end from wherever it stands: forward, or back to where it began. Killed at any line it is
 * called again, here or elsewhere, and goes on with the stage that was not finished.
 * @throws Interrupted, LEASE_LOST: the rollout is then somebody else's, or a later start's
 */
export async function runRollout(start: RolloutRecord, run: RolloutRun): Promise<RolloutRecord> {
  let record = start
  const gap = new Gap(record, run)
  while (record.phase !== 'ended') {
    const stage = record.stages[record.stage]
    if (stage === undefined) record = await end(record, run, record.phase === 'forward' ? 'done' : turned(record))
    else {
      try {
        if (record.phase === 'forward') throwIfAborted(run.signal)
        await gap.before(stage)
        record = await run.queue.run(scopeKey(record.scope), () => runStage(record, stage, run))
        await gap.after(stage)
      } catch (error) {
        if (isInterruption(error, run.signal)) throw error
        if (record.phase === 'forward') record = await turnBack(record, error, run)
        else {
          const why = `${record.why ?? ''}; reverting failed too: ${reportError(error).message}`
          reporter(
            record,
            run,
          )({
            kind: 'rollout-failed',
            scope: scopeKey(record.scope),
            rollout: record.id,
            release: record.from,
            error: reportError(error),
            ...(error instanceof InstanceFailure ? { failure: error.failure } : {}),
          })
          record = await end({ ...record, why }, run, 'failed')
        }
      }
    }
  }
  return record
}

async function runStage(record: RolloutRecord, stage: Stage, run: RolloutRun): Promise<RolloutRecord> {
  const { world } = run
  const report = reporter(record, run)
  const scope = scopeKey(record.scope)
  const begin = world.clock.monotonicMs()
  report({
    kind: 'stage-begun',
    scope,
    rollout: record.id,
    stage: record.stage + 1,
    stages: record.stages.length,
    reverting: record.phase === 'reverting',
    steps: stage.map((step) => ({ kind: step.kind, instance: instanceOf(step) })),
  })
  const desired = await currentDesired(record, world)
  const failed = new AbortController()
  // A reverting rollout is not aborted a second time: it only ever ends where it began.
  const own = record.phase === 'forward' ? run.signal : onlyInterruption(run.signal)
  const signal = AbortSignal.any([own, failed.signal])
  const fresh = new Set<string>(record.rollout.fresh)
  await run.keeper.hold(record.scope, desired, {
    signal,
    ...(record.phase === 'forward' ? { onTrial: fresh } : { leaving: fresh }),
  })
  const prefix = `rollout-${record.id}/${record.phase}/${record.stage}`
  const results = await Promise.allSettled(
    stage.map(async (step) => {
      try {
        const options = { signal, checkpoint: world.checkpoint }
        const stepBegin = world.clock.monotonicMs()
        const acted = await runStep(
          journaledStep(world, record.scope, step, { prefix, patience: run.patience, report }),
          world.journal,
          options,
        )
        const tookMs = world.clock.monotonicMs() - stepBegin
        report({
          kind: 'step-done',
          scope,
          rollout: record.id,
          step: step.kind,
          instance: instanceOf(step),
          tookMs,
          ...(acted ? {} : { held: true }),
        })
      } catch (error) {
        failed.abort(error) // the first failure is the cause; the others only stop waiting
        throw error
      }
    }),
  )
  if (results.some((result) => result.status === 'rejected')) throw failed.signal.reason
  const drainsOld = record.phase === 'forward' && stage.some((step) => step.kind === 'drain')
  const next: RolloutRecord = {
    ...record,
    stage: record.stage + 1,
    switchedMs: drainsOld ? ageOf(record, world) : record.switchedMs,
  }
  await world.rollouts.save(next, { instances: desiredAfter(desired, stage), warm: warmUntil(run) })
  report({
    kind: 'stage-done',
    scope,
    rollout: record.id,
    stage: record.stage + 1,
    stages: record.stages.length,
    tookMs: world.clock.monotonicMs() - begin,
  })
  return next
}

async function turnBack(record: RolloutRecord, error: unknown, run: RolloutRun): Promise<RolloutRecord> {
  const { world, signal } = run
  const report = reporter(record, run)
  const scope = scopeKey(record.scope)
  const failure = error instanceof InstanceFailure ? error.failure : null
  const cause = reportError(error)
  const aborted = isAborted(signal)
  const next: RolloutRecord = {
    ...record,
    phase: 'reverting',
    stages: planRevert(record.rollout),
    stage: 0,
    why: cause.message,
    failure,
    outcome: aborted ? 'aborted' : 'reverted',
  }
  await world.rollouts.save(next)
  if (!aborted) {
    report({
      kind: 'rollout-failed',
      scope,
      rollout: record.id,
      release: record.to,
      error: cause,
      ...(failure === null ? {} : { failure }),
    })
  }
  report({ kind: 'rollout-reverting', scope, rollout: record.id, to: record.from, why: cause.message })
  return next
}

async function end(record: RolloutRecord, run: RolloutRun, outcome: Outcome): Promise<RolloutRecord> {
  const { world } = run
  const serving = outcome === 'done' ? record.to : record.from
  const ended: RolloutRecord = { ...record, phase: 'ended', outcome, endedAt: world.clock.now() }
  await world.rollouts.end(ended, serving)
  if (outcome === 'done' && record.to !== null)
    await world.releases.markProven(record.scope, record.to, world.clock.now())
  reporter(
    record,
    run,
  )({
    kind: 'rollout-ended',
    scope: scopeKey(record.scope),
    rollout: record.id,
    outcome,
    serving,
    tookMs: ageOf(record, world),
    ...(record.switchedMs === null ? {} : { switchedMs: record.switchedMs }),
  })
  return ended
}

function reporter({ operation }: RolloutRecord, { world }: RolloutRun): Report {
  return (event) => world.report(event, operation)
}

/** What is desired now: the last finished stage's result. */
function currentDesired(record: RolloutRecord, { rollouts, bootId, clock }: World): Promise<DesiredInstances> {
  return rollouts.desired(record.scope, { bootId, now: clock.monotonicMs() })
}

function warmUntil({ world, keepWarmMs }: RolloutRun): WarmUntil {
  return { until: world.clock.monotonicMs() + keepWarmMs, bootId: world.bootId }
}

/** By the wall clock, for a rollout may outlive its control plane, and the machine; one that was set back makes it 0. */
function ageOf({ startedAt }: RolloutRecord, { clock }: World): number {
  return Math.max(0, clock.now() - startedAt)
}

function turned(record: RolloutRecord): Outcome {
  return record.outcome === 'aborted' ? 'aborted' : 'reverted'
}

function instanceOf(step: RolloutStep): string {
  return step.kind === 'before' ? `${step.release}-0` : step.instance
}

function throwIfAborted(signal: AbortSignal): void {
  signal.throwIfAborted()
}

/** The signal without its aborts: only what ends the control plane itself. */
function onlyInterruption(signal: AbortSignal): AbortSignal {
  const controller = new AbortController()
  const pass = () => {
    if (!isAborted(signal)) controller.abort(signal.reason)
  }
  if (signal.aborted) pass()
  else signal.addEventListener('abort', pass, { once: true })
  return controller.signal
}

function isInterruption(error: unknown, signal: AbortSignal): boolean {
  return (
    error instanceof Interrupted ||
    (error instanceof FairwayError && error.code === 'LEASE_LOST') ||
    (signal.aborted && signal.reason instanceof Interrupted)
  )
}
