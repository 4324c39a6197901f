import { z } from 'zod'
import { type Artifact, type Digest, digestPattern, type Recipe } from '../artifact/index.ts'
import { namePattern, nameRule, type ServiceSpecification } from '../config/index.ts'
import type { Source } from './release.ts'

/** What travels from the source to the control plane, checked once more where it arrives: it may come from anywhere. */

export const name = z.string().regex(namePattern, nameRule)
const digest = z
  .string()
  .regex(digestPattern, 'a sha256 in lower-case hex')
  .transform((text) => text as Digest)
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

export const serviceSpecification: z.ZodType<ServiceSpecification> = z.strictObject({
  service: name,
  run,
  desired,
  values: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), value),
  needs: z.array(name),
})

const relativePath = z
  .string()
  .max(4096)
  .refine((text) => text !== '' && text.split('/').every((part) => part !== '' && part !== '.' && part !== '..'), {
    message: 'a relative path without . and ..',
  })

export const artifact: z.ZodType<Artifact> = z.strictObject({
  digest,
  binary: relativePath,
  files: z
    .array(
      z.strictObject({ path: relativePath, digest, size: z.number().int().nonnegative(), executable: z.boolean() }),
    )
    .min(1)
    .max(100_000),
})

export const recipe: z.ZodType<Recipe> = z.strictObject({
  goVersion: z.string(),
  goos: z.string(),
  goarch: z.string(),
  mainPackage: z.string(),
  module: z.string(),
  modules: z.array(z.strictObject({ path: z.string(), version: z.string(), sum: z.string().exactOptional() })),
  flags: z.array(z.string()),
  commit: z.string().exactOptional(),
  dirty: z.boolean().exactOptional(),
  cgo: z.boolean(),
  builtAt: z.number(),
})

export const source: z.ZodType<Source> = z.strictObject({
  from: z.string().max(300),
  commit: z.string().exactOptional(),
  dirty: z.boolean().exactOptional(),
})

/** One service of an `up`, complete: nothing of the caller's machine is looked at later. */
export const delivery = z.strictObject({ specification: serviceSpecification, artifact, recipe, source })
export type Delivery = z.output<typeof delivery>
