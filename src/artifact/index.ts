export * from './artifact.ts'
export { checkArtifact, digestOf, makeArtifact, parseDigest } from './manifest.ts'
export { artifactSchema, digestSchema, recipeSchema } from './schema.ts'
export { ArtifactStore, type Blob, hashFile, type StoredArtifact } from './store.ts'
