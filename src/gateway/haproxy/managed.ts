import { mkdir, readFile, rename } from 'node:fs/promises'
import { writeFileAtomic } from '../../base/atomic-file.ts'
import type { Bounded } from '../../base/bounds.ts'
import type { Clock } from '../../base/clock.ts'
import { FairwayError } from '../../base/error.ts'
import { lastLines } from '../../base/exec.ts'
import type { Capacity } from './config.ts'
import { internalEntries, renderConfig, renderMap, renderServerState, routeEntries } from './config.ts'
import type { DesiredGateway, DesiredService } from './desired.ts'
import type { GatewayFiles } from './files.ts'
import { backendName } from './names.ts'
import type { ServerState } from './parse.ts'
import type { HaproxyProcess } from './process.ts'
import { SerialQueue } from './queue.ts'
import type { MapEdit, RepairOrder } from './repair.ts'
import { planMapEdits, planRepair } from './repair.ts'
import type { HaproxyRuntimeClient } from './runtime-client.ts'

const reloadWithinMs = 20_000
/** Around a reload an order may reach the worker that goes: looking once more shows it. */
const repairAttempts = 4

/**
 * An HAProxy that is brought to a desired state: its files, its start, its reload and what its socket can change. Knows
 * nothing of who desires. Callers give one order at a time.
 *
 * The files: HAProxy reads them only when it starts or reloads, and each of our starts and reloads writes them first, from
 * memory, whole. So memory is what a restored HAProxy comes from, and an order is safe once it stands there, before any
 * socket was asked. In between the files follow within `lagMs` (lagging-files.ts), for an operator who reloads by hand; were both we and
 * HAProxy killed within that time, the caller's own desired state puts right what they lack.
 */
export class ManagedHaproxy {
  readonly #files: GatewayFiles
  readonly #clock: Clock
  readonly #written = new Map<string, string>()
  readonly #writing = new SerialQueue()
  capacity: Capacity
  readonly client: HaproxyRuntimeClient
  readonly process: HaproxyProcess
  /** Workers that were replaced and still finish something: asked for sessions, and told to relay what is new. */
  #old = new Set<number>()
  #currentWorker: number | undefined

  constructor(
    files: GatewayFiles,
    parts: { capacity: Capacity; clock: Clock; client: HaproxyRuntimeClient; process: HaproxyProcess },
  ) {
    this.#files = files
    this.capacity = parts.capacity
    this.#clock = parts.clock
    this.client = parts.client
    this.process = parts.process
  }

  get oldWorkers(): readonly number[] {
    return [...this.#old]
  }

  /** An old worker was found to be gone. */
  forgetWorker(pid: number): void {
    this.#old.delete(pid)
  }

  /** Writes what changed since it was last written; `known` as in renderServerState. */
  async writeFiles(desired: DesiredGateway, known: readonly ServerState[]): Promise<void> {
    await this.#writeInputs(desired, known)
    await this.#write(this.#files.config, renderConfig(desired, this.#files, this.capacity).text)
    await this.process.limitLog()
  }

  async #writeInputs(desired: DesiredGateway, known: readonly ServerState[]): Promise<void> {
    await mkdir(this.#files.folder, { recursive: true, mode: 0o700 })
    await this.#write(this.#files.routes, renderMap(routeEntries(desired.services)))
    await this.#write(this.#files.internal, renderMap(internalEntries(desired.services)))
    await this.#write(this.#files.role, '')
    await this.#write(this.#files.serverState, renderServerState(desired, known))
  }

  #write(path: string, text: string): Promise<void> {
    return this.#writing.run(async () => {
      if (this.#written.get(path) === text) return
      this.#written.delete(path)
      await writeFileAtomic(path, text)
      this.#written.set(path, text)
    })
  }

  /** Whether what runs has the structure that is desired: else only a reload brings it there. */
  async hasStructureOf(desired: DesiredGateway, options?: Bounded): Promise<boolean> {
    const info = await this.client.info(options)
    return info.get('description') === `fairway-${renderConfig(desired, this.#files, this.capacity).structure}`
  }

  /** Starts HAProxy where none runs. @throws FairwayError GATEWAY_REFUSED */
  async start(desired: DesiredGateway): Promise<void> {
    this.#written.clear()
    await this.writeFiles(desired, [])
    await this.process.start(renderConfig(desired, this.#files, this.capacity).structure)
    this.#old = new Set()
    this.#currentWorker = (await this.client.processes()).current
    await this.repair(desired)
  }

  /**
   * Replaces the worker by one with the desired structure. The old one finishes what it has.
   * @throws FairwayError GATEWAY_REFUSED: then the old one goes on serving as it did
   */
  async reload(desired: DesiredGateway): Promise<void> {
    const { text } = renderConfig(desired, this.#files, this.capacity)
    // Whatever became of them since: HAProxy is about to read them.
    this.#written.clear()
    await this.#writeInputs(desired, await this.client.serversState())
    await writeFileAtomic(this.#files.candidate, text)
    await this.process.check(this.#files.candidate)
    await rename(this.#files.candidate, this.#files.config)
    this.#written.set(this.#files.config, text)
    const before = await this.client.processes()
    await this.client.reload()
    const deadline = this.#clock.monotonicMs() + reloadWithinMs
    for (;;) {
      // While it tries to get what it cannot have, the master may be silent for seconds.
      const now = await this.client.processes({ deadlineMs: reloadWithinMs })
      if (now.current !== undefined && now.current !== before.current && !now.old.includes(now.current)) break
      if (now.failedReloads > before.failedReloads || this.#clock.monotonicMs() > deadline) {
        const said = await readFile(this.#files.log, 'utf8').catch(() => '')
        throw new FairwayError(
          'GATEWAY_REFUSED',
          'HAProxy could not start with the new configuration: the old one goes on serving',
          {
            details: lastLines(said, 30).filter((line) => line.includes('ALERT')),
          },
        )
      }
      await this.#clock.sleep(3)
    }
    await this.meetWorkers()
    await this.repair(desired)
  }

  /**
   * Learns which workers there are; those replaced become relays (config.ts says why).
   * @returns true when the current one is not the one we knew: somebody reloaded
   */
  async meetWorkers(): Promise<boolean> {
    const { current, old } = await this.client.processes()
    for (const worker of old) if (!this.#old.has(worker)) await this.#makeRelay(worker)
    this.#old = new Set(old)
    const changed = current !== this.#currentWorker
    this.#currentWorker = current
    return changed
  }

  async #makeRelay(worker: number): Promise<void> {
    try {
      await this.client.addMapEntry(this.#files.role, 'relay', '1', { worker })
      await this.client.clearMap(this.#files.routes, { worker })
      await this.client.clearMap(this.#files.internal, { worker })
    } catch (error) {
      // It ended meanwhile: all the better.
      if (!(error instanceof FairwayError) || error.code !== 'GATEWAY_UNREACHABLE') throw error
    }
  }

  /** Compares all that the socket can change and puts right what differs. */
  async repair(desired: DesiredGateway): Promise<void> {
    await this.repairMaps(desired)
    const observed = await this.client.serversState()
    for (const service of desired.services) {
      const backend = backendName(service.scope)
      const orders = planRepair(
        service.servers,
        observed.filter((state) => state.backend === backend),
        service.check,
      )
      if (orders.length === 0) continue
      await this.#obey(backend, orders)
      await this.repairService(service)
    }
  }

  async repairMaps(desired: DesiredGateway): Promise<void> {
    for (const [file, entries] of [
      [this.#files.routes, routeEntries(desired.services)],
      [this.#files.internal, internalEntries(desired.services)],
    ] as const) {
      for (const edit of planMapEdits(entries, await this.client.map(file))) await this.#edit(file, edit)
    }
  }

  /** The same for one service's servers, until nothing is left to do but what has to wait. */
  async repairService({ scope, servers, check }: DesiredService, options?: Bounded): Promise<void> {
    const backend = backendName(scope)
    for (let attempt = 0; attempt < repairAttempts; attempt += 1) {
      const orders = planRepair(servers, await this.client.serversState(backend, options), check)
      if (orders.every(({ kind }) => kind === 'delete')) return
      await this.#obey(backend, orders, options)
    }
  }

  async #edit(file: string, edit: MapEdit): Promise<void> {
    switch (edit.kind) {
      case 'add':
        return this.client.addMapEntry(file, edit.key, edit.value)
      case 'set':
        return this.client.setMapEntry(file, edit.key, edit.value)
      case 'delete':
        return this.client.deleteMapEntry(file, edit.key)
    }
  }

  async #obey(backend: string, orders: readonly RepairOrder[], options?: Bounded): Promise<void> {
    for (const order of orders) {
      const server = `${backend}/${order.server}`
      switch (order.kind) {
        case 'introduce':
          await this.client.introduceServer(server, order.words, order.mode, options)
          break
        case 'mode':
          await this.client.setMode(server, order.mode, options)
          break
        case 'check':
          await this.client.enableHealth(server, options)
          break
        case 'cut':
          await this.client.shutdownSessions(server, options)
          break
        case 'delete':
          // A stray that still finishes something stays shut; the next repair finds it again.
          await this.client.deleteServer(server, options).catch(ignoreRefusal)
          break
      }
    }
  }
}

function ignoreRefusal(error: unknown): void {
  if (!(error instanceof FairwayError) || error.code !== 'GATEWAY_REFUSED') throw error
}
