import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Abortable } from '../base/bounds.ts'
import type { Clock } from '../base/clock.ts'
import { FairwayError } from '../base/error.ts'
import {
  download,
  type HttpClient,
  type ModuleSource,
  readAnswer,
  type SourceAnswer,
  type ZipHandler,
} from '../module/index.ts'
import type { Counters } from './counters.ts'

type Proxy = Extract<ModuleSource, { kind: 'proxy' }>

/** Behind `cause` of a MODULE_UNAVAILABLE: nobody said no, the time was over. */
export const late = new Error('the time was over')
/** …or an upstream said no, and meant it. */
export const refused = new Error('an upstream refused it')

const most = { small: 16 * 1024 * 1024, zip: 500 * 1024 * 1024 } as const
/** A small file that has not come whole by then. */
const smallDeadlineMs = 60_000
/** A zip may take its time, but not be slower than this over such a while: those who wait for it would rather know. */
const slowest = { bytes: 64 * 1024, windowMs: 30_000 } as const
const refusalKeptMs = 3_600_000

/** The sources of the home's GOPROXY, asked in order. */
export class Upstreams {
  readonly #http: HttpClient
  readonly #zips: Pick<ZipHandler, 'fetch'>
  readonly #clock: Clock
  readonly #sources: readonly ModuleSource[]
  readonly #counters: Counters
  readonly #windowMs: number
  readonly #refusals = new Map<string, { readonly at: number; readonly meansAbsent: Promise<boolean> }>()

  constructor({
    http,
    zips,
    clock,
    sources,
    counters,
    windowMs = slowest.windowMs,
  }: {
    http: HttpClient
    /** By whom a zip is fetched that comes whole. */
    zips: Pick<ZipHandler, 'fetch'>
    clock: Clock
    sources: readonly ModuleSource[]
    counters: Counters
    windowMs?: number
  }) {
    this.#http = http
    this.#zips = zips
    this.#clock = clock
    this.#sources = sources
    this.#counters = counters
    this.#windowMs = windowMs
  }

  /**
   * @param name below the source's address, escaped: 'example.com/m/@v/list'
   * @throws FairwayError MODULE_UNKNOWN when all say that they do not have it; MODULE_UNAVAILABLE, its cause `late` or
   *   `refused` where it is that
   */
  async read(name: string, what: string, { signal }: Abortable = {}): Promise<Buffer> {
    return this.#ask(name, what, async (source) => {
      // Not AbortSignal.timeout: hundreds of these are asked for in a second, and each would be kept for a minute.
      const deadline = new AbortController()
      const timer = setTimeout(() => deadline.abort(), smallDeadlineMs)
      const both = signal === undefined ? deadline.signal : AbortSignal.any([signal, deadline.signal])
      try {
        return await readAnswer(this.#http, source, name, { mostBytes: most.small, signal: both })
      } catch (error) {
        signal?.throwIfAborted()
        if (deadline.signal.aborted) return { kind: 'failed', words: 'it said nothing whole for 60 s' }
        throw error
      } finally {
        clearTimeout(timer)
      }
    })
  }

  /** Into a new file. @throws as `read`; DISK_FULL */
  async download(name: string, what: string, path: string, { signal }: Abortable = {}): Promise<void> {
    await this.#ask(name, what, async (source) => {
      const tooSlow = new AbortController()
      const either = signal === undefined ? tooSlow.signal : AbortSignal.any([signal, tooSlow.signal])
      const progress = { bytes: 0 }
      const watch = this.#watchPace(progress, tooSlow, either)
      try {
        const address = `${source.url}/${name}`
        const whole = address.startsWith('file:')
          ? undefined
          : await this.#zips.fetch(address, path, {
              user: source.user,
              mostBytes: most.zip,
              signal: either,
              onProgress: (bytes) => void (progress.bytes = bytes),
            })
        progress.bytes = 0
        if (whole !== undefined) {
          this.#counters.bytesFetched += whole
          return { kind: 'found', found: { bytes: whole, isResumed: false } }
        }
        const answer = await download(source, name, path, {
          http: this.#http,
          clock: this.#clock,
          mostBytes: most.zip,
          signal: either,
          onProgress: ({ bytes }) => void (progress.bytes = bytes),
        })
        if (answer.kind === 'found') this.#counters.bytesFetched += answer.found.bytes
        return answer
      } catch (error) {
        if (error instanceof FairwayError) throw error
        signal?.throwIfAborted()
        if (!tooSlow.signal.aborted) throw error
        const words = `it said nothing, or next to nothing: ${progress.bytes} bytes came, the last of them too slowly`
        return { kind: 'failed', words }
      } finally {
        tooSlow.abort()
        await watch
      }
    })
  }

  /** The pace of the last while, not of the whole: one that stops in the middle is noticed too. */
  async #watchPace(progress: { readonly bytes: number }, tooSlow: AbortController, signal: AbortSignal): Promise<void> {
    for (let before = 0; !signal.aborted; before = progress.bytes) {
      await delay(this.#windowMs, undefined, { signal, ref: false }).catch(() => {})
      if (progress.bytes - before < slowest.bytes) tooSlow.abort()
    }
  }

  async #ask<Found>(name: string, what: string, ask: (source: Proxy) => Promise<SourceAnswer<Found>>): Promise<Found> {
    const said: string[] = []
    let worst: 'absent' | 'refused' | 'failed' | 'late' = 'absent'
    for (const source of this.#sources) {
      if (source.kind !== 'proxy') break // the client may go there itself, if it is set to
      let answer = await ask(source)
      if (answer.kind === 'found') return answer.found
      if (isForbidden(answer) && (await this.#meansAbsent(source, name)))
        answer = { kind: 'absent', words: answer.words }
      said.push(`${source.url}: ${answer.words}`)
      if (answer.kind === 'absent') continue
      if (answer.kind === 'failed') this.#counters.upstreamErrors += 1
      worst = answer.kind === 'failed' && answer.words.startsWith('it said nothing') ? 'late' : answer.kind
      if (source.fallsOn !== 'anything') break
    }
    if (worst === 'absent') throw new FairwayError('MODULE_UNKNOWN', `No upstream has ${what}`, { details: said })
    throw new FairwayError('MODULE_UNAVAILABLE', `${what} cannot be fetched`, {
      details: said,
      ...(worst === 'failed' ? {} : { cause: worst === 'late' ? late : refused }),
    })
  }

  /** Whether this source says 403 of what is not there, too: it is asked for what cannot be, in the same way. */
  async #meansAbsent(source: Proxy, name: string): Promise<boolean> {
    const now = this.#clock.monotonicMs()
    const way = wayOf(name)
    const key = `${source.url} ${way}`
    const known = this.#refusals.get(key)
    if (known !== undefined && now - known.at < refusalKeptMs) return known.meansAbsent
    const meansAbsent = readAnswer(this.#http, source, `${nobody()}/${way}`, { mostBytes: most.small }).then(
      isForbidden,
      () => false,
    )
    this.#refusals.set(key, { at: now, meansAbsent })
    return meansAbsent
  }
}

/** 'example.com/m/@v/v1.2.3.info' is asked for in the way of '@v/v1.0.0.info'. */
function wayOf(name: string): string {
  if (name.endsWith('/@latest')) return '@latest'
  if (name.endsWith('/@v/list')) return '@v/list'
  return `@v/v1.0.0${/\.(?:mod|zip)$/.exec(name)?.[0] ?? '.info'}`
}

/** A repository that nobody has, where every upstream would look for one: of an unknown host some say what they say of none other. */
function nobody(): string {
  const name = randomUUID().replaceAll('-', '')
  return `github.com/${name}/${name}`
}

/** Not 401: who is not let in is told nothing about what is there. */
function isForbidden(answer: SourceAnswer<unknown>): answer is { kind: 'refused'; words: string } {
  return answer.kind === 'refused' && answer.words.startsWith('403')
}
