import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ModuleSettings } from '../config/index.ts'
import { errnoOf, errorCatalogue, FairwayError } from '../base/error.ts'
import type { Answer, ModuleCache } from './cache.ts'
import type { Checks } from './checks.ts'
import { type Counters, prometheusText } from './counters.ts'
import { FilePieces } from './file-pieces.ts'
import { type ModuleFile, parseProxyRequest, type ProxyRequest } from './request.ts'
import { findDenial, findPrivate } from './settings.ts'
import type { StoredFile } from './store.ts'
import { late, refused } from './upstream.ts'

const types: Readonly<Record<ModuleFile, string>> = {
  info: 'application/json',
  mod: 'text/plain; charset=utf-8',
  zip: 'application/zip',
}
const text = 'text/plain; charset=utf-8'
const dayS = 86_400
/** For so long a file that was served is not looked for again: it may be evicted, or mended, by another process. */
const freshMs = 2_000
/** In memory, for those that all ask for. */
const smallBytes = 64 * 1024
const mostHotBytes = 8 * 1024 * 1024

/** A small file, ready to be sent. */
interface HotFile {
  readonly content: Buffer
  readonly file: StoredFile
  readonly headers: Record<string, string | number>
  checkedAt: number
}

export interface ServeParts {
  readonly cache: Pick<ModuleCache, 'file' | 'list' | 'info'>
  readonly checks: Pick<Checks, 'name' | 'lookup' | 'tile' | 'head'>
  readonly settings: ModuleSettings
  readonly counters: Counters
  readonly monotonicMs: () => number
  /** The store's figures, for the metrics. */
  readonly gauges: () => Readonly<Record<string, number>>
}

/** The GOPROXY protocol over HTTP, GET and HEAD; who may ask was decided before. */
export class ProxyHandler {
  readonly #parts: ServeParts
  readonly #pieces = new FilePieces()
  readonly #hot = new Map<string, HotFile>()
  #hotBytes = 0

  constructor(parts: ServeParts) {
    this.#parts = parts
  }

  /** @param target what stands behind '/goproxy' */
  async handle(target: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const hot = this.#hot.get(target)
    if (hot !== undefined && this.#parts.monotonicMs() - hot.checkedAt < freshMs) {
      this.#parts.counters.hits += 1
      return this.#sendHot(hot, request, response)
    }
    try {
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        response.setHeader('allow', 'GET, HEAD')
        return say(request, response, 405, `${request.method} is not part of the module proxy protocol`)
      }
      if (target === '/metrics') {
        const values = { ...this.#parts.counters, ...this.#parts.gauges() }
        return send(request, response, Buffer.from(prometheusText(values)), 'text/plain; version=0.0.4', 'no-store')
      }
      await this.#answer(parseProxyRequest(target), target, request, response)
    } catch (error) {
      this.#fail(error, request, response)
    }
  }

  async #answer(
    asked: ProxyRequest,
    target: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const { cache, checks, settings, counters } = this.#parts
    if (asked.kind === 'malformed') return say(request, response, 404, asked.why, `public, max-age=${dayS}`)
    const path = 'module' in asked ? asked.module.path : 'path' in asked ? asked.path : undefined
    const denial = path === undefined || asked.kind === 'lookup' ? undefined : findDenial(settings, path)
    if (denial !== undefined) {
      counters.denied += 1
      return say(request, response, 403, `${path ?? ''} is not given out here: ${denial}`)
    }
    const share = path !== undefined && findPrivate(settings.private, path) !== undefined ? 'private' : 'public'
    switch (asked.kind) {
      case 'list':
        return this.#sendAnswer(await cache.list(asked.path), text, share, request, response)
      case 'latest':
        return this.#sendAnswer(await cache.info(asked.path, 'latest'), types.info, share, request, response)
      case 'query':
        return this.#sendAnswer(await cache.info(asked.path, asked.query), types.info, share, request, response)
      case 'file': {
        const file = await cache.file(asked.module, asked.file)
        const headers = {
          'content-type': types[asked.file],
          'cache-control': `${share}, max-age=${7 * dayS}, immutable`,
        }
        if (file.bytes > smallBytes) return this.#sendFile(file, headers, request, response)
        return this.#sendHot(this.#warm(target, file, headers), request, response)
      }
      default:
        return this.#answerSumdb(asked, checks, request, response)
    }
  }

  async #answerSumdb(
    asked: Extract<ProxyRequest, { database: string }>,
    checks: ServeParts['checks'],
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    // Our own answer, not the upstream’s: with another one clients would go by us.
    if (asked.database !== checks.name) {
      const which = checks.name === undefined ? 'no checksum database is passed on here' : `only ${checks.name} is`
      return say(request, response, 404, `${asked.database}: ${which}`, `public, max-age=${dayS}`)
    }
    switch (asked.kind) {
      case 'supported':
        return send(request, response, Buffer.alloc(0), text, `public, max-age=${dayS}`)
      case 'head':
        return send(request, response, await checks.head(), text, 'public, max-age=60')
      case 'lookup':
        return send(request, response, await checks.lookup(asked.module), text, `public, max-age=${dayS}`)
      case 'tile':
        return send(
          request,
          response,
          await checks.tile(asked.tile),
          'application/octet-stream',
          `public, max-age=${dayS}`,
        )
    }
  }

  #sendAnswer(
    { content, isStale }: Answer,
    type: string,
    share: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    if (isStale) response.setHeader('warning', '110 - "Response is Stale"') // RFC 7234, 5.5.1
    send(request, response, content, type, isStale ? 'no-store' : `${share}, max-age=60`)
  }

  #warm(target: string, file: StoredFile, headers: Record<string, string>): HotFile {
    const known = this.#hot.get(target)
    if (known !== undefined && known.file.inode === file.inode && known.file.bytes === file.bytes) {
      known.checkedAt = this.#parts.monotonicMs()
      return known
    }
    const content = readFileSync(file.path)
    if (known !== undefined) this.#hotBytes -= known.content.length
    while (this.#hotBytes + content.length > mostHotBytes) {
      const [oldest] = this.#hot
      if (oldest === undefined) break
      this.#hot.delete(oldest[0])
      this.#hotBytes -= oldest[1].content.length
    }
    const hot: HotFile = {
      content,
      file,
      headers: { ...headers, 'content-length': content.length },
      checkedAt: this.#parts.monotonicMs(),
    }
    this.#hot.set(target, hot)
    this.#hotBytes += content.length
    return hot
  }

  #sendHot({ content, headers }: HotFile, request: IncomingMessage, response: ServerResponse): void {
    this.#parts.counters.bytesServed += content.length
    response.writeHead(200, headers)
    response.end(request.method === 'HEAD' ? undefined : content)
  }

  async #sendFile(
    { path, bytes, inode }: StoredFile,
    headers: Record<string, string>,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const key = `${inode}-${bytes}`
    const range = rangeOf(request, bytes)
    const [begin, end] = range ?? [0, bytes]
    response.writeHead(range === undefined ? 200 : 206, {
      ...headers,
      'content-length': end - begin,
      'accept-ranges': 'bytes',
      ...(range === undefined ? {} : { 'content-range': `bytes ${begin}-${end - 1}/${bytes}` }),
    })
    if (request.method === 'HEAD') {
      response.end()
      return
    }
    for await (const piece of this.#pieces.read(path, key, begin, end)) {
      this.#parts.counters.bytesServed += piece.length
      // Until it has left: its memory is used again.
      await sent(response, piece)
      if (response.destroyed) return
    }
    response.end()
  }

  #fail(error: unknown, request: IncomingMessage, response: ServerResponse): void {
    if (response.headersSent) {
      response.destroy() // the length that was announced does not come: nobody takes it for whole
      return
    }
    const status = statusOf(error)
    const why = error instanceof FairwayError ? wordsOf(error) : `a fault of the proxy itself: ${String(error)}`
    say(request, response, status, why, status === 404 ? 'public, max-age=60' : 'no-store')
  }
}

/** Never 404 for what could not be asked: a client would take its word for it, and go elsewhere. */
function statusOf(error: unknown): number {
  if (!(error instanceof FairwayError)) return errnoOf(error) === 'EMFILE' ? 503 : 500
  if (error.cause === late) return 504
  if (error.cause === refused) return 403
  return errorCatalogue[error.code].http
}

function wordsOf({ message, details, hint }: FairwayError): string {
  return [message, ...details, ...(hint === undefined ? [] : [hint])].join('\n')
}

function say(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  words: string,
  caching = 'no-store',
): void {
  response.statusCode = status
  send(request, response, Buffer.from(`${words}\n`), text, caching)
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  content: Buffer,
  type: string,
  caching: string,
): void {
  response.setHeader('content-type', type)
  response.setHeader('cache-control', caching)
  response.setHeader('content-length', content.length)
  response.setHeader('x-content-type-options', 'nosniff')
  response.end(request.method === 'HEAD' ? undefined : content)
}

/** [first, end) of `bytes=FIRST-[LAST]`; a validator we never gave asks for the whole. */
function rangeOf({ headers }: IncomingMessage, bytes: number): [number, number] | undefined {
  if (headers['if-range'] !== undefined) return undefined
  const [, first, last] = /^bytes=([0-9]{1,15})-([0-9]{1,15})?$/.exec(headers.range ?? '') ?? []
  if (first === undefined || Number(first) >= bytes) return undefined
  const end = last === undefined ? bytes : Math.min(bytes, Number(last) + 1)
  return end > Number(first) ? [Number(first), end] : undefined
}

/** Resolves when it has left this process, or nobody waits for it any more. */
function sent(response: ServerResponse, piece: Buffer): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  response.once('close', resolve)
  response.write(piece, () => {
    response.off('close', resolve)
    resolve()
  })
  return promise
}
