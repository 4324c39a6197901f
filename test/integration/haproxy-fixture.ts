import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import type { FairwayEventBody } from '../../src/base/event.ts'
import { execOk } from '../../src/base/exec.ts'
import { readBootId } from '../../src/base/process-identity.ts'
import type { Gateway, ServerName } from '../../src/gateway/index.ts'
import { openHaproxyGateway } from '../../src/gateway/index.ts'
import { pickPort } from '../../src/gateway/haproxy/ports.ts'
import type { Address } from '../../src/host/index.ts'

export const scope = { project: 'shop', environment: 'dev', service: 'web' } as const
export const host = 'web.localhost'
export const web = {
  scope,
  route: { host, path: '/' },
  check: { kind: 'http', path: '/healthz' },
} as const

export const server = (name: string): ServerName => ({ scope, server: name })

/** A folder, a gateway in it, and programs behind it: all gone at the end of the test. */
export class Bench implements AsyncDisposable {
  readonly folder: string
  readonly events: FairwayEventBody[] = []
  readonly #program: string
  readonly #running = new Set<ChildProcess>()
  readonly #gateways: Gateway[] = []

  private constructor(folder: string, program: string) {
    this.folder = folder
    this.#program = program
  }

  static async open(): Promise<Bench> {
    const folder = await mkdtemp(join(tmpdir(), 'fw-gw-'))
    return new Bench(folder, await buildEcho())
  }

  /** Again on the same folder: what a restarted control plane does. */
  async gateway(
    options: { binds?: readonly Address[]; haproxyPath?: string; openFiles?: number } = {},
  ): Promise<Gateway> {
    const gateway = await openHaproxyGateway({
      folder: join(this.folder, 'gateway'),
      binds: options.binds ?? [{ host: '127.0.0.1', port: 0 }],
      haproxyPath: options.haproxyPath ?? 'haproxy',
      clock: systemClock,
      bootId: await readBootId(),
      ...(options.openFiles === undefined ? {} : { openFiles: options.openFiles }),
      report: (event) => this.events.push(event),
    })
    this.#gateways.push(gateway)
    return gateway
  }

  /** A program that answers with its name and dies at once of SIGTERM; resolves when it listens. */
  async start(name: string): Promise<{ address: Address; stop(): Promise<void> }> {
    const address = { host: '127.0.0.1', port: await pickPort('127.0.0.1') }
    const child = spawn(this.#program, [name, `${address.host}:${address.port}`], { stdio: 'ignore', env: {} })
    this.#running.add(child)
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    await untilListening(address)
    return {
      address,
      stop: async () => {
        child.kill('SIGTERM')
        await exited
        this.#running.delete(child)
      },
    }
  }

  /** Starts a program and gives it traffic, in the order of the design. */
  async admit(gateway: Gateway, name: string): Promise<{ address: Address; stop(): Promise<void> }> {
    const program = await this.start(name)
    await gateway.attach(server(name), program.address)
    await gateway.confirm(server(name), { deadlineMs: 5_000 })
    await gateway.setMode(server(name), 'ready')
    return program
  }

  /** Takes a program's traffic away and ends it, in the order of the design. */
  async retire(gateway: Gateway, name: string, program: { stop(): Promise<void> }): Promise<void> {
    await gateway.setMode(server(name), 'drain')
    if (!(await gateway.quiet(server(name), { deadlineMs: 10_000 }))) throw new Error(`${name} did not become quiet`)
    await gateway.setMode(server(name), 'shut')
    if (!(await gateway.quiet(server(name), { deadlineMs: 1_000 })))
      throw new Error(`${name} got a session after drain`)
    await program.stop()
    await gateway.detach(server(name))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const gateway of this.#gateways.slice(0, -1)) await gateway[Symbol.asyncDispose]()
    await this.#gateways.at(-1)?.shutdown()
    for (const child of this.#running) child.kill('SIGKILL')
    await rm(this.folder, { recursive: true, force: true })
  }
}

let built: Promise<string> | undefined
let echoFolder: string | undefined
afterAll(async () => {
  if (echoFolder !== undefined) await rm(echoFolder, { recursive: true, force: true })
})

/** Once per test file. */
function buildEcho(): Promise<string> {
  built ??= (async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fw-echo-'))
    const program = join(folder, 'echo')
    const env = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? folder, GOFLAGS: '-mod=mod' }
    const source = join(import.meta.dirname, '../fixtures/gateway-echo')
    await execOk(['go', 'build', '-o', program, '.'], { cwd: source, env, deadlineMs: 120_000 })
    echoFolder = folder
    return program
  })()
  return built
}

async function untilListening({ host, port }: Address): Promise<void> {
  const deadline = performance.now() + 10_000
  for (;;) {
    const connected = await new Promise<boolean>((resolve) => {
      const socket = connect({ host, port })
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
      socket.unref()
      socket.once('connect', () => socket.destroy())
    })
    if (connected) return
    if (performance.now() > deadline) throw new Error(`nothing listens on ${host}:${port}`)
    await systemClock.sleep(3)
  }
}

/** The only bind. */
export function front(gateway: Gateway): Address {
  const [bind] = gateway.binds
  if (bind === undefined) throw new Error('the gateway has no bind')
  return bind
}
