import { createHash } from 'node:crypto'
import { FairwayError } from '../base/error.ts'
import { type Artifact, type ArtifactFile, type Digest, digestPattern } from './artifact.ts'

/** @throws FairwayError ARTIFACT_CORRUPT unless it is 64 lower-case hex digits */
export function parseDigest(text: string): Digest {
  if (!digestPattern.test(text)) throw corrupt(`${JSON.stringify(text.slice(0, 80))} is not a sha256 digest`)
  return text as Digest
}

export function digestOf(content: string | Uint8Array): Digest {
  return createHash('sha256').update(content).digest('hex') as Digest
}

/**
 * The text an artifact is named by: one line per file, sorted by the path's bytes. Nothing of how, when or where it was
 * built stands in it, so the same input gives the same digest.
 */
export function manifestText({ files, binary }: Pick<Artifact, 'files' | 'binary'>): string {
  const lines = files.map(
    ({ path, digest, size, executable }) => `${executable ? 'x' : '-'} ${digest} ${size} ${path}\n`,
  )
  return `fairway artifact 1\nbinary ${binary}\n${lines.join('')}`
}

/** @throws FairwayError ARTIFACT_CORRUPT when a path could leave the folder, stands twice, or is both file and folder */
export function makeArtifact({ files, binary }: Pick<Artifact, 'files' | 'binary'>): Artifact {
  const sorted = [...files].sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)))
  const paths = new Set<string>()
  for (const { path, digest, size } of sorted) {
    if (!isArtifactPath(path)) {
      throw corrupt(`${JSON.stringify(path.slice(0, 200))} is not a path an artifact may hold: ${pathRule}`)
    }
    parseDigest(digest)
    if (!Number.isSafeInteger(size) || size < 0) throw corrupt(`${path}: ${size} is no size`)
    if (paths.has(path)) throw corrupt(`${path} stands twice in the manifest`)
    paths.add(path)
  }
  for (const path of paths) {
    const parent = parents(path).find((folder) => paths.has(folder))
    if (parent !== undefined) throw corrupt(`${parent} is a file and the folder of ${path}`)
  }
  if (!sorted.some(({ path, executable }) => path === binary && executable)) {
    throw corrupt(`the binary ${JSON.stringify(binary)} is not an executable file of the artifact`)
  }
  return { digest: digestOf(manifestText({ files: sorted, binary })), files: sorted, binary }
}

/** @throws FairwayError ARTIFACT_CORRUPT unless `digest` is that of the files */
export function checkArtifact(artifact: Artifact): Artifact {
  const checked = makeArtifact(artifact)
  if (checked.digest !== artifact.digest) {
    throw corrupt(`The manifest’s digest is ${checked.digest.slice(0, 12)}, not ${artifact.digest.slice(0, 12)}`)
  }
  return checked
}

/**
 * Relative, with `/`, each part a plain name: laid out under a folder it stays there. Control characters are refused since
 * they would forge lines of the manifest and of logs.
 */
export function isArtifactPath(path: string): boolean {
  const parts = path.split('/')
  const plain = (part: string) => part !== '' && part !== '.' && part !== '..' && Buffer.byteLength(part) <= 255
  // oxlint-disable-next-line no-control-regex -- they are what is refused
  const printable = !/[\u0000-\u001f\u007f\ud800-\udfff]/u.test(path)
  return parts.every(plain) && printable && Buffer.byteLength(path) <= 1024
}

export const pathRule = 'at most 1024 bytes, 255 in each part, and no control characters'

/** 'a/b/c' → ['a', 'a/b'] */
function parents(path: string): string[] {
  const parts = path.split('/')
  return parts.slice(0, -1).map((_, index) => parts.slice(0, index + 1).join('/'))
}

export function allFolders(files: readonly ArtifactFile[]): string[] {
  return [...new Set(files.flatMap(({ path }) => parents(path)))].sort()
}

export function corrupt(message: string, hint?: string): FairwayError {
  return new FairwayError('ARTIFACT_CORRUPT', message, { hint })
}
