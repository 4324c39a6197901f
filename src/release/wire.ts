import { z } from 'zod'
import { artifactSchema, recipeSchema } from '../artifact/index.ts'
import { namePattern, nameRule, specificationSchema } from '../config/index.ts'
import type { Source } from './release.ts'

/** What travels from the source to the control plane, checked once more where it arrives: it may come from anywhere. */

export const name = z.string().regex(namePattern, nameRule)

const source: z.ZodType<Source> = z.strictObject({
  from: z.string().max(300),
  commit: z.string().exactOptional(),
  dirty: z.boolean().exactOptional(),
})

/** One service of an `up`, complete: nothing of the caller's machine is looked at later. */
export const delivery = z.strictObject({
  specification: await specificationSchema(),
  artifact: artifactSchema,
  recipe: recipeSchema,
  source,
})
export type Delivery = z.output<typeof delivery>
