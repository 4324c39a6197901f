import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { FairwayError } from '../base/error.ts'
import type { ResultEvent } from '../base/event.ts'
import { type Blob, digestSchema } from '../artifact/index.ts'
import { parse } from './refusal.ts'

const maxBlobBytes = 4 * 1024 * 1024 * 1024
const blob = z.object({ digest: digestSchema, size: z.number().int().nonnegative(), executable: z.boolean() })
const missingInput = z.object({ files: z.array(blob).max(100_000) })
const putQuery = z.object({ size: z.string().regex(/^\d{1,15}$/), executable: z.enum(['0', '1']).default('0') })

export interface Blobs {
  has(blob: Blob): Promise<boolean>
  put(blob: Blob, content: Readable): Promise<void>
}

/** Files of artifacts by digest: which are missing, and their bytes as they arrive. */
export function serveBlobs(server: FastifyInstance, blobs: Blobs): void {
  server.post('/v1/blobs/missing', async (request) => {
    const { files } = parse(missingInput, request.body, 'files')
    const missing: Blob[] = []
    for (const file of files) if (!(await blobs.has(file))) missing.push(file)
    return { missing }
  })
  // In a scope of its own: a file is taken as a stream of bytes, and as nothing that was parsed before.
  void server.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload))
    scope.put<{ Params: { digest: string } }>(
      '/v1/blobs/:digest',
      { bodyLimit: maxBlobBytes },
      async ({ params, query, body }) => {
        const { size, executable } = parse(putQuery, query, 'query')
        const file = parse(blob, { ...params, size: Number(size), executable: executable === '1' }, 'blob')
        if (!(body instanceof Readable)) {
          throw new FairwayError('REQUEST_INVALID', 'A file is sent as application/octet-stream')
        }
        await blobs.put(file, body)
        return { kind: 'result', outcome: 'done' } satisfies ResultEvent
      },
    )
  })
}
