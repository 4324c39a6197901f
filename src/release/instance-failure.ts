import { FairwayError } from '../base/error.ts'
import type { RolloutFailure } from '../base/event.ts'
import type { ProbeAnswer } from '../health/index.ts'
import type { ExitStatus } from '../runtime/index.ts'

/** An instance that did not become, or did not stay, what its release promised; with the evidence. */
export class InstanceFailure extends FairwayError {
  readonly failure: RolloutFailure

  constructor(failure: RolloutFailure, code: 'START_FAILED' | 'JOB_FAILED' = 'START_FAILED') {
    super(code, `${failure.instance} ${failure.what}`, {
      hint: failure.hint,
      details: failure.lines.slice(-20),
    })
    this.failure = failure
  }
}

/** 'exit status 2', 'killed by SIGSEGV' */
export function describeExit(status: ExitStatus): string {
  switch (status.kind) {
    case 'exit':
      return `exit status ${status.code}`
    case 'signal':
      return `killed by ${status.signal}`
    case 'out-of-memory':
      return 'killed: out of memory'
    case 'unknown':
      return 'ended while nobody watched, so its status is unknown'
  }
}

/** 'HTTP 404 after 3 ms: "page not found"' */
export function describeAnswer(answer: ProbeAnswer): string {
  const took = `after ${Math.round(answer.tookMs)} ms`
  switch (answer.kind) {
    case 'good':
      return answer.status === undefined ? `good ${took}` : `HTTP ${answer.status} ${took}`
    case 'status': {
      const where = answer.location === undefined ? '' : ` to ${answer.location}`
      const body = answer.body.trim() === '' ? '' : `: ${JSON.stringify(answer.body.trim())}`
      return `HTTP ${answer.status}${where} ${took}${body}`
    }
    case 'refused':
    case 'timeout':
    case 'closed':
    case 'stranger':
      return `${answer.kind} ${took}: ${answer.detail}`
    case 'grpc':
      return `gRPC health ${took}: ${answer.detail}`
    case 'exec':
      return `exit status ${answer.exitCode ?? 'none'} ${took}: ${answer.output.trim()}`
  }
}
