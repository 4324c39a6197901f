import type { IncomingMessage } from 'node:http'
import { copyFile, type FileHandle, open, readFile, rm, stat } from 'node:fs/promises'
import type { Abortable } from '../base/bounds.ts'
import type { Clock } from '../base/clock.ts'
import { writeFileAtomic } from '../base/atomic-file.ts'
import { errnoOf, explainWriteError, FairwayError } from '../base/error.ts'
import {
  connectionWords,
  explainStatus,
  isPage,
  localPath,
  pageWords,
  type Proxy,
  type SourceAnswer,
} from './answer.ts'
import { takeBody } from './body.ts'
import type { HttpClient } from './http.ts'

export interface DownloadProgress {
  readonly bytes: number
  /** As far as the source said. */
  readonly total?: number
}

export interface DownloadOptions extends Abortable {
  readonly http: HttpClient
  readonly clock: Pick<Clock, 'sleep'>
  readonly mostBytes: number
  readonly onProgress?: (progress: DownloadProgress) => void
}

/** Waits before tries that follow one which brought nothing new. */
const pausesMs = [250, 1000, 3000]

/** What is known about a part that has come: kept beside it, so that another process can go on. */
interface Note {
  readonly address: string
  readonly validator?: string
  readonly total?: number
}

/**
 * Fetches a large file, and goes on where it was cut, also in a later process: what has come stays in `path`, with a note
 * beside it (`path.note`). As long as every try brings something new, it is tried again. One at a time works on a path.
 * The whole file is not yet proven to be the right one.
 */
export async function download(
  source: Proxy,
  name: string,
  path: string,
  options: DownloadOptions,
): Promise<SourceAnswer<{ bytes: number; isResumed: boolean }>> {
  const address = `${source.url}/${name}`
  if (address.startsWith('file:')) return copyLocal(address, path)
  const { clock, signal } = options
  let best = 0
  let isResumed = false
  for (let idle = 0; ;) {
    const attempt = await tryOnce(source, address, path, options)
    signal?.throwIfAborted()
    isResumed ||= attempt.isResumed
    if (attempt.kind === 'done') {
      await rm(`${path}.note`, { force: true })
      return { kind: 'found', found: { bytes: attempt.bytes, isResumed } }
    }
    if (attempt.kind === 'answer') return attempt.answer
    if (attempt.bytes > best) {
      best = attempt.bytes
      idle = 0
      continue
    }
    const pause = pausesMs[idle]
    if (pause === undefined) return { kind: 'failed', words: attempt.words }
    idle += 1
    await clock.sleep(pause, { signal })
  }
}

type Attempt =
  | { readonly kind: 'done'; readonly bytes: number; readonly isResumed: boolean }
  | { readonly kind: 'cut'; readonly bytes: number; readonly words: string; readonly isResumed: boolean }
  | {
      readonly kind: 'answer'
      readonly answer: Exclude<SourceAnswer<never>, { kind: 'found' }>
      readonly isResumed: boolean
    }

async function tryOnce(
  { user }: Proxy,
  address: string,
  path: string,
  { http, mostBytes, onProgress, signal }: DownloadOptions,
): Promise<Attempt> {
  const note = await readNote(path, address)
  const held = note === undefined ? 0 : await sizeOf(path)
  const range =
    held === 0
      ? {}
      : { Range: `bytes=${held}-`, ...(note?.validator === undefined ? {} : { 'If-Range': note.validator }) }
  let bytes = held
  let isResumed = false
  try {
    const answer = await http.get(address, { user, signal, headers: range })
    const body = takeBody(answer)
    const { statusCode } = answer
    if (statusCode === 416 && held > 0) {
      const complete = contentRange(answer)?.total === held
      answer.destroy()
      if (complete) return { kind: 'done', bytes: held, isResumed: true }
      await rm(path, { force: true }) // it became another file: from the start, then
      return { kind: 'cut', bytes: 0, words: 'it has changed meanwhile', isResumed }
    }
    const part = statusCode === 206 ? contentRange(answer) : undefined
    isResumed = held > 0 && part?.from === held
    if (statusCode === 206 && !isResumed) {
      answer.destroy()
      await rm(path, { force: true })
      return { kind: 'cut', bytes: 0, words: 'it sent another part than it was asked for', isResumed }
    }
    if (statusCode !== 200 && statusCode !== 206)
      return { kind: 'answer', answer: await explainStatus(answer, body), isResumed }
    if (isPage(answer)) {
      answer.destroy()
      return { kind: 'answer', answer: { kind: 'failed', words: pageWords }, isResumed }
    }
    const total = isResumed ? part?.total : lengthOf(answer)
    if (total !== undefined && total > mostBytes) {
      answer.destroy()
      return {
        kind: 'answer',
        answer: { kind: 'failed', words: `it has ${total} bytes, ${mostBytes} are allowed` },
        isResumed,
      }
    }
    if (!isResumed) {
      bytes = 0
      await writeNote(path, { address, ...validatorOf(answer), ...(total === undefined ? {} : { total }) })
    }
    {
      await using file = await open(path, isResumed ? 'r+' : 'w', 0o600)
      for await (const chunk of body) {
        if (bytes + chunk.length > mostBytes) {
          answer.destroy()
          return {
            kind: 'answer',
            answer: { kind: 'failed', words: `it sent more than the ${mostBytes} bytes that are allowed` },
            isResumed,
          }
        }
        await writeAll(file, chunk, bytes, path)
        bytes += chunk.length
        onProgress?.({ bytes, ...(total === undefined ? {} : { total }) })
      }
    }
    if (total !== undefined && bytes !== total)
      return { kind: 'cut', bytes, words: `it announced ${total} bytes and sent ${bytes}`, isResumed }
    return { kind: 'done', bytes, isResumed }
  } catch (error) {
    signal?.throwIfAborted()
    if (error instanceof FairwayError) {
      // On a full disk what came so far would only be in everybody's way.
      if (error.code === 'DISK_FULL') for (const left of [path, `${path}.note`]) await rm(left, { force: true })
      throw error
    }
    return {
      kind: 'cut',
      bytes,
      words: `${connectionWords(error)}${bytes > 0 ? ` after ${bytes} bytes` : ''}`,
      isResumed,
    }
  }
}

async function writeAll(file: FileHandle, chunk: Buffer, position: number, path: string): Promise<void> {
  try {
    for (let done = 0; done < chunk.length;)
      done += (await file.write(chunk, done, chunk.length - done, position + done)).bytesWritten
  } catch (error) {
    const explained = explainWriteError(error, path)
    throw explained instanceof FairwayError
      ? explained
      : new FairwayError('HOME_UNUSABLE', `${path} cannot be written (${errnoOf(error) ?? String(error)})`)
  }
}

function lengthOf({ headers }: IncomingMessage): number | undefined {
  const text = headers['content-length']
  return text === undefined || headers['content-encoding'] !== undefined ? undefined : Number(text)
}

function contentRange({ headers }: IncomingMessage): { readonly from?: number; readonly total?: number } | undefined {
  const [, from, total] = /^bytes (?:([0-9]+)-[0-9]+|\*)\/([0-9]+|\*)$/.exec(headers['content-range'] ?? '') ?? []
  if (total === undefined) return undefined
  return { ...(from === undefined ? {} : { from: Number(from) }), ...(total === '*' ? {} : { total: Number(total) }) }
}

/** A weak tag does not vouch for bytes. */
function validatorOf({ headers: { etag, 'last-modified': modified } }: IncomingMessage): { validator?: string } {
  const validator = etag !== undefined && !etag.startsWith('W/') ? etag : modified
  return validator === undefined ? {} : { validator }
}

async function readNote(path: string, address: string): Promise<Note | undefined> {
  try {
    const parsed: unknown = JSON.parse(await readFile(`${path}.note`, 'utf8'))
    if (typeof parsed !== 'object' || parsed === null || !('address' in parsed) || parsed.address !== address)
      return undefined
    const validator =
      'validator' in parsed && typeof parsed.validator === 'string' ? { validator: parsed.validator } : {}
    const total = 'total' in parsed && typeof parsed.total === 'number' ? { total: parsed.total } : {}
    return { address, ...validator, ...total }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || error instanceof SyntaxError) return undefined
    throw error
  }
}

function writeNote(path: string, note: Note): Promise<void> {
  return writeFileAtomic(`${path}.note`, JSON.stringify(note), { durable: false })
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 0
    throw error
  }
}

async function copyLocal(address: string, path: string): Promise<SourceAnswer<{ bytes: number; isResumed: boolean }>> {
  try {
    await copyFile(localPath(address), path)
    return { kind: 'found', found: { bytes: await sizeOf(path), isResumed: false } }
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT') return { kind: 'absent', words: 'no such file' }
    const explained = explainWriteError(error, path)
    if (explained instanceof FairwayError) throw explained
    return { kind: 'failed', words: errno ?? String(error) }
  }
}
