/** What can wait takes a signal. */
export interface Abortable {
  readonly signal?: AbortSignal | undefined
}

/** …and, where it acts on the world, a deadline. */
export interface Bounded extends Abortable {
  /** From now, in ms. */
  readonly deadlineMs?: number | undefined
}

/** One signal out of a caller's signal and a deadline. */
export function boundSignal({ signal, deadlineMs }: Bounded): AbortSignal | undefined {
  if (deadlineMs === undefined) return signal
  const deadline = AbortSignal.timeout(deadlineMs)
  return signal === undefined ? deadline : AbortSignal.any([signal, deadline])
}
