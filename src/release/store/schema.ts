import type { CreateTableBuilder } from 'kysely'
import type { Database } from '../../base/store/database.ts'
import type { Migration } from '../../base/store/migrate.ts'
import { strict } from '../../base/store/strict.ts'

/** `scope` is 'project/environment/service' in every table; times are ms since 1970; objects are JSON text. */
export interface ReleaseTables {
  releases: {
    scope: string
    number: number
    digest: string
    artifact: string
    binary: string
    run: string
    release_values: string
    go_version: string
    source: string
    created_at: number
    who: string
    proven_at: number | null
    pruned_at: number | null
  }
  services: {
    scope: string
    desired: string
    declared_instances: number
    serving: number | null
    serving_since: number | null
    needs: string
    gateway_check: string | null
    uid: number | null
  }
  desired_instances: {
    scope: string
    instance: string
    role: string
    warm_until: number | null
    boot_id: string | null
  }
  incarnations: {
    scope: string
    instance: string
    incarnation: number
    host: string | null
    port: number | null
    gateway: string
    healthy_at: number | null
    network: string | null
  }
  incarnation_counters: { scope: string; instance: string; last: number }
  rollouts: {
    id: number
    operation: number
    scope: string
    verb: string
    who: string
    from_release: number | null
    to_release: number | null
    rollout: string
    stages: string
    stage: number
    phase: string
    started_at: number
    ended_at: number | null
    outcome: string | null
    why: string | null
    failure: string | null
    switched_ms: number | null
  }
  operations: {
    id: number
    name: string
    who: string
    changes: string
    started_at: number
    ended_at: number | null
    outcome: string | null
    services: string
  }
  /** owner: 'project/environment' */
  gateway_binds: { owner: string; host: string; port: number }
  jobs: { scope: string; release: number; state: string; incarnation: number | null; exit: string | null; at: number }
}

declare module '../../base/store/database.ts' {
  interface Schema extends ReleaseTables {}
}

type ColumnType = 'text' | 'integer' | 'real'

/** `!` behind a type: never null. */
async function createTable(
  database: Database,
  name: string,
  columns: Readonly<Record<string, ColumnType | `${ColumnType}!`>>,
  constrain: (table: CreateTableBuilder<string, string>) => CreateTableBuilder<string, string>,
): Promise<void> {
  let table: CreateTableBuilder<string, string> = database.schema.createTable(name)
  for (const [column, type] of Object.entries(columns)) {
    const isRequired = type.endsWith('!')
    const dataType = type.replace('!', '') as ColumnType
    table = table.addColumn(column, dataType, (definition) => (isRequired ? definition.notNull() : definition))
  }
  await constrain(table).modifyEnd(strict).execute()
}

export const releaseMigrations: readonly Migration[] = [
  {
    name: '0004-releases',
    async up(database) {
      await createTable(
        database,
        'releases',
        {
          scope: 'text!',
          number: 'integer!',
          digest: 'text!',
          artifact: 'text!',
          binary: 'text!',
          run: 'text!',
          release_values: 'text!',
          go_version: 'text!',
          source: 'text!',
          created_at: 'real!',
          who: 'text!',
          proven_at: 'real',
          pruned_at: 'real',
        },
        (table) =>
          table
            .addPrimaryKeyConstraint('releases_key', ['scope', 'number'])
            .addUniqueConstraint('releases_digest', ['scope', 'digest']),
      )
      await createTable(
        database,
        'services',
        {
          scope: 'text!',
          desired: 'text!',
          declared_instances: 'integer!',
          serving: 'integer',
          serving_since: 'real',
          needs: 'text!',
          gateway_check: 'text',
          uid: 'integer',
        },
        (table) =>
          table.addPrimaryKeyConstraint('services_key', ['scope']).addUniqueConstraint('services_uid', ['uid']),
      )
      await createTable(
        database,
        'desired_instances',
        { scope: 'text!', instance: 'text!', role: 'text!', warm_until: 'real', boot_id: 'text' },
        (table) => table.addPrimaryKeyConstraint('desired_key', ['scope', 'instance']),
      )
      await createTable(
        database,
        'incarnations',
        {
          scope: 'text!',
          instance: 'text!',
          incarnation: 'integer!',
          host: 'text',
          port: 'integer',
          gateway: 'text!',
          healthy_at: 'real',
        },
        (table) =>
          table
            .addPrimaryKeyConstraint('incarnations_key', ['scope', 'instance', 'incarnation'])
            .addUniqueConstraint('incarnations_address', ['host', 'port']),
      )
      await createTable(
        database,
        'incarnation_counters',
        { scope: 'text!', instance: 'text!', last: 'integer!' },
        (table) => table.addPrimaryKeyConstraint('counters_key', ['scope', 'instance']),
      )
      await createTable(
        database,
        'rollouts',
        {
          id: 'integer!',
          operation: 'integer!',
          scope: 'text!',
          verb: 'text!',
          who: 'text!',
          from_release: 'integer',
          to_release: 'integer',
          rollout: 'text!',
          stages: 'text!',
          stage: 'integer!',
          phase: 'text!',
          started_at: 'real!',
          ended_at: 'real',
          outcome: 'text',
          why: 'text',
          failure: 'text',
          switched_ms: 'real',
        },
        (table) => table.addPrimaryKeyConstraint('rollouts_key', ['id']),
      )
      await createTable(
        database,
        'operations',
        {
          id: 'integer!',
          name: 'text!',
          who: 'text!',
          changes: 'text!',
          started_at: 'real!',
          ended_at: 'real',
          outcome: 'text',
          services: 'text!',
        },
        (table) => table.addPrimaryKeyConstraint('operations_key', ['id']),
      )
      await createTable(
        database,
        'jobs',
        { scope: 'text!', release: 'integer!', state: 'text!', incarnation: 'integer', exit: 'text', at: 'real!' },
        (table) => table.addPrimaryKeyConstraint('jobs_key', ['scope', 'release']),
      )
      await database.schema.createIndex('rollouts_scope').on('rollouts').columns(['scope', 'id']).execute()
      await database.schema.createIndex('rollouts_operation').on('rollouts').column('operation').execute()
    },
  },
  {
    name: '0006-gateway-binds',
    async up(database) {
      await createTable(database, 'gateway_binds', { owner: 'text!', host: 'text!', port: 'integer!' }, (table) =>
        table.addPrimaryKeyConstraint('gateway_binds_key', ['owner', 'host', 'port']),
      )
    },
  },
  {
    name: '0007-incarnation-network',
    async up(database) {
      await database.schema.alterTable('incarnations').addColumn('network', 'text').execute()
    },
  },
]
