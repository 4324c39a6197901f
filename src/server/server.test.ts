import { connect } from 'node:net'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { FastifyInstance } from 'fastify'
import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'
import { FairwayError } from '../base/error.ts'
import type { FairwayEvent } from '../base/event.ts'
import { apiVersion, version } from './api.ts'
import { createServer, mayAskForModules, type ServerAccess, type ServerDomain } from './server.ts'
import type { BoundOperation } from './bound-operation.ts'

/** A control plane that does nothing, and tells what it was asked. */
class FakeDomain implements ServerDomain {
  readonly told: FairwayEvent[] = []
  readonly listeners = new Set<(event: FairwayEvent) => void>()
  readonly stored = new Map<string, string>()
  readonly aborted: string[] = []
  /** Events of the log are read in pages of this many. */
  page = 5000
  operations: BoundOperation[] = [
    {
      name: 'status',
      summary: 'What runs',
      kind: 'read',
      input: z.object({ project: z.string().min(1) }),
      run: async (input, { who }) => ({ outcome: 'done', data: { input, who } }),
    },
    {
      name: 'up',
      summary: 'Release',
      kind: 'change',
      input: z.object({ fail: z.boolean().default(false), hang: z.boolean().default(false) }),
      run: async (input, { follow, output, signal }) => {
        const { fail, hang } = input as { fail: boolean; hang: boolean }
        if (fail) throw new FairwayError('ROLLOUT_BUSY', 'ada is at work', { hint: '--wait' })
        follow?.(7)
        this.tell(1, 7)
        this.tell(2, 8) // another operation's
        await output?.({ stream: 'out', text: 'hello' })
        if (hang) await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
        return { outcome: 'done' }
      },
    },
  ]
  readonly events = {
    subscribe: (listener: (event: FairwayEvent) => void) => {
      this.listeners.add(listener)
      return () => this.listeners.delete(listener)
    },
    after: async (seq: number) => {
      const events = this.told.filter((event) => event.seq > seq).slice(0, this.page)
      const first = events[0]?.seq
      return { events, isComplete: first === undefined || first === seq + 1 || seq === 0 }
    },
    last: async (limit: number) => this.told.slice(Math.max(0, this.told.length - limit)),
    flush: async () => {},
  }
  readonly blobs = {
    has: async ({ digest }: { digest: string }) => this.stored.has(digest),
    put: async ({ digest }: { digest: string }, content: Readable) => {
      this.stored.set(digest, Buffer.concat(await content.toArray()).toString())
    },
  }
  readonly asked: string[] = []
  readonly moduleFigures = async () => ({ hits: 3 })
  readonly modules: ServerDomain['modules'] = async (target, _request, response) => {
    this.asked.push(target)
    response.end('v1.0.0\n')
  }
  readonly operationResult = async () => ({ kind: 'result', outcome: 'done' }) as const
  readonly abortOperation = async (operation: number, who: string) => {
    if (operation > 8) throw new FairwayError('ROLLOUT_NONE', `operation ${operation} is not known`)
    this.aborted.push(`${operation} ${who}`)
  }
  // oxlint-disable-next-line require-yield -- there are none
  readonly logs = async function* (): AsyncGenerator<object> {
    throw new FairwayError('SERVICE_UNKNOWN', 'There is no nobody')
  }
  readonly version = () => ({
    version,
    api: apiVersion,
    pid: 1,
    home: 'id',
    addresses: { api: '127.0.0.1:8470', gateway: [], socket: '/x' },
    startedAt: 0,
  })

  tell(seq: number, operation?: number): void {
    const event = {
      kind: 'waiting',
      message: `event ${seq}`,
      seq,
      at: 0,
      ...(operation === undefined ? {} : { operation }),
    } as const
    this.told.push(event)
    for (const listener of this.listeners) listener(event)
  }
}

const open: FastifyInstance[] = []
afterEach(async () => {
  for (const server of open.splice(0)) await server.close()
})

function serve(access: ServerAccess = {}): { server: FastifyInstance; domain: FakeDomain } {
  const domain = new FakeDomain()
  const server = createServer(domain, access)
  open.push(server)
  return { server, domain }
}

const token = 'a-token-of-this-home'
const guarded: ServerAccess = { token, hosts: new Set(['localhost', '127.0.0.1']) }
const authorization = `Bearer ${token}`

/** What came as server-sent events: data, and the ids that a reader would resume with. */
function framesOf(text: string): { ids: number[]; data: Record<string, unknown>[] } {
  const ids = Array.from(text.matchAll(/^id: (\d+)$/gm), ([, id]) => Number(id))
  const data = Array.from(
    text.matchAll(/^data: (.*)$/gm),
    ([, line = '']) => JSON.parse(line) as Record<string, unknown>,
  )
  return { ids, data }
}

test.for<[string, Record<string, string>]>([
  ['no token', {}],
  ['another token', { authorization: 'Bearer another' }],
  ['a token of the same length', { authorization: `Bearer ${'x'.repeat(token.length)}` }],
  ['the token under another scheme', { authorization: `Basic ${token}` }],
  ['the token, addressed by a name of elsewhere', { authorization, host: 'evil.example.com' }],
  ['the token, addressed by a name that only begins as ours', { authorization, host: '127.0.0.1.example.com:8470' }],
])('by its address it refuses %s', async ([, headers]) => {
  const { server } = serve(guarded)
  for (const url of ['/v1/version', '/v1/openapi.json', '/v1/events', '/nowhere']) {
    const answer = await server.inject({ url, headers: { host: '127.0.0.1:8470', ...headers } })
    expect([url, answer.statusCode, answer.json<{ error: { code: string } }>().error.code]).toEqual([
      url,
      401,
      'UNAUTHORIZED',
    ])
  }
})

test('with the token, addressed as it is bound, it answers', async () => {
  const { server } = serve(guarded)
  const answer = await server.inject({ url: '/v1/version', headers: { host: 'localhost:8470', authorization } })
  expect(answer.statusCode).toBe(200)
  expect(answer.headers).toMatchObject({ 'x-fairway-version': version, 'x-fairway-api': String(apiVersion) })
})

test('an operation that reads is answered with data, and knows who asks', async () => {
  const { server } = serve()
  const ask = (headers: Record<string, string>) =>
    server.inject({ method: 'POST', url: '/v1/operations/status', payload: { project: 'shop' }, headers })
  expect((await ask({ 'x-fairway-who': 'ada@laptop' })).json()).toEqual({
    kind: 'result',
    outcome: 'done',
    data: { input: { project: 'shop' }, who: 'ada@laptop' },
  })
  expect((await ask({ 'x-fairway-who': 'a b\tc' })).json()).toMatchObject({ data: { who: 'unknown' } })
})

const blobUrl = `/v1/blobs/${'a'.repeat(64)}?size=2`
const putting = (headers: Record<string, string>, payload: string | undefined) => ({
  method: 'PUT',
  url: blobUrl,
  headers,
  payload,
})

test.for<[string, object]>([
  ['a missing field', { method: 'POST', url: '/v1/operations/status', payload: {} }],
  ['an ill-typed field', { method: 'POST', url: '/v1/operations/status', payload: { project: 5 } }],
  [
    'no JSON',
    { method: 'POST', url: '/v1/operations/status', payload: '{', headers: { 'content-type': 'application/json' } },
  ],
  ['an operation that is no number', { url: '/v1/running/x' }],
  ['a limit that is no number', { url: '/v1/events?last=many' }],
  ['lines that are no number', { url: '/v1/logs?lines=-1' }],
  [
    'a digest that is none',
    {
      method: 'POST',
      url: '/v1/blobs/missing',
      payload: { files: [{ digest: '../../x', size: 1, executable: false }] },
    },
  ],
  ['services given twice', { url: '/v1/logs?project=shop&environment=dev&services=a&services=b' }],
  ['a follow that is neither yes nor no', { url: '/v1/logs?project=shop&environment=dev&follow=always' }],
  ['a limit given twice', { url: '/v1/events?last=1&last=2' }],
  ['a limit of nothing', { url: '/v1/events?last=' }],
  ['an address that is no text', { url: '/%ff' }],
  ['a file as text: a path on this machine', putting({ 'content-type': 'text/plain' }, '/etc/hostname')],
  ['a file as JSON', putting({ 'content-type': 'application/json' }, '"/etc/hostname"')],
  ['a file of no type', putting({}, '/etc/hostname')],
  ['a file without content', putting({}, undefined)],
  [
    'a file of no size',
    { ...putting({ 'content-type': 'application/octet-stream' }, 'hi'), url: blobUrl.slice(0, -1) },
  ],
])('%s is refused as the caller’s mistake', async ([, request]) => {
  const { server, domain } = serve()
  const answer = await server.inject(request)
  expect(answer.statusCode).toBe(400)
  expect(answer.json()).toMatchObject({ kind: 'result', outcome: 'refused', error: { code: 'REQUEST_INVALID' } })
  expect(domain.stored).toEqual(new Map())
})

test('an address of nothing is said, with where the addresses are', async () => {
  const { server } = serve()
  const answer = await server.inject({ url: '/v2/anything' })
  expect(answer.statusCode).toBe(404)
  expect(answer.json()).toMatchObject({
    error: { code: 'NOT_FOUND', hint: expect.stringContaining('openapi.json') as string },
  })
})

test('an operation that changes is streamed: its number, its own events alone, output, result', async () => {
  const { server } = serve()
  const answer = await server.inject({ method: 'POST', url: '/v1/operations/up', payload: {} })
  expect(answer.headers['content-type']).toMatch(/^text\/event-stream/)
  expect(framesOf(answer.body).data.map(({ kind }) => kind)).toEqual(['operation', 'waiting', 'output', 'result'])
})

test('one that is refused says so as its result', async () => {
  const { server } = serve()
  const answer = await server.inject({ method: 'POST', url: '/v1/operations/up', payload: { fail: true } })
  expect(framesOf(answer.body).data).toMatchObject([
    { kind: 'result', outcome: 'refused', error: { code: 'ROLLOUT_BUSY' } },
  ])
})

test('whoever holds the name of a call turns it back; another name is unknown', async () => {
  const { server } = serve()
  const running = server.inject({
    method: 'POST',
    url: '/v1/operations/up',
    payload: { hang: true },
    headers: { 'x-fairway-call': 'mine' },
  })
  const abort = (call: string) => server.inject({ method: 'POST', url: `/v1/calls/${call}/abort`, payload: {} })
  expect((await abort('yours')).statusCode).toBe(404)
  await expect.poll(async () => (await abort('mine')).statusCode).toBe(200)
  expect(framesOf((await running).body).data.at(-1)).toEqual({ kind: 'result', outcome: 'aborted' })
})

test('an operation is turned back by its number too; one that never was is unknown', async () => {
  const { server, domain } = serve()
  const headers = { 'x-fairway-who': 'ada@laptop' }
  await server.inject({ method: 'POST', url: '/v1/running/7/abort', payload: {}, headers })
  const unknown = await server.inject({ method: 'POST', url: '/v1/running/9999/abort', payload: {}, headers })
  expect(unknown.statusCode).toBe(404)
  expect(unknown.json()).toMatchObject({ outcome: 'refused', error: { code: 'ROLLOUT_NONE' } })
  expect(domain.aborted).toEqual(['7 ada@laptop'])
})

test('a reader that was cut off goes on after the last id it saw, however much it missed', async () => {
  const { server, domain } = serve()
  domain.page = 10
  for (let seq = 1; seq <= 95; seq += 1) domain.tell(seq, 7)
  const events = await server.inject({ url: '/v1/events', headers: { 'last-event-id': '3' } })
  expect(framesOf(events.body).ids).toEqual(Array.from({ length: 92 }, (_, index) => index + 4))
  const operation = await server.inject({ url: '/v1/running/7?after=90' })
  expect(framesOf(operation.body).ids).toEqual([91, 92, 93, 94, 95])
  expect(framesOf(operation.body).data.at(-1)).toEqual({ kind: 'result', outcome: 'done' })
})

test('when events in between are no longer kept it is told so first', async () => {
  const { server, domain } = serve()
  for (let seq = 50; seq <= 52; seq += 1) domain.tell(seq)
  const { body } = await server.inject({ url: '/v1/events', headers: { 'last-event-id': '3' } })
  expect(framesOf(body).data.map(({ kind }) => kind)).toEqual(['reset', 'waiting', 'waiting', 'waiting', 'result'])
})

test('the last few, where nothing is resumed', async () => {
  const { server, domain } = serve()
  for (let seq = 1; seq <= 80; seq += 1) domain.tell(seq)
  expect(framesOf((await server.inject({ url: '/v1/events' })).body).ids).toHaveLength(50)
  expect(framesOf((await server.inject({ url: '/v1/events?last=2' })).body).ids).toEqual([79, 80])
})

test('what logs are refused for comes as the stream’s result', async () => {
  const { server } = serve()
  const { body } = await server.inject({ url: '/v1/logs?project=shop&environment=dev&services=nobody' })
  expect(framesOf(body).data).toMatchObject([{ outcome: 'refused', error: { code: 'SERVICE_UNKNOWN' } }])
})

test('files travel by digest, and what is held already is not asked for', async () => {
  const { server, domain } = serve()
  const digests = ['a', 'b'].map((letter) => letter.repeat(64))
  const files = digests.map((digest) => ({ digest, size: 2, executable: false }))
  await server.inject({
    method: 'PUT',
    url: `/v1/blobs/${digests[0]}?size=2&executable=0`,
    payload: 'hi',
    headers: { 'content-type': 'application/octet-stream' },
  })
  expect(domain.stored.get(digests[0] ?? '')).toBe('hi')
  const answer = await server.inject({ method: 'POST', url: '/v1/blobs/missing', payload: { files } })
  expect(answer.json()).toEqual({ missing: [files[1]] })
})

test('a bug of ours is 500 with its stack, and no code of the catalogue', async () => {
  const { server, domain } = serve()
  const [status] = domain.operations
  if (status !== undefined) Object.assign(status, { run: () => Promise.reject(new Error('bug')) })
  const answer = await server.inject({ method: 'POST', url: '/v1/operations/status', payload: { project: 'x' } })
  expect(answer.statusCode).toBe(500)
  expect(answer.json()).toMatchObject({
    error: { code: 'INTERNAL', message: expect.stringContaining('bug') as string },
  })
})

test('OpenAPI describes the routes there are, and no others', async () => {
  const { server } = serve()
  const { paths } = (await server.inject({ url: '/v1/openapi.json' })).json<{ paths: Record<string, object> }>()
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({ url: path.replaceAll(/\{(\w+)\}/g, ':$1'), method: method.toUpperCase() })),
  )
  expect(described.filter((route) => !server.hasRoute(route as Parameters<typeof server.hasRoute>[0]))).toEqual([])
  const leaves = server.printRoutes({ commonPrefix: false }).match(/\((?!HEAD|OPTIONS)[A-Z, ]+\)/g) ?? []
  expect(described).toHaveLength(leaves.length - 1) // its own page is not described
})

test.for<[string, string, number]>([
  ['what is no HTTP', 'hello\r\n\r\n', 400],
  ['a head without end', `GET / HTTP/1.1\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
])('%s is refused in the form of every other error', async ([, sent, status]) => {
  const { server } = serve()
  const { hostname, port } = new URL(await server.listen({ host: '127.0.0.1', port: 0 }))
  const socket = connect({ host: hostname, port: Number(port) })
  socket.write(sent)
  const [head = '', body = ''] = (await text(socket)).split('\r\n\r\n')
  expect(head).toContain(`HTTP/1.1 ${status} `)
  expect(JSON.parse(body)).toMatchObject({ outcome: 'refused', error: { code: 'REQUEST_INVALID' } })
})

const basic = (password: string) => `Basic ${Buffer.from(`any:${password}`).toString('base64')}`

test.each([
  ['from this machine by its name', { host: 'localhost:8470' }, '127.0.0.1', true],
  ['from this machine over IPv6', { host: '[::1]:8470' }, '::1', true],
  [
    'from this machine by a name of elsewhere: a page that resolves to it',
    { host: 'evil.example.com' },
    '127.0.0.1',
    false,
  ],
  ['by a proxy of this machine, for others', { host: 'localhost', 'x-forwarded-for': '10.0.0.1' }, '127.0.0.1', false],
  ['from elsewhere', { host: 'localhost' }, '10.0.0.7', false],
  ['from elsewhere with the token as password', { host: 'mods', authorization: basic('t0ken') }, '10.0.0.7', true],
  ['from elsewhere with the token', { host: 'mods', authorization: 'Bearer t0ken' }, '10.0.0.7', true],
  [
    'with another token, from this machine too',
    { host: 'localhost', authorization: basic('other') },
    '127.0.0.1',
    false,
  ],
])('modules are given out %s: %o from %s: %s', (_, headers, remoteAddress, isLetIn) => {
  const access = { token: 't0ken', hosts: new Set(['localhost', '127.0.0.1', '[::1]']) }
  expect(mayAskForModules({ headers, socket: { remoteAddress } }, access)).toBe(isLetIn)
})

test('the module proxy is reached before the API, and only under its own path', async () => {
  const { server, domain } = serve({ token: 't0ken', hosts: new Set(['localhost', '127.0.0.1']) })
  await server.listen({ host: '127.0.0.1', port: 0 })
  try {
    const address = server.server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const ask = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, init)
    expect(await (await ask('/goproxy/example.com/m/@v/list')).text()).toBe('v1.0.0\n')
    expect((await ask('/goproxyx')).status).toBe(401) // the API's own refusal
    const refused = await ask('/goproxy/x', { headers: { authorization: basic('wrong') } })
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, expect.stringContaining('Basic')])
    expect(domain.asked).toEqual(['/example.com/m/@v/list'])
  } finally {
    await server.close()
  }
})
