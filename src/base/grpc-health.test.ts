import { expect, test } from 'vitest'
import { readAnswer } from './grpc-health.ts'

test.for<[Record<string, string>, number[], string]>([
  [{ 'grpc-status': '0' }, [0, 0, 0, 0, 2, 8, 1], 'serving SERVING'],
  [{ 'grpc-status': '0' }, [0, 0, 0, 0, 2, 8, 2], 'not-serving NOT_SERVING'],
  [{ 'grpc-status': '0' }, [0, 0, 0, 0, 0], 'not-serving UNKNOWN'],
  [{ 'grpc-status': '0' }, [], 'not-serving UNKNOWN'],
  [{ 'grpc-status': '12', 'grpc-message': 'unknown service' }, [], 'unimplemented grpc-status 12: unknown service'],
  [{ 'grpc-status': '16' }, [], 'unimplemented grpc-status 16'],
  [{ 'grpc-status': '5' }, [], 'not-serving grpc-status 5'],
  [{}, [], 'http2 status none, no gRPC'],
])('%j with %j', ([headers, body, expected]) => {
  const { kind, detail } = readAnswer(headers, Buffer.from(body))
  expect(`${kind} ${detail}`).toBe(expected)
})
