import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type AddressInfo, connect, createServer as createRelay } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digestOf, hashFile } from '../../src/artifact/index.ts'
import { FairwayError } from '../../src/base/error.ts'
import type { FairwayEventBody } from '../../src/base/event.ts'
import { Secret } from '../../src/base/secret.ts'
import { composeImage } from '../../src/image/compose.ts'
import {
  composeReferrer,
  HttpClient,
  joinPlatforms,
  LayerCache,
  type PushOrder,
  pushImage,
  type Image,
  RegistryClient,
} from '../../src/image/index.ts'
import type { LayerEntry } from '../../src/image/layer.ts'
import type { Credentials } from '../../src/image/registry/credentials.ts'
import { pullAll, registryLogin, startDockerRegistry } from '../harness/docker-registry.ts'
import { HostileRegistry } from '../harness/hostile-registry.ts'

let folder: string
let image: Image
let twoPlatforms: Image
const binarySize = 3_000_000

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairway-push-'))
  const cache = await LayerCache.open(folder, { now: 0 })
  // Nothing that compresses: sizes on the line are those of the content.
  const noise = Buffer.from(
    Array.from({ length: binarySize / 32 }, (_, index) => digestOf(String(index))).join(''),
    'hex',
  )
  await writeFile(join(folder, 'binary'), noise)
  const digest = await hashFile(join(folder, 'binary'))
  if (digest === undefined) throw new Error('no file')
  const binary: LayerEntry = {
    path: 'app/web',
    kind: 'file',
    mode: 0o555,
    size: noise.length,
    source: join(folder, 'binary'),
    digest,
  }
  const layers = [
    await cache.layer('base', [{ path: 'etc', kind: 'folder', mode: 0o755, size: 0 }]),
    await cache.layer('binary', [binary]),
  ]
  const imageFor = (architecture: string) =>
    composeImage(
      { platform: { os: 'linux', architecture }, entrypoint: ['/app/web'], args: [], workingFolder: '/app', environment: {}, ports: [], volumes: [], labels: {}, createdAt: 0 },
      layers,
    ) // prettier-ignore
  image = joinPlatforms([imageFor('amd64')])
  twoPlatforms = joinPlatforms([imageFor('amd64'), imageFor('arm64')])
})
afterAll(() => rm(folder, { recursive: true, force: true }))

interface PushOptions {
  /** Filled, also where it fails. */
  waits?: number[]
  events?: FairwayEventBody[]
  readonly what?: Image
  readonly repository?: string
  readonly credentials?: Credentials
  readonly order?: Partial<PushOrder>
  readonly mountSources?: readonly string[]
  readonly idleMs?: number
  readonly signal?: AbortSignal
}

/** A push whose waiting is recorded, and over at once. */
async function push(registry: string, options: PushOptions = {}) {
  const { what = image, repository = 'shop/web', credentials, order = {}, mountSources, idleMs, signal } = options
  const { waits = [], events = [] } = options
  let progress = { sent: 0, total: 0 }
  using http = new HttpClient({ environment: {}, ...(idleMs === undefined ? {} : { idleMs }) })
  const client = new RegistryClient({
    http, registry, repository, credentials, mayPush: true,
    clock: { now: () => 0, sleep: (ms) => Promise.resolve(void waits.push(ms)) },
    report: (event) => events.push(event),
    ...(mountSources === undefined ? {} : { mountSources }),
  }) // prettier-ignore
  const result = await pushImage(
    client,
    { image: what, referrers: [], tags: ['v1'], mountable: new Map(), ...order },
    { signal, onProgress: (sent, total) => (progress = { sent, total }) },
  )
  return { result, waits, events, progress }
}

async function failure(work: Promise<unknown>): Promise<FairwayError> {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  )
  if (error instanceof FairwayError) return error
  throw new Error('it was expected to fail', { cause: error })
}

const password: Credentials = { kind: 'password', user: 'ada', password: new Secret('s3cret-word') }

describe('Debian’s docker-registry', () => {
  test('everything that was pushed reads back, each part by its digest, of one platform and of two', async () => {
    await using registry = await startDockerRegistry()
    await push(registry.address)
    const one = await pullAll(registry.address, 'shop/web', 'v1')
    expect(one.digest).toBe(image.root.digest)
    await push(registry.address, { what: twoPlatforms, repository: 'shop/both' })
    const both = await pullAll(registry.address, 'shop/both', 'v1')
    expect(both.digest).toBe(twoPlatforms.root.digest)
    expect(both.manifests).toHaveLength(2)
  })

  test('a second push sends nothing and says so; another tag alone is a change', async () => {
    await using registry = await startDockerRegistry()
    const first = await push(registry.address)
    expect(first.result).toMatchObject({ isChanged: true, heldBytes: 0 })
    expect(first.progress).toEqual({ sent: first.progress.total, total: first.result.sentBytes })
    expect((await push(registry.address)).result).toMatchObject({ isChanged: false, sentBytes: 0 })
    expect((await push(registry.address, { order: { tags: ['v2'] } })).result).toMatchObject({
      isChanged: true,
      sentBytes: 0,
    })
  })

  test('a layer that a neighbour has is mounted, not sent', async () => {
    await using registry = await startDockerRegistry()
    await push(registry.address)
    const mountable = new Map(image.platforms[0].layers.map(({ digest }) => [`sha256:${digest}`, 'shop/web']))
    const { result } = await push(registry.address, {
      repository: 'shop/worker',
      order: { mountable },
      mountSources: ['shop/web'],
    })
    expect(result.sentBytes).toBeLessThan(1000)
    expect(result.mountedBytes).toBeGreaterThan(binarySize)
    expect((await pullAll(registry.address, 'shop/worker', 'v1')).digest).toBe(image.root.digest)
  })

  test('a login is shown where it is asked for; a wrong one and none are refused, and told apart', async () => {
    await using registry = await startDockerRegistry({ hasLogin: true })
    const login: Credentials = {
      kind: 'password',
      user: registryLogin.user,
      password: new Secret(registryLogin.password),
    }
    await push(registry.address, { credentials: login })
    const basic = Buffer.from(`${registryLogin.user}:${registryLogin.password}`).toString('base64')
    const pulled = await pullAll(registry.address, 'shop/web', 'v1', { authorization: `Basic ${basic}` })
    expect(pulled.digest).toBe(image.root.digest)
    const wrong = await failure(push(registry.address, { credentials: password }))
    expect(wrong).toMatchObject({ code: 'REGISTRY_DENIED' })
    expect(wrong.message).toContain('does not take the login')
    const none = await failure(push(registry.address))
    expect(none.hint).toContain('docker login')
  })

  test('what is said of an image is found under the tag made of its digest; a second one is added to it, none twice', async () => {
    await using registry = await startDockerRegistry()
    const referrer = (artifactType: string) => {
      const subject = image.platforms[0].manifest.descriptor
      const content = Buffer.from(JSON.stringify({ artifactType }))
      return {
        subject,
        artifactType,
        ...composeReferrer({ subject, artifactType, content, title: 'web.json', createdAt: 0 }),
      }
    }
    await push(registry.address, { order: { referrers: [referrer('application/spdx+json')] } })
    const both = [referrer('application/spdx+json'), referrer('application/vnd.cyclonedx+json')]
    expect((await push(registry.address, { order: { referrers: both } })).result.isChanged).toBe(true)
    expect((await push(registry.address, { order: { referrers: both } })).result.isChanged).toBe(false)
    const fallback = await pullAll(registry.address, 'shop/web', image.root.digest.replace(':', '-'))
    expect(fallback.document.manifests?.map(({ artifactType }) => artifactType)).toEqual([
      'application/spdx+json',
      'application/vnd.cyclonedx+json',
    ])
    expect(fallback.manifests.map(({ manifest }) => manifest.subject?.digest)).toEqual([
      image.root.digest,
      image.root.digest,
    ])
  })
})

test('a line that is cut on the way to a real registry: the push goes on, and all of it reads back', async () => {
  await using registry = await startDockerRegistry()
  const [host = '', port = ''] = registry.address.split(':')
  const left = [1_000_000, 2_000_000] // bytes of a connection until it is cut, twice
  const relay = createRelay((client) => {
    const upstream = connect(Number(port), host)
    let sent = 0
    const end = () => [client, upstream].forEach((socket) => socket.destroy())
    client.on('data', (chunk: Buffer) => {
      sent += chunk.length
      if (left[0] !== undefined && sent > left[0]) {
        left.shift()
        end()
      } else upstream.write(chunk)
    })
    upstream.pipe(client)
    for (const socket of [client, upstream]) socket.on('error', end).on('close', end)
  })
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve))
  const { events, progress } = await push(`127.0.0.1:${(relay.address() as AddressInfo).port}`)
  relay.close()
  expect(left).toEqual([])
  expect(events.filter(({ kind }) => kind === 'waiting')).toHaveLength(2)
  expect(progress.sent).toBe(progress.total)
  expect((await pullAll(registry.address, 'shop/web', 'v1')).digest).toBe(image.root.digest)
})

describe('bad luck', () => {
  /** After whatever went wrong, all of it is there. */
  const expectWhole = (registry: HostileRegistry) => {
    for (const { digest } of image.platforms[0].layers) expect(registry.blobs.has(`sha256:${digest}`)).toBe(true)
    expect(registry.manifests.has('v1')).toBe(true)
  }
  const binaryDigest = () => image.platforms[0].layers[1]?.digest ?? ''

  test('a cut line: what arrived is asked for, and only the rest is sent', async () => {
    await using registry = await HostileRegistry.start()
    let cuts = 0
    registry.mishap = ({ method, headers }) =>
      method === 'PATCH' && Number(headers['content-length']) > 1_000_000 && (cuts += 1) <= 2
        ? { kind: 'cut', afterBytes: 1_000_000 }
        : undefined
    const { events, progress } = await push(registry.address)
    expectWhole(registry)
    const ranges = registry.requests.flatMap(({ headers }) => headers['content-range'] ?? [])
    expect(ranges[0]).toMatch(/^1000000-/)
    expect(registry.count('POST', /uploads/)).toBe(3) // one for each blob: none was begun again
    expect(events.filter(({ kind }) => kind === 'waiting')).toHaveLength(2)
    expect(progress.sent).toBe(progress.total)
  })

  test('a registry that forgot what arrived gets all of it again', async () => {
    await using registry = await HostileRegistry.start()
    let cuts = 0
    registry.mishap = ({ method, headers }) =>
      method === 'PATCH' && Number(headers['content-length']) > 1_000_000 && (cuts += 1) === 1
        ? { kind: 'cut', afterBytes: 500_000, forgets: true }
        : undefined
    const { progress } = await push(registry.address)
    expectWhole(registry)
    expect(progress.sent).toBe(progress.total)
  })

  test('an answer that was lost: it is looked whether the layer is there', async () => {
    await using registry = await HostileRegistry.start()
    let mute = 0
    registry.mishap = ({ method, path }) =>
      method === 'PUT' && path.includes('/blobs/') && (mute += 1) === 1 ? { kind: 'mute' } : undefined
    await push(registry.address)
    expectWhole(registry)
  })

  test('what arrived spoilt is sent anew, once; a registry that finds everything spoilt is told so', async () => {
    await using registry = await HostileRegistry.start()
    const spoilt = {
      kind: 'answer' as const,
      status: 400,
      body: JSON.stringify({ errors: [{ code: 'DIGEST_INVALID' }] }),
    }
    let once = 0
    registry.mishap = ({ method, path }) =>
      method === 'PUT' && path.includes('uploads') && (once += 1) === 1 ? spoilt : undefined
    await push(registry.address)
    expectWhole(registry)
    expect(registry.count('POST', /uploads/)).toBe(4)
    registry.blobs.clear()
    registry.mishap = ({ method, path }) => (method === 'PUT' && path.includes('uploads') ? spoilt : undefined)
    expect(await failure(push(registry.address))).toMatchObject({
      code: 'REGISTRY_REFUSED',
      details: ['DIGEST_INVALID'],
    })
  })

  test('416: the offset is asked for', async () => {
    await using registry = await HostileRegistry.start()
    let once = 0
    registry.mishap = ({ method }) =>
      method === 'PATCH' && (once += 1) === 1 ? { kind: 'answer', status: 416 } : undefined
    await push(registry.address)
    expectWhole(registry)
    expect(registry.count('GET', /uploads/)).toBe(1)
  })

  test('413 from a proxy in between: smaller pieces, and its own words where none is small enough', async () => {
    await using registry = await HostileRegistry.start()
    registry.mishap = ({ method, headers }) =>
      method === 'PATCH' && Number(headers['content-length']) > 1_048_576
        ? {
            kind: 'answer',
            status: 413,
            body: '<title>413 Request Entity Too Large</title>',
            headers: { 'content-type': 'text/html' },
          }
        : undefined
    await push(registry.address)
    expectWhole(registry)
    registry.blobs.clear()
    registry.mishap = ({ method }) =>
      method === 'PATCH'
        ? {
            kind: 'answer',
            status: 413,
            body: '<title>413 Request Entity Too Large</title>',
            headers: { 'content-type': 'text/html' },
          }
        : undefined
    const error = await failure(push(registry.address))
    expect(error).toMatchObject({ code: 'REGISTRY_REFUSED', details: ['413 Request Entity Too Large'] })
    expect(error.hint).toContain('limit')
  })

  test('no smaller pieces than the registry says it takes', async () => {
    await using registry = await HostileRegistry.start()
    registry.uploadHeaders = { 'oci-chunk-min-length': '2000000' }
    registry.mishap = ({ method, headers }) =>
      method === 'PATCH' && Number(headers['content-length']) > 2_500_000 ? { kind: 'answer', status: 413 } : undefined
    expect(await failure(push(registry.address))).toMatchObject({ code: 'REGISTRY_REFUSED' })
    expect(registry.requests.flatMap(({ headers }) => headers['content-range'] ?? [])).toEqual([])
  })

  test('429 and 503: as long as Retry-After says, else a little longer each time', async () => {
    await using registry = await HostileRegistry.start()
    registry.mishap = ({ method, nth }) => {
      if (method === 'POST' && nth === 0) return { kind: 'answer', status: 429, headers: { 'retry-after': '7' } }
      if (method === 'PUT' && nth < 2) return { kind: 'answer', status: 503 }
      return undefined
    }
    const { waits, events } = await push(registry.address)
    expectWhole(registry)
    expect(waits).toContain(7000)
    expect(events).toContainEqual({
      kind: 'waiting',
      message: expect.stringContaining('asked too often (429); again in 7 s'),
    })
  })

  test('a registry that stays away, and one that says to come back tomorrow, are told so', async () => {
    await using registry = await HostileRegistry.start()
    registry.mishap = ({ method }) =>
      method === 'POST' ? { kind: 'answer', status: 502, body: 'upstream is gone' } : undefined
    expect(await failure(push(registry.address))).toMatchObject({
      code: 'REGISTRY_UNREACHABLE',
      details: ['upstream is gone'],
    })
    registry.mishap = () => ({ kind: 'answer', status: 429, headers: { 'retry-after': '86400' } })
    const later = await failure(push(registry.address))
    expect(later.hint).toContain('1440 minutes')
  })

  test('where nobody is, is known soon, and said in one line however many layers wait', async () => {
    const registry = await HostileRegistry.start()
    const { address } = registry
    await registry[Symbol.asyncDispose]()
    const waits: number[] = []
    const events: FairwayEventBody[] = []
    expect(await failure(push(address, { waits, events }))).toMatchObject({
      code: 'REGISTRY_UNREACHABLE',
      message: expect.stringContaining('ECONNREFUSED'),
    })
    expect(Math.max(...waits)).toBe(1500)
    expect(events).toEqual([{ kind: 'waiting', message: expect.stringContaining('; trying again') }])
  })

  test('one that takes the bytes and goes silent counts as lost', async () => {
    const silent = createServer(() => {})
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as AddressInfo
    const error = await failure(push(`127.0.0.1:${port}`, { idleMs: 50 }))
    expect(error).toMatchObject({
      code: 'REGISTRY_UNREACHABLE',
      message: expect.stringContaining('nothing moved for 50 ms'),
    })
    silent.closeAllConnections()
    silent.close()
  })

  test('403: the registry’s own words, without the password should it repeat it', async () => {
    await using registry = await HostileRegistry.start()
    const echo = `requested access is denied: s3cret-word and ${Buffer.from('ada:s3cret-word').toString('base64')}`
    registry.mishap = ({ method }) =>
      method === 'POST'
        ? { kind: 'answer', status: 403, body: JSON.stringify({ errors: [{ code: 'DENIED', message: echo }] }) }
        : undefined
    const error = await failure(push(registry.address, { credentials: password }))
    expect(error).toMatchObject({
      code: 'REGISTRY_DENIED',
      details: ['DENIED: requested access is denied: [secret] and [secret]'],
    })
    expect(error.message).toContain('does not allow an upload to')
  })

  test('a manifest that became another on the way is no success', async () => {
    await using registry = await HostileRegistry.start()
    registry.mishap = ({ method, path }) =>
      method === 'PUT' && path.includes('manifests')
        ? { kind: 'answer', status: 201, headers: { 'docker-content-digest': `sha256:${'0'.repeat(64)}` } }
        : undefined
    expect(await failure(push(registry.address))).toMatchObject({ code: 'REGISTRY_REFUSED' })
  })

  test('tags come last: what fails before leaves none', async () => {
    await using registry = await HostileRegistry.start()
    registry.mishap = ({ method, path }) =>
      method === 'PATCH' && path.includes('uploads') ? { kind: 'answer', status: 400, body: 'no' } : undefined
    await failure(push(registry.address))
    expect(registry.manifests.size).toBe(0)
  })

  test('an interrupt ends it at once', async () => {
    await using registry = await HostileRegistry.start()
    const abort = new AbortController()
    registry.mishap = ({ method }) => {
      if (method === 'PATCH') abort.abort(new FairwayError('ABORTED', 'enough'))
      return undefined
    }
    expect(await failure(push(registry.address, { signal: abort.signal }))).toMatchObject({ code: 'ABORTED' })
    expect(registry.manifests.size).toBe(0)
  })

  test('a registry that knows subjects gets no tag beside', async () => {
    await using registry = await HostileRegistry.start()
    registry.hasReferrers = true
    const subject = image.platforms[0].manifest.descriptor
    const artifactType = 'application/spdx+json'
    const referrer = {
      subject,
      artifactType,
      ...composeReferrer({ subject, artifactType, content: Buffer.from('{}\n'), title: 'x', createdAt: 0 }),
    }
    await push(registry.address, { order: { referrers: [referrer] } })
    expect([...registry.manifests.keys()].filter((name) => name.startsWith('sha256-'))).toEqual([])
  })

  test('an upload that leads to an address of this machine, from a registry elsewhere on it, is not followed', async () => {
    await using registry = await HostileRegistry.start('127.0.0.2')
    registry.mishap = ({ method }) =>
      method === 'POST'
        ? { kind: 'answer', status: 202, headers: { location: 'http://169.254.169.254/latest/' } }
        : undefined
    const error = await failure(push(registry.address))
    expect(error).toMatchObject({ code: 'REGISTRY_REFUSED', message: expect.stringContaining('169.254.169.254') })
    registry.mishap = ({ method }) =>
      method === 'POST' ? { kind: 'answer', status: 202, headers: { location: 'file:///etc/passwd' } } : undefined
    expect(await failure(push(registry.address))).toMatchObject({ code: 'REGISTRY_REFUSED' })
    expect(binaryDigest()).not.toBe('')
  })
})

describe('tokens', () => {
  interface TokenServer extends AsyncDisposable {
    readonly url: string
    readonly asked: { method: string; scopes: string[]; authorization: string | undefined; form: string }[]
  }

  async function startTokenServer(
    answer: (nth: number, method: string) => { status: number; body: string },
  ): Promise<TokenServer> {
    const asked: TokenServer['asked'] = []
    const server = createServer((request, response) => {
      const url = new URL(request.url ?? '/', 'http://token')
      let form = ''
      request.setEncoding('utf8').on('data', (text: string) => (form += text))
      request.on('end', () => {
        asked.push({
          method: request.method ?? '',
          scopes: url.searchParams.getAll('scope'),
          authorization: request.headers.authorization,
          form,
        })
        const { status, body } = answer(asked.length - 1, request.method ?? '')
        response.writeHead(status, { 'content-type': 'application/json' }).end(body)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
      asked,
      async [Symbol.asyncDispose]() {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      },
    }
  }

  const demand = (realm: string, scope = 'repository:shop/web:pull') => ({
    kind: 'answer' as const,
    status: 401,
    headers: { 'www-authenticate': `Bearer realm="${realm}",service="test",scope="${scope}"` },
  })
  const issue = (nth: number) => ({ status: 200, body: JSON.stringify({ token: `token-${nth}`, expires_in: 60 }) })

  test('the registry names who gives tokens, the login goes there alone, the token to the registry alone', async () => {
    await using tokens = await startTokenServer(issue)
    await using registry = await HostileRegistry.start()
    registry.mishap = ({ headers }) => (headers.authorization === 'Bearer token-0' ? undefined : demand(tokens.url))
    await push(registry.address, { credentials: password })
    expect(tokens.asked).toHaveLength(1) // although several requests were refused at the same moment
    expect(tokens.asked[0]).toMatchObject({
      scopes: ['repository:shop/web:pull', 'repository:shop/web:pull,push'],
      authorization: `Basic ${Buffer.from('ada:s3cret-word').toString('base64')}`,
    })
    expect(new Set(registry.requests.map(({ headers }) => headers.authorization))).toEqual(
      new Set([undefined, 'Bearer token-0']),
    )
  })

  test('a token that runs out in the middle is replaced, and what the registry demands stands first', async () => {
    await using tokens = await startTokenServer(issue)
    await using registry = await HostileRegistry.start()
    registry.mishap = ({ method, headers }) => {
      const needed = method === 'PUT' ? 'Bearer token-1' : 'Bearer token-'
      return headers.authorization?.startsWith(needed) === true
        ? undefined
        : demand(tokens.url, method === 'PUT' ? 'repository:shop/web:push' : undefined)
    }
    await push(registry.address)
    expect(tokens.asked.map(({ scopes }) => scopes[0])).toEqual([
      'repository:shop/web:pull',
      'repository:shop/web:push',
    ])
  })

  test('an identity token is exchanged by POST; by GET where the server is older', async () => {
    const credentials: Credentials = { kind: 'identity-token', token: new Secret('refresh-me') }
    await using modern = await startTokenServer((nth) => ({
      status: 200,
      body: JSON.stringify({ access_token: `token-${nth}` }),
    }))
    await using registry = await HostileRegistry.start()
    registry.mishap = ({ headers }) => (headers.authorization === undefined ? demand(modern.url) : undefined)
    await push(registry.address, { credentials })
    expect(modern.asked).toHaveLength(1)
    expect(modern.asked[0]?.form).toContain('grant_type=refresh_token')
    expect(modern.asked[0]?.form).toContain('refresh_token=refresh-me')
    await using old = await startTokenServer((nth, method) =>
      method === 'POST' ? { status: 404, body: '' } : issue(nth),
    )
    registry.mishap = ({ headers }) => (headers.authorization === undefined ? demand(old.url) : undefined)
    await push(registry.address, { credentials, repository: 'shop/old' })
    expect(old.asked.map(({ method }) => method)).toEqual(['POST', 'GET'])
  })

  test('a realm that leads to this machine’s own services, or away from TLS, gets nothing', async () => {
    await using tokens = await startTokenServer(issue)
    // Another of this machine's addresses: the registry is not the token server's host.
    await using registry = await HostileRegistry.start('127.0.0.2')
    for (const realm of [
      tokens.url,
      'http://169.254.169.254/latest/meta-data',
      'http://10.0.0.1/token',
      'http://[::1]/token',
      'http://localhost:1/token',
      'ftp://127.0.0.2/',
      'nonsense',
      `http://user:word@${registry.address}/`,
    ]) {
      registry.mishap = () => demand(realm)
      const error = await failure(push(registry.address, { credentials: password }))
      expect({ realm, code: error.code }).toEqual({ realm, code: 'REGISTRY_REFUSED' })
      expect(JSON.stringify([error.message, error.hint, error.details])).not.toContain('s3cret')
    }
    expect(tokens.asked).toEqual([])
  })

  test('a token server that refuses, lies or answers a page is told apart from the registry', async () => {
    await using registry = await HostileRegistry.start()
    const answers = [
      [401, '{"details":"incorrect username or password"}', 'REGISTRY_DENIED'],
      [200, '<html>', 'REGISTRY_REFUSED'],
      [200, '{"token":"two\\r\\nlines"}', 'REGISTRY_REFUSED'],
      [200, '{"token":7}', 'REGISTRY_REFUSED'],
    ] as const
    for (const [status, body, code] of answers) {
      await using tokens = await startTokenServer(() => ({ status, body }))
      registry.mishap = () => demand(tokens.url)
      expect(await failure(push(registry.address, { credentials: password }))).toMatchObject({ code })
    }
  })

  test('a registry that is never content is not asked for ever', async () => {
    await using tokens = await startTokenServer(issue)
    await using registry = await HostileRegistry.start()
    registry.mishap = () => demand(tokens.url)
    expect(await failure(push(registry.address))).toMatchObject({ code: 'REGISTRY_DENIED' })
    expect(registry.requests.length).toBeLessThan(20)
  })
})
