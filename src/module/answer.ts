import { readFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { fileURLToPath } from 'node:url'
import type { Abortable } from '../base/bounds.ts'
import { cutMark } from '../base/cut-mark.ts'
import { errnoOf } from '../base/error.ts'
import { takeBody } from './body.ts'
import type { HttpClient } from './http.ts'
import type { ModuleSource } from './settings.ts'

export type Proxy = Extract<ModuleSource, { kind: 'proxy' }>

/** What a source said to one question. `words` are its own, or what is wrong with it. */
export type SourceAnswer<Found> =
  | { readonly kind: 'found'; readonly found: Found }
  | { readonly kind: 'absent' | 'refused' | 'failed'; readonly words: string }

/** A small file of a source, whole. */
export async function readAnswer(
  http: HttpClient,
  { url, user }: Proxy,
  path: string,
  { mostBytes, signal }: Abortable & { mostBytes: number },
): Promise<SourceAnswer<Buffer>> {
  const address = `${url}/${path}`
  if (address.startsWith('file:')) return readLocal(address)
  try {
    const answer = await http.get(address, { user, signal })
    const body = takeBody(answer)
    if (answer.statusCode !== 200) return await explainStatus(answer, body)
    if (isPage(answer)) {
      answer.destroy()
      return { kind: 'failed', words: pageWords }
    }
    return { kind: 'found', found: await readBody(answer, body, { mostBytes, drippingMs: http.drippingMs }) }
  } catch (error) {
    signal?.throwIfAborted()
    return { kind: 'failed', words: connectionWords(error) }
  }
}

async function readLocal(address: string): Promise<SourceAnswer<Buffer>> {
  try {
    return { kind: 'found', found: await readFile(localPath(address)) }
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return { kind: 'absent', words: 'no such file' }
    return { kind: 'failed', words: errno ?? String(error) }
  }
}

/** `!` and `@` are themselves in a path; a URL may hold them either way. */
export function localPath(address: string): string {
  return fileURLToPath(address)
}

/** Slower than this, after a first grace, is as good as silence: a go.mod or a list is a few kB. */
const slowestBytesPerMs = 0.5

async function readBody(
  answer: IncomingMessage,
  body: AsyncIterable<Buffer>,
  { mostBytes, drippingMs }: { mostBytes: number; drippingMs: number },
): Promise<Buffer> {
  const begun = performance.now()
  const chunks: Buffer[] = []
  let bytes = 0
  const refuse = (words: string): never => {
    answer.destroy()
    throw new Error(words)
  }
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > mostBytes) refuse(`it sent more than ${mostBytes} bytes`)
    const tookMs = performance.now() - begun
    if (tookMs > drippingMs + bytes / slowestBytesPerMs)
      refuse(`it sent no more than ${bytes} bytes within ${Math.round(tookMs / 1000)} s`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** What any status but the wanted one means. @see https://go.dev/ref/mod#goproxy-protocol */
export async function explainStatus(
  answer: IncomingMessage,
  body: AsyncIterable<Buffer>,
): Promise<Exclude<SourceAnswer<never>, { kind: 'found' }>> {
  const { statusCode = 0 } = answer
  const words = `${statusCode} ${await firstWords(answer, body)}`.trim()
  const kind =
    statusCode === 404 || statusCode === 410
      ? 'absent'
      : statusCode === 401 || statusCode === 403
        ? 'refused'
        : 'failed'
  return { kind, words }
}

const shownCharacters = 300

/** The beginning of what it says, in one line. */
async function firstWords(answer: IncomingMessage, body: AsyncIterable<Buffer>): Promise<string> {
  if (isPage(answer)) {
    answer.destroy()
    return pageWords
  }
  let text = ''
  try {
    for await (const chunk of body) {
      text += chunk.toString('utf8')
      if (text.length <= shownCharacters) continue
      answer.destroy()
      break
    }
  } catch {
    // cut in the middle of its words: they are shown as far as they came
  }
  // oxlint-disable-next-line no-control-regex -- no terminal is to obey them
  const line = text.replaceAll(/[\s\u0000-\u001f\u007f-\u009f]+/g, ' ').trim()
  return line.length > shownCharacters ? `${line.slice(0, shownCharacters)}${cutMark}` : line
}

export function isPage({ headers }: IncomingMessage): boolean {
  return /^\s*(?:text\/html|application\/xhtml)/i.test(headers['content-type'] ?? '')
}

export const pageWords = 'a web page came in its place: a login or a firewall?'

/** Node's own errors are of the machine's language; without a stack, and never with credentials. */
export function connectionWords(error: unknown): string {
  const words: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'nothing answers there (ECONNREFUSED)',
    ECONNRESET: 'the connection was cut',
    ENOTFOUND: 'its name is not known (ENOTFOUND)',
    EAI_AGAIN: 'its name could not be looked up (EAI_AGAIN)',
    ETIMEDOUT: 'it cannot be reached (ETIMEDOUT)',
    ENETUNREACH: 'the network cannot be reached (ENETUNREACH)',
    EHOSTUNREACH: 'it cannot be reached (EHOSTUNREACH)',
  }
  const inner = error instanceof AggregateError ? error.errors.find((each) => errnoOf(each) !== undefined) : error
  const errno = errnoOf(inner)
  const plain = inner instanceof Error ? inner.message : String(inner)
  return (errno === undefined ? undefined : words[errno]) ?? (plain === 'aborted' ? 'the connection was cut' : plain)
}
