import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { z } from 'zod'
import { errnoOf, errorCatalogue, FairwayError, reportError } from '../base/error.ts'
import type { ResultEvent } from '../base/event.ts'

/** Nothing was changed: a code with its status where we know the reason, 500 for a bug of ours. */
export function refusal(error: unknown): { status: number; result: ResultEvent } {
  const report = reportError(asFairway(error))
  const status = report.code === 'INTERNAL' ? 500 : errorCatalogue[report.code].http
  return { status, result: { kind: 'result', outcome: 'refused', error: report } }
}

/** What fastify itself refuses (bad JSON, too large, another content type) is the caller's mistake. */
function asFairway(error: unknown): unknown {
  if (error instanceof FairwayError || !(error instanceof Error) || !('statusCode' in error)) return error
  return Number(error.statusCode) < 500 ? new FairwayError('REQUEST_INVALID', error.message) : error
}

/** What is no HTTP has no request to answer by: said on the bare connection, in the form of every other error. */
export function refuseConnection(error: Error, socket: Socket): void {
  if (errnoOf(error) === 'ECONNRESET' || socket.destroyed) return
  const [status, what] =
    errnoOf(error) === 'HPE_HEADER_OVERFLOW'
      ? [431, 'The request’s head is larger than 16 KiB']
      : errnoOf(error) === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? [408, 'The request did not arrive whole in time']
        : [400, 'That is no HTTP request']
  const body = JSON.stringify(refusal(new FairwayError('REQUEST_INVALID', what)).result)
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  if (socket.writable) socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
  socket.destroySoon()
}

/** @throws FairwayError REQUEST_INVALID with every finding's place */
export function parse<Schema extends z.ZodType>(schema: Schema, value: unknown, what: string): z.output<Schema> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const details = parsed.error.issues
    .slice(0, 20)
    .map(({ path, message }) => `${path.join('.') || 'input'}: ${message}`)
  throw new FairwayError('REQUEST_INVALID', `${what}: ${details[0] ?? 'not valid'}`, { details })
}
