import type { Abortable } from '../../base/bounds.ts'
import type { Clock } from '../../base/clock.ts'
import { FairwayError } from '../../base/error.ts'
import type { ServiceScope } from '../../config/index.ts'
import type { GatewayCounters } from '../gateway.ts'
import { sum } from './evidence.ts'
import type { ManagedHaproxy } from './managed.ts'
import { backendName } from './names.ts'
import type { StatRow } from './parse.ts'

/** More than HAProxy's own repetitions of a request (`retries 3`). */
const cutAttempts = 6

export interface ServerLoad {
  readonly sessions: number
  readonly queued: number
}

/** What users have open, over all workers: one that was replaced may still be answering. */
export class Sessions {
  readonly #haproxy: ManagedHaproxy
  readonly #clock: Clock

  constructor(haproxy: ManagedHaproxy, clock: Clock) {
    this.#haproxy = haproxy
    this.#clock = clock
  }

  /** The current worker's row first, then those of workers that were replaced. */
  ofBackend(backend: string): Promise<StatRow[]> {
    return this.#rows({ backend, kind: 4 })
  }

  async load(
    backend: string,
    server: string,
    { number, signal }: Abortable & { number?: number },
  ): Promise<ServerLoad> {
    const rows = await this.#rows({ backend, kind: 4, ...(number === undefined ? {} : { number }) }, signal)
    const mine = rows.filter(({ svname }) => svname === server)
    return { sessions: sum(mine, 'scur'), queued: sum(mine, 'qcur') }
  }

  async cut(backend: string, server: string): Promise<void> {
    const { client } = this.#haproxy
    await client.shutdownSessions(`${backend}/${server}`)
    await this.#askOldWorkers(async (worker) => {
      for (let attempt = 0; attempt < cutAttempts; attempt += 1) {
        if ((await client.shutdownSessionsOf(worker, backend, server)) === 0) return
        await this.#clock.sleep(5)
      }
    })
  }

  async counters(): Promise<GatewayCounters> {
    const rows = await this.#rows({ kind: 2 })
    // The way of a replaced worker to the current one is not a retry of anybody's request.
    const services = rows.filter(({ pxname }) => pxname?.includes('.') === true)
    return { retries: sum(services, 'wretr'), redispatches: sum(services, 'wredis') }
  }

  async failures(scope: ServiceScope): Promise<number> {
    return sum(await this.#rows({ backend: backendName(scope), kind: 2 }), 'hrsp_5xx')
  }

  async #rows(what: { backend?: string; kind: 2 | 4; number?: number }, signal?: AbortSignal): Promise<StatRow[]> {
    const { client } = this.#haproxy
    const current = await client.stat(what, { signal })
    // An old worker may have given the number to nobody or, after a restart of all, to another: there the name decides.
    const { number: _, ...byName } = what
    const old = await this.#askOldWorkers((worker) => client.stat(byName, { signal, worker }))
    return [...current, ...old.flat()]
  }

  async #askOldWorkers<T>(ask: (worker: number) => Promise<T>): Promise<T[]> {
    const answers: T[] = []
    for (const worker of this.#haproxy.oldWorkers) {
      try {
        answers.push(await ask(worker))
      } catch (error) {
        if (!(error instanceof FairwayError) || error.code !== 'GATEWAY_UNREACHABLE') throw error
        this.#haproxy.forgetWorker(worker)
      }
    }
    return answers
  }
}
