import { lookup as resolveName } from 'node:dns'
import {
  Agent as HttpAgent,
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as requestHttp,
} from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { pipeline } from 'node:stream/promises'
import type { Abortable } from '../../base/bounds.ts'

/** A body that can be sent again. */
export interface Body {
  readonly size: number
  open(): AsyncIterable<Buffer> | Iterable<Buffer>
}

export interface HttpRequest extends Abortable {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH'
  readonly url: URL
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Body
  /** A server that was not named by the user: addresses of this machine and of its link are no place for it. */
  readonly isForeign?: boolean
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** At most `largestAnswer` bytes; what is longer is cut. */
  readonly body: Buffer
}

/** OCI's own limit for manifests. */
const largestAnswer = 4 * 1024 * 1024

/** The line was cut, nothing answered, or not in time: the same request may succeed later. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost'
}

/** The server named an address that it must not send us to. */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused'
}

/** HTTP to registries: connections are kept while it lives, a proxy of the environment is obeyed, redirects are answers. */
export class HttpClient implements Disposable {
  readonly #agents: { readonly http: HttpAgent; readonly https: HttpsAgent }
  readonly #idleMs: number

  /** @param idleMs without a byte in either direction the connection counts as lost */
  constructor({ environment, idleMs = 60_000 }: { environment: NodeJS.ProcessEnv; idleMs?: number }) {
    const options = { keepAlive: true, maxSockets: 8, proxyEnv: environment }
    this.#agents = { http: new HttpAgent(options), https: new HttpsAgent(options) }
    this.#idleMs = idleMs
  }

  /** @throws ConnectionLost, AddressRefused; the signal's reason when aborted */
  async send({ method, url, headers = {}, body, isForeign = false, signal }: HttpRequest): Promise<HttpAnswer> {
    signal?.throwIfAborted()
    const isSecure = url.protocol === 'https:'
    const hostname = url.hostname.replace(/^\[|\]$/g, '')
    if (isForeign && isIP(hostname) !== 0 && isInward(hostname)) throw new AddressRefused(hostname)
    const answered = Promise.withResolvers<IncomingMessage>()
    const options = {
      method,
      headers: {
        'user-agent': 'fairway',
        ...headers,
        ...(body === undefined ? {} : { 'content-length': String(body.size) }),
        ...(body !== undefined && body.size > unaskedBytes ? { expect: '100-continue' } : {}),
      },
      ...(signal === undefined ? {} : { signal }),
      ...(isForeign ? { lookup: outwardLookup } : {}),
    }
    const request = isSecure
      ? requestHttps(url, { ...options, agent: this.#agents.https })
      : requestHttp(url, { ...options, agent: this.#agents.http })
    request.on('response', answered.resolve).on('error', answered.reject)
    request.setTimeout(this.#idleMs, () => request.destroy(new Error(`nothing moved for ${this.#idleMs} ms`)))
    const sending = sendBody(request, body, answered.promise).catch(answered.reject)
    try {
      const response = await answered.promise
      const bytes = await readBody(response)
      if (!request.writableFinished) request.destroy()
      return { status: response.statusCode ?? 0, headers: response.headers, body: bytes }
    } catch (error) {
      request.destroy()
      signal?.throwIfAborted()
      if (error instanceof AddressRefused) throw error
      throw new ConnectionLost(reasonOf(error), { cause: error })
    } finally {
      await sending
    }
  }

  [Symbol.dispose](): void {
    this.#agents.http.destroy()
    this.#agents.https.destroy()
  }
}

/** More than this is sent only once the server has not refused the head of the request. */
const unaskedBytes = 1024 * 1024
/** …or has said nothing for so long: not every server knows the question. */
const askedMs = 1000

/**
 * A refusal of something large (413, 401) is seen before the body is sent; of one that is read too late the closing of the
 * line would be all that arrives.
 */
async function sendBody(request: ClientRequest, body: Body | undefined, answered: Promise<unknown>): Promise<void> {
  if (body === undefined) return void request.end()
  if (body.size > unaskedBytes) {
    const { promise, resolve } = Promise.withResolvers<'go on'>()
    request.once('continue', () => resolve('go on'))
    const timer = setTimeout(() => resolve('go on'), askedMs)
    request.flushHeaders()
    try {
      if ((await Promise.race([promise, answered])) !== 'go on') return
    } finally {
      clearTimeout(timer)
    }
  }
  await pipeline(body.open(), request)
}

async function readBody(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    size += chunk.length
    if (size > largestAnswer) break
  }
  return Buffer.concat(chunks).subarray(0, largestAnswer)
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const [first] = error instanceof AggregateError ? error.errors : [error]
  return first instanceof Error ? first.message : error.message
}

/** This machine, and what is reached without a router: services that tell secrets to whoever asks from inside. */
const nearby = new BlockList()
/** Inside of somebody's network: by a name that is somebody's decision, by a bare number it is suspicious. */
const inside = new BlockList()
for (const [address, bits] of [['0.0.0.0', 8], ['127.0.0.0', 8], ['169.254.0.0', 16]] as const) nearby.addSubnet(address, bits, 'ipv4') // prettier-ignore
for (const [address, bits] of [
  ['::', 127],
  ['fe80::', 10],
] as const)
  nearby.addSubnet(address, bits, 'ipv6')
for (const [address, bits] of [['10.0.0.0', 8], ['100.64.0.0', 10], ['172.16.0.0', 12], ['192.168.0.0', 16]] as const) inside.addSubnet(address, bits, 'ipv4') // prettier-ignore
inside.addSubnet('fc00::', 7, 'ipv6')

function listed(list: BlockList, address: string): boolean {
  return list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

function isInward(address: string): boolean {
  return listed(nearby, address) || listed(inside, address)
}

/** A name that leads to this machine or its link is refused when it is resolved, so that it cannot change its mind in between. */
const outwardLookup: LookupFunction = (hostname, options, callback) => {
  resolveName(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, '')
    const bad = addresses.find(({ address }) => listed(nearby, address))
    const [first] = addresses
    if (bad !== undefined || first === undefined)
      return callback(new AddressRefused(`${hostname} is ${bad?.address}`), '')
    if (options.all === true) callback(null, addresses)
    else callback(null, first.address, first.family)
  })
}
