import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { performance } from 'node:perf_hooks'

/**
 * A load client that hides nothing: HTTP/1.1 over bare sockets, open loop, no retry of any kind. Stock clients (Go's,
 * Node's) send a request again when a kept connection turns out to be stale, and so hide the very losses a replacement
 * test is to count. Here every request that was sent and did not get its whole answer is a failure, with its kind.
 *
 * ```ts
 * const load = startLoad({ address, connections: 'keep-alive', perSecond: 500, request: { path: '/', host: 'web.localhost' } })
 * …
 * const { sent, statuses, servedBy, failures } = await load.stop()
 * ```
 */
export interface LoadOptions {
  readonly address: { readonly host: string; readonly port: number }
  /** `keep-alive`: an idle connection is used where there is one, else another is opened. `new`: one for each request. */
  readonly connections: 'keep-alive' | 'new'
  /** Sent at this rate whatever the answers do (open loop). */
  readonly perSecond: number
  readonly request: RawRequest
  /** No whole answer after this long is a failure; default 15 s. */
  readonly timeoutMs?: number
  readonly onAnswer?: (answer: LoadAnswer) => void
}

interface LoadAnswer {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  /** By `performance.now()`. */
  readonly sentAt: number
  readonly tookMs: number
}

export interface RawRequest {
  readonly method?: 'GET' | 'POST'
  readonly path: string
  readonly host: string
  readonly headers?: Readonly<Record<string, string>>
  /** This many bytes are sent with a Content-Length. */
  readonly bodyBytes?: number
}

/**
 * `refused`: no connection. `reset`: RST. `eof`: the connection ended before the whole answer. `timeout`, and `malformed`:
 * not HTTP/1.1. A status of 500 and above is a `status` failure.
 */
export type FailureKind = 'refused' | 'reset' | 'eof' | 'timeout' | 'malformed' | 'status'

export interface Failure {
  readonly kind: FailureKind
  /** errno, status line, or what was there of the answer. */
  readonly detail: string
  /** ms since the load began, when the request was sent. */
  readonly atMs: number
}

export interface LoadResult {
  readonly sent: number
  readonly answered: number
  readonly statuses: ReadonlyMap<number, number>
  /** By the answer's `X-Served-By`; '' where it has none. */
  readonly servedBy: ReadonlyMap<string, number>
  readonly failures: readonly Failure[]
  /** ms from sending to the last byte, of the answered ones, ascending. */
  readonly latenciesMs: readonly number[]
}

export interface Load {
  /** What is counted so far. */
  readonly result: LoadResult
  /** Sends no more, waits for what is under way, closes all. */
  stop(): Promise<LoadResult>
}

export function startLoad(options: LoadOptions): Load {
  const began = performance.now()
  const interval = 1000 / options.perSecond
  const statuses = new Map<number, number>()
  const servedBy = new Map<string, number>()
  const failures: Failure[] = []
  const latenciesMs: number[] = []
  const idle: RawConnection[] = []
  const underWay = new Set<Promise<void>>()
  let sent = 0

  const sendOne = async () => {
    sent += 1
    const at = performance.now()
    const connection = takeIdle(idle) ?? new RawConnection(options.address)
    const outcome = await connection.exchange(options.request, {
      close: options.connections === 'new',
      timeoutMs: options.timeoutMs ?? 15_000,
    })
    if (outcome.kind !== 'answer') {
      failures.push({ kind: outcome.kind, detail: outcome.detail, atMs: at - began })
      return
    }
    const tookMs = performance.now() - at
    latenciesMs.push(tookMs)
    options.onAnswer?.({ status: outcome.status, headers: outcome.headers, sentAt: at, tookMs })
    count(statuses, outcome.status)
    count(servedBy, outcome.headers.get('x-served-by') ?? '')
    if (outcome.status >= 500) failures.push({ kind: 'status', detail: String(outcome.status), atMs: at - began })
    if (connection.reusable) idle.push(connection)
  }

  let due = 0
  const timer = setInterval(() => {
    // Catches up with what the event loop was late for, so the rate holds.
    for (; due * interval <= performance.now() - began; due += 1) {
      const one: Promise<void> = sendOne().finally(() => underWay.delete(one))
      underWay.add(one)
    }
  }, 1)

  const result = (): LoadResult => ({
    sent,
    answered: latenciesMs.length,
    statuses,
    servedBy,
    failures,
    latenciesMs: latenciesMs.toSorted((a, b) => a - b),
  })
  return {
    get result() {
      return result()
    },
    async stop() {
      clearInterval(timer)
      await Promise.all(underWay)
      for (const connection of idle) connection.close()
      return result()
    },
  }
}

/** One request on a connection of its own, for tests that look at an answer. */
export async function askRaw(
  address: LoadOptions['address'],
  request: RawRequest,
  { timeoutMs = 10_000 }: { timeoutMs?: number } = {},
): Promise<RawOutcome> {
  return new RawConnection(address).exchange(request, { close: true, timeoutMs })
}

export type RawOutcome =
  | {
      readonly kind: 'answer'
      readonly status: number
      /** Names in lower case; of several with one name the last. */
      readonly headers: ReadonlyMap<string, string>
      readonly body: string
    }
  | { readonly kind: Exclude<FailureKind, 'status'>; readonly detail: string }

function count<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

/** The one used last: the others have a chance to grow stale, as in a real pool. */
function takeIdle(idle: RawConnection[]): RawConnection | undefined {
  for (let connection = idle.pop(); connection !== undefined; connection = idle.pop()) {
    if (connection.reusable) return connection
  }
  return undefined
}

/** A socket and what it has read; one exchange at a time. */
export class RawConnection {
  readonly #socket: Socket
  #read: Buffer = Buffer.alloc(0)
  #settle: ((outcome: RawOutcome) => void) | undefined
  #ended = false
  #closeAfter = false

  constructor({ host, port }: LoadOptions['address']) {
    this.#socket = connect({ host, port, noDelay: true })
    this.#socket.on('data', (chunk: Buffer) => {
      this.#read = this.#read.length === 0 ? chunk : Buffer.concat([this.#read, chunk])
      this.#advance()
    })
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      const refused = error.syscall === 'connect'
      this.#finish({ kind: refused ? 'refused' : 'reset', detail: error.code ?? error.message })
    })
    this.#socket.on('end', () => this.#finish({ kind: 'eof', detail: this.#read.toString('latin1').slice(0, 80) }))
    this.#socket.on('close', () => this.#finish({ kind: 'eof', detail: 'closed' }))
  }

  /** Nothing under way, and the other side has not closed it as far as is known. */
  get reusable(): boolean {
    return !this.#ended && !this.#closeAfter && this.#settle === undefined
  }

  close(): void {
    this.#ended = true
    this.#socket.destroy()
  }

  async exchange(
    request: RawRequest,
    { close, timeoutMs }: { close: boolean; timeoutMs: number },
  ): Promise<RawOutcome> {
    if (this.#ended) return { kind: 'eof', detail: 'closed before' }
    const { promise, resolve } = Promise.withResolvers<RawOutcome>()
    this.#settle = resolve
    this.#closeAfter = close
    this.#socket.write(formatRequest(request, close))
    const timer = setTimeout(() => this.#finish({ kind: 'timeout', detail: `${timeoutMs} ms` }), timeoutMs)
    const outcome = await promise
    clearTimeout(timer)
    if (close || outcome.kind !== 'answer') this.close()
    return outcome
  }

  #finish(outcome: RawOutcome): void {
    const settle = this.#settle
    this.#settle = undefined
    if (outcome.kind !== 'answer') this.#ended = true
    settle?.(outcome)
  }

  #advance(): void {
    const answer = parseAnswer(this.#read)
    if (answer === 'incomplete') return
    if (answer === 'malformed') {
      this.#finish({ kind: 'malformed', detail: this.#read.toString('latin1').slice(0, 80) })
      return
    }
    this.#read = this.#read.subarray(answer.length)
    if (answer.headers.get('connection')?.toLowerCase() === 'close') this.#closeAfter = true
    this.#finish({ kind: 'answer', status: answer.status, headers: answer.headers, body: answer.body })
  }
}

function formatRequest({ method = 'GET', path, host, headers = {}, bodyBytes }: RawRequest, close: boolean): string {
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${host}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...(close ? ['Connection: close'] : []),
    ...(bodyBytes === undefined ? [] : [`Content-Length: ${bodyBytes}`]),
  ]
  return `${lines.join('\r\n')}\r\n\r\n${'x'.repeat(bodyBytes ?? 0)}`
}

interface Parsed {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
  /** Bytes of the whole answer. */
  readonly length: number
}

function parseAnswer(read: Buffer): Parsed | 'incomplete' | 'malformed' {
  const headEnd = read.indexOf('\r\n\r\n')
  if (headEnd === -1) return read.length > 65_536 ? 'malformed' : 'incomplete'
  const [statusLine = '', ...lines] = read.toString('latin1', 0, headEnd).split('\r\n')
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1])
  if (Number.isNaN(status)) return 'malformed'
  const headers = new Map(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    }),
  )
  const bodyAt = headEnd + 4
  if (headers.get('transfer-encoding') === 'chunked') {
    const chunked = parseChunks(read, bodyAt)
    return typeof chunked === 'string' ? chunked : { status, headers, ...chunked }
  }
  const length = Number(headers.get('content-length') ?? 0)
  if (read.length < bodyAt + length) return 'incomplete'
  return { status, headers, body: read.toString('utf8', bodyAt, bodyAt + length), length: bodyAt + length }
}

function parseChunks(read: Buffer, begin: number): Pick<Parsed, 'body' | 'length'> | 'incomplete' | 'malformed' {
  const parts: Buffer[] = []
  for (let at = begin; ;) {
    const lineEnd = read.indexOf('\r\n', at)
    if (lineEnd === -1) return 'incomplete'
    const size = Number.parseInt(read.toString('latin1', at, lineEnd), 16)
    if (Number.isNaN(size)) return 'malformed'
    const next = lineEnd + 2 + size + 2
    if (read.length < next) return 'incomplete'
    if (size === 0) return { body: Buffer.concat(parts).toString('utf8'), length: next }
    parts.push(read.subarray(lineEnd + 2, lineEnd + 2 + size))
    at = next
  }
}
