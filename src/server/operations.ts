import { z } from 'zod'
import { defineOperation, type OperationContext } from '../base/operation.ts'
import { releaseOperations } from '../release/index.ts'
import { secretOperations } from '../security/index.ts'

export interface ServerContext {
  /** Called once the answer is on its way. */
  readonly stop: () => void
  /** Nothing serves: the gateway ends too. */
  readonly isIdle: () => Promise<boolean>
}

const serverStop = defineOperation({
  name: 'server-stop',
  summary: 'End the control plane; instances and gateway serve on',
  kind: 'read', // answered at once: there is nothing to follow
  input: z.object({}),
  async run(_input, { stop, isIdle }: ServerContext & OperationContext) {
    const gatewayEnds = await isIdle()
    stop()
    return { outcome: 'done', data: { gatewayEnds } }
  },
})

/** Every operation of every domain: the API's routes, the command line's table and the OpenAPI are made of it. */
export const allOperations = [...releaseOperations, ...secretOperations, serverStop]
