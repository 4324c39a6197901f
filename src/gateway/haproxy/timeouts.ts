/**
 * Every time-out HAProxy is given, in ms, with its reason. docs/gateway.md says the same to operators; a test holds the
 * two together.
 */
export const timeouts = {
  /** Instances are on this machine or next to it: a connect that takes longer is lost, and another instance is tried. */
  connect: 2_000,
  /** Silence of a client in the middle of a request or an answer: a minute is a phone that went through a tunnel. */
  client: 60_000,
  /** Silence of a program, before or within its answer: reports and event streams without pings take their time. */
  server: 300_000,
  /** No answer after this long in the gateway's queue is worth the wait of the one who asked. */
  queue: 10_000,
  /** Silence on a WebSocket: an hour, as there is nobody to ask whether it is still wanted. */
  tunnel: 3_600_000,
  /** From a connection's first byte to the end of the headers: longer is an attack by slowness. */
  httpRequest: 10_000,
  /** Between two requests of one connection: as long as browsers and Go's client usually keep one. */
  httpKeepAlive: 60_000,
  /** One answer of a check. */
  check: 2_000,
  /** An old worker ends its open requests after a reload, and its WebSockets; what is left then is cut. */
  hardStopAfter: 3_600_000,
} as const

/** HAProxy's own check of each server, in ms and counts. */
export const checks = {
  /** While all is well. Fairway's probe watches more closely; this one works also while Fairway is away. */
  inter: 2_000,
  /** While it is in doubt: three bad answers within half a second take a server out, one hiccup does not. */
  fastinter: 200,
  /** While it is down. */
  downinter: 500,
  fall: 3,
  rise: 1,
  /**
   * The first check of a server that was just added comes within this time, whatever the interval: a fresh instance is
   * confirmed in about 10 ms (HAProxy's `max-spread-checks`; without it the first check waits for `downinter`).
   */
  firstWithin: 10,
} as const
