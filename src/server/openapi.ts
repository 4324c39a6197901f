import { z } from 'zod'
import { errorCatalogue } from '../base/error.ts'
import { version } from './api.ts'
import type { BoundOperation } from './bound-operation.ts'

/** The API in its own words, made from the operations: OpenAPI 3.1. */
export function openApi(operations: readonly BoundOperation[]): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Fairway',
      version,
      description: `Error codes: ${Object.entries(errorCatalogue)
        .map(([code, { title }]) => `${code} (${title})`)
        .join(', ')}.`,
    },
    components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
    security: [{ token: [] }],
    paths: {
      '/v1/version': { get: described('Version, addresses in force', json({})) },
      '/v1/modules': { get: described('What the module proxy did, in numbers', json({})) },
      '/v1/events': { get: described('All events, as server-sent events; resumed by Last-Event-ID', events()) },
      '/v1/logs': { get: described('Lines of instances, as server-sent events', events()) },
      '/v1/running/{operation}': { get: described('Events and result of an operation', events()) },
      '/v1/running/{operation}/abort': { post: described('Turn an operation back by its number', json({})) },
      '/v1/calls/{call}/abort': { post: described('Abort a call by the name its caller gave it', json({})) },
      '/v1/blobs/missing': { post: described('Which of these files are not held yet', json({})) },
      '/v1/blobs/{digest}': { put: described('A file of an artifact, by its sha256', json({})) },
      ...Object.fromEntries(
        operations.map((operation) => [`/v1/operations/${operation.name}`, { post: path(operation) }]),
      ),
    },
  }
}

function path(operation: BoundOperation): object {
  return {
    operationId: operation.name,
    summary: operation.summary,
    requestBody: {
      content: {
        'application/json': { schema: z.toJSONSchema(operation.input, { io: 'input', unrepresentable: 'any' }) },
      },
    },
    responses: operation.kind === 'read' ? json({}) : events(),
  }
}

function described(summary: string, responses: object): object {
  return { summary, responses }
}

function json(schema: object): object {
  return { 200: { description: 'the result', content: { 'application/json': { schema } } } }
}

function events(): object {
  return { 200: { description: 'events, and at last the result', content: { 'text/event-stream': {} } } }
}
