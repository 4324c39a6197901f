import { spawn } from 'node:child_process'
import { constants, open, readFile, rm, stat, truncate } from 'node:fs/promises'
import { connect } from 'node:net'
import { z } from 'zod'
import { writeFileAtomic } from '../../base/atomic-file.ts'
import type { Clock } from '../../base/clock.ts'
import { errnoOf, FairwayError } from '../../base/error.ts'
import { exec, execOk, lastLines } from '../../base/exec.ts'
import type { ProcessIdentity } from '../../base/process-identity.ts'
import { identifyProcess, isAlive, readProcessStat } from '../../base/process-identity.ts'
import type { GatewayFiles } from './files.ts'
import { parseVersion } from './parse.ts'
import type { HaproxyRuntimeClient } from './runtime-client.ts'

const identitySchema = z.object({ pid: z.number().int(), startTicks: z.number(), bootId: z.string() })

/** Where a bare `haproxy` is looked for: distributions put it into sbin, which users' PATHs often lack. */
const env = { PATH: '/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin' }
const startWithinMs = 10_000
const listensWithinMs = 150
const logLimitBytes = 1024 * 1024

/**
 * HAProxy as a process of this machine: a master in a session of its own, which lives on when we end, and its workers.
 * Master and worker it is because the master keeps its pid and its sockets over every reload (one identity to adopt),
 * reloads faster (44 ms against 77 ms of `-sf -x`), and answers for workers that still finish something. When a worker
 * is killed the master ends too, and when the master is killed the worker does: either way there is one thing to see.
 */
export class HaproxyProcess {
  readonly #files: GatewayFiles
  readonly #program: string
  readonly #clock: Clock
  readonly #bootId: string
  readonly #client: HaproxyRuntimeClient
  #identity: ProcessIdentity | undefined

  constructor(
    files: GatewayFiles,
    { program, clock, bootId, client }: { program: string; clock: Clock; bootId: string; client: HaproxyRuntimeClient },
  ) {
    this.#files = files
    this.#program = program
    this.#clock = clock
    this.#bootId = bootId
    this.#client = client
  }

  get pid(): number | undefined {
    return this.#identity?.pid
  }

  /**
   * Finds an HAProxy that an earlier control plane started on these files. Known by its record, or, where the control
   * plane was killed before it wrote one, by answering on our socket and having our configuration in its arguments.
   */
  async adopt(): Promise<boolean> {
    const recorded = await this.#readIdentity()
    if (recorded !== undefined && (await isAlive(recorded, this.#bootId))) {
      this.#identity = recorded
      return true
    }
    if (!(await this.#listens())) return false
    const answering = await this.#client.processes().then(
      ({ master }) => master,
      () => undefined,
    )
    if (answering === undefined || !(await this.#isOurs(answering))) return false
    await this.#remember(answering)
    return this.#identity !== undefined
  }

  /** Whether anybody serves the master's socket; tried for longer than a reload takes, during which nobody does. */
  async #listens(): Promise<boolean> {
    const deadline = this.#clock.monotonicMs() + listensWithinMs
    do {
      const { promise, resolve } = Promise.withResolvers<boolean>()
      const socket = connect({ path: this.#files.masterSocket })
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
      const connected = await promise
      socket.destroy()
      if (connected) return true
      await this.#clock.sleep(10)
    } while (this.#clock.monotonicMs() < deadline)
    return false
  }

  /** Still there, the very process we mean. */
  async alive(): Promise<boolean> {
    return this.#identity !== undefined && (await isAlive(this.#identity, this.#bootId))
  }

  /** @throws FairwayError GATEWAY_REFUSED with HAProxy's words, when it would not take the file */
  async check(path: string): Promise<void> {
    const result = await exec([this.#program, '-c', '-f', path], { env, deadlineMs: startWithinMs })
    if (result.exitCode === 0) return
    const details = lastLines(`${result.stdout}\n${result.stderr}`, 40).filter((line) => line.includes('ALERT'))
    throw new FairwayError('GATEWAY_REFUSED', 'HAProxy refused the new configuration: the old one goes on serving', {
      details: details.length > 0 ? details : lastLines(result.stderr, 20),
      hint: 'This is a fault of Fairway’s, or of a value it should have refused. The configuration is kept as haproxy.cfg.candidate.',
    })
  }

  /**
   * Starts it on the configuration as it stands on disk and waits until it serves.
   * @param structure what `show info` must say when it is ours and whole
   * @throws FairwayError GATEWAY_REFUSED with its last words when it ends at once
   */
  async start(structure: string): Promise<void> {
    await rm(this.#files.masterSocket, { force: true })
    // Its words since this start alone; those of a year would fill the disk.
    const { O_WRONLY, O_CREAT, O_TRUNC, O_APPEND } = constants
    await using log = await open(this.#files.log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0o600)
    const argv = ['-W', '-S', `${this.#files.masterSocket},mode,600`, '-f', this.#files.config]
    const child = spawn(this.#program, argv, { detached: true, stdio: ['ignore', log.fd, log.fd], env, cwd: '/' })
    const ended = new AbortController()
    child.on('error', (error) => ended.abort(error))
    child.on('exit', () => ended.abort())
    child.unref()
    if (child.pid !== undefined) await this.#remember(child.pid)
    const deadline = this.#clock.monotonicMs() + startWithinMs
    while (!ended.signal.aborted && this.#clock.monotonicMs() < deadline) {
      const info = await this.#client.info({ deadlineMs: 50, signal: ended.signal }).catch(() => undefined)
      if (info?.get('description') === `fairway-${structure}`) return
      await this.#clock.sleep(3)
    }
    if (!ended.signal.aborted) await this.stop()
    const details = lastLines(await readFile(this.#files.log, 'utf8'), 20).filter((line) => !line.includes('NOTICE'))
    throw new FairwayError('GATEWAY_REFUSED', 'HAProxy did not start', { details, cause: ended.signal.reason })
  }

  async #remember(pid: number): Promise<void> {
    this.#identity = await identifyProcess(pid, this.#bootId)
    if (this.#identity === undefined) return
    try {
      await writeFileAtomic(this.#files.identity, JSON.stringify(this.#identity))
    } catch (error) {
      // Serving goes before remembering: on a full disk it is found again by its socket.
      if (!(error instanceof FairwayError) || error.code !== 'DISK_FULL') throw error
    }
  }

  /**
   * Waits until it has ended, by holding a connection to the master: it closes at the very moment. It closes too when the
   * master starts itself anew, in a reload; `onReload` is called when it listens again.
   * @throws the signal's reason when aborted
   */
  async ended({ signal, onReload }: { signal: AbortSignal; onReload: () => void }): Promise<void> {
    while (await this.alive()) {
      signal.throwIfAborted()
      if (await this.#holdConnection(signal, onReload)) continue
      await this.#clock.sleep(5, { signal })
    }
  }

  /** true when there was a connection and it was closed. */
  async #holdConnection(signal: AbortSignal, onReload: () => void): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    let held = false
    const socket = connect({ path: this.#files.masterSocket, signal })
    socket.on('connect', () => {
      held = true
      onReload()
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(held))
    socket.resume()
    const closed = await promise
    signal.throwIfAborted()
    return closed
  }

  /** Master and workers, as the master says; none when it does not answer. */
  async pids(): Promise<number[]> {
    return this.#client.processes({ deadlineMs: 200 }).then(
      ({ master, current, old }) => [master, ...old, ...(current === undefined ? [] : [current])],
      () => [],
    )
  }

  /** SIGTERM, then SIGKILL; only ever to the process we know by more than its pid. Ending what is gone is a success. */
  async stop(): Promise<void> {
    const known = await Promise.all((await this.pids()).map((pid) => identifyProcess(pid, this.#bootId)))
    const all = [this.#identity, ...known].filter((identity) => identity !== undefined)
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      for (const identity of signal === 'SIGTERM' ? all.slice(0, 1) : all) await this.#signal(identity, signal)
      const deadline = this.#clock.monotonicMs() + 2_000
      while (this.#clock.monotonicMs() < deadline) {
        const left = await Promise.all(all.map((identity) => isAlive(identity, this.#bootId)))
        if (!left.includes(true)) {
          await rm(this.#files.identity, { force: true })
          this.#identity = undefined
          return
        }
        await this.#clock.sleep(5)
      }
    }
  }

  async #signal(identity: ProcessIdentity, signal: NodeJS.Signals): Promise<void> {
    if (!(await isAlive(identity, this.#bootId))) return
    try {
      process.kill(identity.pid, signal)
    } catch (error) {
      if (errnoOf(error) !== 'ESRCH') throw error
    }
  }

  /** HAProxy writes a line whenever a server goes up or down; what exceeds a megabyte is dropped, its own lines only. */
  async limitLog(): Promise<void> {
    const size = await stat(this.#files.log).then(
      (file) => file.size,
      () => 0,
    )
    if (size > logLimitBytes) await truncate(this.#files.log, 0)
  }

  async #readIdentity(): Promise<ProcessIdentity | undefined> {
    try {
      return identitySchema.parse(JSON.parse(await readFile(this.#files.identity, 'utf8')))
    } catch {
      // Missing, or cut off by a crash: then it is found by its socket or not at all.
      return undefined
    }
  }

  async #isOurs(pid: number): Promise<boolean> {
    if ((await readProcessStat(pid)) === undefined) return false
    const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')
    return words.includes(this.#files.config)
  }
}

/**
 * @returns its version, '2.6.12-1+deb12u4'
 * @throws FairwayError HAPROXY_MISSING
 */
export async function requireHaproxy(program: string): Promise<string> {
  const hint =
    program === 'haproxy'
      ? 'Install it: sudo apt-get install -y --no-install-recommends haproxy'
      : 'FAIRWAY_HAPROXY names it; unset, the one of the distribution is taken (sudo apt-get install haproxy).'
  const said = await execOk([program, '-v'], { env, deadlineMs: 5_000 }).catch((cause: unknown) => {
    throw new FairwayError('HAPROXY_MISSING', `${program} could not be run`, { hint, cause })
  })
  const version = parseVersion(said.stdout)
  if (version === undefined || version.major < 2 || (version.major === 2 && version.minor < 6)) {
    const found = version === undefined ? 'something that is not HAProxy' : `HAProxy ${version.text}`
    throw new FairwayError('HAPROXY_MISSING', `${program} is ${found}: 2.6 or newer is needed`, { hint })
  }
  return version.text
}
