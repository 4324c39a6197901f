import { timingSafeEqual } from 'node:crypto'
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { FairwayError, reportError } from '../base/error.ts'
import type { FairwayEvent, ResultEvent } from '../base/event.ts'
import { z } from 'zod'
import { apiVersion, type OperationFrame, version, type VersionAnswer } from './api.ts'
import { EventStream } from './event-stream.ts'
import type { BoundOperation } from './bound-operation.ts'
import { type Blobs, serveBlobs } from './blobs.ts'
import { openApi } from './openapi.ts'
import { parse, refusal, refuseConnection } from './refusal.ts'

/** What the API needs of the application; app.ts gives it. */
export interface ServerDomain {
  readonly operations: readonly BoundOperation[]
  readonly events: {
    subscribe(listener: (event: FairwayEvent) => void): () => void
    after(seq: number): Promise<{ events: FairwayEvent[]; isComplete: boolean }>
    last(limit: number): Promise<FairwayEvent[]>
    flush(): Promise<void>
  }
  readonly blobs: Blobs
  readonly operationResult: (operation: number) => Promise<ResultEvent>
  /** Asks for it; how it then ends is its result. One that has ended stays as it is. @throws FairwayError ROLLOUT_NONE */
  readonly abortOperation: (operation: number, who: string) => Promise<void>
  readonly logs: (query: LogQuery, options: { signal: AbortSignal }) => AsyncIterable<object>
  readonly version: () => VersionAnswer
  /** What the module proxy did since this control plane began; nothing where nobody asked it. */
  readonly moduleFigures: () => Promise<Readonly<Record<string, number>>>
  /** The module proxy. @param target what stands behind '/goproxy' */
  readonly modules: (target: string, request: IncomingMessage, response: ServerResponse) => Promise<void>
}

export interface LogQuery {
  readonly project: string
  readonly environment: string
  readonly services: readonly string[]
  readonly follow: boolean
  readonly lines?: number | undefined
}

export interface ServerAccess {
  /** undefined: whoever may open the socket may use it. */
  readonly token?: string
  /** Host names a request may be addressed to, against rebinding; undefined on a Unix socket. */
  readonly hosts?: ReadonlySet<string>
  /** Nobody is answered before. */
  readonly ready?: Promise<void>
}

/** The HTTP API: operations, events, logs, blobs. It parses, authorizes and serves; it decides nothing. */
export function createServer(domain: ServerDomain, access: ServerAccess): FastifyInstance {
  const server = Fastify({
    logger: false,
    bodyLimit: 32 * 1024 * 1024,
    forceCloseConnections: true,
    // Before the framework: a build asks for hundreds of small files, and what it does for each call costs as much again.
    serverFactory: (handle) =>
      createHttpServer((request, response) => {
        const target = proxyTarget(request.url ?? '')
        if (target === undefined) handle(request, response)
        else void serveModules(target, domain, access, request, response)
      }),
    clientErrorHandler: refuseConnection,
    frameworkErrors(error, _request, reply) {
      const { status, result } = refusal(error)
      reply.raw.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(result))
    },
  })
  const calls = new Map<string, AbortController>()
  server.removeContentTypeParser('text/plain')
  server.addHook('onRequest', async (request, reply) => {
    reply.header('x-fairway-version', version).header('x-fairway-api', String(apiVersion))
    authorize(request, access)
    await access.ready
  })
  server.setErrorHandler((error, _request, reply) => {
    const { status, result } = refusal(error)
    return reply.code(status).send(result)
  })
  server.setNotFoundHandler((request, reply) => {
    const error = new FairwayError('NOT_FOUND', `${request.method} ${request.url} is not part of the API`, {
      hint: 'GET /v1/openapi.json describes it.',
    })
    const { status, result } = refusal(error)
    return reply.code(status).send(result)
  })

  server.get('/v1/version', () => domain.version())
  server.get('/v1/modules', () => domain.moduleFigures())
  server.get('/v1/openapi.json', () => openApi(domain.operations))
  for (const operation of domain.operations) {
    server.post(`/v1/operations/${operation.name}`, async (request, reply) => {
      if (operation.kind === 'read') return readOperation(operation, request)
      await streamOperation(operation, domain, calls, request, reply)
      return reply
    })
  }
  server.post<{ Params: { call: string } }>('/v1/calls/:call/abort', async (request) => {
    const call = calls.get(request.params.call)
    if (call === undefined) throw new FairwayError('NOT_FOUND', 'No such call is under way')
    call.abort(new FairwayError('ABORTED', `aborted by ${whoOf(request)}`))
    return { kind: 'result', outcome: 'done' } satisfies ResultEvent
  })
  // After a restart of the control plane an operation goes on without the call that began it.
  server.post<{ Params: { operation: string } }>('/v1/running/:operation/abort', async (request) => {
    await domain.abortOperation(parse(wholeNumber, request.params.operation, 'operation'), whoOf(request))
    return { kind: 'result', outcome: 'done' } satisfies ResultEvent
  })
  server.get<{ Params: { operation: string } }>('/v1/running/:operation', async (request, reply) => {
    const operation = parse(wholeNumber, request.params.operation, 'operation')
    const { after } = parse(runningQuery, request.query, 'query')
    const stream = new EventStream(request, reply)
    await followOperation(operation, after ?? lastEventId(request) ?? 0, domain, stream)
    return reply
  })
  server.get('/v1/events', async (request, reply) => {
    await streamEvents(domain, request, reply)
    return reply
  })
  server.get('/v1/logs', async (request, reply) => {
    const query: LogQuery = parse(logsQuery, request.query, 'query')
    const stream = new EventStream(request, reply)
    try {
      for await (const frame of domain.logs(query, { signal: stream.signal })) await stream.send(frame)
      await stream.send({ kind: 'result', outcome: 'done' } satisfies ResultEvent)
    } catch (error) {
      if (!stream.signal.aborted) await stream.send(refusal(error).result)
    }
    stream.end()
    return reply
  })
  serveBlobs(server, domain.blobs)
  return server
}

/** What stands behind '/goproxy'; undefined for any other address. */
function proxyTarget(url: string): string | undefined {
  return url.startsWith('/goproxy/') || url === '/goproxy' ? url.slice('/goproxy'.length) : undefined
}

async function serveModules(
  target: string,
  domain: ServerDomain,
  access: ServerAccess,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  response.on('error', () => {}) // whoever asked has gone
  try {
    if (!mayAskForModules(request, access)) {
      const words =
        'The module proxy asks for a token here: as the password of https://USER:TOKEN@HOST, or in .netrc.\n'
      response.writeHead(401, {
        'content-type': 'text/plain; charset=utf-8',
        'content-length': Buffer.byteLength(words),
        'www-authenticate': 'Basic realm="fairway", charset="UTF-8"',
        'cache-control': 'no-store',
      })
      response.end(words)
      return
    }
    await domain.modules(target, request, response)
  } catch (error) {
    if (response.headersSent) response.destroy()
    else response.writeHead(500, { 'content-type': 'text/plain; charset=utf-8' }).end(`${reportError(error).message}\n`)
  }
}

/**
 * Whoever is on this machine, and says so by the name he asks for; from elsewhere, and through a proxy that speaks for
 * others, with the token. A page of elsewhere that resolves to us names itself, and is neither.
 */
export function mayAskForModules(
  {
    headers,
    socket,
  }: Pick<IncomingMessage, 'headers'> & { readonly socket: { readonly remoteAddress?: string | undefined } },
  { token, hosts }: ServerAccess,
): boolean {
  if (token === undefined) return true
  const [scheme = '', given = ''] = (headers.authorization ?? '').split(' ')
  if (/^bearer$/i.test(scheme)) return isToken(given, token)
  if (/^basic$/i.test(scheme)) {
    const pair = Buffer.from(given, 'base64').toString('utf8')
    return isToken(pair.slice(pair.indexOf(':') + 1), token)
  }
  const isHere = /^(?:::ffff:)?127\.|^::1$/.test(socket.remoteAddress ?? '')
  const isForwarded = headers['x-forwarded-for'] !== undefined || headers.forwarded !== undefined
  return (
    isHere &&
    !isForwarded &&
    localNames.has(hostName(headers.host ?? '')) &&
    hosts?.has(hostName(headers.host ?? '')) === true
  )
}

const localNames: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]'])

function isToken(given: string, token: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(token)]
  return a.length === b.length && timingSafeEqual(a, b)
}

function authorize(request: FastifyRequest, { token, hosts }: ServerAccess): void {
  if (hosts !== undefined && !hosts.has(hostName(request.headers.host ?? ''))) {
    throw new FairwayError(
      'UNAUTHORIZED',
      `This control plane does not answer for ${request.headers.host ?? 'no host'}`,
      {
        hint: 'Address it as it is bound: `fairway status --json` shows the addresses in force.',
      },
    )
  }
  if (token === undefined) return
  const given = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? ''
  if (!isToken(given, token)) {
    throw new FairwayError('UNAUTHORIZED', given === '' ? 'No token was given' : 'The token is not this home’s', {
      hint: 'Give it by FAIRWAY_TOKEN or --token-file; the home’s own stands in HOME/token.',
    })
  }
}

/** '[::1]:8470' → '[::1]' */
function hostName(host: string): string {
  return host.replace(/:\d+$/, '').toLowerCase()
}

async function readOperation(operation: BoundOperation, request: FastifyRequest): Promise<ResultEvent> {
  const result = await operation.run(parseInput(operation, request.body), {
    report: () => {},
    signal: new AbortController().signal,
    who: whoOf(request),
  })
  return { kind: 'result', ...result }
}

/** Streams what happens; a client that goes away ends nothing. Whoever holds the call's name may abort it. */
async function streamOperation(
  operation: BoundOperation,
  domain: ServerDomain,
  calls: Map<string, AbortController>,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const input = parseInput(operation, request.body)
  const call = String(request.headers['x-fairway-call'] ?? '')
  const abort = new AbortController()
  if (call !== '') calls.set(call, abort)
  const stream = new EventStream(request, reply)
  let followed: number | undefined
  const unsubscribe = domain.events.subscribe((event) => {
    if (event.operation !== undefined && event.operation === followed) void stream.send(event, event.seq)
  })
  const send = (frame: OperationFrame) => void stream.send(frame)
  try {
    const result = await operation.run(input, {
      report: (body) => send({ ...body, seq: 0, at: Date.now() }), // for the caller alone: it is no history
      signal: abort.signal,
      who: whoOf(request),
      follow: (number) => {
        followed = number
        send({ kind: 'operation', operation: number })
      },
      output: (line) => stream.send({ kind: 'output', ...line } satisfies OperationFrame),
    })
    await domain.events.flush()
    send({ kind: 'result', ...result })
  } catch (error) {
    await domain.events.flush()
    send(abort.signal.aborted ? { kind: 'result', outcome: 'aborted' } : refusal(error).result)
  } finally {
    unsubscribe()
    if (call !== '') calls.delete(call)
    stream.end()
  }
}

/** For a client whose line was cut: the events it has not seen, those to come, and the result. */
async function followOperation(
  operation: number,
  after: number,
  domain: ServerDomain,
  stream: EventStream,
): Promise<void> {
  let last = after
  const send = (event: FairwayEvent) => {
    if (event.operation !== operation || event.seq <= last) return
    last = event.seq
    void stream.send(event, event.seq)
  }
  const held: FairwayEvent[] = []
  let replaying = true
  const unsubscribe = domain.events.subscribe((event) => (replaying ? void held.push(event) : send(event)))
  try {
    for await (const event of replay(domain, after)) if (event.kind !== 'reset') send(event)
    replaying = false
    for (const event of held) send(event)
    const result = await domain.operationResult(operation)
    await domain.events.flush()
    await stream.send(result)
  } catch (error) {
    await stream.send(refusal(error).result)
  } finally {
    unsubscribe()
    stream.end()
  }
}

/** All events: from `Last-Event-ID` on, or the last few; `reset` says that some in between are no longer kept. */
async function streamEvents(domain: ServerDomain, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { follow, last: limit } = parse(eventsQuery, request.query, 'query')
  const from = lastEventId(request)
  const stream = new EventStream(request, reply)
  const held: FairwayEvent[] = []
  let last = 0
  let replaying = true
  const send = (event: FairwayEvent) => {
    if (event.seq <= last) return
    last = event.seq
    void stream.send(event, event.seq)
  }
  const unsubscribe = domain.events.subscribe((event) => (replaying ? void held.push(event) : send(event)))
  try {
    if (from === undefined) for (const event of await domain.events.last(limit)) send(event)
    else {
      for await (const event of replay(domain, from)) {
        if (event.kind === 'reset') await stream.send(event)
        else send(event)
      }
    }
    replaying = false
    for (const event of held) send(event)
    if (follow) await stream.closed
    else await stream.send({ kind: 'result', outcome: 'done' } satisfies ResultEvent)
  } finally {
    unsubscribe()
    stream.end()
  }
}

/** Everything kept after a number, however much it is; `reset` first where some in between is not kept any more. */
async function* replay({ events }: ServerDomain, after: number): AsyncGenerator<FairwayEvent | { kind: 'reset' }> {
  for (let from = after; ;) {
    const batch = await events.after(from)
    if (!batch.isComplete) yield { kind: 'reset' }
    yield* batch.events
    const last = batch.events.at(-1)?.seq
    if (last === undefined) return
    from = last
  }
}

/** As text: '' and '0x10' are no numbers, though `Number` reads them as such. */
const wholeNumber = z
  .string()
  .regex(/^\d{1,15}$/, 'expected a whole number')
  .transform(Number)
const flag = z
  .enum(['0', '1'])
  .default('0')
  .transform((text) => text === '1')
/** A name given twice comes as a list: none of these takes one. */
const runningQuery = z.object({ after: wholeNumber.optional() })
const eventsQuery = z.object({ follow: flag, last: wholeNumber.default(50) })
const logsQuery = z.object({
  project: z.string().default(''),
  environment: z.string().default(''),
  services: z
    .string()
    .default('')
    .transform((text) => (text === '' ? [] : text.split(','))),
  follow: flag,
  lines: wholeNumber.optional(),
})

function parseInput(operation: BoundOperation, body: unknown): unknown {
  return parse(operation.input, body ?? {}, operation.name)
}

/** For the history: 'ada@laptop'. It is what the caller says of itself. */
function whoOf(request: FastifyRequest): string {
  const said = String(request.headers['x-fairway-who'] ?? '')
  return /^[\x21-\x7e]{1,100}$/.test(said) ? said : 'unknown'
}

function lastEventId(request: FastifyRequest): number | undefined {
  const id = Number(request.headers['last-event-id'])
  return Number.isInteger(id) && id >= 0 && request.headers['last-event-id'] !== undefined ? id : undefined
}
