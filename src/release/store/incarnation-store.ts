import { sql } from 'kysely'
import type { Database } from '../../base/store/database.ts'
import { type ServiceScope, scopeKey } from '../../config/index.ts'
import type { ServerMode } from '../../gateway/index.ts'
import type { Address } from '../../host/index.ts'
import type { InstanceRef } from '../release.ts'
import { Fenced } from './fenced.ts'
import type { ReleaseTables } from './schema.ts'

/** Recorded before it is started; `gateway` is what was last *wished* of the gateway, recorded before the order. */
export interface IncarnationRecord {
  readonly instance: InstanceRef
  readonly incarnation: number
  readonly address: Address | null
  /** Of the network of its own, '10.83.16.3'; null where it shares the machine's. */
  readonly network: string | null
  readonly gateway: ServerMode | 'none'
  readonly healthyAt: number | null
}

/** Where an instance will be; both null for a worker or a job on the machine's network. */
export type InstancePlan = Pick<IncarnationRecord, 'address' | 'network'>

/** What this home has given away: 'HOST:PORT', and addresses of networks. */
export interface TakenPlaces {
  readonly addresses: ReadonlySet<string>
  readonly networks: ReadonlySet<string>
}

export type IncarnationKey = Pick<IncarnationRecord, 'instance' | 'incarnation'>

/** Every start of an instance, from before it begins until the gateway has forgotten it. */
export class IncarnationStore extends Fenced {
  /** Oldest first. */
  async list(scope: ServiceScope): Promise<IncarnationRecord[]> {
    const rows = await this.database
      .selectFrom('incarnations')
      .selectAll()
      .where('scope', '=', scopeKey(scope))
      .orderBy('incarnation')
      .execute()
    return rows.map(fromRow)
  }

  /** @param choose gives a place that is in none of `taken`; null for jobs */
  async plan(
    scope: ServiceScope,
    instance: InstanceRef,
    choose: ((taken: TakenPlaces) => Promise<InstancePlan>) | null,
  ): Promise<IncarnationRecord> {
    return this.write(async (transaction) => {
      const { last: incarnation } = await transaction
        .insertInto('incarnation_counters')
        .values({ scope: scopeKey(scope), instance, last: 1 })
        .onConflict((conflict) =>
          conflict.columns(['scope', 'instance']).doUpdateSet({ last: sql<number>`incarnation_counters.last + 1` }),
        )
        .returning('last')
        .executeTakeFirstOrThrow()
      const rows = await transaction.selectFrom('incarnations').select(['host', 'port', 'network']).execute()
      const addresses = new Set(rows.map(({ host, port }) => `${host}:${port}`))
      const networks = new Set(rows.flatMap((row) => row.network ?? []))
      const { address, network } =
        choose === null ? { address: null, network: null } : await choose({ addresses, networks })
      await transaction
        .insertInto('incarnations')
        .values({
          scope: scopeKey(scope),
          instance,
          incarnation,
          host: address?.host ?? null,
          port: address?.port ?? null,
          gateway: 'none',
          healthy_at: null,
          network,
        })
        .execute()
      return { instance, incarnation, address, network, gateway: 'none', healthyAt: null }
    })
  }

  async update(
    scope: ServiceScope,
    { instance, incarnation }: IncarnationKey,
    change: { gateway?: ServerMode | 'none'; healthyAt?: number },
  ): Promise<void> {
    await this.write((transaction) =>
      transaction
        .updateTable('incarnations')
        .set({
          ...(change.gateway === undefined ? {} : { gateway: change.gateway }),
          ...(change.healthyAt === undefined ? {} : { healthy_at: change.healthyAt }),
        })
        .where('scope', '=', scopeKey(scope))
        .where('instance', '=', instance)
        .where('incarnation', '=', incarnation)
        .execute(),
    )
  }

  /** It has ended and the gateway has forgotten it: only now is its port free. */
  async remove(scope: ServiceScope, { instance, incarnation }: IncarnationKey): Promise<void> {
    await this.write((transaction) =>
      transaction
        .deleteFrom('incarnations')
        .where('scope', '=', scopeKey(scope))
        .where('instance', '=', instance)
        .where('incarnation', '=', incarnation)
        .execute(),
    )
  }
}

/** For a state that came from elsewhere: its processes and addresses are of another home, or of another machine. */
export async function forgetIncarnations(database: Database): Promise<void> {
  await database.deleteFrom('incarnations').execute()
}

function fromRow(row: ReleaseTables['incarnations']): IncarnationRecord {
  return {
    instance: row.instance as InstanceRef,
    incarnation: row.incarnation,
    address: row.host === null || row.port === null ? null : { host: row.host, port: row.port },
    gateway: row.gateway as ServerMode | 'none',
    healthyAt: row.healthy_at,
    network: row.network,
  }
}
