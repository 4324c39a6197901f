import { type ChildProcess, fork } from 'node:child_process'
import type { Abortable } from '../base/bounds.ts'
import { type ErrorCode, FairwayError } from '../base/error.ts'
import type { HttpRequest } from './http.ts'
import type { ModuleVersion } from './module-path.ts'

export type ZipOrder =
  | { readonly id: number; readonly kind: 'read'; readonly zip: string; readonly module: ModuleVersion }
  | {
      readonly id: number
      readonly kind: 'fetch'
      readonly address: string
      readonly user: { readonly name: string; readonly password: string } | undefined
      readonly zip: string
      readonly mostBytes: number
    }
  /** …the fetch of this number. */
  | { readonly id: number; readonly kind: 'stop' }

export type ZipAnswer =
  | ({ readonly id: number; readonly kind: 'read' } & ZipSums)
  | { readonly id: number; readonly kind: 'fetched'; readonly bytes?: number | undefined }
  | { readonly id: number; readonly kind: 'progress'; readonly bytes: number }
  | {
      readonly id: number
      readonly kind: 'refused'
      readonly code: ErrorCode
      readonly message: string
      readonly hint: string | undefined
    }
  | { readonly id: number; readonly kind: 'failed'; readonly message: string }

export interface ZipSums {
  /** Of what it holds. */
  readonly h1: string
  /** Of the zip itself. */
  readonly sha256: string
  readonly bytes: number
}

interface Waiting {
  readonly onProgress?: ((bytes: number) => void) | undefined
  resolve(answer: ZipAnswer): void
  reject(error: Error): void
}

/**
 * Fetches and reads module zips in a process of its own. What a download and its unpacking leave behind, in the heap and in
 * what the C library keeps, would stay with a process that lives for months (100 MB after one toolchain), and be collected
 * together with all that this one holds; and whoever is served meanwhile would wait. It is started by the first zip and
 * ended some seconds after the last.
 */
export class ZipHandler implements AsyncDisposable {
  readonly #environment: Readonly<Record<string, string>>
  readonly #silentMs: number
  readonly #restMs: number
  readonly #waiting = new Map<number, Waiting>()
  #child: ChildProcess | undefined
  #rest: NodeJS.Timeout | undefined
  #last = 0

  /**
   * @param environment as of HttpClient
   * @param silentMs as of HttpClient
   * @param restMs so long the process stays for the next module of one download; then its memory is wanted back
   */
  constructor({
    environment,
    silentMs = 30_000,
    restMs = 5_000,
  }: {
    environment: Readonly<Record<string, string | undefined>>
    silentMs?: number
    restMs?: number
  }) {
    this.#restMs = restMs
    this.#environment = Object.fromEntries(
      Object.entries(environment).flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const])),
    )
    this.#silentMs = silentMs
  }

  /** Of the process, while there is one. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Zips are about to be asked for: it is started while there is still something else to wait for. */
  prepare(): void {
    if (this.#child !== undefined) return
    this.#child = this.#start()
    this.#restFrom(this.#child)
  }

  /** @throws FairwayError as `readModuleZip`; MODULE_UNAVAILABLE when the process ended meanwhile */
  async read(zip: string, module: ModuleVersion): Promise<ZipSums> {
    const { path, version } = module
    const answer = await this.#order((id) => ({ id, kind: 'read', zip, module: { path, version } }))
    if (answer.kind !== 'read') throw new Error(`the process that reads zips said ${answer.kind}`)
    return { h1: answer.h1, sha256: answer.sha256, bytes: answer.bytes }
  }

  /** As `fetchWhole`. @throws as that; MODULE_UNAVAILABLE when the process ended meanwhile */
  async fetch(
    address: string,
    zip: string,
    {
      user,
      mostBytes,
      signal,
      onProgress,
    }: Abortable & { user: HttpRequest['user']; mostBytes: number; onProgress: (bytes: number) => void },
  ): Promise<number | undefined> {
    signal?.throwIfAborted()
    const told = user === undefined ? undefined : { name: user.name, password: user.password.reveal() }
    let stop: (() => void) | undefined
    try {
      const answer = await this.#order((id) => {
        stop = () => this.#child?.send({ id, kind: 'stop' }, () => {})
        signal?.addEventListener('abort', stop)
        return { id, kind: 'fetch', address, user: told, zip, mostBytes }
      }, onProgress)
      return answer.kind === 'fetched' ? answer.bytes : undefined
    } finally {
      if (stop !== undefined) signal?.removeEventListener('abort', stop)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#rest)
    const child = this.#child
    if (child === undefined) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    keepWaiting(child, true)
    this.#end(child)
    await ended
  }

  #order(order: (id: number) => ZipOrder, onProgress?: (bytes: number) => void): Promise<ZipAnswer> {
    clearTimeout(this.#rest)
    const child = (this.#child ??= this.#start())
    const { promise, resolve, reject } = Promise.withResolvers<ZipAnswer>()
    this.#last += 1
    const id = this.#last
    this.#waiting.set(id, { resolve, reject, onProgress })
    keepWaiting(child, true)
    child.send(order(id), (error) => {
      if (error !== null && this.#waiting.delete(id)) reject(lost(error.message))
    })
    return promise
  }

  #start(): ChildProcess {
    const child = fork(new URL('zip-process.ts', import.meta.url).pathname, [String(this.#silentMs)], {
      cwd: '/',
      env: this.#environment,
      execArgv: [], // a control plane's are for a heap that stays small; this one collects as little as it can
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    child.on('message', (answer) => this.#hear(answer as ZipAnswer))
    child.on('error', (error) => this.#lose(child, error.message)) // it could not be started
    child.on('exit', (code, signal) => this.#lose(child, String(signal ?? code)))
    return child
  }

  #hear(answer: ZipAnswer): void {
    const waiting = this.#waiting.get(answer.id)
    if (answer.kind === 'progress') {
      waiting?.onProgress?.(answer.bytes)
      return
    }
    this.#waiting.delete(answer.id)
    if (answer.kind === 'failed') waiting?.reject(new Error(answer.message))
    else if (answer.kind !== 'refused') waiting?.resolve(answer)
    else waiting?.reject(new FairwayError(answer.code, answer.message, { hint: answer.hint }))
    if (this.#waiting.size === 0 && this.#child !== undefined) this.#restFrom(this.#child)
  }

  #restFrom(child: ChildProcess): void {
    keepWaiting(child, false)
    clearTimeout(this.#rest)
    this.#rest = setTimeout(() => this.#end(child), this.#restMs).unref()
  }

  /** It ends when nobody is at the other end. */
  #end(child: ChildProcess): void {
    if (this.#child === child) this.#child = undefined
    if (child.connected) child.disconnect()
  }

  #lose(child: ChildProcess, how: string): void {
    if (this.#child !== child && this.#child !== undefined) return // ended on purpose; another one works
    this.#child = undefined
    for (const waiting of this.#waiting.values()) waiting.reject(lost(how))
    this.#waiting.clear()
  }
}

function lost(how: string): FairwayError {
  return new FairwayError('MODULE_UNAVAILABLE', `The process that reads module zips ended: ${how}`, {
    hint: 'Ask again: another one is started. Was there too little memory?',
  })
}

/** Who asks nothing more of it may end without it. */
function keepWaiting(child: ChildProcess, isWaited: boolean): void {
  for (const each of [child, child.channel]) {
    if (isWaited) each?.ref()
    else each?.unref()
  }
}
