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
  const deadline = deadlineSignal(deadlineMs)
  return signal === undefined ? deadline : AbortSignal.any([signal, deadline])
}

/** Beyond this (24 days) a timer would fire at once. */
const longestTimerMs = 2 ** 31 - 1

/** Takes what reckoning with times comes to: fractions, less than nothing, no end. */
export function deadlineSignal(ms: number): AbortSignal {
  return AbortSignal.timeout(Math.min(longestTimerMs, Math.max(0, Math.ceil(ms))))
}
