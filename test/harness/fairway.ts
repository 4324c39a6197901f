import { spawn } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { FairwayEvent, ResultEvent } from '../../src/base/event.ts'
import { isAlive, readBootId } from '../../src/base/process-identity.ts'
import type { ServiceStatus } from '../../src/release/status.ts'
import type { VersionAnswer } from '../../src/server/api.ts'

const launcher = new URL('../../fairway', import.meta.url).pathname

/** How a command ended: its events and its result as `--json` says them. */
export interface CommandEnd {
  readonly exit: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  readonly events: readonly (FairwayEvent | { kind: string })[]
  readonly result: ResultEvent
}

export interface CommandOptions {
  /** In a session of its own, so that a signal to its group is a closed terminal. */
  readonly session?: boolean
  readonly cwd?: string
  readonly stdin?: string
  /** For this command alone, and for a control plane it starts. */
  readonly env?: Readonly<Record<string, string>>
}

/** A command that runs: to be waited for, or signalled. */
export interface RunningCommand {
  readonly pid: number
  readonly ended: Promise<CommandEnd>
  /** What it has printed so far on both streams. */
  readonly printed: () => string
  signal(name: NodeJS.Signals): void
}

/** A whole Fairway of its own: home, ports and project folder, gone at the end with everything it started. */
export class TestFairway implements AsyncDisposable {
  readonly root: string
  readonly home: string
  readonly env: Record<string, string>

  private constructor(root: string, env: Record<string, string>) {
    this.root = root
    this.home = join(root, 'home')
    this.env = env
  }

  /** @param env added to a small environment of its own */
  static async create(env: Readonly<Record<string, string>> = {}): Promise<TestFairway> {
    const root = await mkdtemp(join(tmpdir(), 'fw-'))
    const { chmod } = await import('node:fs/promises')
    await chmod(root, 0o755) // instances have a user of their own
    await mkdir(join(root, 'user'))
    await mkdir(join(root, 'home'))
    // Homes that look for a free port at the same moment must not find the same one.
    const first = 20_000 + 50 * Math.floor(Math.random() * 190)
    await writeFile(join(root, 'home', 'config.yaml'), `ports: ${first}-${first + 199}\n`)
    const { PATH = '', GOCACHE = '', GOMODCACHE = '', GOPROXY = '', GOFLAGS = '', HOME = '' } = process.env
    return new TestFairway(root, {
      PATH,
      HOME, // Go's caches: a build from nothing takes a minute
      ...(GOCACHE === '' ? {} : { GOCACHE }),
      ...(GOMODCACHE === '' ? {} : { GOMODCACHE }),
      ...(GOPROXY === '' ? {} : { GOPROXY }),
      ...(GOFLAGS === '' ? {} : { GOFLAGS }),
      FAIRWAY_HOME: join(root, 'home'),
      FAIRWAY_API: '127.0.0.1:0',
      FAIRWAY_GATEWAY: '127.0.0.1:0',
      ...env,
    })
  }

  /** A copy of a folder, to be changed and released. */
  async project(source: string, name = 'project'): Promise<string> {
    const folder = join(this.root, name)
    await cp(source, folder, { recursive: true })
    return folder
  }

  start(
    words: readonly string[],
    { cwd = this.root, stdin, env = {}, session = false }: CommandOptions = {},
  ): RunningCommand {
    const child = spawn(launcher, words, {
      cwd,
      env: { ...this.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: session,
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.stdin.on('error', () => {})
    child.stdin.end(stdin ?? '')
    const ended = new Promise<CommandEnd>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (exit, signal) => resolve({ exit, signal, stdout, stderr, ...parseLines(stdout) }))
    })
    return {
      pid: child.pid ?? 0,
      ended,
      printed: () => stdout + stderr,
      signal: (name) => void child.kill(name),
    }
  }

  /** With `--json`. */
  async run(words: readonly string[], options: CommandOptions = {}): Promise<CommandEnd> {
    const dashes = words.indexOf('--')
    const at = dashes < 0 ? words.length : dashes
    return this.start([...words.slice(0, at), '--json', ...words.slice(at)], options).ended
  }

  /** As `run`, and it must end as `done` or `unchanged`. */
  async ok(words: readonly string[], options: CommandOptions = {}): Promise<CommandEnd> {
    const end = await this.run(words, options)
    if (end.exit === 0) return end
    throw new Error(`fairway ${words.join(' ')} ended with ${end.exit ?? end.signal}:\n${end.stdout}\n${end.stderr}`)
  }

  async status(cwd: string, env = 'dev'): Promise<ServiceStatus[]> {
    const { result } = await this.ok(['status', '--env', env], { cwd })
    return (result.data as { services: ServiceStatus[] }).services
  }

  /** What HAProxy itself counted: 0 in a planned rollout. */
  async gatewayCounters(cwd: string): Promise<{ retries: number | null; redispatches: number | null }> {
    const { result } = await this.ok(['status'], { cwd })
    const { gateway } = result.data as { gateway: { retries: number | null; redispatches: number | null } }
    return { retries: gateway.retries, redispatches: gateway.redispatches }
  }

  async version(): Promise<VersionAnswer> {
    const { result } = await this.ok(['server', 'status'])
    return result.data as VersionAnswer
  }

  /** Host and port of the gateway. */
  async gateway(): Promise<{ host: string; port: number }> {
    const [first = ''] = (await this.version()).addresses.gateway
    const [host = '', port = ''] = first.split(':')
    return { host, port: Number(port) }
  }

  /** The control plane's pid, from its own note; undefined when there is none. */
  async serverPid(): Promise<number | undefined> {
    try {
      return (JSON.parse(await readFile(join(this.home, 'run', 'server.json'), 'utf8')) as { pid: number }).pid
    } catch {
      return undefined
    }
  }

  /** SIGKILL of the control plane alone; resolves when it is gone. */
  async killServer(): Promise<void> {
    const pid = await this.serverPid()
    if (pid === undefined) throw new Error('no control plane to kill')
    process.kill(pid, 'SIGKILL')
    await until(async () => !(await isRunning(pid)), 'the control plane is gone')
  }

  /** Pids of the programs of this home's artifacts: what runs, whatever anybody thinks should. */
  async programs(): Promise<number[]> {
    const folder = join(this.home, 'artifacts')
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
    const ours = await Promise.all(
      pids.map(async (pid) => (await readlink(`/proc/${pid}/exe`).catch(() => '')).startsWith(`${folder}/`)),
    )
    return pids.filter((_, index) => ours[index]).sort((a, b) => a - b)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run(['down', '--all', '--yes'])
    await this.run(['server', 'stop'])
    await rm(this.root, { recursive: true, force: true, maxRetries: 5 })
  }
}

export async function until(holds: () => Promise<boolean>, what: string, withinMs = 20_000): Promise<void> {
  const end = performance.now() + withinMs
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${what}`)
    await delay(20)
  }
}

export async function isRunning(pid: number): Promise<boolean> {
  const bootId = await readBootId()
  const { identifyProcess } = await import('../../src/base/process-identity.ts')
  const identity = await identifyProcess(pid, bootId)
  return identity !== undefined && isAlive(identity, bootId)
}

function parseLines(stdout: string): { events: CommandEnd['events']; result: ResultEvent } {
  const lines = stdout.split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line) as FairwayEvent | ResultEvent]
    } catch {
      return [] // not one of --json's
    }
  })
  const last = lines.at(-1)
  const result: ResultEvent = last?.kind === 'result' ? last : { kind: 'result', outcome: 'failed' }
  return { events: lines.filter((line): line is FairwayEvent => line.kind !== 'result'), result }
}
