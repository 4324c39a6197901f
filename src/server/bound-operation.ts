import type { z } from 'zod'
import type { Operation, OperationContext } from '../base/operation.ts'

/** An operation with its domain given: what is left is the input and who asks. */
export interface BoundOperation extends Pick<Operation<z.ZodType, unknown>, 'name' | 'summary' | 'kind' | 'input'> {
  run(input: unknown, context: OperationContext): ReturnType<Operation<z.ZodType, unknown>['run']>
}
