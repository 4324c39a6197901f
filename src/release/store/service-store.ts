import { createHash } from 'node:crypto'
import {
  type DesiredState,
  parseScopeKey,
  type Route,
  sameRoute,
  type ServiceScope,
  scopeKey,
} from '../../config/index.ts'
import type { Address } from '../../host/index.ts'
import type { GatewayCheck, ServiceState } from '../release.ts'
import { Fenced } from './fenced.ts'
import type { ReleaseTables } from './schema.ts'

/**
 * uids of instances when Fairway is root. Nobody else gives these away: shadow's subordinate ids (100000–600100000),
 * systemd's containers (524288–1879048191) and its foreign ids (from 2147352576), sssd's (200000–2000200000).
 * @see systemd's UIDS-GIDS.md, login.defs(5), sssd-ldap(5)
 */
const [firstUid, endUid] = [2_001_000_000, 2_147_000_000]
/** A home's own are close together; it goes on into the next block rather than giving one twice. */
const blockSize = 1000

/**
 * Where a home begins to count. Homes of one machine know nothing of each other: two that began at the same number would
 * give their services each other's files. Of 146,000 blocks, any two homes have the same one once in 146,000 times.
 */
export function firstUidOf(homeId: string): number {
  const blocks = (endUid - firstUid) / blockSize
  return firstUid + (createHash('sha256').update(homeId).digest().readUInt32BE() % blocks) * blockSize
}

export type ServiceChange = Pick<ServiceState, 'desired' | 'declaredInstances' | 'needs' | 'check'>

/** What each environment wishes of its services. */
export class ServiceStore extends Fenced {
  async list(filter: { project?: string | undefined; environment?: string | undefined } = {}): Promise<ServiceState[]> {
    const rows = await this.database.selectFrom('services').selectAll().orderBy('scope').execute()
    return rows
      .map(fromRow)
      .filter(
        ({ scope }) =>
          (filter.project === undefined || scope.project === filter.project) &&
          (filter.environment === undefined || scope.environment === filter.environment),
      )
  }

  async find(scope: ServiceScope): Promise<ServiceState | undefined> {
    const row = await this.database
      .selectFrom('services')
      .selectAll()
      .where('scope', '=', scopeKey(scope))
      .executeTakeFirst()
    return row === undefined ? undefined : fromRow(row)
  }

  async save(scope: ServiceScope, { desired, declaredInstances, needs, check }: ServiceChange): Promise<void> {
    const change = {
      desired: JSON.stringify(desired),
      declared_instances: declaredInstances,
      needs: JSON.stringify(needs),
      gateway_check: check === null ? null : JSON.stringify(check),
    }
    await this.write((transaction) =>
      transaction
        .insertInto('services')
        .values({ scope: scopeKey(scope), ...change, serving: null, serving_since: null, uid: null })
        .onConflict((conflict) => conflict.column('scope').doUpdateSet(change))
        .execute(),
    )
  }

  /** The other service this host and path belong to, if there is one; what was taken down has given its route back. */
  async routeOwner(wanted: Route, asking: ServiceScope): Promise<ServiceScope | undefined> {
    const all = await this.list()
    return all.find(
      ({ scope, serving, desired: { route } }) =>
        serving !== null && scopeKey(scope) !== scopeKey(asking) && route !== undefined && sameRoute(route, wanted),
    )?.scope
  }

  /** What a project's environment adds to the gateway's addresses; another project's are not touched. */
  async saveBinds(owner: string, binds: readonly Address[]): Promise<void> {
    await this.write(async (transaction) => {
      await transaction.deleteFrom('gateway_binds').where('owner', '=', owner).execute()
      for (const { host, port } of binds) {
        await transaction
          .insertInto('gateway_binds')
          .values({ owner, host, port })
          .onConflict((conflict) => conflict.doNothing())
          .execute()
      }
    })
  }

  /** Of all projects but `except`. */
  async binds(except = ''): Promise<Address[]> {
    const rows = await this.database
      .selectFrom('gateway_binds')
      .select(['host', 'port'])
      .distinct()
      .where('owner', '!=', except)
      .orderBy('port')
      .execute()
    return rows.map(({ host, port }) => ({ host, port }))
  }

  /**
   * The service's own numeric user, allotted once.
   * @param from `firstUidOf` this home
   * @param isTaken tells of processes and passwd entries that have it
   */
  async allotUid(scope: ServiceScope, from: number, isTaken: (uid: number) => boolean): Promise<number> {
    return this.write(async (transaction) => {
      const rows = await transaction.selectFrom('services').select(['scope', 'uid']).execute()
      const mine = rows.find((row) => row.scope === scopeKey(scope))?.uid
      if (mine !== null && mine !== undefined) return mine
      const allotted = new Set(rows.map((row) => row.uid))
      let uid = from
      while (allotted.has(uid) || isTaken(uid)) uid = uid + 1 < endUid ? uid + 1 : firstUid
      await transaction.updateTable('services').set({ uid }).where('scope', '=', scopeKey(scope)).execute()
      return uid
    })
  }
}

function fromRow(row: ReleaseTables['services']): ServiceState {
  return {
    scope: parseScopeKey(row.scope),
    desired: JSON.parse(row.desired) as DesiredState,
    declaredInstances: row.declared_instances,
    serving: row.serving,
    servingSince: row.serving_since,
    check: row.gateway_check === null ? null : (JSON.parse(row.gateway_check) as GatewayCheck),
    needs: JSON.parse(row.needs) as string[],
  }
}
