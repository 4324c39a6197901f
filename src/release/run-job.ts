import { FairwayError } from '../base/error.ts'
import type { OperationContext, OperationResult } from '../base/operation.ts'
import { Masker } from '../base/masker.ts'
import { unhurried } from '../base/unhurried.ts'
import { type ServiceScope, scopeKey } from '../config/index.ts'
import type { ExitStatus } from '../runtime/index.ts'
import type { ReleaseEngine } from './engine.ts'
import { describeExit } from './instance-failure.ts'
import { instanceSpec, releaseSecrets } from './instance-spec.ts'
import { jobGraceMs, jobKey } from './jobs.ts'
import { type InstanceRef, parseInstanceRef } from './release.ts'
import { incarnationOf } from './world.ts'

/**
 * A job by hand: a whole command in the artifact's folder, with the environment of the service's instances. Its output
 * goes to the caller as it comes, for as long as there is one; `data.exitCode` is its status.
 */
export async function runJob(
  { engine: { world, jobCommands }, signal, output, who }: OperationContext & { engine: ReleaseEngine },
  scope: ServiceScope,
  ref: InstanceRef,
  command: readonly string[],
): Promise<OperationResult> {
  const number = parseInstanceRef(ref).release
  const release = await world.releases.find(scope, number)
  if (release === undefined)
    throw new FairwayError('RELEASE_UNKNOWN', `There is no release ${scopeKey(scope)}#${number}`)
  const masker = new Masker(await releaseSecrets(world, release))
  const record = await world.incarnations.plan(scope, ref, null)
  const id = incarnationOf(scope, ref, record.incarnation)
  // The arguments may hold anything, so the history names the program alone.
  const shown = [masker.mask(command[0] ?? ''), ...(command.length > 1 ? ['…'] : [])]
  world.report({ kind: 'job-begun', scope: scopeKey(scope), release: number, command: shown })
  jobCommands.set(jobKey(id), shown)
  const begin = world.clock.monotonicMs()
  let status: ExitStatus = { kind: 'unknown' }
  try {
    await world.runtime.start(await instanceSpec(world, release, record, command))
    const end = () => {
      world.runtime.stop(id, { graceMs: jobGraceMs }).catch(() => {}) // the end is seen below
    }
    signal.addEventListener('abort', end, { once: true })
    // Taken down meanwhile, the service has ended the jobs it saw.
    if ((await world.services.find(scope))?.serving == null) end()
    if (output !== undefined) {
      for await (const line of unhurried(world.runtime.logs(id, { follow: true }))) {
        if (!(await output({ stream: line.stream, text: masker.mask(line.text) }))) break
      }
    }
    status = await world.runtime.exited(id)
  } finally {
    jobCommands.delete(jobKey(id))
    await world.runtime.forget(id)
    await world.incarnations.remove(scope, record)
  }
  const exit = describeExit(status)
  world.report({
    kind: 'job-done',
    scope: scopeKey(scope),
    release: number,
    command: shown,
    tookMs: world.clock.monotonicMs() - begin,
    exit,
  })
  return { outcome: signal.aborted ? 'aborted' : 'done', data: { exitCode: exitCode(status), exit, who } }
}

/** As a shell would say it: 128 and the signal's number where a signal ended it. */
function exitCode(status: ExitStatus): number {
  switch (status.kind) {
    case 'exit':
      return status.code
    case 'out-of-memory':
      return 137
    case 'signal':
      return status.signal === 'SIGTERM' ? 143 : 137
    case 'unknown':
      return 70
  }
}
