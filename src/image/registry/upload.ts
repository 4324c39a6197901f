import { createReadStream } from 'node:fs'
import type { Abortable } from '../../base/bounds.ts'
import { FairwayError } from '../../base/error.ts'
import type { Content } from '../image.ts'
import { isPassing, type RegistryClient } from './client.ts'
import { type Body, ConnectionLost, type HttpAnswer } from './http.ts'

export type Arrival = 'there' | 'mounted' | 'sent'

interface UploadOptions extends Abortable {
  /** With each piece that leaves; less than nothing when a piece has to be sent again. */
  readonly onBytes: (bytes: number) => void
  /** Repositories of the registry that hold it. */
  readonly from?: string | undefined
}

/** An upload the registry has opened: where the next bytes go, and how many it has. */
interface Session {
  readonly url: URL
  readonly offset: number
  /** The registry takes no smaller pieces, but for the last. */
  readonly leastBytes: number
}

/** What is sent at once where the whole is too much: proxies before registries begin to refuse at 1 MiB. */
const pieceSizes = [Infinity, 64 * 1024 * 1024, 16 * 1024 * 1024, 4 * 1024 * 1024, 1_000_000] as const

/**
 * Brings content to a repository unless it is there: taken from a neighbour, or sent, going on where a cut line left off.
 * @throws FairwayError REGISTRY_DENIED, REGISTRY_REFUSED, REGISTRY_UNREACHABLE; the signal's reason
 * @see OCI Distribution Specification 1.1, "Pushing Blobs"
 */
export async function uploadBlob(client: RegistryClient, content: Content, options: UploadOptions): Promise<Arrival> {
  const { signal, from } = options
  if (await client.holds('blobs', content.descriptor, { signal })) return 'there'
  const opened = await openSession(client, content, { signal, from })
  if (opened === 'mounted') return 'mounted'
  return sendBlob(client, content, opened, options)
}

/** A mount that cannot be is an upload; one that is refused altogether is tried as a plain one. */
async function openSession(
  client: RegistryClient,
  { descriptor: { digest } }: Content,
  { signal, from }: Abortable & { from?: string | undefined },
): Promise<Session | 'mounted'> {
  const query = from === undefined ? '' : `?${new URLSearchParams({ mount: digest, from }).toString()}`
  const url = client.url(`blobs/uploads/${query}`)
  const answer = await client.send({ method: 'POST', url, body: { size: 0, open: () => [] }, signal })
  if (answer.status === 201 && from !== undefined) return 'mounted'
  if (answer.status === 202) {
    const least = Number(answer.headers['oci-chunk-min-length'] ?? 0)
    return { url: client.location(answer, url), offset: 0, leastBytes: Number.isSafeInteger(least) ? least : 0 }
  }
  if (from !== undefined) return openSession(client, { descriptor: { digest } } as Content, { signal })
  throw client.refusal(answer, `an upload to ${client.name}`)
}

async function sendBlob(
  client: RegistryClient,
  content: Content,
  first: Session,
  options: UploadOptions,
): Promise<Arrival> {
  const { signal, onBytes } = options
  const { digest, size } = content.descriptor
  let session = first
  let pieces = 0 // index of pieceSizes
  let failures = 0 // since something got through
  let spoilt = 0 // times that what had arrived was not what the digest names
  for (;;) {
    const piece = Math.min(size, session.offset + Math.max(pieceSizes[pieces] ?? size, session.leastBytes))
    const isLast = session.offset >= size
    let sent = 0
    const count = (bytes: number) => {
      sent += bytes
      onBytes(bytes)
    }
    let trouble: HttpAnswer | ConnectionLost
    try {
      const answer = isLast
        ? await client.once({
            method: 'PUT',
            url: withDigest(session.url, digest),
            body: { size: 0, open: () => [] },
            signal,
          })
        : await client.once({
            method: 'PATCH',
            url: session.url,
            headers: {
              'content-type': 'application/octet-stream',
              // A stream of the whole needs none, and some registries take none then.
              ...(session.offset === 0 && piece === size ? {} : { 'content-range': `${session.offset}-${piece - 1}` }),
            },
            body: bodyOf(content, session.offset, piece, count),
            signal,
          })
      if (isLast && answer.status === 201) return 'sent'
      if (!isLast && answer.status >= 200 && answer.status < 300) {
        const offset = offsetOf(answer) ?? piece
        if (offset <= session.offset)
          throw new FairwayError('REGISTRY_REFUSED', `${client.name}: the registry takes bytes and keeps none of them`)
        onBytes(offset - session.offset - sent)
        session = { ...session, url: client.location(answer, session.url), offset }
        failures = 0
        continue
      }
      if (isLast && answer.status === 400) spoilt += 1
      const isLostTrack =
        answer.status === 404 || answer.status === 416 || (isLast && answer.status === 400 && spoilt < 2)
      const isTooLarge = answer.status === 413 && !isLast && nextPiece(pieces, session, size) !== undefined
      if (!isPassing(answer) && !isLostTrack && !isTooLarge) throw client.refusal(answer, `a layer of ${size} bytes`)
      trouble = answer
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error
      trouble = error
    }
    failures += 1
    onBytes(-sent)
    // Whoever reads too much before refusing cuts the line, and the refusal is never seen.
    if (!isLast && (statusOf(trouble) === 413 || (failures > 1 && statusOf(trouble) === undefined)))
      pieces = nextPiece(pieces, session, size) ?? pieces
    if (statusOf(trouble) !== 413) await client.wait(trouble, failures, { signal })
    if (isLast && (await client.holds('blobs', content.descriptor, { signal }))) return 'sent'
    const before = session.offset
    // What arrived is not what was sent: no use in going on from it.
    const isSpoilt = isLast && statusOf(trouble) === 400
    const resumed = isSpoilt
      ? await openSession(client, content, { signal })
      : await resume(client, content, session, { signal })
    if (resumed === 'mounted') return 'mounted'
    session = resumed
    onBytes(session.offset - before)
    if (session.offset > before) failures = 0
  }
}

/** The next smaller size that makes a difference, and that the registry takes. */
function nextPiece(pieces: number, { offset, leastBytes }: Session, size: number): number | undefined {
  const next = pieceSizes.findIndex((bytes, index) => index > pieces && bytes < size - offset)
  return next < 0 || (pieceSizes[next] ?? 0) < leastBytes ? undefined : next
}

/** Asks how far it came; a registry that lost track of it gets a new upload from the beginning. */
async function resume(
  client: RegistryClient,
  content: Content,
  { url, leastBytes }: Session,
  { signal }: Abortable,
): Promise<Session | 'mounted'> {
  const answer = await client.send({ method: 'GET', url, signal })
  if (answer.status < 200 || answer.status >= 300) return openSession(client, content, { signal })
  const offset = offsetOf(answer) ?? 0
  if (offset > content.descriptor.size) return openSession(client, content, { signal })
  const next = answer.headers.location === undefined ? url : client.location(answer, url)
  return { url: next, leastBytes, offset }
}

/** 'Range: 0-1023' is 1024 bytes; '0-0' is none, or one: none, as the reference implementation has it. */
function offsetOf({ headers }: HttpAnswer): number | undefined {
  const end = /^(?:bytes=)?0-(\d{1,15})$/.exec(headers.range ?? '')?.[1]
  if (end === undefined) return undefined
  return Number(end) === 0 ? 0 : Number(end) + 1
}

function withDigest(url: URL, digest: string): URL {
  const whole = new URL(url)
  whole.searchParams.set('digest', digest)
  return whole
}

function bodyOf(content: Content, start: number, end: number, onBytes: (bytes: number) => void): Body {
  const counted = async function* (chunks: AsyncIterable<Buffer> | Iterable<Buffer>) {
    for await (const chunk of chunks) {
      yield chunk
      onBytes(chunk.length)
    }
  }
  return {
    size: end - start,
    open: () =>
      counted(
        'bytes' in content
          ? [content.bytes.subarray(start, end)]
          : (createReadStream(content.path, {
              start,
              end: end - 1,
              highWaterMark: 256 * 1024,
            }) as AsyncIterable<Buffer>),
      ),
  }
}

function statusOf(trouble: HttpAnswer | ConnectionLost): number | undefined {
  return trouble instanceof ConnectionLost ? undefined : trouble.status
}
