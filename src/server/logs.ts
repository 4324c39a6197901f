import { Masker } from '../base/masker.ts'
import { unhurried } from '../base/unhurried.ts'
import type { App } from '../app.ts'
import { findServices, releaseSecrets } from '../release/index.ts'
import { incarnationName, type Instance } from '../runtime/index.ts'
import type { LogFrame } from './api.ts'
import type { LogQuery } from './server.ts'

/** How often a follower looks for instances that started since. */
const lookEveryMs = 500

/** Lines of all instances of some services, interleaved as they come, secrets masked. */
export async function* instanceLogs(
  app: App,
  query: LogQuery,
  { signal }: { signal: AbortSignal },
): AsyncGenerator<LogFrame> {
  const states = await findServices(app.engine, query)
  const scopes = states.map(({ scope }) => scope)
  const list = async () => (await Promise.all(scopes.map((scope) => app.runtime.list(scope)))).flat()
  if (!query.follow) {
    for (const instance of await list()) yield* linesOf(app, instance, query, { signal, follow: false })
    return
  }
  // Lines wait in a bounded queue: a slow reader slows the reading, not the instances.
  const queue = new LineQueue()
  const followed = new Set<string>()
  const watch = async () => {
    let isFirst = true
    while (!signal.aborted) {
      for (const instance of await list()) {
        const name = `${instance.id.scope.service}/${incarnationName(instance.id)}`
        if (followed.has(name)) continue
        followed.add(name)
        void pump(
          queue,
          linesOf(app, instance, isFirst ? query : { ...query, lines: undefined }, { signal, follow: true }),
        )
      }
      isFirst = false
      await app.clock.sleep(lookEveryMs, { signal })
    }
  }
  watch().catch((error: unknown) => queue.fail(error))
  signal.addEventListener('abort', () => queue.fail(signal.reason), { once: true })
  for (;;) yield await queue.next()
}

async function* linesOf(
  app: App,
  { id }: Instance,
  { lines }: LogQuery,
  options: { signal: AbortSignal; follow: boolean },
): AsyncGenerator<LogFrame> {
  const release = await app.engine.world.releases.find(id.scope, id.release)
  const masker = new Masker(release === undefined ? [] : await releaseSecrets(app.engine.world, release))
  const found = app.runtime.logs(id, { ...options, ...(lines === undefined ? {} : { lines }) })
  for await (const line of unhurried(found)) {
    if (options.signal.aborted) return // what was there before is read without a look at it
    yield {
      kind: 'log',
      service: id.scope.service,
      instance: incarnationName(id),
      stream: line.stream,
      text: masker.mask(line.text),
    }
  }
}

async function pump(queue: LineQueue, lines: AsyncIterable<LogFrame>): Promise<void> {
  try {
    for await (const line of lines) await queue.push(line)
  } catch (error) {
    queue.fail(error)
  }
}

/** Few lines in memory; who pushes waits until there is room. */
class LineQueue {
  readonly #held: LogFrame[] = []
  readonly #room = 1000
  #wake: (() => void) | undefined
  #drained: (() => void)[] = []
  #error: { reason: unknown } | undefined

  async push(line: LogFrame): Promise<void> {
    while (this.#held.length >= this.#room && this.#error === undefined) {
      await new Promise<void>((resolve) => this.#drained.push(resolve))
    }
    if (this.#error !== undefined) return
    this.#held.push(line)
    this.#wake?.()
  }

  async next(): Promise<LogFrame> {
    for (;;) {
      const line = this.#held.shift()
      if (line !== undefined) {
        if (this.#held.length < this.#room / 2) for (const resolve of this.#drained.splice(0)) resolve()
        return line
      }
      if (this.#error !== undefined) throw this.#error.reason
      await new Promise<void>((resolve) => (this.#wake = resolve))
      this.#wake = undefined
    }
  }

  fail(reason: unknown): void {
    this.#error ??= { reason }
    for (const resolve of this.#drained.splice(0)) resolve()
    this.#wake?.()
  }
}
