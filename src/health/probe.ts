import type { Abortable, Bounded } from '../base/bounds.ts'
import type { Clock } from '../base/clock.ts'
import type { Argv, ExecResult } from '../base/exec.ts'
import type { ProbeSpecification } from '../config/index.ts'
import { type Address, formatAddress } from '../host/index.ts'
import { type ExitStatus, reaches } from '../runtime/index.ts'
import { askCommand, askGrpc, askHttp, askTcp } from './ask.ts'
import type { ProbeAnswer } from './health.ts'

/** What is asked, and how one knows that it is this very instance that answers: the runtime's methods of these names. */
export interface ProbeSubject {
  /** undefined for a worker. */
  readonly address?: Address | undefined
  /** Where the program itself listens for it, in a network of its own; else `address`. */
  readonly listenAddress?: Address | undefined
  exited(options: Abortable): Promise<ExitStatus>
  listening(options: Abortable): Promise<readonly Address[]>
  exec(argv: Argv, options: Bounded & { readonly maxOutputBytes: number }): Promise<ExecResult>
}

export interface Health {
  readonly healthy: boolean
  /** The last few, oldest first; of equal failures in a row, the last. */
  readonly answers: readonly ProbeAnswer[]
  /** Set when it ended before it was healthy. */
  readonly exit?: ExitStatus
}

interface AwaitOptions extends Abortable {
  readonly clock: Clock
  /** It was healthy here before (a rollback): one good answer is enough. */
  readonly quick?: boolean
  /** How long ago it was started: the deadline counts from there. */
  readonly ageMs?: number
  /**
   * Told from time to time while it is not healthy, with the answers so far; the probe goes on meanwhile. `isEarly`: most
   * programs need no longer, but nothing is wrong yet.
   */
  readonly stillWaiting?: (answers: readonly ProbeAnswer[], when: { readonly isEarly: boolean }) => Promise<void>
}

const firstPauseMs = 5
const keptAnswers = 10
/** One that listens at all does by then. */
const lookAfterMs = 1_000
/** Most programs are up by then; one that is not has its user wondering. */
const sayAfterMs = 3_000
const sayAgainMs = 15_000

/**
 * Until it has answered well for `healthyForMs`, has ended, or the deadline has passed. Before the first good answer it
 * is asked every 5 ms, growing to `everyMs`: a program that is up in 10 ms need not wait for half a second.
 * @throws the signal's reason when aborted; nothing else
 */
export async function awaitHealthy(
  subject: ProbeSubject,
  probe: ProbeSpecification,
  { clock, quick = false, ageMs = 0, stillWaiting, signal }: AwaitOptions,
): Promise<Health> {
  const healthyForMs = quick ? 0 : probe.healthyForMs
  const deadline = clock.monotonicMs() - ageMs + probe.deadlineMs
  const answers: ProbeAnswer[] = []
  const over = new AbortController()
  const bounded = signal === undefined ? over.signal : AbortSignal.any([signal, over.signal])
  const exited = subject.exited({ signal: bounded }).then((exit) => ({ exit }))
  exited.catch(() => {}) // aborted
  try {
    let goodSince: number | undefined
    let pauseMs = firstPauseMs
    const begin = clock.monotonicMs()
    let sayAt = begin + lookAfterMs
    for (;;) {
      const leftMs = deadline - clock.monotonicMs()
      if (leftMs <= 0) return { healthy: false, answers }
      const timeoutMs = Math.ceil(Math.min(probe.timeoutMs, leftMs))
      const seen = await Promise.race([
        exited,
        ask(subject, probe, goodSince === undefined, { clock, timeoutMs, signal: bounded }),
      ])
      if ('exit' in seen) return { healthy: false, answers, exit: seen.exit }
      // Cut short by the deadline, an answer says less than those before it.
      if (seen.kind !== 'timeout' || leftMs >= probe.timeoutMs || answers.length === 0) keep(answers, seen)
      const now = clock.monotonicMs()
      if (seen.kind === 'good') {
        goodSince ??= now
        const missingMs = goodSince + healthyForMs - now
        if (missingMs <= 0) return { healthy: true, answers }
        pauseMs = Math.min(probe.everyMs, missingMs)
      } else {
        if (now >= sayAt) {
          const isEarly = now < begin + sayAfterMs
          sayAt = isEarly ? begin + sayAfterMs : now + sayAgainMs
          stillWaiting?.([...answers], { isEarly }).catch(() => {}) // the end will say it too
        }
        // One that was good is asked again soon: is it a slip, or the end?
        pauseMs = goodSince === undefined ? Math.min(pauseMs * 1.5, probe.everyMs) : firstPauseMs
        goodSince = undefined
      }
      const ended = await Promise.race([exited, clock.sleep(pauseMs, { signal: bounded })])
      if (ended !== undefined) return { healthy: false, answers, exit: ended.exit }
    }
  } finally {
    over.abort()
  }
}

async function ask(
  subject: ProbeSubject,
  { target }: ProbeSpecification,
  isFirstGood: boolean,
  options: { clock: Clock; timeoutMs: number; signal: AbortSignal },
): Promise<ProbeAnswer> {
  const { address } = subject
  switch (target.kind) {
    case 'alive':
      return { kind: 'good', tookMs: 0 } // had it ended, we would know
    case 'exec': {
      const [program, ...args] = target.command
      if (program === undefined) throw new TypeError('probe.exec without a command')
      return askCommand((bounds) => subject.exec([program, ...args], bounds), options)
    }
    case 'http':
    case 'grpc':
    case 'tcp': {
      if (address === undefined) throw new TypeError(`a probe by ${target.kind} needs an address`)
      const answer = await askPort(address, target, options)
      if (answer.kind !== 'good' || !isFirstGood) return answer
      // Somebody answers well. Is it the one that was started?
      if (reaches(await subject.listening(options), subject.listenAddress ?? address)) return answer
      const detail = `something else answers on ${formatAddress(address)}`
      return { kind: 'stranger', detail, tookMs: answer.tookMs }
    }
  }
}

function askPort(
  address: Address,
  target: Extract<ProbeSpecification['target'], { kind: 'http' | 'grpc' | 'tcp' }>,
  options: { clock: Clock; timeoutMs: number; signal: AbortSignal },
): Promise<ProbeAnswer> {
  switch (target.kind) {
    case 'http':
      return askHttp(address, target.path, options)
    case 'grpc':
      return askGrpc(address, options)
    case 'tcp':
      return askTcp(address, options)
  }
}

function keep(answers: ProbeAnswer[], answer: ProbeAnswer): void {
  const last = answers.at(-1)
  if (last !== undefined && answer.kind !== 'good' && sameAnswer(last, answer)) answers.pop()
  answers.push(answer)
  if (answers.length > keptAnswers) answers.shift()
}

function sameAnswer(a: ProbeAnswer, b: ProbeAnswer): boolean {
  return JSON.stringify({ ...a, tookMs: 0 }) === JSON.stringify({ ...b, tookMs: 0 })
}
