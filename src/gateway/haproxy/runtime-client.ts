import { connect } from 'node:net'
import type { Bounded } from '../../base/bounds.ts'
import { boundSignal } from '../../base/bounds.ts'
import type { Clock } from '../../base/clock.ts'
import { FairwayError } from '../../base/error.ts'
import type { ServerMode } from '../gateway.ts'
import type { Processes, ServerState, StatRow } from './parse.ts'
import { parseInfo, parseMap, parseProcesses, parseServersState, parseSessions, parseStat } from './parse.ts'

/** Which of the master's children: the one that serves, or one that was replaced and finishes what it has, by pid. */
export type Worker = 'current' | number

const answerWithinMs = 2_000

/**
 * HAProxy's Runtime API by way of the master's socket: it names the worker meant, so an order around a reload never
 * reaches the wrong one. One command per connection; the answer ends when HAProxy closes it, which it does only once we
 * closed our side. While the master starts itself anew (some 30 ms) nobody listens: then, and when a connection is lost
 * before any answer, the command is given again. So every order must be one that may be given twice.
 * @see HAProxy Management Guide 2.6, sections 9.3 "Unix Socket commands" and 9.4 "Master CLI"
 */
export class HaproxyRuntimeClient {
  readonly #masterSocketPath: string
  readonly #workerSocketPath: string
  readonly #clock: Clock

  constructor({ master, worker, clock }: { master: string; worker: string; clock: Clock }) {
    this.#masterSocketPath = master
    this.#workerSocketPath = worker
    this.#clock = clock
  }

  /**
   * Adds a server, gives it its mode and enables its check in one breath: the first check is due within milliseconds of
   * the addition, and where it is not enabled by then HAProxy looks again only after a whole interval. The master would
   * pass the three on one by one, so the worker's own socket takes them; around a reload that may be the old worker's:
   * look whether the server is there.
   */
  async introduceServer(server: string, words: readonly string[], mode: ServerMode, options?: Bounded): Promise<void> {
    const lines = [['add', 'server', server, ...words], modeWords(server, mode), ['enable', 'health', server]].map(
      commandLine,
    )
    const answer = (await this.#exchange(lines.join('; '), { ...options, socketPath: this.#workerSocketPath })).trim()
    if (/^(New server registered|Already exists a server with the same name in backend)\.$/.test(answer)) return
    if (answer.includes('Proxy is disabled.')) return // an old worker's
    throw new FairwayError('GATEWAY_REFUSED', `HAProxy refused "${lines[0]}": ${answer}`)
  }

  /** @throws FairwayError GATEWAY_REFUSED while it has connections or is not in maintenance */
  deleteServer(server: string, options?: Bounded): Promise<void> {
    return this.#order(['del', 'server', server], /^Server deleted\.|^No such server\./, options)
  }

  setMode(server: string, mode: ServerMode, options?: Bounded): Promise<void> {
    return this.#order(modeWords(server, mode), /^$/, options)
  }

  enableHealth(server: string, options?: Bounded): Promise<void> {
    return this.#order(['enable', 'health', server], /^$/, options)
  }

  /** Ends a server's sessions at once; their clients see a reset. */
  shutdownSessions(server: string, options?: Bounded): Promise<void> {
    return this.#order(['shutdown', 'sessions', 'server', server], /^$|^No such server\./, options)
  }

  /**
   * The same in a worker that was replaced, which takes orders about sessions, not about servers.
   * @returns how many there were: a GET that was cut is sent once more by HAProxy, there to the same server
   */
  async shutdownSessionsOf(worker: number, backend: string, server: string, options?: Bounded): Promise<number> {
    const sessions = parseSessions(await this.ask(['show', 'sess'], { ...options, worker }), backend, server)
    for (const id of sessions) {
      await this.#order(['shutdown', 'session', id], /^$|^No such session/, { ...options, worker })
    }
    return sessions.length
  }

  addMapEntry(file: string, key: string, value: string, options?: Bounded & { worker?: Worker }): Promise<void> {
    return this.#order(['add', 'map', file, key, value], /^$/, options)
  }

  setMapEntry(file: string, key: string, value: string, options?: Bounded): Promise<void> {
    return this.#order(['set', 'map', file, key, value], /^$/, options)
  }

  deleteMapEntry(file: string, key: string, options?: Bounded): Promise<void> {
    return this.#order(['del', 'map', file, key], /^$|^Key not found\./, options)
  }

  clearMap(file: string, options?: Bounded & { worker?: Worker }): Promise<void> {
    return this.#order(['clear', 'map', file], /^$/, options)
  }

  async map(file: string, options?: Bounded): Promise<ReadonlyMap<string, string>> {
    return parseMap(await this.ask(['show', 'map', file], options))
  }

  /** Of one backend, or of all. */
  async serversState(backend?: string, options?: Bounded): Promise<ServerState[]> {
    const words = ['show', 'servers', 'state', ...(backend === undefined ? [] : [backend])]
    const answer = await this.ask(words, options)
    return answer.startsWith("Can't find backend") ? [] : parseServersState(answer)
  }

  /**
   * Rows of `show stat`.
   * @param kind 1 frontends, 2 backends, 4 servers
   * @param number a server's id; -1 for all
   */
  async stat(
    { backend, kind, number = -1 }: { backend?: string; kind: 1 | 2 | 4; number?: number },
    options?: Bounded & { worker?: Worker },
  ): Promise<StatRow[]> {
    const answer = await this.ask(['show', 'stat', backend ?? '-1', String(kind), String(number)], options)
    return answer.startsWith('No such proxy') ? [] : parseStat(answer)
  }

  async info(options?: Bounded & { worker?: Worker }): Promise<ReadonlyMap<string, string>> {
    return parseInfo(await this.ask(['show', 'info'], options))
  }

  /** Asks the master itself. */
  async processes(options?: Bounded): Promise<Processes> {
    return parseProcesses(await this.#exchange('show proc', options))
  }

  /** Only tells the master to: it starts itself anew and closes the connection. What came of it says `processes`. */
  async reload(options?: Bounded): Promise<void> {
    await this.#exchange('reload', { ...options, answerMayBeEmpty: true })
  }

  /** What obedience looks like differs by command: mostly silence, sometimes a sentence. */
  async #order(words: readonly string[], obeyed: RegExp, options?: Bounded & { worker?: Worker }): Promise<void> {
    const answer = await this.ask(words, options)
    if (!obeyed.test(answer))
      throw new FairwayError('GATEWAY_REFUSED', `HAProxy refused "${words.join(' ')}": ${answer}`)
  }

  /** @throws FairwayError GATEWAY_UNREACHABLE when the worker is gone or nothing answers in time */
  async ask(
    words: readonly string[],
    { worker = 'current', ...options }: Bounded & { worker?: Worker } = {},
  ): Promise<string> {
    const prefix = worker === 'current' ? '@1' : `@!${worker}`
    const answer = (await this.#exchange(`${prefix} ${commandLine(words)}`, options)).trim()
    if (answer.startsWith("Can't find the target PID"))
      throw new FairwayError('GATEWAY_UNREACHABLE', `HAProxy has no worker ${worker}`)
    return answer
  }

  async #exchange(
    command: string,
    {
      signal,
      deadlineMs = answerWithinMs,
      answerMayBeEmpty = false,
      socketPath = this.#masterSocketPath,
    }: Bounded & { answerMayBeEmpty?: boolean; socketPath?: string } = {},
  ): Promise<string> {
    const bounded = boundSignal({ signal, deadlineMs })
    for (let waitMs = 2; ; waitMs = Math.min(20, waitMs * 2)) {
      try {
        const answer = await exchangeOnce(socketPath, command, bounded)
        if (answer !== '' || answerMayBeEmpty) return answer
        await this.#clock.sleep(waitMs, { signal: bounded })
      } catch (cause) {
        signal?.throwIfAborted()
        if (!bounded?.aborted) {
          await this.#clock.sleep(waitMs, { signal: bounded }).catch(() => {})
          if (!bounded?.aborted) continue
        }
        const hint = 'Is HAProxy running? Its last words are in haproxy.log in the gateway’s folder.'
        throw new FairwayError('GATEWAY_UNREACHABLE', `Nothing answers on ${socketPath}`, { hint, cause })
      }
    }
  }
}

function modeWords(server: string, mode: ServerMode): string[] {
  return ['set', 'server', server, 'state', mode === 'shut' ? 'maint' : mode]
}

function exchangeOnce(path: string, command: string, signal: AbortSignal | undefined): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const chunks: Buffer[] = []
  const socket = connect({ path, allowHalfOpen: true, ...(signal === undefined ? {} : { signal }) })
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('error', reject)
  socket.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
  socket.on('close', () => resolve(Buffer.concat(chunks).toString('utf8')))
  socket.end(`${command}\n`)
  return promise
}

/** Words never turn into orders: what HAProxy's command line would split on cannot pass. */
export function commandLine(words: readonly string[]): string {
  for (const word of words) {
    if (word === '' || word === '<<' || /[\s;\\]/.test(word))
      throw new TypeError(`not one word: ${JSON.stringify(word)}`)
  }
  return words.join(' ')
}
