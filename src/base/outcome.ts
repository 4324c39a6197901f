/** Closed: the same words in CLI, API and history. */
export const outcomes = ['done', 'unchanged', 'detached', 'reverted', 'failed', 'aborted', 'refused'] as const
export type Outcome = (typeof outcomes)[number]

/** `refused` takes its exit status from its error. */
export const outcomeExit: Readonly<Record<Exclude<Outcome, 'refused'>, number>> = {
  done: 0,
  unchanged: 0,
  detached: 0,
  reverted: 1,
  failed: 2,
  aborted: 3,
}

/** From worst to best: an operation on several services ends as its worst one did. */
const gravity: readonly Outcome[] = ['failed', 'aborted', 'reverted', 'refused', 'detached', 'done', 'unchanged']

export function worstOutcome(all: readonly Outcome[]): Outcome {
  return gravity.find((outcome) => all.includes(outcome)) ?? 'unchanged'
}

export interface ServiceOutcome {
  readonly service: string
  readonly outcome: Outcome
  /** Now serving; null when nothing is. */
  readonly release: number | null
  readonly url?: string
  /** Where it is not HTTP that answers at the address. */
  readonly protocol?: 'grpc'
}
