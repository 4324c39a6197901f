import type { Agent as PlainAgent, IncomingMessage, request } from 'node:http'
import type { Agent as SecureAgent } from 'node:https'
import type { Abortable } from '../base/bounds.ts'
import { errnoOf } from '../base/error.ts'
import type { Secret } from '../base/secret.ts'
import { type NetrcEntry, readNetrc } from './netrc.ts'

type Environment = Readonly<Record<string, string | undefined>>

export interface HttpRequest extends Abortable {
  readonly headers?: Readonly<Record<string, string>>
  readonly user?: { readonly name: string; readonly password: Secret } | undefined
}

interface Agent {
  readonly agent: PlainAgent | SecureAgent
  readonly request: typeof request
}

const mostRedirects = 10
const defaultSilentMs = 30_000

/** GET alone, as a module source wants it: redirects, credentials for whom they are meant, HTTP(S)_PROXY, and no end to slowness but to silence. */
export class HttpClient {
  readonly #environment: Environment
  readonly #silentMs: number
  /** A head, or a small answer, that takes longer comes in drips: enough not to be silence, and never an end. */
  readonly drippingMs: number
  readonly #agents: { plain?: Promise<Agent>; secure?: Promise<Agent> } = {}
  #netrc: Promise<readonly NetrcEntry[]> | undefined

  /** @param silentMs for so long nothing may come, at any point; 30 s unless told */
  constructor({ environment, silentMs = defaultSilentMs }: { environment: Environment; silentMs?: number }) {
    this.#environment = environment
    this.#silentMs = silentMs
    this.drippingMs = 2 * silentMs
  }

  /**
   * @returns the answer, whatever its status; its body fails when it is cut or falls silent. Read it or destroy it
   * @throws an error of node:http, or the signal's reason
   */
  async get(address: string, { headers = {}, user, signal }: HttpRequest = {}): Promise<IncomingMessage> {
    let url = new URL(address)
    const { origin } = url
    for (let redirects = 0; ; redirects += 1) {
      signal?.throwIfAborted()
      const authorization = await this.#authorize(url, url.origin === origin ? user : undefined)
      const answer = await this.#ask(url, { ...headers, ...authorization }, signal)
      const { statusCode = 0, headers: { location } } = answer // prettier-ignore
      if (![301, 302, 303, 307, 308].includes(statusCode) || location === undefined) return answer
      answer.destroy()
      const next = URL.parse(location, url.href)
      if (next === null || !['http:', 'https:'].includes(next.protocol))
        throw new Error('it redirects to what is no address')
      if (url.protocol === 'https:' && next.protocol === 'http:')
        throw new Error(`it redirects from https to http (${next.host})`)
      if (redirects === mostRedirects) throw new Error(`it redirects more than ${mostRedirects} times`)
      url = next
    }
  }

  /** Ends connections that are kept for the next request. */
  async close(): Promise<void> {
    for (const agent of await Promise.all([this.#agents.plain, this.#agents.secure])) agent?.agent.destroy()
  }

  async #ask(
    url: URL,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
  ): Promise<IncomingMessage> {
    const { agent, request } = await this.#agentFor(url)
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    const options = { headers: { 'User-Agent': 'fairway', ...headers }, ...(signal === undefined ? {} : { signal }) }
    const asked = request(url, { ...options, agent })
    const seconds = Math.round(this.#silentMs / 1000)
    let answer: IncomingMessage | undefined
    const dripping = setTimeout(
      () => asked.destroy(new Error(`it did not begin to answer within ${Math.round(this.drippingMs / 1000)} s`)),
      this.drippingMs,
    )
    asked.once('close', () => clearTimeout(dripping))
    asked.setTimeout(this.#silentMs, () => {
      const silence = new Error(`it said nothing for ${seconds} s`)
      if (answer === undefined) asked.destroy(silence)
      else answer.destroy(silence) // the request would only say that it was aborted
    })
    asked.on('error', (error) => {
      // The other side closed a connection that was kept, at the moment it was used again: nothing was asked yet.
      const isStale = asked.reusedSocket && answer === undefined && errnoOf(error) === 'ECONNRESET'
      if (signal?.aborted === true) reject(signal.reason)
      else if (isStale) resolve(this.#ask(url, headers, signal))
      else reject(error)
    })
    asked.on('response', (response) => {
      clearTimeout(dripping)
      answer = response
      resolve(response)
    })
    asked.end()
    return promise
  }

  /** Most commands fetch nothing: what it takes is loaded by the first that does, the certificates by the first for TLS. */
  #agentFor({ protocol }: URL): Promise<Agent> {
    const options = { keepAlive: true, maxSockets: 8, proxyEnv: this.#environment }
    if (protocol === 'https:')
      return (this.#agents.secure ??= (async () => {
        const [{ Agent, request }, ca] = await Promise.all([import('node:https'), certificates()])
        return { agent: new Agent({ ...options, ca }), request }
      })())
    return (this.#agents.plain ??= (async () => {
      const { Agent, request } = await import('node:http')
      return { agent: new Agent(options), request }
    })())
  }

  /** The one given with the source; else whom .netrc names for this host, which is asked over TLS only. */
  async #authorize({ protocol, hostname }: URL, user: HttpRequest['user']): Promise<Record<string, string>> {
    if (user !== undefined) return basic(user.name, user.password)
    if (protocol !== 'https:') return {}
    this.#netrc ??= readNetrc(this.#environment)
    const entry = (await this.#netrc).find(({ machine }) => machine === hostname)
    return entry === undefined ? {} : basic(entry.login, entry.password)
  }
}

function basic(name: string, password: Secret): Record<string, string> {
  return { Authorization: `Basic ${Buffer.from(`${name}:${password.reveal()}`).toString('base64')}` }
}

/** Node's own list, and what this machine's administrator added to the system's (SSL_CERT_FILE counts too). */
async function certificates(): Promise<string[]> {
  const { getCACertificates } = await import('node:tls')
  return [...new Set([...getCACertificates('default'), ...getCACertificates('system')])]
}
