import type { z } from 'zod'
import type { Report } from './event.ts'

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
}

/** What a face needs to know of a running operation; `report` takes typed events. */
export interface OperationContext {
  readonly report: Report
  readonly signal: AbortSignal
  /** 'ada@laptop': who asked, for the history. */
  readonly who: string
  /** Called once the operation has a number: from then on its events can be followed by it. */
  readonly follow?: (operation: number) => void
  /** A line of a job's output, for the caller alone. */
  readonly output?: (line: { readonly stream: 'out' | 'err'; readonly text: string }) => void
}

export interface OperationResult {
  readonly outcome: Outcome
  readonly services?: readonly ServiceOutcome[]
  readonly data?: unknown
}

/** A command as data: the CLI makes flags of it, the API a route, the dashboard a form. */
export interface Operation<Input extends z.ZodType, Domain> {
  /** Its word on the command line and in the API's path. */
  readonly name: string
  readonly summary: string
  /** `read` changes nothing and is answered with data; `change` is followed by its events. */
  readonly kind: 'read' | 'change'
  readonly input: Input
  run(input: z.output<Input>, context: Domain & OperationContext): Promise<OperationResult>
}

export function defineOperation<Input extends z.ZodType, Domain>(
  operation: Operation<Input, Domain>,
): Operation<Input, Domain> {
  return operation
}
