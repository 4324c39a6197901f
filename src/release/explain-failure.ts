import { Masker } from '../base/masker.ts'
import { diagnose, type Evidence, type ProbeAnswer } from '../health/index.ts'
import { formatAddress } from '../host/index.ts'
import type { ExitStatus } from '../runtime/index.ts'
import { describeAnswer, describeExit, InstanceFailure } from './instance-failure.ts'
import { releaseSecrets } from './instance-spec.ts'
import { listenAddress } from './network.ts'
import type { InstanceRef, Release } from './release.ts'
import type { IncarnationRecord } from './store/incarnation-store.ts'
import { incarnationOf, type World } from './world.ts'

/** Some traces print their message far above their end. */
const diagnosedLines = 500
const keptLines = 50

export interface FailedStart {
  readonly release: Release
  readonly instance: InstanceRef
  /** undefined when it was never started, or is forgotten. */
  readonly record: IncarnationRecord | undefined
  readonly answers: readonly ProbeAnswer[]
  /** When it was seen to end. */
  readonly exit: ExitStatus | undefined
}

/** The evidence of an instance that is not healthy, gathered now, with its diagnosis; secrets are masked. */
export async function explainFailure(
  world: World,
  { release, instance, record, answers, exit: seen }: FailedStart,
): Promise<InstanceFailure> {
  const { runtime, clock } = world
  const { scope, run, values } = release
  const masker = new Masker(await releaseSecrets(world, release))
  const mask = (text: string) => masker.mask(text)
  const id = record === undefined ? undefined : incarnationOf(scope, record.instance, record.incarnation)
  const tail = id === undefined ? [] : await runtime.tail(id, { lines: diagnosedLines })
  const state = id === undefined ? undefined : await runtime.find(id)
  const exit = seen ?? (state?.state.kind === 'exited' ? state.state.status : undefined)
  const listening = id === undefined || exit !== undefined ? [] : await runtime.listening(id)
  const expected = record === undefined ? null : listenAddress(record)
  const evidence: Evidence = {
    lines: tail.map((line) => mask(line.text)),
    answers: answers.map((answer) => maskAnswer(answer, mask)),
    listening: listening.map(formatAddress),
    ...(exit === undefined ? {} : { exit }),
    ...(expected === null ? {} : { expected: formatAddress(expected) }),
  }
  const { cause, what, hint } = diagnose(evidence, {
    service: scope.service,
    listen: run.listen,
    ports: run.ports ?? [],
    network: record === undefined || record.network === null ? 'host' : 'own',
    probe: run.probe,
    knownKeys: Object.keys(values),
    livedMs: state === undefined ? 0 : Math.max(0, clock.now() - state.startedAt),
  })
  return new InstanceFailure({
    instance,
    cause,
    what: mask(what),
    hint: mask(hint),
    lines: evidence.lines.slice(-keptLines),
    answers: evidence.answers.map(describeAnswer).map(mask),
    ...(exit === undefined ? {} : { exit: describeExit(exit) }),
  })
}

/** Each text by itself: where it was cut, half a secret may stand. */
function maskAnswer(answer: ProbeAnswer, mask: (text: string) => string): ProbeAnswer {
  switch (answer.kind) {
    case 'status':
      return { ...answer, body: mask(answer.body) }
    case 'exec':
      return { ...answer, output: mask(answer.output) }
    default:
      return answer
  }
}
