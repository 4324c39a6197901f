/** What the proxy did since its control plane began. */
export interface Counters {
  /** Answered by what was there, fresh. */
  hits: number
  /** Asked upstream for. */
  misses: number
  /** Answered by what is known not to be there. */
  negativeHits: number
  /** Answered by an older list, since no upstream could be asked. */
  staleHits: number
  /** Requests that joined a fetch of another. */
  joined: number
  /** Requests that wait for an upstream now. */
  waiters: number
  bytesServed: number
  bytesFetched: number
  upstreamErrors: number
  /** What was fetched and is not what it should be. */
  unverified: number
  denied: number
  evictions: number
  evictedBytes: number
}

export function newCounters(): Counters {
  return {
    hits: 0,
    misses: 0,
    negativeHits: 0,
    staleHits: 0,
    joined: 0,
    waiters: 0,
    bytesServed: 0,
    bytesFetched: 0,
    upstreamErrors: 0,
    unverified: 0,
    denied: 0,
    evictions: 0,
    evictedBytes: 0,
  }
}

/** What is now, not since the beginning. */
const gauges: ReadonlySet<string> = new Set(['waiters', 'storedBytes', 'quotaBytes'])

/** 'fairway_goproxy_hits_total 12' … @see Prometheus' text format, 0.0.4 */
export function prometheusText(values: Readonly<Record<string, number>>): string {
  return Object.entries(values)
    .map(([key, value]) => {
      const isGauge = gauges.has(key)
      const name = `fairway_goproxy_${key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}${isGauge ? '' : '_total'}`
      return `# TYPE ${name} ${isGauge ? 'gauge' : 'counter'}\n${name} ${value}\n`
    })
    .join('')
}
