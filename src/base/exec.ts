import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { Bounded } from './bounds.ts'
import { boundSignal } from './bounds.ts'
import { errnoOf, FairwayError } from './error.ts'

/** A command as a list of words, run without a shell: no name can turn into an order. */
export type Argv = readonly [program: string, ...args: string[]]

export interface ExecOptions extends Bounded {
  readonly cwd?: string
  /** The whole environment: nothing is inherited unless passed. */
  readonly env?: Readonly<Record<string, string>>
  /** Numeric ids, as root only; supplementary groups are dropped. undefined keeps our own user. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined
  /** Secrets travel here, never in argv. */
  readonly stdin?: string | Uint8Array
  /** Per stream; what exceeds it is cut in the middle of nothing: the end is kept, the number of bytes cut is counted. */
  readonly maxOutputBytes?: number
  /** One that prints more than this, both streams together, is ended, so that nothing endless is read. */
  readonly endAboveBytes?: number
  /** Called with each chunk as it arrives. */
  readonly onStdout?: (chunk: Buffer) => void
  readonly onStderr?: (chunk: Buffer) => void
}

export interface ExecResult {
  /** null when a signal ended it. */
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  /** Bytes of both streams that were not kept. */
  readonly cutBytes: number
}

/** Keeps the last `limit` bytes; memory is bounded by twice that. */
class Tail {
  readonly #limit: number
  #chunks: Buffer[] = []
  #held = 0
  cutBytes = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#held += chunk.length
    if (this.#held > 2 * this.#limit) this.#trim()
  }

  #trim(): void {
    if (this.#held <= this.#limit) return
    const whole = Buffer.concat(this.#chunks)
    this.cutBytes += whole.length - this.#limit
    this.#chunks = [Buffer.from(whole.subarray(whole.length - this.#limit))]
    this.#held = this.#limit
  }

  text(): string {
    this.#trim()
    return Buffer.concat(this.#chunks).toString('utf8')
  }
}

/** How long what a command left running may go on printing. */
const afterExitMs = 1_000

/**
 * Runs a command to its end, in a process group of its own. At the deadline, or when aborted, the whole group gets
 * SIGKILL; so does what still holds its output a second after it ended. Any exit status is a result, not an error: use `execOk` where only 0 will do.
 * @throws FairwayError COMMAND_TIMEOUT at the deadline, COMMAND_FAILED when it could not be started or printed more than
 * `endAboveBytes`; the signal's reason when aborted
 */
export async function exec(argv: Argv, options: ExecOptions = {}): Promise<ExecResult> {
  const [program, ...args] = argv
  const { cwd, env = {}, user = {}, stdin, maxOutputBytes = 16 * 1024 * 1024, signal, deadlineMs } = options
  const { endAboveBytes = Infinity } = options
  signal?.throwIfAborted()
  const bounded = boundSignal({ signal, deadlineMs })
  const { promise, resolve, reject } = Promise.withResolvers<ExecResult>()
  const explain = (cause: unknown) => {
    const why = cause instanceof Error ? cause.message : String(cause)
    return new FairwayError('COMMAND_FAILED', `${program} could not be started: ${why}`, {
      cause,
      hint: explainSpawnError(cause, program, cwd),
    })
  }
  let child: ChildProcessWithoutNullStreams
  try {
    child = spawn(program, args, {
      ...(cwd === undefined ? {} : { cwd }),
      ...user,
      env: { ...env },
      detached: true, // a group of its own, so that all of it can be ended
      stdio: ['pipe', 'pipe', 'pipe'],
    })
  } catch (cause) {
    throw explain(cause) // E2BIG, EPERM, a NUL: thrown, where ENOENT is emitted
  }
  child.on('error', (cause) => reject(explain(cause)))
  if (child.pid === undefined) return promise // out of descriptors, there are not even streams
  const { pid } = child
  const stdout = new Tail(maxOutputBytes)
  const stderr = new Tail(maxOutputBytes)
  let printedBytes = 0
  const count = (chunk: Buffer) => {
    printedBytes += chunk.length
    if (printedBytes <= endAboveBytes) return
    for (const stream of [child.stdout, child.stderr]) stream.destroy()
    killGroup()
  }
  child.stdout.on('data', (chunk: Buffer) => {
    stdout.push(chunk)
    options.onStdout?.(chunk)
    count(chunk)
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr.push(chunk)
    options.onStderr?.(chunk)
    count(chunk)
  })
  const killGroup = () => {
    // Not reaped before 'exit' was seen, so the pid is no stranger's yet. Once it was, the number stays the group's while
    // the group has members: only a number nobody bears as a pid again may still be ours.
    const ended = child.exitCode !== null || child.signalCode !== null
    if (!ended || !existsSync(`/proc/${pid}`)) killQuietly(-pid)
    // What left the group may hold our pipes for as long as it likes; we no longer listen.
    if (ended) for (const stream of [child.stdout, child.stderr]) stream.destroy()
    else
      child.once('exit', () => setTimeout(() => [child.stdout, child.stderr].forEach((s) => s.destroy()), 100).unref())
  }
  bounded?.addEventListener('abort', killGroup, { once: true })
  // What it left behind may hold its pipes for ever. setImmediate: read once more, should we ourselves have been busy.
  let leftBehind: NodeJS.Timeout | undefined
  child.once('exit', () => (leftBehind = setTimeout(() => setImmediate(killGroup), afterExitMs)))
  child.on('close', (exitCode, endSignal) => {
    resolve({
      exitCode,
      signal: endSignal,
      stdout: stdout.text(),
      stderr: stderr.text(),
      cutBytes: stdout.cutBytes + stderr.cutBytes,
    })
  })
  child.stdin.on('error', () => {}) // a program that does not read its input is no failure of ours
  child.stdin.end(stdin)
  try {
    const result = await promise
    signal?.throwIfAborted()
    if (printedBytes > endAboveBytes) {
      throw new FairwayError('COMMAND_FAILED', `${program} printed more than ${endAboveBytes} bytes and was ended`, {
        details: lastLines(result.stderr, 20),
      })
    }
    if (bounded?.aborted) {
      throw new FairwayError('COMMAND_TIMEOUT', `${argv.join(' ')} did not end within ${deadlineMs} ms`, {
        details: lastLines(result.stderr, 20),
      })
    }
    return result
  } finally {
    clearTimeout(leftBehind)
    bounded?.removeEventListener('abort', killGroup)
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error
  }
}

function explainSpawnError(cause: unknown, program: string, cwd: string | undefined): string | undefined {
  const hints: Readonly<Record<string, string>> = {
    ENOENT:
      cwd !== undefined && !existsSync(cwd)
        ? `Its working folder ${cwd} does not exist.`
        : `Is ${program} installed and on the PATH?`,
    EACCES: `Is ${program} executable for this user?`,
    E2BIG: 'Its arguments and environment together are larger than the kernel takes.',
  }
  return hints[errnoOf(cause) ?? '']
}

/** @throws FairwayError COMMAND_FAILED, with the last lines of stderr, unless it exits with 0 */
export async function execOk(argv: Argv, options: ExecOptions = {}): Promise<ExecResult> {
  const result = await exec(argv, options)
  if (result.exitCode === 0) return result
  const how = result.signal === null ? `exit status ${result.exitCode}` : `signal ${result.signal}`
  throw new FairwayError('COMMAND_FAILED', `${argv.join(' ')} ended with ${how}`, {
    details: lastLines(result.stderr.trim() === '' ? result.stdout : result.stderr, 20),
  })
}

export function lastLines(text: string, count: number): string[] {
  const lines = text.split(/\r?\n/)
  if (lines.at(-1) === '') lines.pop()
  return lines.slice(-count)
}
