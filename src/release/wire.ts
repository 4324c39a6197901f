import { z } from 'zod'
import { artifactSchema, recipeSchema } from '../artifact/index.ts'
import { namePattern, nameRule, type ServiceSpecification } from '../config/index.ts'
import type { Source } from './release.ts'

/** What travels from the source to the control plane, checked once more where it arrives: it may come from anywhere. */

export const name = z.string().regex(namePattern, nameRule)
const ms = z.number().nonnegative()
const words = z.array(z.string().min(1)).min(1)

const listen = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('env'), name: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/) }),
  z.strictObject({ kind: z.literal('arg'), template: z.string().min(1) }),
  z.strictObject({ kind: z.literal('none') }),
])
const path = z.string().regex(/^\/[\x21-\x7e]*$/, 'a path that begins with / and has no spaces')

const probeTarget = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('http'), path }),
  z.strictObject({ kind: z.literal('tcp') }),
  z.strictObject({ kind: z.literal('exec'), command: words }),
  z.strictObject({ kind: z.literal('alive') }),
])

const run = z.strictObject({
  args: z.array(z.string()),
  listen,
  probe: z.strictObject({
    target: probeTarget,
    everyMs: ms.positive(),
    timeoutMs: ms.positive(),
    healthyForMs: ms,
    deadlineMs: ms.positive(),
  }),
  limits: z.strictObject({
    memoryBytes: z.number().int().positive().exactOptional(),
    cpu: z.number().positive().exactOptional(),
  }),
  user: z.string().min(1).exactOptional(),
  data: z.boolean(),
  before: words.exactOptional(),
  beforeDeadlineMs: ms.positive(),
  graceMs: ms,
})

const route = z.strictObject({ host: z.string().min(1).max(253), path })

const desired = z.strictObject({
  instances: z.number().int().min(0).max(1000),
  route: route.exactOptional(),
  routeFallback: route.exactOptional(),
  strategy: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('recreate') }),
    z.strictObject({ kind: z.literal('rolling'), batch: z.union([z.number().int().positive(), z.literal('all')]) }),
  ]),
  keepWarmMs: ms,
  drainMs: ms,
})

const value = z.union([
  z.strictObject({ value: z.string(), secret: z.boolean(), asFile: z.boolean() }),
  z.strictObject({ storedVersion: z.number().int().positive(), secret: z.literal(true), asFile: z.boolean() }),
])

const serviceSpecification: z.ZodType<ServiceSpecification> = z.strictObject({
  service: name,
  run,
  desired,
  values: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), value),
  needs: z.array(name),
})

const source: z.ZodType<Source> = z.strictObject({
  from: z.string().max(300),
  commit: z.string().exactOptional(),
  dirty: z.boolean().exactOptional(),
})

/** One service of an `up`, complete: nothing of the caller's machine is looked at later. */
export const delivery = z.strictObject({
  specification: serviceSpecification,
  artifact: artifactSchema,
  recipe: recipeSchema,
  source,
})
export type Delivery = z.output<typeof delivery>
