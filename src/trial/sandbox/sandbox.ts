import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Abortable } from '../../base/bounds.ts'
import type { PrivateFolderOptions } from './private-folders.ts'
import type { SandboxAnswer, SandboxOrder } from './protocol.ts'

const readyWithinMs = 5_000
const answerWithinMs = 20_000
const farewellMs = 500
const mainFile = new URL('./main.ts', import.meta.url).pathname

/** Who is allowed what: root may make namespaces; an ordinary user in a user namespace, where the machine lets him. */
export interface SandboxUser {
  readonly uid: number
  readonly gid: number
  readonly isRoot: boolean
}

/** The user that programs are tried out as where Fairway is root: below those of the services (70000–79999). */
export const trialUser = { uid: 69_999, gid: 69_999 } as const

/** A place apart: no network but a loopback, and where they can be had temporary folders of its own and no view of other processes. */
export class Sandbox implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #lines: AsyncIterator<string>
  readonly #user: SandboxUser
  #hasFolders = false

  private constructor(child: ChildProcessWithoutNullStreams, lines: AsyncIterator<string>, user: SandboxUser) {
    this.#child = child
    this.#lines = lines
    this.#user = user
  }

  /** Whether /tmp and its like are of its own, and what lay in a blocked folder can be reached. */
  get hasFolders(): boolean {
    return this.#hasFolders
  }

  /** @returns why none can be had, in words */
  static async open(
    user: SandboxUser,
    { path, signal, folders }: Abortable & { readonly path: string; readonly folders: PrivateFolderOptions },
  ): Promise<Sandbox | { readonly refused: string }> {
    const network = [...(user.isRoot ? [] : ['--user', '--map-root-user']), '--net']
    const processes = ['--pid', '--fork', '--kill-child', '--mount-proc']
    const main = [process.execPath, ...process.execArgv, mainFile]
    let refused = ''
    for (const flags of [
      [...network, ...processes],
      [...network, '--mount'],
    ]) {
      signal?.throwIfAborted()
      const child = spawn('unshare', [...flags, ...main, JSON.stringify(folders)], {
        env: {
          PATH: `${path}:/usr/sbin:/usr/bin:/sbin:/bin`,
          NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? '',
        },
        stdio: ['pipe', 'pipe', 'pipe'],
        detached: true,
      })
      let said = ''
      child.on('error', (error) => (said += error.message))
      child.stdin.on('error', () => {}) // it is gone: seen by its silence
      child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-2_000)))
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
      const sandbox = new Sandbox(child, lines, user)
      const word = await sandbox.#line(readyWithinMs)
      sandbox.#hasFolders = word === 'ready apart'
      if (word?.startsWith('ready') === true) return sandbox
      await sandbox[Symbol.asyncDispose]()
      refused = said.trim().split('\n')[0] ?? ''
    }
    return { refused: refused === '' ? 'unshare does not work here' : refused }
  }

  /**
   * Starts the program, watches it, asks what it listens on, and ends it with all it started.
   * @returns undefined when the sandbox itself broke down
   */
  async attempt(order: SandboxOrder, { signal }: Abortable = {}): Promise<SandboxAnswer | undefined> {
    signal?.throwIfAborted()
    const [program, ...args] = order.argv
    const { uid, gid, isRoot } = this.#user
    // In a user namespace it would be root to its own eyes, and might have any port.
    const become: readonly string[] = isRoot
      ? ['setpriv', `--reuid=${trialUser.uid}`, `--regid=${trialUser.gid}`, '--clear-groups', '--no-new-privs']
      : ['unshare', '--user', `--map-user=${uid}`, `--map-group=${gid}`]
    const [first = program, ...rest] = [...become, program, ...args]
    this.#child.stdin.write(`${JSON.stringify({ ...order, argv: [first, ...rest] })}\n`)
    const line = await this.#line(answerWithinMs, signal)
    signal?.throwIfAborted()
    return line === undefined ? undefined : (JSON.parse(line) as SandboxAnswer)
  }

  async #line(withinMs: number, signal?: AbortSignal): Promise<string | undefined> {
    const { promise: over, resolve } = Promise.withResolvers<undefined>()
    const timer = setTimeout(() => resolve(undefined), withinMs)
    const onAbort = () => resolve(undefined)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      const next = await Promise.race([this.#lines.next(), over])
      return next === undefined || next.done === true ? undefined : next.value
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /** It ends what it started and goes; if not at once, its group is ended, and its namespace's processes with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { pid } = this.#child
    if (pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()))
    this.#child.stdin.end()
    const last = setTimeout(() => {
      try {
        process.kill(-pid, 'SIGKILL')
      } catch {} // it ended meanwhile
    }, farewellMs)
    await ended
    clearTimeout(last)
  }
}
