import { FairwayError } from '../../base/error.ts'
import type { ServiceScope } from '../../config/index.ts'
import { scopeKey } from '../../config/index.ts'
import type { Address } from '../../host/index.ts'
import type { GatewayServer, GatewayService, ServerMode, ServerName } from '../gateway.ts'
import { firstBackendId } from './config.ts'
import type { DesiredGateway, DesiredServer, DesiredService } from './desired.ts'
import { assertAddress, backendName, checkRoute, checkPath, serverName } from './names.ts'
import type { ServerState } from './parse.ts'
import type { PortRange } from './ports.ts'
import { choosePort } from './ports.ts'
import type { GatewayRecord } from './record.ts'

type Numbers = GatewayRecord['services'][string]

/** The desired state in memory, with the numbers and ports that HAProxy needs for it. Touches nothing outside. */
export class DesiredState {
  readonly #folder: string
  readonly #internalPorts: PortRange
  readonly #numbers: Map<string, Numbers>
  #services = new Map<string, DesiredService>()
  /** The home's own. */
  binds: readonly Address[]
  extraBinds: readonly Address[] = []

  constructor(
    record: GatewayRecord,
    { folder, binds, internalPorts }: { folder: string; binds: readonly Address[]; internalPorts: PortRange },
  ) {
    this.#folder = folder
    this.#internalPorts = internalPorts
    this.#numbers = new Map(Object.entries(record.services))
    this.binds = binds
  }

  desired(): DesiredGateway {
    return { binds: this.allBinds, services: [...this.#services.values()] }
  }

  get allBinds(): readonly Address[] {
    return [...this.binds, ...this.extraBinds]
  }

  /** What of it must outlive us. */
  numbers(): GatewayRecord['services'] {
    return Object.fromEntries(this.#numbers)
  }

  service(scope: ServiceScope): DesiredService | undefined {
    return this.#services.get(scopeKey(scope))
  }

  server({ scope, server }: ServerName): DesiredServer | undefined {
    return this.service(scope)?.servers.find(({ name }) => name === server)
  }

  /** @throws FairwayError SERVICE_UNKNOWN */
  requireService(scope: ServiceScope): DesiredService {
    const service = this.service(scope)
    if (service === undefined)
      throw new FairwayError('SERVICE_UNKNOWN', `The gateway has no service ${scopeKey(scope)}`)
    return service
  }

  /** @returns an undo, for when HAProxy refuses. @throws FairwayError ROUTE_TAKEN, CONFIG_INVALID */
  putService({ scope, route, check }: Omit<GatewayService, 'servers'>): () => void {
    const key = scopeKey(scope)
    const canonical = route === undefined ? undefined : checkRoute(route)
    if (check.kind === 'http') checkPath(check.path)
    const rival = [...this.#services.values()].find(
      (other) =>
        scopeKey(other.scope) !== key &&
        canonical !== undefined &&
        other.route?.host === canonical.host &&
        other.route.path === canonical.path,
    )
    if (rival !== undefined && canonical !== undefined) {
      throw new FairwayError('ROUTE_TAKEN', `${canonical.host}${canonical.path} belongs to ${scopeKey(rival.scope)}`, {
        hint: `Give ${key} another host or path under \`route:\`, or take it from the other service first (fairway down).`,
      })
    }
    const { backendId, internalPort } = this.numbersOf(scope)
    const before = this.#services.get(key)
    const servers = before?.servers ?? []
    this.#services.set(key, { scope, route: canonical, check, backendId, internalPort, servers })
    return () => {
      if (before === undefined) this.#services.delete(key)
      else this.#services.set(key, before)
    }
  }

  removeService(scope: ServiceScope): () => void {
    const key = scopeKey(scope)
    const before = this.#services.get(key)
    this.#services.delete(key)
    return () => {
      if (before !== undefined) this.#services.set(key, before)
    }
  }

  /**
   * Forgets all and begins with these. A server that HAProxy has already keeps its number.
   * @returns why some could not be kept as they were wished: these have no route, and a check by connection
   */
  replaceAll(services: readonly GatewayService[], observed: readonly ServerState[]): FairwayError[] {
    this.#services = new Map()
    const refusals: FairwayError[] = []
    for (const state of observed) {
      const entry = [...this.#numbers].find(([key]) => key.replaceAll('/', '.') === state.backend)
      if (entry !== undefined) entry[1].nextServerId = Math.max(entry[1].nextServerId, state.id + 1)
    }
    for (const service of services) {
      try {
        this.putService(service)
      } catch (error) {
        if (!(error instanceof FairwayError)) throw error
        refusals.push(error)
        this.putService({ scope: service.scope, check: { kind: 'tcp' } })
      }
      const known = observed.filter(({ backend }) => backend === backendName(service.scope))
      for (const server of service.servers) {
        this.#putServer(service.scope, server, known.find(({ name }) => name === server.name)?.id)
      }
    }
    return refusals
  }

  /** @returns an undo */
  addServer({ scope, server }: ServerName, address: Address): () => void {
    this.requireService(scope)
    this.#putServer(scope, { name: server, address, mode: 'drain' }, undefined)
    return () => this.removeServer({ scope, server })
  }

  removeServer({ scope, server }: ServerName): void {
    this.#changeServers(scope, (servers) => servers.filter(({ name }) => name !== server))
  }

  setMode({ scope, server }: ServerName, mode: ServerMode): void {
    this.#changeServers(scope, (servers) => servers.map((one) => (one.name === server ? { ...one, mode } : one)))
  }

  #putServer(scope: ServiceScope, { name, address, mode }: GatewayServer, known: number | undefined): void {
    const numbers = this.numbersOf(scope)
    const id = known ?? numbers.nextServerId
    numbers.nextServerId = Math.max(numbers.nextServerId, id + 1)
    const server: DesiredServer = { name: serverName(name), id, address: assertAddress(address), mode }
    this.#changeServers(scope, (servers) => [...servers, server])
  }

  #changeServers(scope: ServiceScope, change: (servers: readonly DesiredServer[]) => readonly DesiredServer[]): void {
    const service = this.service(scope)
    if (service !== undefined) this.#services.set(scopeKey(scope), { ...service, servers: change(service.servers) })
  }

  /** Allotted when first asked for, then kept, also while the service is not there. */
  numbersOf(scope: ServiceScope): Numbers {
    backendName(scope)
    const key = scopeKey(scope)
    const present = this.#numbers.get(key)
    if (present !== undefined) return present
    const ids = [...this.#numbers.values()].map(({ backendId }) => backendId)
    const numbers = {
      backendId: Math.max(firstBackendId - 1, ...ids) + 1,
      internalPort: this.#choosePort(key),
      nextServerId: 1,
    }
    this.#numbers.set(key, numbers)
    return numbers
  }

  /** Somebody else has the port: another one, from now on. */
  changeInternalPort(scope: ServiceScope, taken: ReadonlySet<number>): number {
    const numbers = this.numbersOf(scope)
    numbers.internalPort = this.#choosePort(scopeKey(scope), taken)
    const service = this.service(scope)
    if (service !== undefined) {
      this.#services.set(scopeKey(scope), { ...service, internalPort: numbers.internalPort })
    }
    return numbers.internalPort
  }

  #choosePort(key: string, alsoTaken: ReadonlySet<number> = new Set()): number {
    const ours = [...this.#numbers.values()].map(({ internalPort }) => internalPort)
    const taken = new Set([...ours, ...this.allBinds.map(({ port }) => port), ...alsoTaken])
    const port = choosePort(this.#internalPorts, `${this.#folder} ${key}`, taken)
    if (port !== undefined) return port
    const { first, last } = this.#internalPorts
    throw new FairwayError('PORT_TAKEN', `No port is left from ${first} to ${last} for ${key}'s internal address`)
  }
}
