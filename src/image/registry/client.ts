import { BlockList, isIP } from 'node:net'
import type { Abortable } from '../../base/bounds.ts'
import type { Clock } from '../../base/clock.ts'
import { counted } from '../../base/counted.ts'
import { errnoOf, FairwayError } from '../../base/error.ts'
import type { Report } from '../../base/event.ts'
import type { Descriptor } from '../image.ts'
import { Authorizer, isSameHost } from './authorize.ts'
import type { Credentials } from './credentials.ts'
import { AddressRefused, ConnectionLost, type HttpAnswer, type HttpClient, type HttpRequest } from './http.ts'
import { registryWords } from './words.ts'

export interface RegistryOptions {
  readonly http: HttpClient
  /** 'registry.example.com:5000' */
  readonly registry: string
  /** 'shop/web' */
  readonly repository: string
  /** Without TLS; of this machine's own registries that is so anyway. */
  readonly isInsecure?: boolean
  readonly credentials: Credentials | undefined
  /** false: it is only asked what it has. */
  readonly mayPush: boolean
  readonly clock: Pick<Clock, 'sleep' | 'now'>
  readonly report: Report
  /** Repositories of the same registry that layers may be taken from. */
  readonly mountSources?: readonly string[]
}

type Call = Omit<HttpRequest, 'url' | 'isForeign'> & { readonly url: URL | string }

/** How often a request is tried before the registry counts as away. */
const attempts = 5
/** …and one that never answered, and that nothing leads to: a wrong name, or nobody there. */
const attemptsInVain = 3
const inVain = new Set(['ENOTFOUND', 'EAI_AGAIN', 'ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH'])
const firstWaitMs = 500
/** Who is told to come back later than this is told so. */
const longestWaitMs = 120_000

/** One repository of a registry: requests with its login, again where another try may help. */
export class RegistryClient {
  readonly #options: RegistryOptions
  readonly #authorizer: Authorizer
  readonly #base: URL
  #hasAnswered = false
  /** What was said of waits that are not over: several layers travel at once, and wait for the same. */
  readonly #said = new Set<string>()

  constructor(options: RegistryOptions) {
    this.#options = options
    const { registry, repository, http, credentials } = options
    const isInsecure = options.isInsecure === true || isLoopback(registry)
    this.#base = new URL(`${isInsecure ? 'http' : 'https'}://${registry}/v2/${repository}/`)
    this.#authorizer = new Authorizer({ http, registry, isInsecure, credentials })
  }

  /** 'registry.example.com:5000/shop/web' */
  get name(): string {
    return `${this.#options.registry}/${this.#options.repository}`
  }

  get mountSources(): readonly string[] {
    return this.#options.mountSources ?? []
  }

  url(path: string): URL {
    return new URL(path, this.#base)
  }

  /**
   * The next address of an upload, as the registry names it: relative or whole, its query kept.
   * @throws FairwayError REGISTRY_REFUSED for one that leads elsewhere than it may
   */
  location(answer: HttpAnswer, from: URL): URL {
    const text = answer.headers.location
    try {
      if (text !== undefined) return this.#follow(new URL(text, from))
    } catch (error) {
      if (error instanceof FairwayError) throw error
    }
    throw new FairwayError('REGISTRY_REFUSED', `${this.#options.registry} names no address to upload to`)
  }

  /** TLS is not given up on the way, and addresses are of the web. */
  #follow(url: URL): URL {
    if (url.protocol === 'https:' || (url.protocol === 'http:' && this.#base.protocol === 'http:')) return url
    throw new FairwayError(
      'REGISTRY_REFUSED',
      `${this.#options.registry} sends us on to ${url.origin}: only https is safe`,
    )
  }

  /**
   * One request, with the login; redirects of GET and HEAD are followed. Nothing is tried again but a login.
   * @throws ConnectionLost; FairwayError REGISTRY_DENIED, REGISTRY_REFUSED
   */
  async once(call: Call): Promise<HttpAnswer> {
    let url = this.#follow(typeof call.url === 'string' ? this.url(call.url) : call.url)
    let logins = 0
    for (let hops = 0; hops < 10; hops += 1) {
      const isForeign = !isSameHost(url, this.#options.registry)
      // The login is the registry's own: nobody it sends us on to gets to see it.
      const login: { authorization?: string } = url.host === this.#base.host ? this.#authorizer.headers() : {}
      const answer = await this.#send({ ...call, url, isForeign, headers: { ...call.headers, ...login } })
      const { location } = answer.headers
      if (answer.status === 401 && url.host === this.#base.host && logins < 2) {
        logins += 1
        await this.#authorizer.satisfy(answer, login.authorization, this.#scopes(), { signal: call.signal })
      } else if (
        answer.status >= 301 &&
        answer.status <= 308 &&
        location !== undefined &&
        /^(?:GET|HEAD)$/.test(call.method)
      ) {
        url = this.#follow(new URL(location, url))
      } else return answer
    }
    throw new FairwayError('REGISTRY_REFUSED', `${this.#options.registry} sends us from address to address`)
  }

  async #send(request: HttpRequest): Promise<HttpAnswer> {
    try {
      const answer = await this.#options.http.send(request)
      if (request.isForeign !== true) this.#hasAnswered = true
      return answer
    } catch (error) {
      if (!(error instanceof AddressRefused)) throw error
      throw new FairwayError(
        'REGISTRY_REFUSED',
        `${this.#options.registry} sends us on to ${request.url.host}: ${error.message} is an address of this machine or inside of this network`,
        { hint: 'Is that the registry you meant? Ask who runs it.', cause: error },
      )
    }
  }

  /** All that a push comes to need at once: a token for less would be asked for again a moment later. */
  #scopes(): string[] {
    const { repository, mayPush } = this.#options
    return [
      `repository:${repository}:${mayPush ? 'pull,push' : 'pull'}`,
      ...this.mountSources.map((source) => `repository:${source}:pull`),
    ]
  }

  /**
   * As `once`, and again after 408, 429, 5xx and lost connections, waiting longer each time or as long as Retry-After says.
   * @throws FairwayError REGISTRY_UNREACHABLE when it stays so; REGISTRY_DENIED, REGISTRY_REFUSED; the signal's reason
   */
  async send(call: Call): Promise<HttpAnswer> {
    for (let attempt = 1; ; attempt += 1) {
      let trouble: HttpAnswer | ConnectionLost
      try {
        const answer = await this.once(call)
        if (!isPassing(answer)) return answer
        trouble = answer
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error
        trouble = error
      }
      await this.wait(trouble, attempt, call)
    }
  }

  /**
   * Waits before the next attempt.
   * @param attempt those that failed, from 1
   * @throws FairwayError REGISTRY_UNREACHABLE when there were enough, or the registry says to wait longer than we do
   */
  async wait(trouble: HttpAnswer | ConnectionLost, attempt: number, { signal }: Abortable): Promise<void> {
    const { clock, registry, report } = this.#options
    const asked = trouble instanceof ConnectionLost ? undefined : retryAfterMs(trouble, clock.now())
    const waitMs = asked ?? firstWaitMs * 3 ** (attempt - 1)
    const isInVain = !this.#hasAnswered && trouble instanceof ConnectionLost && inVain.has(errnoOf(trouble.cause) ?? '')
    if (attempt >= (isInVain ? attemptsInVain : attempts) || waitMs > longestWaitMs)
      throw this.#away(trouble, waitMs > longestWaitMs ? waitMs : undefined)
    const again = isInVain ? 'trying again' : `again in ${Math.max(1, Math.round(waitMs / 1000))} s`
    const message = `${registry}: ${describeTrouble(trouble)}; ${again}`
    const isSaid = this.#said.has(message)
    if (!isSaid) {
      this.#said.add(message)
      report({ kind: 'waiting', message })
    }
    try {
      await clock.sleep(waitMs, { signal })
    } finally {
      if (!isSaid && !isInVain) this.#said.delete(message)
    }
  }

  #away(trouble: HttpAnswer | ConnectionLost, waitMs: number | undefined): FairwayError {
    const { registry } = this.#options
    const isOverTls = this.#base.protocol === 'https:'
    return new FairwayError('REGISTRY_UNREACHABLE', `${registry}: ${describeTrouble(trouble)}`, {
      hint:
        waitMs === undefined
          ? `Is it there, and is its name right? What has been sent stays there: the next try goes on from it.${isOverTls ? ' One without TLS needs --insecure-registry.' : ''}`
          : `It says to come back in ${counted(Math.ceil(waitMs / 60_000), 'minute')}.`,
      details: trouble instanceof ConnectionLost ? [] : registryWords(trouble, this.#authorizer.secrets),
      ...(trouble instanceof ConnectionLost ? { cause: trouble } : {}),
    })
  }

  /** What an answer that is none of the expected means. */
  refusal(answer: HttpAnswer, what: string): FairwayError {
    const { registry } = this.#options
    const details = registryWords(answer, this.#authorizer.secrets)
    if (answer.status === 401 || answer.status === 403) {
      return new FairwayError('REGISTRY_DENIED', `${registry} does not allow ${what} (${answer.status})`, {
        hint: `May this login push to ${this.name}? Log in as one who may: \`docker login ${registry}\``,
        details,
      })
    }
    const hint =
      answer.status === 413
        ? 'The registry, or a proxy before it, takes no request of that size: its limit must be raised there.'
        : undefined
    return new FairwayError('REGISTRY_REFUSED', `${registry} refused ${what} (${answer.status})`, { details, hint })
  }

  /** Whether the registry holds it; where it is not said to be the same it counts as missing. */
  async holds(
    kind: 'blobs' | 'manifests',
    { digest, mediaType }: Pick<Descriptor, 'digest' | 'mediaType'>,
    { signal }: Abortable,
  ): Promise<boolean> {
    const headers = kind === 'manifests' ? { accept: mediaType } : {}
    const answer = await this.send({ method: 'HEAD', url: `${kind}/${digest}`, headers, signal })
    if (answer.status === 200) return true
    if (answer.status === 404) return false
    throw this.refusal(answer, `to say whether it has ${digest.slice(0, 19)}`)
  }
}

/** May pass by itself. */
export function isPassing({ status }: HttpAnswer): boolean {
  return status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 505)
}

/** Seconds or a date. @see RFC 9110, 10.2.3 */
function retryAfterMs({ headers }: HttpAnswer, now: number): number | undefined {
  const text = headers['retry-after']
  if (text === undefined) return undefined
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}

function describeTrouble(trouble: HttpAnswer | ConnectionLost): string {
  if (trouble instanceof ConnectionLost)
    return errnoOf(trouble.cause) === 'ENOTFOUND'
      ? 'its name is not known (ENOTFOUND)'
      : `no answer (${trouble.message})`
  if (trouble.status === 429) return 'it is asked too often (429)'
  return `it answers ${trouble.status}`
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** This machine's own registries speak plain HTTP. */
function isLoopback(registry: string): boolean {
  const host = new URL(`http://${registry}`).hostname.replace(/^\[|\]$/g, '')
  return host === 'localhost' || (isIP(host) !== 0 && loopback.check(host, isIP(host) === 6 ? 'ipv6' : 'ipv4'))
}
