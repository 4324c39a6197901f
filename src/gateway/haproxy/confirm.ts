import { request } from 'node:http'
import { connect } from 'node:net'
import { boundSignal } from '../../base/bounds.ts'
import type { Clock } from '../../base/clock.ts'
import { FairwayError } from '../../base/error.ts'
import { askHealth } from '../../base/grpc-health.ts'
import type { GatewayService } from '../gateway.ts'
import { describeCheck, isConfirmedUp } from './evidence.ts'
import { checkPath } from './names.ts'
import type { HaproxyRuntimeClient } from './runtime-client.ts'

/**
 * Waits until HAProxy's own check of the server was good and, where it is an HTTP check, one request of its path through
 * HAProxy was answered by that very server.
 * @throws FairwayError GATEWAY_UNCONFIRMED at the deadline; the signal's reason when aborted
 */
export async function confirmServer(
  target: { backend: string; server: string; id: number; check: GatewayService['check'] },
  parts: {
    client: HaproxyRuntimeClient
    socketPath: string
    clock: Clock
    signal: AbortSignal | undefined
    deadlineMs: number
  },
): Promise<void> {
  const { client, socketPath, clock, signal, deadlineMs } = parts
  const { backend, server, id, check } = target
  const bounded = boundSignal({ signal, deadlineMs })
  const isOver = () => bounded?.aborted === true
  let seen = 'it was never asked'
  for (let waitMs = 1; !isOver(); waitMs = Math.min(50, waitMs * 2)) {
    try {
      const [row] = await client.stat({ backend, kind: 4, number: id }, { signal: bounded })
      seen = describeCheck(row)
      if (row !== undefined && isConfirmedUp(row)) {
        // Its own check has just connected to it; without a path there is nothing more to ask a program we do not know.
        if (check.kind === 'tcp' || check.kind === 'stream' || (check.kind === 'grpc' && !check.health)) return
        const answer =
          check.kind === 'grpc'
            ? await askHealthThrough(socketPath, { backend, server }, bounded)
            : await askThrough(socketPath, { backend, server, path: checkPath(check.path) }, bounded)
        if (answer.server === `${backend}/${server}` && answer.good) return
        seen = `${answer.server === '' ? 'the gateway itself' : answer.server} answered ${answer.said}`
      }
    } catch (error) {
      if (!isOver()) {
        if (error instanceof FairwayError && error.code !== 'GATEWAY_UNREACHABLE') throw error
        seen = error instanceof Error ? error.message : String(error)
      }
    }
    await clock.sleep(waitMs, { signal: bounded }).catch(() => {})
  }
  signal?.throwIfAborted()
  throw new FairwayError('GATEWAY_UNCONFIRMED', `The gateway does not see ${backend}/${server} answer: ${seen}`, {
    hint: 'Does the program listen on the address it was given, and answer its probe with 2xx when asked by HAProxy?',
  })
}

/** One health check of one server, through HAProxy, on a connection of its own. */
async function askHealthThrough(
  socketPath: string,
  { backend, server }: { backend: string; server: string },
  signal: AbortSignal | undefined,
): Promise<ConfirmAnswer> {
  const headers = { 'x-fairway-backend': backend, 'x-fairway-server': server }
  const answer = await askHealth(() => connect(socketPath), { authority: 'localhost', headers, signal })
  const named = answer.headers['x-fairway-server']
  return {
    good: answer.kind === 'serving',
    said: `the gRPC health check with ${answer.detail}`,
    server: typeof named === 'string' ? named : '',
  }
}

interface ConfirmAnswer {
  readonly good: boolean
  /** 'GET /healthz with 404' */
  readonly said: string
  /** 'BACKEND/SERVER' as HAProxy names who answered; '' when HAProxy itself did. */
  readonly server: string
}

/** One GET of the path to one server, through HAProxy, on a connection of its own. */
function askThrough(
  socketPath: string,
  { backend, server, path }: { backend: string; server: string; path: string },
  signal: AbortSignal | undefined,
): Promise<ConfirmAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<ConfirmAnswer>()
  const outgoing = request(
    {
      socketPath,
      path,
      agent: false,
      headers: {
        host: 'localhost',
        'user-agent': 'fairway-gateway',
        'x-fairway-backend': backend,
        'x-fairway-server': server,
      },
      ...(signal === undefined ? {} : { signal }),
    },
    (response) => {
      const named = response.headers['x-fairway-server']
      // The head tells all; the body may have no end.
      response.destroy()
      const { statusCode: status = 0 } = response
      const answeredBy = typeof named === 'string' ? named : ''
      resolve({ good: status >= 200 && status < 300, said: `GET ${path} with ${status}`, server: answeredBy })
    },
  )
  outgoing.on('error', reject)
  outgoing.end()
  return promise
}
