import type { DesiredInstances, InstanceRef, Role, Rollout, RolloutStep, Stage } from './release.ts'

type InstanceStepKind = Exclude<RolloutStep['kind'], 'before'>

/** The same Rollout always gives the same stages. What they do to the world is execute.ts's business. */
export function planRollout({ strategy, old, fresh, keepWarm, before }: Rollout): Stage[] {
  const prepare: Stage[] = before ? [[{ kind: 'before', release: releaseOf(fresh) }]] : []
  const takeDown = (refs: readonly InstanceRef[]) => stages(refs, 'drain', keepWarm ? 'keep-warm' : 'stop')
  switch (strategy.kind) {
    case 'recreate':
      // Two copies may not run at once, so nothing of the old one is kept, warm or otherwise.
      return [...prepare, ...stages(old, 'drain', 'stop'), ...bringUp(fresh)]
    case 'rolling': {
      const size = strategy.batch === 'all' ? Math.max(old.length, fresh.length, 1) : strategy.batch
      const rounds = Math.ceil(Math.max(old.length, fresh.length) / size)
      return [
        ...prepare,
        ...Array.from({ length: rounds }, (_, round) => {
          const up = fresh.slice(round * size, (round + 1) * size)
          // What goes down is paired from the end of the fresh: shrinking takes the surplus in the last rounds.
          const down = old.slice(round * size, (round + 1) * size)
          return [...bringUp(up), ...takeDown(down)]
        }).flat(),
      ]
    }
  }
}

/**
 * Back to where it began: the old instances stand and serve again, the fresh ones are gone. Steps that hold already are
 * passed over when they run, so the plan need not know how far the rollout came.
 */
export function planRevert({ strategy, old, fresh }: Rollout): Stage[] {
  const isRecreate = strategy.kind === 'recreate'
  return planRollout({
    strategy: isRecreate ? strategy : { kind: 'rolling', batch: 'all' },
    old: fresh,
    fresh: old,
    keepWarm: false,
    before: false,
  })
}

/** What is desired once a stage is done: what the keeper holds until the next one is. */
export function desiredAfter(desired: DesiredInstances, stage: Stage): Map<InstanceRef, Role> {
  const next = new Map(desired)
  for (const step of stage) {
    switch (step.kind) {
      case 'before':
        break
      case 'start':
      case 'await-healthy':
        if (next.get(step.instance) !== 'serving') next.set(step.instance, 'starting')
        break
      case 'admit':
        next.set(step.instance, 'serving')
        break
      case 'drain':
        if (next.has(step.instance)) next.set(step.instance, 'draining')
        break
      case 'keep-warm':
        if (next.has(step.instance)) next.set(step.instance, 'warm')
        break
      case 'stop':
        next.delete(step.instance)
        break
    }
  }
  return next
}

function bringUp(refs: readonly InstanceRef[]): Stage[] {
  return stages(refs, 'start', 'await-healthy', 'admit')
}

function stages(refs: readonly InstanceRef[], ...kinds: InstanceStepKind[]): Stage[] {
  return refs.length === 0 ? [] : kinds.map((kind) => refs.map((instance) => ({ kind, instance })))
}

function releaseOf(fresh: readonly InstanceRef[]): number {
  return Number(fresh[0]?.split('-')[0] ?? 0)
}
