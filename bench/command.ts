import { spawn } from 'node:child_process'

export interface CommandCost {
  readonly wallMs: number
  /** User and system time, of what it waited for too. */
  readonly cpuMs: number
}

/** Runs a command and says what it cost. bash's `time` counts by getrusage(2): /proc would round to 10 ms. */
export async function commandCost(
  argv: readonly string[],
  { cwd, env }: { cwd: string; env: Readonly<Record<string, string>> },
): Promise<CommandCost> {
  const script = 'TIMEFORMAT="%3R %3U %3S"; time "$@" >/dev/null 2>&1'
  const child = spawn('bash', ['-c', script, 'bash', ...argv], { cwd, env, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  const { promise, resolve, reject } = Promise.withResolvers<number | null>()
  child.on('error', reject)
  child.on('close', resolve)
  const exit = await promise
  const [real = Number.NaN, user = Number.NaN, system = Number.NaN] = said.trim().split(' ').map(Number)
  if (exit !== 0 || Number.isNaN(real)) throw new Error(`${argv.join(' ')} ended with ${exit}: ${said}`)
  return { wallMs: real * 1000, cpuMs: (user + system) * 1000 }
}
