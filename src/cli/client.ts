import { connect as connectTcp, type Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { FairwayError, type ErrorReport, errorCatalogue, errnoOf } from '../base/error.ts'
import type { ResultEvent } from '../base/event.ts'

/** Where a control plane listens: a socket of this machine, or an address with a token. */
export type ServerAddress =
  | { readonly kind: 'socket'; readonly path: string }
  | {
      readonly kind: 'tcp'
      readonly host: string
      readonly port: number
      readonly tls: boolean
      readonly token: string
    }

interface HttpAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Socket
}

interface RequestOptions {
  readonly body?: unknown
  /** Sent as it is, with its size; for files. */
  readonly content?: { readonly stream: Readable; readonly size: number }
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
  /** Until the answer begins; 10 s unless told. */
  readonly deadlineMs?: number
}

/**
 * A control plane that says nothing for so long, though the kernel takes connections for it, hangs: an answer takes
 * milliseconds, and a stream that has nothing to tell says every 15 s that it lives.
 */
const silentMs = { answer: 10_000, upload: 60_000, stream: 60_000 }

/**
 * A client of the API on node:net: node:http alone would cost a plain command more than all the rest of it. HTTP/1.0, so
 * that no answer is chunked: it is read to the end of the connection.
 */
export class Client {
  readonly address: ServerAddress
  readonly #who: string

  constructor(address: ServerAddress, who: string) {
    this.address = address
    this.#who = who
  }

  /** @throws FairwayError SERVER_UNREACHABLE, or what the answer says */
  async json<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    const answer = await this.#request(method, path, options)
    const text = await readAll(answer.body)
    const data = parseJson(text)
    if (answer.status >= 400) throw errorOf(data, answer.status)
    return data as T
  }

  /** Frames of a stream of server-sent events; comments are passed over. @throws FairwayError as `json` does */
  async *frames<T>(method: string, path: string, options: RequestOptions = {}): AsyncGenerator<T> {
    const answer = await this.#request(method, path, options)
    if (answer.status >= 400) throw errorOf(parseJson(await readAll(answer.body)), answer.status)
    if (!(answer.headers['content-type'] ?? '').startsWith('text/event-stream')) {
      yield parseJson(await readAll(answer.body)) as T
      return
    }
    let rest = ''
    for await (const chunk of chunksOf(answer.body)) {
      const parts = (rest + chunk).split('\n\n')
      rest = parts.pop() ?? ''
      for (const part of parts) {
        const data = part.split('\n').find((line) => line.startsWith('data: '))
        if (data !== undefined) yield parseJson(data.slice(6)) as T
      }
    }
  }

  async #request(method: string, path: string, options: RequestOptions): Promise<HttpAnswer> {
    const { body, content, headers = {}, signal } = options
    const text = body === undefined ? undefined : JSON.stringify(body)
    const socket = await this.#connect(signal)
    socket.setTimeout(content === undefined ? (options.deadlineMs ?? silentMs.answer) : silentMs.upload)
    const lines = {
      host: this.address.kind === 'socket' ? 'localhost' : `${this.address.host}:${this.address.port}`,
      connection: 'close',
      'x-fairway-who': this.#who,
      ...(this.address.kind === 'tcp' ? { authorization: `Bearer ${this.address.token}` } : {}),
      ...(text === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) }),
      ...(content === undefined
        ? {}
        : { 'content-type': 'application/octet-stream', 'content-length': String(content.size) }),
      ...headers,
    }
    const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`)
    socket.write(`${method} ${path} HTTP/1.0\r\n${head.join('')}\r\n${text ?? ''}`)
    // A refusal may come before all was sent: the answer counts, not the broken pipe.
    if (content !== undefined) {
      content.stream.on('error', (error) => socket.destroy(error))
      content.stream.pipe(socket, { end: false })
    }
    const answer = await readHead(socket)
    socket.setTimeout(silentMs.stream)
    return answer
  }

  async #connect(signal: AbortSignal | undefined): Promise<Socket> {
    const { address } = this
    const { promise, resolve, reject } = Promise.withResolvers<Socket>()
    const socket =
      address.kind === 'socket'
        ? connectTcp({ path: address.path })
        : address.tls
          ? (await import('node:tls')).connect({ host: address.host, port: address.port, servername: address.host })
          : connectTcp({ host: address.host, port: address.port })
    signal?.addEventListener('abort', () => socket.destroy(), { once: true })
    socket.setTimeout(silentMs.answer)
    socket.on('timeout', () => endSilent(socket))
    socket.once(address.kind === 'tcp' && address.tls ? 'secureConnect' : 'connect', () => resolve(socket))
    socket.once('error', (cause) => reject(unreachable(address, cause)))
    const connected = await promise
    connected.setNoDelay(true)
    return connected
  }
}

/** Idle is also who was itself stopped, or does not read: what has arrived meanwhile is taken first. */
function endSilent(socket: Socket): void {
  const { bytesRead } = socket
  const end = () => {
    if (socket.bytesRead !== bytesRead || socket.readableLength > 0) return
    socket.destroy(Object.assign(new Error('no word from it'), { code: 'ETIMEDOUT' }))
  }
  setTimeout(end, 200).unref()
}

/** Somebody takes connections and says nothing. */
export function isHung(error: unknown): boolean {
  return error instanceof FairwayError && error.code === 'SERVER_UNREACHABLE' && errnoOf(error.cause) === 'ETIMEDOUT'
}

/** Nobody there, or somebody who has just gone: what tells that a control plane must be started. */
export function isAbsent(error: unknown): boolean {
  if (!(error instanceof FairwayError) || error.code !== 'SERVER_UNREACHABLE') return false
  const errno = errnoOf(error.cause)
  return errno === 'ENOENT' || errno === 'ECONNREFUSED' || errno === 'ECONNRESET' || errno === 'EPIPE'
}

function unreachable(address: ServerAddress, cause: unknown): FairwayError {
  const where = address.kind === 'socket' ? address.path : `${address.host}:${address.port}`
  return new FairwayError('SERVER_UNREACHABLE', `No control plane answers at ${where}`, {
    hint:
      address.kind === 'socket'
        ? '`fairway server start` starts it; `fairway doctor` says what stands in the way.'
        : 'Is the address right, and reachable from here?',
    cause,
  })
}

async function readHead(socket: Socket): Promise<HttpAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>()
  let held = Buffer.alloc(0)
  const cleanUp = () => {
    socket.off('data', onData)
    socket.off('error', onEnd)
    socket.off('close', onEnd)
  }
  const onData = (chunk: Buffer) => {
    held = Buffer.concat([held, chunk])
    const end = held.indexOf('\r\n\r\n')
    if (end < 0) return
    cleanUp()
    socket.pause()
    const [first = '', ...lines] = held.subarray(0, end).toString('latin1').split('\r\n')
    const headers = Object.fromEntries(
      lines.map((line) => {
        const colon = line.indexOf(':')
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
      }),
    )
    const rest = held.subarray(end + 4)
    if (rest.length > 0) socket.unshift(rest)
    resolve({ status: Number(first.split(' ')[1]), headers, body: socket })
  }
  const onEnd = (cause?: unknown) => {
    cleanUp()
    if (cause instanceof Error && errnoOf(cause) === 'ETIMEDOUT') {
      reject(
        new FairwayError('SERVER_UNREACHABLE', 'The control plane takes connections, but does not answer', {
          hint: 'On its machine, `fairway server start` ends one that hangs and starts another, which adopts what runs.',
          cause,
        }),
      )
      return
    }
    const gone = cause instanceof Error ? cause : Object.assign(new Error('closed'), { code: 'ECONNRESET' })
    reject(
      new FairwayError('SERVER_UNREACHABLE', 'The control plane closed the connection without an answer', {
        hint: 'It may be starting again: try once more. `fairway server status` says how it is.',
        cause: gone,
      }),
    )
  }
  socket.on('data', onData)
  socket.once('error', onEnd)
  socket.once('close', onEnd)
  return promise
}

async function readAll(stream: Readable): Promise<string> {
  let text = ''
  for await (const chunk of chunksOf(stream)) text += chunk
  return text
}

/** @throws FairwayError SERVER_UNREACHABLE when the line breaks */
async function* chunksOf(stream: Readable): AsyncGenerator<string> {
  stream.setEncoding('utf8')
  try {
    yield* stream as AsyncIterable<string>
  } catch (cause) {
    throw new FairwayError('SERVER_UNREACHABLE', 'The line to the control plane broke', {
      hint: '`fairway server status` says how it is.',
      cause,
    })
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    const shown = JSON.stringify(text.slice(0, 80))
    throw new FairwayError('SERVER_MISMATCH', `Whatever answers there is not a control plane: ${shown}`, { cause })
  }
}

/** An error of the control plane, as if it had happened here. */
function errorOf(data: unknown, status: number): Error {
  const report = (data as ResultEvent | null)?.error
  return report === undefined ? new Error(`the control plane answered ${status}`) : fromReport(report)
}

export function fromReport(report: ErrorReport): Error {
  if (report.code === 'INTERNAL' || !(report.code in errorCatalogue)) return new Error(report.message)
  return new FairwayError(report.code, report.message, {
    hint: report.hint,
    details: report.details ?? [],
  })
}
