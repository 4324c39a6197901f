import { z } from 'zod'
import { namesData } from './listen.ts'
import { namePattern } from './scope.ts'
import type { ServiceSpecification } from './specification.ts'
import { keyPattern } from './value-type.ts'
import { isWorkdir } from './workdir.ts'
import { canonicalRoute } from './route.ts'

/** A specification as it comes over the API: already resolved, read as suspiciously as any input. */

const ms = z
  .number()
  .min(0)
  .max(366 * 24 * 3_600_000)
const word = z.string().max(64 * 1024)
const words = z.array(word).max(1000)
const command = words.min(1)
const name = z.string().regex(namePattern)
const route = z
  .strictObject({ host: z.string().min(1).max(253), path: z.string().startsWith('/').max(1024) })
  .overwrite(canonicalRoute)

const listen = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('env'),
    name: z.string().regex(keyPattern),
    template: word.includes('{{port}}').exactOptional(),
  }),
  z.strictObject({ kind: z.literal('arg'), template: word.includes('{{port}}') }),
  z.strictObject({ kind: z.literal('port'), port: z.int().min(1).max(65_535) }),
  z.strictObject({ kind: z.literal('none') }),
])

const target = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('http'), path: z.string().startsWith('/').max(1024) }),
  z.strictObject({ kind: z.literal('tcp') }),
  z.strictObject({ kind: z.literal('grpc') }),
  z.strictObject({ kind: z.literal('exec'), command }),
  z.strictObject({ kind: z.literal('alive') }),
])

const strategy = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('recreate') }),
  z.strictObject({ kind: z.literal('rolling'), batch: z.union([z.int().min(1), z.literal('all')]) }),
])

const value = z.union([
  z.strictObject({ value: z.string().max(1024 * 1024), secret: z.boolean(), asFile: z.boolean() }),
  z.strictObject({ storedVersion: z.int().min(1), secret: z.literal(true), asFile: z.boolean() }),
])

export const serviceSpecificationSchema: z.ZodType<ServiceSpecification> = z.strictObject({
  service: name,
  run: z
    .strictObject({
      args: words,
      listen,
      ports: z.array(z.int().min(1).max(65_535)).min(1).max(64).exactOptional(),
      network: z.enum(['own', 'host']).exactOptional(),
      probe: z.strictObject({ target, everyMs: ms.min(10), timeoutMs: ms, healthyForMs: ms, deadlineMs: ms }),
      workdir: z.string().max(1024).refine(isWorkdir).exactOptional(),
      protocol: z.enum(['grpc', 'tcp']).exactOptional(),
      limits: z.strictObject({
        memoryBytes: z.int().min(1).exactOptional(),
        cpu: z.number().positive().exactOptional(),
      }),
      user: z.string().max(64).exactOptional(),
      data: z.boolean(),
      before: command.exactOptional(),
      beforeDeadlineMs: ms,
      graceMs: ms,
    })
    .refine(({ args, data }) => data || !namesData(args), '`{{data}}` in arguments without `data: true`'),
  desired: z.strictObject({
    instances: z.int().min(1).max(1000),
    route: route.exactOptional(),
    routeFallback: route.exactOptional(),
    strategy,
    keepWarmMs: ms,
    drainMs: ms,
  }),
  values: z.record(z.string().regex(keyPattern), value),
  needs: z.array(name).max(1000),
})
