import { type DesiredState, parseScopeKey, type Route, type ServiceScope, scopeKey } from '../../config/index.ts'
import type { Address } from '../../host/index.ts'
import type { GatewayCheck, ServiceState } from '../release.ts'
import { Fenced } from './fenced.ts'
import type { ReleaseTables } from './schema.ts'

/** uids of instances when Fairway is root: 70000–79999. */
const firstUid = 70_000
const lastUid = 79_999

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
  async routeOwner({ host, path }: Route, asking: ServiceScope): Promise<ServiceScope | undefined> {
    const all = await this.list()
    return all.find(
      ({ scope, serving, desired: { route } }) =>
        serving !== null && scopeKey(scope) !== scopeKey(asking) && route?.host === host && route.path === path,
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

  /** The service's own numeric user, allotted once; `isTaken` tells of processes and passwd entries that have it. */
  async allotUid(scope: ServiceScope, isTaken: (uid: number) => boolean): Promise<number> {
    return this.write(async (transaction) => {
      const rows = await transaction.selectFrom('services').select(['scope', 'uid']).execute()
      const mine = rows.find((row) => row.scope === scopeKey(scope))?.uid
      if (mine !== null && mine !== undefined) return mine
      const allotted = new Set(rows.map((row) => row.uid))
      let uid = firstUid
      while (uid < lastUid && (allotted.has(uid) || isTaken(uid))) uid += 1
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
