import type { Route, ServiceScope } from '../../config/index.ts'
import type { Address } from '../../host/index.ts'
import type { GatewayCheck, ServerMode } from '../gateway.ts'

/** What HAProxy is to be, complete: its files and its repairs are functions of this and nothing else. */
export interface DesiredGateway {
  readonly binds: readonly Address[]
  readonly services: readonly DesiredService[]
}

export interface DesiredService {
  readonly scope: ServiceScope
  /** Canonical; undefined: reached only at its internal port. */
  readonly route: Route | undefined
  readonly check: GatewayCheck
  /** HAProxy's number of the backend, kept over reloads and restarts. */
  readonly backendId: number
  /** On 127.0.0.1, for the other services of the environment. */
  readonly internalPort: number
  readonly servers: readonly DesiredServer[]
}

export interface DesiredServer {
  readonly name: string
  /** HAProxy's number of the server within its backend: fixed, as hashing and counters go by it. */
  readonly id: number
  readonly address: Address
  readonly mode: ServerMode
}
