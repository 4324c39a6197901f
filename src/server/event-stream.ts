import type { FastifyReply, FastifyRequest } from 'fastify'

/** A quiet line still says that it lives: proxies and clients close what is silent. */
const heartbeatMs = 15_000
/** A reader that does not read is let go: what it missed it can ask for by Last-Event-ID. */
const maxBacklogBytes = 8 * 1024 * 1024

/** Server-sent events on one reply. */
export class EventStream {
  readonly #raw: FastifyReply['raw']
  readonly #abort = new AbortController()
  readonly #heartbeat: NodeJS.Timeout
  /** Resolves when the client is gone or the stream has ended. */
  readonly closed: Promise<void>

  constructor(_request: FastifyRequest, reply: FastifyReply) {
    reply.hijack()
    this.#raw = reply.raw
    this.#raw.writeHead(200, {
      ...Object.fromEntries(Object.entries(reply.getHeaders()).map(([name, value]) => [name, String(value)])),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    this.#raw.flushHeaders()
    this.closed = new Promise((resolve) => {
      this.#raw.once('close', () => {
        clearInterval(this.#heartbeat)
        this.#abort.abort()
        resolve()
      })
    })
    this.#heartbeat = setInterval(() => this.#raw.write(': alive\n\n'), heartbeatMs).unref()
  }

  /** Aborted when the client is gone. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** Resolves when the client took it, as far as the socket says; with false when it is gone. */
  async send(frame: object, id?: number): Promise<boolean> {
    if (this.#isClosed()) return false
    const text = `${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(frame)}\n\n`
    if (this.#raw.write(text)) return true
    if (this.#raw.writableLength > maxBacklogBytes) this.#raw.destroy()
    else await this.#room()
    return !this.#isClosed()
  }

  #isClosed(): boolean {
    return this.#raw.destroyed || this.#raw.writableEnded
  }

  /** Resolves when the client has taken what was sent, or is gone. Not by a race: `closed` would keep each one until the end. */
  async #room(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#raw.once('drain', resolve).once('close', resolve)
    await promise
    this.#raw.off('drain', resolve).off('close', resolve)
  }

  end(): void {
    clearInterval(this.#heartbeat)
    if (!this.#raw.writableEnded) this.#raw.end()
  }
}
