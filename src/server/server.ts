import { timingSafeEqual } from 'node:crypto'
import type { Readable } from 'node:stream'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { errorCatalogue, FairwayError, reportError } from '../base/error.ts'
import type { FairwayEvent, ResultEvent } from '../base/event.ts'
import { type Blob, digestSchema } from '../artifact/index.ts'
import { z } from 'zod'
import { apiVersion, type OperationFrame, version, type VersionAnswer } from './api.ts'
import { EventStream } from './event-stream.ts'
import type { BoundOperation } from './bound-operation.ts'
import { openApi } from './openapi.ts'

/** What the API needs of the application; app.ts gives it. */
export interface ServerDomain {
  readonly operations: readonly BoundOperation[]
  readonly events: {
    subscribe(listener: (event: FairwayEvent) => void): () => void
    after(seq: number): Promise<{ events: FairwayEvent[]; isComplete: boolean }>
    last(limit: number): Promise<FairwayEvent[]>
    flush(): Promise<void>
  }
  readonly blobs: {
    has(blob: Blob): Promise<boolean>
    put(blob: Blob, content: Readable): Promise<void>
  }
  readonly operationResult: (operation: number) => Promise<ResultEvent>
  /** Asks for it; how it then ends is its result. One that has ended stays as it is. */
  readonly abortOperation: (operation: number, who: string) => void
  readonly logs: (query: LogQuery, options: { signal: AbortSignal }) => AsyncIterable<object>
  readonly version: () => VersionAnswer
}

export interface LogQuery {
  readonly project: string
  readonly environment: string
  readonly services: readonly string[]
  readonly follow: boolean
  readonly lines: number | undefined
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
  const server = Fastify({ logger: false, bodyLimit: 32 * 1024 * 1024, forceCloseConnections: true })
  const calls = new Map<string, AbortController>()
  server.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload))
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
    domain.abortOperation(parse(wholeNumber, request.params.operation, 'operation'), whoOf(request))
    return { kind: 'result', outcome: 'done' } satisfies ResultEvent
  })
  server.get<{ Params: { operation: string }; Querystring: { after?: string } }>(
    '/v1/running/:operation',
    async (request, reply) => {
      const operation = parse(wholeNumber, request.params.operation, 'operation')
      const after = request.query.after === undefined ? undefined : parse(wholeNumber, request.query.after, 'after')
      const stream = new EventStream(request, reply)
      await followOperation(operation, after ?? lastEventId(request) ?? 0, domain, stream)
      return reply
    },
  )
  server.get<{ Querystring: { follow?: string; last?: string } }>('/v1/events', async (request, reply) => {
    await streamEvents(domain, request, reply)
    return reply
  })
  server.get<{ Querystring: Record<string, string | undefined> }>('/v1/logs', async (request, reply) => {
    const { project = '', environment = '', services = '', follow, lines } = request.query
    const query: LogQuery = {
      project,
      environment,
      services: services === '' ? [] : services.split(','),
      follow: follow === '1',
      lines: lines === undefined ? undefined : parse(wholeNumber, lines, 'lines'),
    }
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
  server.post('/v1/blobs/missing', async (request) => {
    const { files } = parse(z.object({ files: z.array(blob).max(100_000) }), request.body, 'files')
    const missing: Blob[] = []
    for (const file of files) if (!(await domain.blobs.has(file))) missing.push(file)
    return { missing }
  })
  server.put<{ Params: { digest: string }; Querystring: { size?: string; executable?: string }; Body: Readable }>(
    '/v1/blobs/:digest',
    { bodyLimit: 4 * 1024 * 1024 * 1024 },
    async (request) => {
      const { size, executable } = request.query
      const file = { digest: request.params.digest, size: Number(size), executable: executable === '1' }
      await domain.blobs.put(parse(blob, file, 'blob'), request.body)
      return { kind: 'result', outcome: 'done' } satisfies ResultEvent
    },
  )
  return server
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
  const [a, b] = [Buffer.from(given), Buffer.from(token)]
  if (a.length !== b.length || !timingSafeEqual(a, b)) {
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
async function streamEvents(
  domain: ServerDomain,
  request: FastifyRequest<{ Querystring: { follow?: string; last?: string } }>,
  reply: FastifyReply,
): Promise<void> {
  const limit = request.query.last === undefined ? 50 : parse(wholeNumber, request.query.last, 'last')
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
    if (request.query.follow === '1') await stream.closed
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

const wholeNumber = z.coerce.number().int().nonnegative()

function parseInput(operation: BoundOperation, body: unknown): unknown {
  return parse(operation.input, body ?? {}, operation.name)
}

/** @throws FairwayError REQUEST_INVALID with every finding's place */
function parse<Schema extends z.ZodType>(schema: Schema, value: unknown, what: string): z.output<Schema> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const details = parsed.error.issues
    .slice(0, 20)
    .map(({ path, message }) => `${path.join('.') || 'input'}: ${message}`)
  throw new FairwayError('REQUEST_INVALID', `${what}: ${details[0] ?? 'not valid'}`, { details })
}

const blob = z.object({ digest: digestSchema, size: z.number().int().nonnegative(), executable: z.boolean() })

/** For the history: 'ada@laptop'. It is what the caller says of itself. */
function whoOf(request: FastifyRequest): string {
  const said = String(request.headers['x-fairway-who'] ?? '')
  return /^[\x21-\x7e]{1,100}$/.test(said) ? said : 'unknown'
}

function lastEventId(request: FastifyRequest): number | undefined {
  const id = Number(request.headers['last-event-id'])
  return Number.isInteger(id) && id >= 0 && request.headers['last-event-id'] !== undefined ? id : undefined
}

/** Nothing was changed: a code with its status where we know the reason, 500 for a bug of ours. */
function refusal(error: unknown): { status: number; result: ResultEvent } {
  const report = reportError(asFairway(error))
  const status = report.code === 'INTERNAL' ? 500 : errorCatalogue[report.code].http
  return { status, result: { kind: 'result', outcome: 'refused', error: report } }
}

/** What fastify itself refuses (bad JSON, too large) is the caller's mistake. */
function asFairway(error: unknown): unknown {
  if (error instanceof FairwayError || !(error instanceof Error) || !('statusCode' in error)) return error
  return Number(error.statusCode) < 500 ? new FairwayError('REQUEST_INVALID', error.message) : error
}
