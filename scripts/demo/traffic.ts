import { type Load, startLoad } from '../../test/load/raw-client.ts'

/** Requests per second: on kept connections, and each on a new one. */
const perSecond = { 'keep-alive': 400, new: 100 } as const

export interface TrafficCount {
  /** By the release that answered. */
  readonly answered: ReadonlyMap<string, number>
  readonly failed: number
  readonly firstFailure: string | undefined
}

/** A real load on the gateway: bare sockets, nothing sent twice, so that every loss is seen. Each answer says its release. */
export class Traffic {
  readonly #loads: readonly Load[]
  readonly #answered = new Map<string, number>()
  readonly #lastSentAt = new Map<string, number>()

  constructor(address: { host: string; port: number }, host: string) {
    this.#loads = (['keep-alive', 'new'] as const).map((connections) =>
      startLoad({
        address,
        connections,
        perSecond: perSecond[connections],
        request: { path: '/', host },
        onAnswer: ({ headers, sentAt }) => {
          const release = headers.get('x-version') ?? '?'
          this.#answered.set(release, (this.#answered.get(release) ?? 0) + 1)
          this.#lastSentAt.set(release, Math.max(sentAt, this.#lastSentAt.get(release) ?? 0))
        },
      }),
    )
  }

  get perSecond(): number {
    return perSecond['keep-alive'] + perSecond.new
  }

  get count(): TrafficCount {
    const failures = this.#loads.flatMap(({ result }) => result.failures)
    const first = failures[0]
    return {
      answered: this.#answered,
      failed: failures.length,
      firstFailure: first === undefined ? undefined : `${first.kind} ${first.detail}`,
    }
  }

  /** When the last request was sent that this release answered, by `performance.now()`. */
  lastSentAt(release: string): number | undefined {
    return this.#lastSentAt.get(release)
  }

  async stop(): Promise<TrafficCount> {
    await Promise.all(this.#loads.map((load) => load.stop()))
    return this.count
  }
}
