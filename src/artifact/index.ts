export * from './artifact.ts'
export { checkArtifact, digestOf, isArtifactPath, makeArtifact, parseDigest, pathRule } from './manifest.ts'
export { artifactSchema, digestSchema, recipeSchema } from './schema.ts'
export { ArtifactStore, type Blob, hashFile, type StoredArtifact } from './store.ts'
