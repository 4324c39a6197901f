import type { IncomingHttpHeaders } from 'node:http2'
import type { Duplex } from 'node:stream'

/** What a program answered to a health check by gRPC. */
export interface GrpcHealthAnswer {
  /**
   * `serving`; `not-serving`: another state of health; `unimplemented`: it speaks gRPC and knows no health check;
   * `http2`: it speaks HTTP/2, and not gRPC; `failed`: nothing that could be read.
   */
  readonly kind: 'serving' | 'not-serving' | 'unimplemented' | 'http2' | 'failed'
  /** In words: 'NOT_SERVING', 'grpc-status 12: unknown service'. */
  readonly detail: string
  readonly headers: IncomingHttpHeaders
  /** The connection's errno where it failed: 'ECONNREFUSED'. */
  readonly errno?: string | undefined
}

const maxBytes = 64 * 1024
const states: readonly string[] = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN']

/**
 * `grpc.health.v1.Health/Check` of the server as a whole, over HTTP/2 with prior knowledge and without TLS. Total: every
 * failure is an answer; ends with the signal.
 * @see https://github.com/grpc/grpc/blob/master/doc/health-checking.md and PROTOCOL-HTTP2.md
 */
export async function askHealth(
  connection: () => Duplex,
  {
    authority,
    headers = {},
    signal,
  }: {
    readonly authority: string
    readonly headers?: Readonly<Record<string, string>>
    readonly signal: AbortSignal | undefined
  },
): Promise<GrpcHealthAnswer> {
  const { connect } = await import('node:http2') // by those alone who ask
  const { promise, resolve } = Promise.withResolvers<GrpcHealthAnswer>()
  let answered: IncomingHttpHeaders = {}
  const fail = (error: unknown) => {
    const detail = error instanceof Error ? error.message : String(error)
    const errno = error instanceof Error && 'code' in error ? String(error.code) : undefined
    resolve({ kind: 'failed', detail, headers: answered, errno })
  }
  if (signal?.aborted === true) return { kind: 'failed', detail: 'not asked', headers: {} }
  let socket: Duplex | undefined
  const session = connect(`http://${authority}`, { createConnection: () => (socket = connection()) })
  const onAbort = () => fail(new Error('no answer in time'))
  signal?.addEventListener('abort', onAbort, { once: true })
  session.on('error', fail)
  session.on('close', () => fail(new Error('the connection was closed without an answer')))
  try {
    const stream = session.request({
      ...headers,
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'fairway-probe',
    })
    const chunks: Buffer[] = []
    let bytes = 0
    let trailers: IncomingHttpHeaders = {}
    stream.on('response', (head) => (answered = head))
    stream.on('trailers', (tail) => (trailers = tail))
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= maxBytes) chunks.push(chunk)
      else fail(new Error('its answer has no end'))
    })
    stream.on('error', fail)
    stream.on('end', () => {
      // A connection that breaks off ends the stream too, before a word of HTTP/2.
      if (answered[':status'] === undefined) fail(new Error('the connection ended without an answer'))
      else resolve({ ...readAnswer({ ...answered, ...trailers }, Buffer.concat(chunks)), headers: answered })
    })
    stream.end(Buffer.alloc(5)) // a message of no bytes: the service of no name is the whole server
    return await promise
  } catch (error) {
    fail(error)
    return await promise
  } finally {
    signal?.removeEventListener('abort', onAbort)
    session.destroy()
    socket?.destroy()
  }
}

/** @param headers of the answer and its trailers together: an answer without a body has but one of them */
export function readAnswer(headers: IncomingHttpHeaders, body: Buffer): Omit<GrpcHealthAnswer, 'headers'> {
  const status = headers['grpc-status']
  if (status === undefined) return { kind: 'http2', detail: `status ${String(headers[':status'] ?? 'none')}, no gRPC` }
  if (status !== '0') {
    const said = headers['grpc-message']
    const detail = `grpc-status ${String(status)}${typeof said === 'string' && said !== '' ? `: ${said.slice(0, 200)}` : ''}`
    // 12 UNIMPLEMENTED. Whatever else it refuses with (16: credentials), it speaks gRPC.
    return { kind: status === '5' || status === '14' ? 'not-serving' : 'unimplemented', detail }
  }
  // One frame: no compression, a length of four bytes; then field 1, a varint, absent where it is 0.
  const message = body.subarray(5, 5 + (body.length >= 5 ? body.readUInt32BE(1) : 0))
  const state = message[0] === 0x08 ? (message[1] ?? 0) : 0
  return { kind: state === 1 ? 'serving' : 'not-serving', detail: states[state] ?? `state ${state}` }
}
