import type { z } from 'zod'
import type { Report } from './event.ts'
import type { Outcome, ServiceOutcome } from './outcome.ts'

/** What a face needs to know of a running operation; `report` takes typed events. */
export interface OperationContext {
  readonly report: Report
  readonly signal: AbortSignal
  /** 'ada@laptop': who asked, for the history. */
  readonly who: string
  /** Called once the operation has a number: from then on its events can be followed by it. */
  readonly follow?: (operation: number) => void
  /**
   * A line of a job's output, for the caller alone. Resolves when there is room for the next: a job prints faster than a
   * line carries. With false, nobody listens any more.
   */
  readonly output?: (line: { readonly stream: 'out' | 'err'; readonly text: string }) => Promise<boolean>
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
