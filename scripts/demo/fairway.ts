import { spawn } from 'node:child_process'
import type { FairwayEvent, ResultEvent } from '../../src/base/event.ts'

const launcher = new URL('../../fairway', import.meta.url).pathname

export interface CommandEnd {
  readonly exit: number | null
  readonly result: ResultEvent
  /** ms from the exec to the end. */
  readonly tookMs: number
  /** By `performance.now()`, just before the exec. */
  readonly beganAt: number
  readonly stderr: string
}

export interface CommandOptions {
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly onEvent?: (event: FairwayEvent) => void
  /** Asks the command to turn back, as one Ctrl-C does. */
  readonly signal?: AbortSignal
}

/** `fairway WORDS --json`: its events as they come, and its result. In a group of its own: the terminal's Ctrl-C is ours. */
export async function runFairway(
  words: readonly string[],
  { cwd, env, onEvent, signal }: CommandOptions,
): Promise<CommandEnd> {
  const beganAt = performance.now()
  const child = spawn(launcher, [...words, '--json'], { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const interrupt = () => void child.kill('SIGINT')
  signal?.addEventListener('abort', interrupt, { once: true })
  let rest = ''
  let stderr = ''
  let result: ResultEvent = { kind: 'result', outcome: 'failed' }
  const take = (line: string) => {
    if (!line.startsWith('{')) return
    const frame = JSON.parse(line) as FairwayEvent | ResultEvent
    if (frame.kind === 'result') result = frame
    else onEvent?.(frame)
  }
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) take(line)
  })
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk))
  const { promise, resolve, reject } = Promise.withResolvers<number | null>()
  child.on('error', reject)
  child.on('close', resolve)
  try {
    const exit = await promise
    take(rest)
    return { exit, result, tookMs: performance.now() - beganAt, beganAt, stderr }
  } finally {
    signal?.removeEventListener('abort', interrupt)
  }
}
