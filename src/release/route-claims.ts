import { type Route, sameRoute, type ServiceScope, scopeKey } from '../config/index.ts'
import type { PlannedChange, RecordedChange } from './store/rollout-store.ts'

/**
 * Hosts and paths while operations are under way: what a service had before counts as well as what it is to get, since
 * the operation may end either way.
 */
export class RouteClaims {
  readonly #claims = new Map<string, { readonly scope: ServiceScope; readonly routes: readonly Route[] }>()

  /** The other service that has, or may soon have, this host and path. */
  owner(route: Route, asking: ServiceScope): ServiceScope | undefined {
    for (const [key, { scope, routes }] of this.#claims) {
      if (key !== scopeKey(asking) && routes.some((one) => sameRoute(one, route))) return scope
    }
    return undefined
  }

  claim({ scope, release, desired, ...rest }: PlannedChange | RecordedChange): void {
    const before = 'before' in rest ? rest.before?.desired.route : undefined
    const after = release === null ? undefined : desired.route
    this.#claims.set(scopeKey(scope), { scope, routes: [before, after].filter((route) => route !== undefined) })
  }

  drop(scope: ServiceScope): void {
    this.#claims.delete(scopeKey(scope))
  }
}
