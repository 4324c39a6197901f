import type { Bounded } from '../base/bounds.ts'
import type { Report } from '../base/event.ts'
import { Masker } from '../base/masker.ts'
import { type ServiceScope, scopeKey } from '../config/index.ts'
import type { ExitStatus } from '../runtime/index.ts'
import { isAborted } from './abort.ts'
import { describeExit, InstanceFailure } from './instance-failure.ts'
import { instanceSpec, releaseSecrets } from './instance-spec.ts'
import { instanceRef } from './release.ts'
import { incarnationOf, type World } from './world.ts'

/**
 * The job of `before:`, once per release. It is found again after a crash of the control plane, running or ended; one
 * whose end nobody saw is not run a second time in silence: the rollout ends, and the next `up` says what it does.
 * @throws InstanceFailure JOB_FAILED, with its last lines
 */
export async function runBeforeJob(
  world: World,
  scope: ServiceScope,
  number: number,
  { signal, report }: Bounded & { report: Report },
): Promise<void> {
  const release = await world.releases.find(scope, number)
  const command = release?.run.before
  if (release === undefined || command === undefined) return
  const ref = instanceRef(number, 0)
  const known = await world.rollouts.job(scope, number)
  let incarnation = known?.state === 'begun' ? known.incarnation : null
  const begin = world.clock.monotonicMs()
  if (incarnation === null) {
    if (known?.state === 'failed') {
      const message = `${command.join(' ')} runs again: the last time it ended with ${known.exit}`
      report({ kind: 'warning', scope: scopeKey(scope), message })
    }
    const record = await world.incarnations.plan(scope, ref, null)
    incarnation = record.incarnation
    await world.rollouts.saveJob(scope, number, { state: 'begun', incarnation, exit: null }, world.clock.now())
    report({ kind: 'job-begun', scope: scopeKey(scope), release: number, command })
    await world.runtime.start(await instanceSpec(world, release, record, command), { signal })
  }
  const id = incarnationOf(scope, ref, incarnation)
  const isKnown = (await world.runtime.list(scope)).some(
    (one) => one.id.ordinal === 0 && one.id.incarnation === incarnation,
  )
  const status: ExitStatus = isKnown
    ? await awaitJob(world, id, release.run.beforeDeadlineMs, { signal })
    : { kind: 'unknown' }
  const succeeded = status.kind === 'exit' && status.code === 0
  const lines = await world.runtime.tail(id, { lines: 50 })
  const exit = describeExit(status)
  await world.rollouts.saveJob(
    scope,
    number,
    { state: succeeded ? 'done' : 'failed', incarnation, exit },
    world.clock.now(),
  )
  await world.runtime.forget(id)
  await world.incarnations.remove(scope, { instance: ref, incarnation })
  report({
    kind: 'job-done',
    scope: scopeKey(scope),
    release: number,
    command,
    tookMs: world.clock.monotonicMs() - begin,
    exit,
  })
  if (succeeded) return
  const masker = new Masker(await releaseSecrets(world, release))
  const failure = {
    instance: ref,
    cause: 'job-failed',
    what: `(before: ${command.join(' ')}) ended with ${exit}`,
    hint: 'Nothing of the new release was started. Mend what it says and run fairway up again: the job then runs again.',
    lines: lines.map((line) => masker.mask(line.text)),
    exit,
    answers: [],
  }
  throw new InstanceFailure(failure, 'JOB_FAILED')
}

async function awaitJob(
  world: World,
  id: ReturnType<typeof incarnationOf>,
  deadlineMs: number,
  { signal }: Bounded,
): Promise<ExitStatus> {
  const watch = new AbortController()
  const whole = signal === undefined ? watch.signal : AbortSignal.any([signal, watch.signal])
  try {
    const ended = world.runtime.exited(id, { signal: whole })
    const late = world.clock.sleep(deadlineMs, { signal: whole }).then(() => 'late' as const)
    late.catch(() => {})
    const first = await Promise.race([ended, late])
    if (first !== 'late') return first
  } catch (error) {
    // Aborted by a person: the job goes too, so that nothing runs on unseen.
    if (signal !== undefined && isAborted(signal)) await world.runtime.stop(id, { graceMs: 2000 })
    throw error
  } finally {
    watch.abort()
  }
  await world.runtime.stop(id, { graceMs: 2000 })
  return { kind: 'signal', signal: `its deadline of ${deadlineMs} ms` }
}
