import { once } from 'node:events'
import { type FileHandle, open } from 'node:fs/promises'
import type { Abortable } from '../base/bounds.ts'
import { FairwayError } from '../base/error.ts'
import { writeOutput } from '../base/output-file.ts'
import { type Content, type Image, layerContent, platformName } from './image.ts'
import { fullReferenceText, type ImageReference, referenceText } from './reference.ts'
import { type TarEntry, tarEnd, tarHeader, tarPadding } from './tar.ts'

/** A file of the archive: held in memory, or read when it is written. */
interface ArchiveFile {
  readonly path: string
  readonly size: number
  readonly content: Buffer | { readonly path: string }
}

/**
 * One archive that is an OCI layout and Docker's own at once: older Docker reads `manifest.json`, all others `index.json`.
 * Docker's knows one platform alone: the one asked for, else the first.
 * @see OCI Image Format Specification 1.1, "Image Layout"
 */
export function archiveFiles(
  image: Image,
  references: readonly ImageReference[],
  dockerPlatform: string | undefined,
): ArchiveFile[] {
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: references.map((reference) => ({
      ...image.root,
      ...(image.index === undefined ? { platform: image.platforms[0].platform } : {}),
      annotations: {
        'io.containerd.image.name': fullReferenceText(reference),
        'org.opencontainers.image.ref.name': reference.tag,
      },
    })),
  }
  const shown =
    image.platforms.find(({ platform }) => `${platformName(platform)}/`.startsWith(`${dockerPlatform ?? ''}/`)) ??
    image.platforms[0]
  const docker = [
    {
      Config: blobPath(shown.config),
      RepoTags: references.map(referenceText),
      Layers: shown.layers.map((layer) => blobPath(layerContent(layer))),
    },
  ]
  const blobs = imageContents(image)
    .map((content) => ({
      path: blobPath(content),
      size: content.descriptor.size,
      content: 'bytes' in content ? content.bytes : { path: content.path },
    }))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))
  return [
    json('oci-layout', { imageLayoutVersion: '1.0.0' }),
    json('index.json', index),
    json('manifest.json', docker),
    ...blobs,
  ]
}

/** All that an image consists of, each once, leaves before what names them: the order of a push. */
export function imageContents({ platforms, index }: Image): Content[] {
  const all: Content[] = [
    ...platforms.flatMap(({ layers, config }) => [...layers.map(layerContent), config]),
    ...platforms.map(({ manifest }) => manifest),
    ...(index === undefined ? [] : [index]),
  ]
  return [...new Map(all.map((content) => [content.descriptor.digest, content])).values()]
}

function blobPath({ descriptor }: Content): string {
  return `blobs/${descriptor.digest.replace(':', '/')}`
}

function json(path: string, value: object): ArchiveFile {
  const content = Buffer.from(JSON.stringify(value))
  return { path, size: content.length, content }
}

/** The bytes, piece by piece. */
async function* archiveBytes(files: readonly ArchiveFile[]): AsyncGenerator<Buffer> {
  const folder = (path: string): TarEntry => ({ path, kind: 'folder', mode: 0o755, size: 0 })
  const folders = [folder('blobs'), folder('blobs/sha256')]
  for (const { path, size, content } of files) {
    if (path.startsWith('blobs/')) for (const one of folders.splice(0)) yield tarHeader(one)
    yield tarHeader({ path, kind: 'file', mode: 0o644, size })
    if (Buffer.isBuffer(content)) yield content
    else yield* fileBytes(content.path, size)
    yield tarPadding(size)
  }
  yield tarEnd
}

/** Just as many bytes as the header said, or none of it is any use. */
async function* fileBytes(path: string, size: number): AsyncGenerator<Buffer> {
  await using file = await open(path, 'r')
  let rest = size
  while (rest > 0) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(Math.min(rest, 1024 * 1024)))
    if (bytesRead === 0) throw new FairwayError('ARTIFACT_CORRUPT', `${path} became shorter while it was read`)
    rest -= bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

/**
 * The file appears whole or not at all.
 * @returns its size in bytes
 * @throws FairwayError USAGE for a path that cannot be written, DISK_FULL; the signal's reason
 */
export async function writeArchive(
  path: string,
  files: readonly ArchiveFile[],
  { signal }: Abortable,
): Promise<number> {
  return writeOutput(path, async (file) => {
    let size = 0
    for await (const bytes of together(archiveBytes(files))) {
      signal?.throwIfAborted()
      await writeAll(file, bytes)
      size += bytes.length
    }
    return size
  })
}

/** To a pipe: what the reader has taken cannot be taken back. @returns bytes written */
export async function streamArchive(
  stream: NodeJS.WritableStream,
  files: readonly ArchiveFile[],
  { signal }: Abortable,
): Promise<number> {
  let size = 0
  for await (const bytes of together(archiveBytes(files))) {
    signal?.throwIfAborted()
    size += bytes.length
    if (!stream.write(bytes)) await once(stream, 'drain', signal === undefined ? {} : { signal })
  }
  return size
}

/** Headers and small files are many: one write for all that stand together. */
async function* together(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer[] = []
  let size = 0
  for await (const piece of pieces) {
    held.push(piece)
    size += piece.length
    if (size < 1024 * 1024) continue
    yield Buffer.concat(held)
    held = []
    size = 0
  }
  if (held.length > 0) yield Buffer.concat(held)
}

async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray((await file.write(rest)).bytesWritten)
}
