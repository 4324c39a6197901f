import { getCACertificates } from 'node:tls'
import { type Artifact, type ArtifactFile, readElf } from '../artifact/index.ts'
import type { Abortable } from '../base/bounds.ts'
import { FairwayError } from '../base/error.ts'
import { appFolder, baseEntries, baseEnvironment } from './base.ts'
import { composeImage, type ImageConfig } from './compose.ts'
import type { Platform, PlatformImage } from './image.ts'
import type { LayerCache, LayerEntry } from './layer.ts'
import { findLibraries, type Library, libraryEntries } from './libraries.ts'

export interface ImageOrder extends Omit<ImageConfig, 'platform' | 'entrypoint' | 'environment'> {
  readonly platform: Platform
  readonly artifact: Artifact
  /** Where the content of each of its files lies. */
  readonly sources: ReadonlyMap<string, string>
  /** Beside what the base sets; a key of both is this one's. */
  readonly environment: Readonly<Record<string, string>>
  /** The toolchain's lib/time/zoneinfo.zip, where it has one. */
  readonly timeZones?: Buffer
}

export interface MadeImage {
  readonly image: PlatformImage
  /** What of this machine went along with a binary that is not static. */
  readonly libraries: readonly Library[]
}

/**
 * One platform's image: a base made on the spot, libraries where the binary needs any, `files:`, the binary. What changes most comes
 * last, and each is a layer of its own, so that releases share the others.
 * @throws FairwayError IMAGE_IMPOSSIBLE, ARTIFACT_CORRUPT, DISK_FULL, HOME_UNUSABLE; the signal's reason
 */
export async function makeImage(order: ImageOrder, cache: LayerCache, options: Abortable = {}): Promise<MadeImage> {
  const { artifact, sources, platform, timeZones } = order
  const elf = await readElf(sourceOf(artifact.binary, sources))
  if (elf === undefined || platform.os !== 'linux') {
    throw new FairwayError('IMAGE_IMPOSSIBLE', `An image of ${platform.os} cannot be made: its base is Linux’s`, {
      hint: 'Name targets of Linux: --target linux/amd64,linux/arm64',
    })
  }
  const libraries = await findLibraries(elf)
  const files = artifact.files.filter(({ path }) => path !== artifact.binary)
  const binary = artifact.files.filter(({ path }) => path === artifact.binary)
  const base = baseEntries({
    rootCertificates: getCACertificates('bundled'),
    ...(timeZones === undefined ? {} : { timeZones }),
  })
  const layers = [
    await cache.layer('base', base, options),
    ...(libraries.length === 0 ? [] : [await cache.layer('libraries', libraryEntries(libraries), options)]),
    ...(files.length === 0 ? [] : [await cache.layer('files', appEntries(files, sources), options)]),
    await cache.layer('binary', appEntries(binary, sources), options),
  ]
  const config: ImageConfig = {
    ...order,
    entrypoint: [`/${appFolder}/${artifact.binary}`],
    environment: { ...baseEnvironment({ hasTimeZones: timeZones !== undefined }), ...order.environment },
  }
  return { image: composeImage(config, layers), libraries }
}

/** Laid out as an artifact is: read-only for all, and executable what is. */
function appEntries(files: readonly ArtifactFile[], sources: ReadonlyMap<string, string>): LayerEntry[] {
  const folders = files.flatMap(({ path }) => {
    const parts = [appFolder, ...path.split('/').slice(0, -1)]
    return parts.map((_, index) => parts.slice(0, index + 1).join('/'))
  })
  const entries = [
    ...[...new Set(folders)].map((path): LayerEntry => ({ path, kind: 'folder', mode: 0o755, size: 0 })),
    ...files.map(({ path, digest, size, executable }): LayerEntry => {
      const mode = executable ? 0o555 : 0o444
      return { path: `${appFolder}/${path}`, kind: 'file', mode, size, digest, source: sourceOf(path, sources) }
    }),
  ]
  // By bytes, not by a locale; a folder comes before what lies in it.
  return entries.toSorted((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)))
}

function sourceOf(path: string, sources: ReadonlyMap<string, string>): string {
  const source = sources.get(path)
  if (source === undefined) throw new TypeError(`nobody said where ${path} lies`)
  return source
}
