import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { writeFileAtomic } from '../../base/atomic-file.ts'
import { errnoOf, FairwayError } from '../../base/error.ts'

const port = z.number().int().min(1).max(65_535)
const schema = z.object({
  version: z.literal(1),
  /** What was asked for, port 0 included → the port it came to. */
  binds: z.record(z.string(), port),
  /** By scope, 'shop/production/web'. */
  services: z.record(
    z.string(),
    z.object({ backendId: z.number().int(), internalPort: port, nextServerId: z.number().int() }),
  ),
})

/** Ports and numbers that must stay what they are over restarts; all else comes from whoever calls. */
export type GatewayRecord = z.output<typeof schema>

export const emptyRecord: GatewayRecord = { version: 1, binds: {}, services: {} }

/** @throws FairwayError STATE_CORRUPT */
export async function readRecord(path: string): Promise<GatewayRecord> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return emptyRecord
    throw error
  }
  try {
    return schema.parse(JSON.parse(text))
  } catch (cause) {
    throw new FairwayError('STATE_CORRUPT', `${path} is not a gateway's record`, {
      hint: 'Remove it: the gateway chooses its ports anew. Instances then need a restart to learn the new internal addresses.',
      cause,
    })
  }
}

export function writeRecord(path: string, record: GatewayRecord): Promise<void> {
  return writeFileAtomic(path, `${JSON.stringify(record, null, 2)}\n`)
}
