import { z } from 'zod'
import { type Artifact, type Digest, digestPattern, type Recipe } from './artifact.ts'
import { corrupt } from './manifest.ts'

/** Manifests come from disk and over the API: read as suspiciously as any input. `checkArtifact` does what a schema cannot. */
export const digestSchema = z
  .string()
  .regex(digestPattern)
  .transform((text) => text as Digest)

export const artifactSchema: z.ZodType<Artifact> = z.strictObject({
  digest: digestSchema,
  files: z
    .array(
      z.strictObject({
        path: z.string().min(1).max(1024),
        digest: digestSchema,
        size: z.int().min(0),
        executable: z.boolean(),
      }),
    )
    .min(1)
    .max(20_000),
  binary: z.string().min(1).max(255),
})

const text = z.string().max(4096)
export const maxGoSumLength = 1_000_000
export const recipeSchema: z.ZodType<Recipe> = z.object({
  goVersion: text,
  goos: text,
  goarch: text,
  mainPackage: text,
  module: text,
  modules: z.array(z.object({ path: text, version: text, sum: text.exactOptional() })).max(20_000),
  flags: z.array(text).max(1000),
  commit: text.exactOptional(),
  dirty: z.boolean().exactOptional(),
  cgo: z.boolean(),
  builtAt: z.number(),
  variant: text.exactOptional(),
  package: text.exactOptional(),
  environment: z.record(text, text).exactOptional(),
  compiler: z.object({ name: text, version: text, digest: text }).exactOptional(),
  goSum: z.string().max(maxGoSumLength).exactOptional(),
})

/** @throws FairwayError ARTIFACT_CORRUPT */
export const parseArtifact = (json: string): Artifact => parse(artifactSchema, json, 'manifest')
/** @throws FairwayError ARTIFACT_CORRUPT */
export const parseRecipe = (json: string): Recipe => parse(recipeSchema, json, 'recipe')

function parse<Noun>(schema: z.ZodType<Noun>, json: string, name: string): Noun {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    throw corrupt(`The ${name} is not JSON`)
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw corrupt(`The ${name} is not one: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`)
}
