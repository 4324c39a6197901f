import { FairwayError } from '../base/error.ts'

/** A person wants it undone: reverting begins at once. */
export function abortedBy(who: string): FairwayError {
  return new FairwayError('ABORTED', `aborted by ${who}`)
}

/** The control plane ends or lost its lease: the work stays as it is, whoever takes over goes on. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
}

export function isAborted(signal: AbortSignal): boolean {
  return signal.aborted && signal.reason instanceof FairwayError && signal.reason.code === 'ABORTED'
}
