import type { Abortable } from '../../base/bounds.ts'
import { FairwayError } from '../../base/error.ts'
import { imageContents } from '../archive.ts'
import { type Content, type Descriptor, type Image, mediaTypes } from '../image.ts'
import { jsonContent } from '../compose.ts'
import type { RegistryClient } from './client.ts'
import { uploadBlob } from './upload.ts'

/** What is said of one of the image's manifests. */
export interface Referrer {
  readonly manifest: Content & { readonly bytes: Buffer }
  readonly blobs: readonly Content[]
  readonly subject: Descriptor
  readonly artifactType: string
}

export interface PushOrder {
  readonly image: Image
  readonly referrers: readonly Referrer[]
  readonly tags: readonly string[]
  /** digest → a repository of this registry that has it. */
  readonly mountable: ReadonlyMap<string, string>
}

/** What a push would bring, and what it would change. */
export interface PushPlan {
  readonly missing: readonly Descriptor[]
  readonly heldBytes: number
  readonly missingBytes: number
  /** Where each tag stands now; null: nowhere. */
  readonly tags: readonly { readonly tag: string; readonly now: string | null }[]
}

export interface PushResult {
  readonly sentBytes: number
  readonly mountedBytes: number
  readonly heldBytes: number
  /** Whether anything is otherwise than before. */
  readonly isChanged: boolean
}

const parallel = 4

/** Looks and changes nothing. */
export async function planPush(
  client: RegistryClient,
  { image, referrers, tags }: PushOrder,
  options: Abortable,
): Promise<PushPlan> {
  const blobs = allBlobs(image, referrers)
  const held = await inParallel(blobs, options, ({ descriptor }, bounds) => client.holds('blobs', descriptor, bounds))
  const missing = blobs.filter((_, index) => held[index] !== true).map(({ descriptor }) => descriptor)
  const missingBytes = sizeOf(missing)
  return {
    missing,
    missingBytes,
    heldBytes: sizeOf(blobs.map(({ descriptor }) => descriptor)) - missingBytes,
    tags: await inParallel(tags, options, async (tag, bounds) => {
      return { tag, now: await tagDigest(client, tag, image.root.mediaType, bounds) }
    }),
  }
}

/**
 * Blobs first, then manifests, what is said of them, the index, and last the tags: whoever pulls by a tag finds all of it. May be
 * cut at any point and done again.
 * @param onProgress bytes that have left so far, of how many at most
 * @throws FairwayError REGISTRY_DENIED, REGISTRY_REFUSED, REGISTRY_UNREACHABLE; the signal's reason
 */
export async function pushImage(
  client: RegistryClient,
  { image, referrers, tags, mountable }: PushOrder,
  { signal, onProgress }: Abortable & { readonly onProgress: (sent: number, total: number) => void },
): Promise<PushResult> {
  const blobs = allBlobs(image, referrers)
  const total = sizeOf(blobs.map(({ descriptor }) => descriptor))
  const bytes = { there: 0, mounted: 0, sent: 0 }
  let left = 0
  await inParallel(blobs, { signal }, async (content, bounds) => {
    const { digest, size } = content.descriptor
    const onBytes = (count: number) => onProgress((left += count), total)
    const arrival = await uploadBlob(client, content, { ...bounds, onBytes, from: mountable.get(digest) })
    bytes[arrival] += size
    if (arrival !== 'sent') onBytes(size)
  })
  const { platforms, index, root } = image
  let isChanged = bytes.sent + bytes.mounted > 0
  for (const { manifest } of platforms) await putManifest(client, manifest, manifest.descriptor.digest, { signal })
  if (index !== undefined) await putManifest(client, index, index.descriptor.digest, { signal })
  for (const referrer of referrers) {
    const { subject } = await putManifest(client, referrer.manifest, referrer.manifest.descriptor.digest, { signal })
    if (subject) continue
    if (await addToFallback(client, referrer, { signal })) isChanged = true
  }
  for (const tag of tags) {
    if ((await tagDigest(client, tag, root.mediaType, { signal })) === root.digest) continue
    isChanged = true
    await putManifest(client, index ?? platforms[0].manifest, tag, { signal })
    const now = await tagDigest(client, tag, root.mediaType, { signal })
    if (now !== root.digest)
      throw new FairwayError(
        'REGISTRY_REFUSED',
        `${client.name}:${tag} is ${now ?? 'nothing'} after the push, not ${root.digest}`,
        {
          hint: 'Did somebody else push to the same tag at the same moment? Push again.',
        },
      )
  }
  return { sentBytes: bytes.sent, mountedBytes: bytes.mounted, heldBytes: bytes.there, isChanged }
}

/** @returns whether the registry knows subjects by itself */
async function putManifest(
  client: RegistryClient,
  { descriptor, bytes }: Content & { readonly bytes: Buffer },
  name: string,
  { signal }: Abortable,
): Promise<{ subject: boolean }> {
  const answer = await client.send({
    method: 'PUT',
    url: `manifests/${name}`,
    headers: { 'content-type': descriptor.mediaType },
    body: { size: bytes.length, open: () => [bytes] },
    signal,
  })
  if (answer.status < 200 || answer.status >= 300) throw client.refusal(answer, `the manifest ${name}`)
  const said = answer.headers['docker-content-digest']
  if (typeof said === 'string' && said !== descriptor.digest)
    throw new FairwayError('REGISTRY_REFUSED', `${client.name}: the manifest ${descriptor.digest} became ${said} there`)
  return { subject: answer.headers['oci-subject'] !== undefined }
}

async function tagDigest(
  client: RegistryClient,
  tag: string,
  mediaType: string,
  { signal }: Abortable,
): Promise<string | null> {
  const accept = [mediaType, mediaTypes.index, mediaTypes.manifest, 'application/vnd.docker.distribution.manifest.v2+json', 'application/vnd.docker.distribution.manifest.list.v2+json'].join(', ') // prettier-ignore
  const answer = await client.send({ method: 'HEAD', url: `manifests/${tag}`, headers: { accept }, signal })
  if (answer.status === 404) return null
  if (answer.status !== 200) throw client.refusal(answer, `to say what ${client.name}:${tag} is`)
  const digest = answer.headers['docker-content-digest']
  return typeof digest === 'string' ? digest : ''
}

/**
 * A registry without the referrers API keeps them as an index under a tag made of the subject's digest. Two that write it at once
 * may lose one: so it is read again.
 * @returns whether it was written
 * @see OCI Distribution Specification 1.1, "Referrers Tag Schema"
 */
async function addToFallback(
  client: RegistryClient,
  { manifest, subject, artifactType }: Referrer,
  { signal }: Abortable,
): Promise<boolean> {
  const tag = subject.digest.replace(':', '-')
  const entry: Descriptor = { ...manifest.descriptor, artifactType }
  let isWritten = false
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const found = await readIndex(client, tag, { signal })
    if (found.some(({ digest }) => digest === entry.digest)) return isWritten
    const manifests = [...found, entry]
    await putManifest(
      client,
      jsonContent(mediaTypes.index, { schemaVersion: 2, mediaType: mediaTypes.index, manifests }),
      tag,
      { signal },
    )
    isWritten = true
  }
  throw new FairwayError(
    'REGISTRY_REFUSED',
    `${client.name}:${tag}: what was written to it is not there when it is read`,
  )
}

async function readIndex(client: RegistryClient, tag: string, { signal }: Abortable): Promise<Descriptor[]> {
  const answer = await client.send({
    method: 'GET',
    url: `manifests/${tag}`,
    headers: { accept: mediaTypes.index },
    signal,
  })
  if (answer.status === 404) return []
  if (answer.status !== 200) throw client.refusal(answer, `to show ${client.name}:${tag}`)
  try {
    const parsed: unknown = JSON.parse(answer.body.toString('utf8'))
    if (typeof parsed === 'object' && parsed !== null && 'manifests' in parsed && Array.isArray(parsed.manifests))
      return parsed.manifests.filter(isDescriptor)
  } catch {
    // said below
  }
  throw new FairwayError('REGISTRY_REFUSED', `${client.name}:${tag} is no index of referrers`, {
    hint: 'Somebody gave that tag to something else: remove it, or push with --no-sbom.',
  })
}

function isDescriptor(value: unknown): value is Descriptor {
  if (typeof value !== 'object' || value === null) return false
  const { mediaType, digest, size } = value as Partial<Record<keyof Descriptor, unknown>>
  return typeof mediaType === 'string' && typeof digest === 'string' && typeof size === 'number'
}

function allBlobs(image: Image, referrers: readonly Referrer[]): Content[] {
  const manifests = new Set([mediaTypes.manifest, mediaTypes.index] as readonly string[])
  const all = [
    ...imageContents(image).filter(({ descriptor }) => !manifests.has(descriptor.mediaType)),
    ...referrers.flatMap(({ blobs }) => blobs),
  ]
  return [...new Map(all.map((content) => [content.descriptor.digest, content])).values()]
}

function sizeOf(descriptors: readonly Descriptor[]): number {
  return descriptors.reduce((sum, { size }) => sum + size, 0)
}

/** The first failure ends it all: what is under way is aborted, what has not begun is not begun. */
async function inParallel<Item, Result>(
  items: readonly Item[],
  { signal }: Abortable,
  work: (item: Item, options: Abortable) => Promise<Result>,
): Promise<Result[]> {
  const stop = new AbortController()
  const bounded = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal])
  const results: Result[] = []
  const left = items.entries()
  const worker = async () => {
    for (const [at, item] of left) {
      bounded.throwIfAborted()
      results[at] = await work(item, { signal: bounded })
    }
  }
  const workers = Array.from({ length: parallel }, async () => {
    try {
      await worker()
    } catch (error) {
      stop.abort(error) // the first that comes is the one that is told
    }
  })
  await Promise.all(workers)
  signal?.throwIfAborted()
  stop.signal.throwIfAborted()
  return results
}
