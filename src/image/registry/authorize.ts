import type { Abortable } from '../../base/bounds.ts'
import { FairwayError } from '../../base/error.ts'
import { Secret } from '../../base/secret.ts'
import { type Challenge, parseChallenges } from './challenge.ts'
import type { Credentials } from './credentials.ts'
import { AddressRefused, type HttpAnswer, type HttpClient } from './http.ts'
import { registryWords } from './words.ts'

export interface AuthorizerOptions {
  readonly http: HttpClient
  /** 'registry.example.com:5000' */
  readonly registry: string
  /** Spoken to without TLS: then its token server may be too. */
  readonly isInsecure: boolean
  readonly credentials: Credentials | undefined
}

/** What a registry demands before it obeys: nothing, Basic, or a token that another server gives for it. */
export class Authorizer {
  readonly #options: AuthorizerOptions
  #header: Secret | undefined
  #asking: Promise<void> | undefined
  /** Whatever must not be seen in an error. */
  readonly #secrets: Secret[] = []

  constructor(options: AuthorizerOptions) {
    this.#options = options
    const { credentials } = options
    if (credentials === undefined) return
    const secret = credentials.kind === 'password' ? credentials.password : credentials.token
    this.#secrets.push(secret)
    if (credentials.kind === 'password') this.#secrets.push(new Secret(basic(credentials)))
    if (credentials.kind === 'registry-token') this.#header = new Secret(`Bearer ${secret.reveal()}`)
  }

  /** For the next request to the registry itself, and for no other. */
  headers(): { readonly authorization?: string } {
    return this.#header === undefined ? {} : { authorization: this.#header.reveal() }
  }

  get secrets(): readonly Secret[] {
    return this.#secrets
  }

  /**
   * Does what the registry asked for with 401. Several requests that were refused together ask once.
   * @param sentWith the `authorization` that was refused
   * @param scopes what the next request needs: 'repository:shop/web:pull,push'
   * @throws FairwayError REGISTRY_DENIED, REGISTRY_REFUSED for an answer nobody can obey
   */
  async satisfy(
    answer: HttpAnswer,
    sentWith: string | undefined,
    scopes: readonly string[],
    options: Abortable,
  ): Promise<void> {
    if (sentWith !== this.#header?.reveal()) return // answered meanwhile, for another request
    this.#asking ??= this.#ask(answer, scopes, options).finally(() => (this.#asking = undefined))
    return this.#asking
  }

  async #ask(answer: HttpAnswer, scopes: readonly string[], options: Abortable): Promise<void> {
    const { registry, credentials } = this.#options
    const challenges = parseChallenges(headerText(answer))
    const bearer = challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm'))
    if (bearer !== undefined) {
      const token = await this.#fetchToken(bearer, scopes, options)
      this.#secrets.push(token)
      this.#header = new Secret(`Bearer ${token.reveal()}`)
      return
    }
    const isBasic = challenges.some(({ scheme }) => scheme === 'basic')
    if (!isBasic) {
      throw this.#denied(`${registry} asks for a login in no known way`, answer)
    }
    if (credentials?.kind !== 'password' || this.#header !== undefined) {
      throw this.#denied(
        credentials === undefined ? `${registry} asks for a login` : `${registry} does not take the login kept for it`,
        answer,
      )
    }
    this.#header = new Secret(`Basic ${basic(credentials)}`)
  }

  /** @see Docker Registry v2 authentication: "Token Authentication Specification", "OAuth2" */
  async #fetchToken({ parameters }: Challenge, scopes: readonly string[], { signal }: Abortable): Promise<Secret> {
    const { http, registry, credentials } = this.#options
    const realm = this.#realm(parameters.get('realm') ?? '')
    const demanded = (parameters.get('scope') ?? '').split(/\s+/).filter((each) => each !== '')
    const wanted = [...new Set([...demanded, ...scopes])]
    const service = parameters.get('service') ?? ''
    const isForeign = !isSameHost(realm, registry)
    try {
      if (credentials?.kind === 'identity-token') {
        const form = new URLSearchParams({
          grant_type: 'refresh_token', service, scope: wanted.join(' '), client_id: 'fairway', refresh_token: credentials.token.reveal(),
        }) // prettier-ignore
        const bytes = Buffer.from(form.toString())
        const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' }
        const body = { size: bytes.length, open: () => [bytes] }
        const answer = await http.send({ method: 'POST', url: realm, headers, body, isForeign, signal })
        // Servers older than OAuth2 know the question by GET alone.
        if (answer.status !== 404 && answer.status !== 405) return this.#tokenOf(answer, realm)
      }
      const url = new URL(realm)
      if (service !== '') url.searchParams.append('service', service)
      for (const scope of wanted) url.searchParams.append('scope', scope)
      const login =
        credentials?.kind === 'password'
          ? basic(credentials)
          : credentials?.kind === 'identity-token'
            ? Buffer.from(`<token>:${credentials.token.reveal()}`).toString('base64')
            : undefined
      const headers = {
        accept: 'application/json',
        ...(login === undefined ? {} : { authorization: `Basic ${login}` }),
      }
      return this.#tokenOf(await http.send({ method: 'GET', url, headers, isForeign, signal }), realm)
    } catch (error) {
      if (error instanceof AddressRefused)
        throw this.#refuseRealm(
          realm.origin,
          `${error.message} is an address of this machine or inside of this network`,
        )
      throw error
    }
  }

  #tokenOf(answer: HttpAnswer, realm: URL): Secret {
    if (answer.status !== 200) {
      throw this.#denied(
        `${realm.host}, which gives out the tokens for ${this.#options.registry}, gave none (${answer.status})`,
        answer,
      )
    }
    try {
      const parsed: unknown = JSON.parse(answer.body.toString('utf8'))
      if (typeof parsed === 'object' && parsed !== null) {
        const { token, access_token: accessToken } = parsed as { token?: unknown; access_token?: unknown }
        const given = typeof token === 'string' && token !== '' ? token : accessToken
        // A line break in it would be another header.
        if (typeof given === 'string' && /^[\x21-\x7e]+$/.test(given)) return new Secret(given)
      }
    } catch {
      // said below
    }
    throw new FairwayError(
      'REGISTRY_REFUSED',
      `${realm.host}, which gives out the tokens for ${this.#options.registry}, answered without one`,
    )
  }

  /** Whoever answers 401 says where the password is to be sent: not without TLS, and not to this machine's own services. */
  #realm(text: string): URL {
    const { isInsecure } = this.#options
    let url: URL
    try {
      url = new URL(text)
    } catch {
      throw this.#refuseRealm(JSON.stringify(text.slice(0, 100)), 'it is no address')
    }
    if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isInsecure))
      throw this.#refuseRealm(url.origin, 'only https is safe for a password')
    if (url.username !== '' || url.password !== '') throw this.#refuseRealm(url.origin, 'it brings a login of its own')
    return url
  }

  #refuseRealm(realm: string, why: string): FairwayError {
    return new FairwayError(
      'REGISTRY_REFUSED',
      `${this.#options.registry} sends us to ${realm} for a token, and ${why}: nothing was sent there`,
      {
        hint: 'Is that the registry you meant? Ask who runs it.',
      },
    )
  }

  #denied(what: string, answer: HttpAnswer): FairwayError {
    const { registry, credentials } = this.#options
    return new FairwayError('REGISTRY_DENIED', what, {
      hint:
        credentials === undefined
          ? `No login for ${registry} is kept: \`docker login ${registry}\`, or write it to the config.json that DOCKER_CONFIG leads to.`
          : `Is the login still good? \`docker login ${registry}\``,
      details: registryWords(answer, this.#secrets),
    })
  }
}

/** The port is another matter: token servers often stand beside their registry. */
export function isSameHost(url: URL, registry: string): boolean {
  return url.hostname === new URL(`http://${registry}`).hostname
}

function basic({ user, password }: Extract<Credentials, { kind: 'password' }>): string {
  return Buffer.from(`${user}:${password.reveal()}`).toString('base64')
}

function headerText({ headers }: HttpAnswer): string {
  return headers['www-authenticate'] ?? ''
}
