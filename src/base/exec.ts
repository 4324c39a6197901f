import { spawn } from 'node:child_process'
import type { Bounded } from './bounds.ts'
import { boundSignal } from './bounds.ts'
import { errnoOf, FairwayError } from './error.ts'

/** A command as a list of words, run without a shell: no name can turn into an order. */
export type Argv = readonly [program: string, ...args: string[]]

export interface ExecOptions extends Bounded {
  readonly cwd?: string
  /** The whole environment: nothing is inherited unless passed. */
  readonly env?: Readonly<Record<string, string>>
  /** Secrets travel here, never in argv. */
  readonly stdin?: string | Uint8Array
  /** Per stream; what exceeds it is cut in the middle of nothing: the end is kept, the number of bytes cut is counted. */
  readonly maxOutputBytes?: number
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

/**
 * Runs a command to its end, in a process group of its own. At the deadline, or when aborted, the whole group gets
 * SIGKILL. Any exit status is a result, not an error: use `execOk` where only 0 will do.
 * @throws FairwayError COMMAND_TIMEOUT at the deadline, COMMAND_FAILED when it could not be started; the signal's reason when aborted
 */
export async function exec(argv: Argv, options: ExecOptions = {}): Promise<ExecResult> {
  const [program, ...args] = argv
  const { cwd, env = {}, stdin, maxOutputBytes = 16 * 1024 * 1024, signal, deadlineMs } = options
  signal?.throwIfAborted()
  const bounded = boundSignal({ signal, deadlineMs })
  const { promise, resolve, reject } = Promise.withResolvers<ExecResult>()
  const child = spawn(program, args, {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...env },
    detached: true, // a group of its own, so that all of it can be ended
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const stdout = new Tail(maxOutputBytes)
  const stderr = new Tail(maxOutputBytes)
  child.stdout.on('data', (chunk: Buffer) => {
    stdout.push(chunk)
    options.onStdout?.(chunk)
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr.push(chunk)
    options.onStderr?.(chunk)
  })
  const killGroup = () => {
    // Not reaped before 'exit' was seen, so the pid cannot be a stranger's yet.
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    try {
      process.kill(-child.pid, 'SIGKILL')
    } catch (error) {
      if (errnoOf(error) !== 'ESRCH') throw error
    }
  }
  bounded?.addEventListener('abort', killGroup, { once: true })
  child.on('error', (cause) => {
    const hint = errnoOf(cause) === 'ENOENT' ? `Is ${program} installed and on the PATH?` : undefined
    reject(new FairwayError('COMMAND_FAILED', `${program} could not be started: ${cause.message}`, { cause, hint }))
  })
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
    if (bounded?.aborted) {
      throw new FairwayError('COMMAND_TIMEOUT', `${argv.join(' ')} did not end within ${deadlineMs} ms`, {
        details: lastLines(result.stderr, 20),
      })
    }
    return result
  } finally {
    bounded?.removeEventListener('abort', killGroup)
  }
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
