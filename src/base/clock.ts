import { setTimeout as delay } from 'node:timers/promises'

/** Time as an argument: app.ts passes the real one, a test its own. */
export interface Clock {
  /** Wall clock, ms since 1970: for people and logs only. It may jump. */
  readonly now: () => number
  /** CLOCK_MONOTONIC in ms: the same for every process since the machine's boot; for ages, deadlines and leases. */
  readonly monotonicMs: () => number
  /** @throws the signal's reason when aborted */
  readonly sleep: (ms: number, options?: { signal?: AbortSignal | undefined }) => Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => Number(process.hrtime.bigint() / 1000n) / 1000,
  async sleep(ms, { signal } = {}) {
    try {
      await delay(ms, undefined, signal === undefined ? {} : { signal })
    } catch (error) {
      signal?.throwIfAborted()
      throw error
    }
  },
}
