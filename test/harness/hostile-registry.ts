import { createHash, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What happens to a request instead of what should. */
export type Mishap =
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly headers?: Record<string, string>
      readonly body?: string
    }
  /** So many bytes of the body are taken, then the line is cut; those bytes are kept. */
  | { readonly kind: 'cut'; readonly afterBytes: number; readonly forgets?: boolean }
  /** Obeys, and cuts the line instead of saying so. */
  | { readonly kind: 'mute' }

export interface SeenRequest {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  /** How many of the same method went before. */
  readonly nth: number
}

/** A registry that keeps everything in memory and does what a test tells it to, instead of what it should. */
export class HostileRegistry implements AsyncDisposable {
  readonly blobs = new Map<string, Buffer>()
  readonly manifests = new Map<string, { type: string; bytes: Buffer }>()
  readonly requests: SeenRequest[] = []
  /** Asked before each request. */
  mishap: (request: SeenRequest) => Mishap | undefined = () => undefined
  /** Knows subjects by itself. */
  hasReferrers = false
  /** Headers of an opened upload. */
  uploadHeaders: Record<string, string> = {}
  address = ''
  readonly #uploads = new Map<string, Buffer>()
  readonly #server = createServer((request, response) => void this.#serve(request, response)).on(
    'checkContinue',
    (request: IncomingMessage, response: ServerResponse) => void this.#serve(request, response),
  )

  /** @param host which of this machine's own addresses */
  static async start(host = '127.0.0.1'): Promise<HostileRegistry> {
    const registry = new HostileRegistry()
    await new Promise<void>((resolve) => registry.#server.listen(0, host, resolve))
    registry.address = `${host}:${(registry.#server.address() as AddressInfo).port}`
    return registry
  }

  count(method: string, path: RegExp): number {
    return this.requests.filter((one) => one.method === method && path.test(one.path)).length
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.on('error', () => {})
    const url = new URL(request.url ?? '/', 'http://registry')
    const { method = 'GET', headers } = request
    const nth = this.requests.filter((one) => one.method === method).length
    const seen = { method, path: url.pathname, query: url.searchParams, headers, nth }
    this.requests.push(seen)
    const mishap = this.mishap(seen)
    if (mishap?.kind === 'answer') {
      response.writeHead(mishap.status, { connection: 'close', ...mishap.headers })
      response.end(method === 'HEAD' ? undefined : mishap.body)
      return
    }
    if (headers.expect !== undefined) response.writeContinue()
    const id = /\/blobs\/uploads\/(.+)$/.exec(url.pathname)?.[1]
    const body = await this.#read(request, mishap, id)
    if (body === undefined) return
    if (mishap?.kind === 'mute') {
      this.#answer(seen, body)
      request.socket.destroy()
      return
    }
    const { status, headers: answerHeaders = {}, bytes } = this.#answer(seen, body)
    response.writeHead(status, answerHeaders).end(method === 'HEAD' ? undefined : bytes)
  }

  async #read(
    request: IncomingMessage,
    mishap: Mishap | undefined,
    id: string | undefined,
  ): Promise<Buffer | undefined> {
    const chunks: Buffer[] = []
    let size = 0
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        chunks.push(chunk)
        size += chunk.length
        if (mishap?.kind === 'cut' && size >= mishap.afterBytes) {
          const kept = Buffer.concat(chunks).subarray(0, mishap.afterBytes)
          if (id !== undefined && mishap.forgets !== true)
            this.#uploads.set(id, Buffer.concat([this.#uploads.get(id) ?? Buffer.alloc(0), kept]))
          else if (id !== undefined) this.#uploads.delete(id)
          request.socket.destroy()
          return undefined
        }
      }
    } catch {
      return undefined
    }
    return Buffer.concat(chunks)
  }

  #answer(
    { method, path, query, headers }: SeenRequest,
    body: Buffer,
  ): { status: number; headers?: Record<string, string>; bytes?: Buffer | string } {
    const [, kind = '', name = ''] = /^\/v2\/.+?\/(blobs\/uploads|blobs|manifests)\/(.*)$/.exec(path) ?? []
    if (kind === 'manifests') return this.#manifest(method, name, headers['content-type'] ?? '', body)
    if (kind === 'blobs') {
      const blob = this.blobs.get(name)
      return blob === undefined
        ? { status: 404 }
        : { status: 200, headers: { 'content-length': String(blob.length) }, bytes: blob }
    }
    if (kind !== 'blobs/uploads') return { status: 404 }
    const location = (id: string) => ({
      location: `${path.replace(/uploads\/.*$/, 'uploads/')}${id}?state=kept`,
      ...this.uploadHeaders,
    })
    if (method === 'POST') {
      const mount = query.get('mount')
      if (mount !== null && this.blobs.has(mount)) return { status: 201 }
      const id = randomUUID()
      this.#uploads.set(id, Buffer.alloc(0))
      return { status: 202, headers: location(id) }
    }
    const held = this.#uploads.get(name)
    if (held === undefined || query.get('state') !== 'kept') return { status: 404 }
    if (method === 'GET')
      return { status: 204, headers: { ...location(name), range: `0-${Math.max(0, held.length - 1)}` } }
    const start = /^(\d+)-/.exec(headers['content-range'] ?? '')?.[1]
    if (start !== undefined && Number(start) !== held.length) return { status: 416, headers: location(name) }
    const whole = Buffer.concat([held, body])
    this.#uploads.set(name, whole)
    if (method === 'PATCH') return { status: 202, headers: { ...location(name), range: `0-${whole.length - 1}` } }
    const digest = query.get('digest') ?? ''
    if (digestText(whole) !== digest)
      return { status: 400, bytes: JSON.stringify({ errors: [{ code: 'DIGEST_INVALID', message: 'it is another' }] }) }
    this.blobs.set(digest, whole)
    return { status: 201 }
  }

  #manifest(
    method: string,
    name: string,
    type: string,
    body: Buffer,
  ): { status: number; headers?: Record<string, string>; bytes?: Buffer } {
    if (method === 'PUT') {
      const digest = digestText(body)
      this.manifests.set(name, { type, bytes: body })
      this.manifests.set(digest, { type, bytes: body })
      const { subject } = JSON.parse(body.toString('utf8')) as { subject?: { digest: string } }
      const said = this.hasReferrers && subject !== undefined ? { 'oci-subject': subject.digest } : {}
      return { status: 201, headers: { 'docker-content-digest': digest, ...said } }
    }
    const found = this.manifests.get(name)
    if (found === undefined) return { status: 404 }
    return {
      status: 200,
      headers: { 'content-type': found.type, 'docker-content-digest': digestText(found.bytes) },
      bytes: found.bytes,
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

function digestText(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}
