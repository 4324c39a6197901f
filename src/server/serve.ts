import { rm, chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf, FairwayError } from '../base/error.ts'
import { writeFileAtomic } from '../base/atomic-file.ts'
import type { Checkpoint } from '../base/journal.ts'
import type { OperationContext } from '../base/operation.ts'
import { machineRuns } from '../artifact/index.ts'
import { type App, openApp, releaseContext } from '../app.ts'
import { formatAddress } from '../host/index.ts'
import { apiVersion, version, type VersionAnswer } from './api.ts'
import { apiTaken, refuseTakenPorts } from './first-start.ts'
import { instanceLogs } from './logs.ts'
import { allOperations } from './operations.ts'
import { createServer, type ServerDomain } from './server.ts'
import type { BoundOperation } from './bound-operation.ts'

export interface ServeOptions {
  readonly home: string
  readonly environment: Readonly<Record<string, string | undefined>>
}

export interface Serving {
  readonly answer: () => VersionAnswer
  /** Ends the control plane, not what serves. */
  stop(): void
  readonly ended: Promise<void>
}

/**
 * Opens the home and serves it: on a socket for who may open it, and on an address with a token.
 * @throws FairwayError: what openApp throws; PORT_TAKEN when the API's address is in use
 */
export async function serve({ home, environment }: ServeOptions): Promise<Serving> {
  const { promise: ended, resolve } = Promise.withResolvers<void>()
  let stopping = false
  const stop = () => {
    if (stopping) return
    stopping = true
    void end().then(resolve, resolve)
  }
  await refuseTakenPorts(home, environment)
  const app = await openApp({
    home,
    environment,
    checkpoint: crashPoint(environment),
    bootId: environment['FAIRWAY_TEST_BOOT_ID'], // for the test of a reboot
    // Whoever took over does the work now: one more order from here could undo theirs.
    onLost: (error) => {
      process.stderr.write(`${new Date().toISOString()} ${String(error)}\n`)
      process.exit(75)
    },
  })
  const startedAt = app.clock.now()
  const socket = join(home, 'run', 'fairway.sock')
  const note = join(home, 'run', 'server.json')
  const addresses = { api: formatAddress(app.config.api), socket }
  const answer = (): VersionAnswer => ({
    version,
    api: apiVersion,
    pid: process.pid,
    home: app.homeId,
    addresses: { ...addresses, gateway: app.gateway.binds.map(formatAddress) },
    startedAt,
    runs: machineRuns(),
  })
  const domain = domainOf(app, { answer, stop })
  const begun = Promise.withResolvers<void>()
  const local = createServer(domain, {})
  const remote = createServer(domain, {
    token: app.token,
    hosts: hostsOf(app.config.api.host),
    ready: begun.promise,
  })
  async function end(): Promise<void> {
    await Promise.all([local.close(), remote.close()])
    for (const path of [socket, note]) await rm(path, { force: true })
    const isIdle = await app.engine.isIdle()
    if (isIdle) await app.engine.endJobs()
    await app[Symbol.asyncDispose]()
    if (isIdle) await app.gateway.shutdown() // everything is down: nothing of ours stays behind
  }
  try {
    // A taken port is noticed before anything is done; who asks meanwhile waits for what was under way to be taken up.
    addresses.api = await listenOn(remote, app.config.api)
    const { adopted } = await app.begin()
    begun.resolve()
    await rm(socket, { force: true }) // we hold the lease: whoever left it is gone
    await local.listen({ path: socket })
    await chmod(socket, 0o600)
    await writeFileAtomic(note, `${JSON.stringify(answer())}\n`, { mode: 0o644 })
    app.events.report({ kind: 'server-started', pid: process.pid, version, adopted })
  } catch (error) {
    await end()
    throw error
  }
  return { answer, stop, ended }
}

function domainOf(app: App, { answer, stop }: { answer: () => VersionAnswer; stop: () => void }): ServerDomain {
  const context = {
    ...releaseContext(app),
    secrets: app.secrets,
    now: app.clock.now,
    stop: () => setTimeout(stop, 10), // after the answer is on its way
    isIdle: () => app.engine.isIdle(),
  }
  const operations = allOperations.map((operation): BoundOperation => ({
    name: operation.name,
    summary: operation.summary,
    kind: operation.kind,
    input: operation.input,
    // Its input was parsed by its own schema: that the two belong together is known here only.
    run: (input, call: OperationContext) =>
      (operation.run as (input: unknown, context: object) => ReturnType<BoundOperation['run']>)(input, {
        ...context,
        ...call,
      }),
  }))
  return {
    operations,
    events: app.events,
    blobs: {
      has: (blob) => app.artifacts.has(blob),
      put: (blob, content) => app.artifacts.putBlob(blob, content),
    },
    operationResult: async (operation) => ({ kind: 'result', ...(await app.engine.wait(operation)) }),
    abortOperation: async (operation, who) => {
      if ((await app.engine.world.rollouts.operation(operation)) === undefined) {
        throw new FairwayError('ROLLOUT_NONE', `operation ${operation} is not known`)
      }
      app.engine.abortOperation(operation, who).catch(() => {}) // who follows it sees how it ends
    },
    logs: (query, options) => instanceLogs(app, query, options),
    version: answer,
    moduleFigures: app.moduleFigures,
    modules: async (target, request, response) => (await app.modules()).handle(target, request, response),
  }
}

async function listenOn(
  server: ReturnType<typeof createServer>,
  { host, port }: { host: string; port: number },
): Promise<string> {
  try {
    await server.listen({ host, port })
  } catch (error) {
    if (errnoOf(error) !== 'EADDRINUSE') throw error
    throw await apiTaken({ host, port })
  }
  const bound = server.server.address()
  return typeof bound === 'object' && bound !== null
    ? formatAddress({ host, port: bound.port })
    : formatAddress({ host, port })
}

/** What a request may be addressed to: a page of elsewhere that resolves to us must not. */
function hostsOf(host: string): Set<string> {
  return new Set(['localhost', '127.0.0.1', '[::1]', host, `[${host}]`])
}

/**
 * For the tests that kill the control plane at every journaled step: FAIRWAY_TEST_CRASH_AT=N ends it by SIGKILL at the
 * Nth place it passes (begun, acted, done of each step).
 */
function crashPoint(environment: ServeOptions['environment']): Checkpoint | undefined {
  const at = Number(environment['FAIRWAY_TEST_CRASH_AT'] ?? '')
  if (!Number.isInteger(at) || at <= 0) return undefined
  let passed = 0
  return async () => {
    passed += 1
    if (passed === at) process.kill(process.pid, 'SIGKILL')
  }
}
