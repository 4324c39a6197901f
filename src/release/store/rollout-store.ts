import { sql } from 'kysely'
import type { RolloutFailure } from '../../base/event.ts'
import type { Outcome, ServiceOutcome } from '../../base/outcome.ts'
import type { Database } from '../../base/store/database.ts'
import { parseScopeKey, type DesiredState, type ServiceScope, scopeKey } from '../../config/index.ts'
import type {
  DesiredInstances,
  InstanceRef,
  Role,
  Rollout,
  RolloutPhase,
  RolloutRecord,
  Stage,
  Verb,
} from '../release.ts'
import { Fenced } from './fenced.ts'
import type { ReleaseTables } from './schema.ts'

/** What an operation has to do for one service: found again by whoever takes the operation over. */
export interface PlannedChange {
  readonly scope: ServiceScope
  readonly verb: Verb
  /** null: nothing is to run. */
  readonly release: number | null
  readonly desired: DesiredState
  readonly declaredInstances: number
  readonly needs: readonly string[]
}

/** With what was wished before, where there was a wish: a change that fails leaves that behind. */
export interface RecordedChange extends PlannedChange {
  readonly before: Wish | null
}

type Wish = Pick<PlannedChange, 'desired' | 'declaredInstances' | 'needs'>

export interface OperationRecord {
  readonly id: number
  readonly name: string
  readonly who: string
  /** In the order they are made. */
  readonly changes: readonly RecordedChange[]
  readonly startedAt: number
  readonly endedAt: number | null
  readonly outcome: Outcome | null
  readonly services: readonly ServiceOutcome[]
}

/** Until when a warm instance is kept: monotonic ms within one boot; after another boot it is gone anyway. */
export interface WarmUntil {
  readonly until: number
  readonly bootId: string
}

export interface JobRecord {
  readonly state: 'begun' | 'done' | 'failed'
  readonly incarnation: number | null
  /** 'exit status 1' */
  readonly exit: string | null
}

/** Operations, their rollouts, and what is desired of instances while they go on. */
export class RolloutStore extends Fenced {
  // --- what is desired ---

  async desired(scope: ServiceScope, { bootId, now }: { bootId: string; now: number }): Promise<DesiredInstances> {
    const rows = await this.database
      .selectFrom('desired_instances')
      .selectAll()
      .where('scope', '=', scopeKey(scope))
      .execute()
    const isWanted = (row: (typeof rows)[number]) =>
      row.role !== 'warm' || (row.boot_id === bootId && (row.warm_until ?? 0) > now)
    return new Map(rows.filter(isWanted).map((row) => [row.instance as InstanceRef, row.role as Role]))
  }

  /** When the first warm instance of any service is no longer wanted; monotonic ms. */
  async nextWarmEnd(bootId: string): Promise<number | null> {
    const { first } = await this.database
      .selectFrom('desired_instances')
      .select(({ fn }) => fn.min('warm_until').as('first'))
      .where('role', '=', 'warm')
      .where('boot_id', '=', bootId)
      .executeTakeFirstOrThrow()
    return first
  }

  // --- operations ---

  async createOperation(
    record: Pick<OperationRecord, 'name' | 'who' | 'changes' | 'startedAt'>,
  ): Promise<OperationRecord> {
    return this.write(async (transaction) => {
      const id = await nextId(transaction, 'operations')
      await transaction
        .insertInto('operations')
        .values({
          id,
          name: record.name,
          who: record.who,
          changes: JSON.stringify(record.changes),
          started_at: record.startedAt,
          ended_at: null,
          outcome: null,
          services: '[]',
        })
        .execute()
      return { ...record, id, endedAt: null, outcome: null, services: [] }
    })
  }

  async endOperation(
    id: number,
    end: { outcome: Outcome; services: readonly ServiceOutcome[]; at: number },
  ): Promise<void> {
    await this.write((transaction) =>
      transaction
        .updateTable('operations')
        .set({ outcome: end.outcome, services: JSON.stringify(end.services), ended_at: end.at })
        .where('id', '=', id)
        .execute(),
    )
  }

  async operation(id: number): Promise<OperationRecord | undefined> {
    const row = await this.database.selectFrom('operations').selectAll().where('id', '=', id).executeTakeFirst()
    return row === undefined ? undefined : operationFromRow(row)
  }

  /** Oldest first. */
  async unfinishedOperations(): Promise<OperationRecord[]> {
    const rows = await this.database
      .selectFrom('operations')
      .selectAll()
      .where('ended_at', 'is', null)
      .orderBy('id')
      .execute()
    return rows.map(operationFromRow)
  }

  // --- rollouts ---

  async create(
    draft: Pick<
      RolloutRecord,
      'operation' | 'scope' | 'verb' | 'who' | 'from' | 'to' | 'rollout' | 'stages' | 'startedAt'
    >,
    desired: DesiredInstances,
    warm: WarmUntil,
  ): Promise<RolloutRecord> {
    return this.write(async (transaction) => {
      const record: RolloutRecord = {
        ...draft,
        id: await nextId(transaction, 'rollouts'),
        stage: 0,
        phase: 'forward',
        endedAt: null,
        outcome: null,
        why: null,
        failure: null,
        switchedMs: null,
      }
      await transaction.insertInto('rollouts').values(rolloutToRow(record)).execute()
      await writeDesired(transaction, record.scope, desired, warm)
      return record
    })
  }

  /** One transaction: the rollout as it stands now, and what is desired from now on. */
  async save(record: RolloutRecord, desired?: { instances: DesiredInstances; warm: WarmUntil }): Promise<void> {
    await this.write(async (transaction) => {
      await transaction.updateTable('rollouts').set(rolloutToRow(record)).where('id', '=', record.id).execute()
      if (desired !== undefined) await writeDesired(transaction, record.scope, desired.instances, desired.warm)
    })
  }

  /** One transaction: the rollout is over, and this release serves from now on (again, or for the first time). */
  async end(record: RolloutRecord, serving: number | null): Promise<void> {
    await this.write(async (transaction) => {
      await transaction.updateTable('rollouts').set(rolloutToRow(record)).where('id', '=', record.id).execute()
      await transaction
        .updateTable('services')
        .set({ serving, serving_since: record.endedAt })
        .where('scope', '=', scopeKey(record.scope))
        .where(sql<boolean>`serving IS NOT ${serving}`)
        .execute()
    })
  }

  /** Newest first. */
  async list(scope: ServiceScope, limit: number): Promise<RolloutRecord[]> {
    const rows = await this.database
      .selectFrom('rollouts')
      .selectAll()
      .where('scope', '=', scopeKey(scope))
      .orderBy('id', 'desc')
      .limit(limit)
      .execute()
    return rows.map(rolloutFromRow)
  }

  async ofOperation(operation: number): Promise<RolloutRecord[]> {
    const rows = await this.database.selectFrom('rollouts').selectAll().where('operation', '=', operation).execute()
    return rows.map(rolloutFromRow)
  }

  // --- jobs that run once per release ---

  async job(scope: ServiceScope, release: number): Promise<JobRecord | undefined> {
    const row = await this.database
      .selectFrom('jobs')
      .selectAll()
      .where('scope', '=', scopeKey(scope))
      .where('release', '=', release)
      .executeTakeFirst()
    return row === undefined
      ? undefined
      : { state: row.state as JobRecord['state'], incarnation: row.incarnation, exit: row.exit }
  }

  async saveJob(scope: ServiceScope, release: number, job: JobRecord, at: number): Promise<void> {
    await this.write((transaction) =>
      transaction
        .insertInto('jobs')
        .values({ scope: scopeKey(scope), release, ...job, at })
        .onConflict((conflict) => conflict.columns(['scope', 'release']).doUpdateSet({ ...job, at }))
        .execute(),
    )
  }
}

async function nextId(transaction: Database, table: 'rollouts' | 'operations'): Promise<number> {
  const { last } = await transaction
    .selectFrom(table)
    .select(({ fn }) => fn.max('id').as('last'))
    .executeTakeFirstOrThrow()
  return (last ?? 0) + 1
}

async function writeDesired(
  transaction: Database,
  scope: ServiceScope,
  desired: DesiredInstances,
  warm: WarmUntil,
): Promise<void> {
  const key = scopeKey(scope)
  const rows = await transaction.selectFrom('desired_instances').selectAll().where('scope', '=', key).execute()
  const before = new Map(rows.map((row) => [row.instance, row.role]))
  const gone = [...before.keys()].filter((instance) => !desired.has(instance as InstanceRef))
  if (gone.length > 0) {
    await transaction.deleteFrom('desired_instances').where('scope', '=', key).where('instance', 'in', gone).execute()
  }
  for (const [instance, role] of desired) {
    if (before.get(instance) === role) continue
    const change = {
      role,
      warm_until: role === 'warm' ? warm.until : null,
      boot_id: role === 'warm' ? warm.bootId : null,
    }
    await transaction
      .insertInto('desired_instances')
      .values({ scope: key, instance, ...change })
      .onConflict((conflict) => conflict.columns(['scope', 'instance']).doUpdateSet(change))
      .execute()
  }
}

function rolloutToRow(record: RolloutRecord): ReleaseTables['rollouts'] {
  return {
    id: record.id,
    operation: record.operation,
    scope: scopeKey(record.scope),
    verb: record.verb,
    who: record.who,
    from_release: record.from,
    to_release: record.to,
    rollout: JSON.stringify(record.rollout),
    stages: JSON.stringify(record.stages),
    stage: record.stage,
    phase: record.phase,
    started_at: record.startedAt,
    ended_at: record.endedAt,
    outcome: record.outcome,
    why: record.why,
    failure: record.failure === null ? null : JSON.stringify(record.failure),
    switched_ms: record.switchedMs,
  }
}

function rolloutFromRow(row: ReleaseTables['rollouts']): RolloutRecord {
  return {
    id: row.id,
    operation: row.operation,
    scope: parseScopeKey(row.scope),
    verb: row.verb as Verb,
    who: row.who,
    from: row.from_release,
    to: row.to_release,
    rollout: JSON.parse(row.rollout) as Rollout,
    stages: JSON.parse(row.stages) as Stage[],
    stage: row.stage,
    phase: row.phase as RolloutPhase,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    outcome: row.outcome as Outcome | null,
    why: row.why,
    failure: row.failure === null ? null : (JSON.parse(row.failure) as RolloutFailure),
    switchedMs: row.switched_ms,
  }
}

function operationFromRow(row: ReleaseTables['operations']): OperationRecord {
  return {
    id: row.id,
    name: row.name,
    who: row.who,
    changes: JSON.parse(row.changes) as RecordedChange[],
    startedAt: row.started_at,
    endedAt: row.ended_at,
    outcome: row.outcome as Outcome | null,
    services: JSON.parse(row.services) as ServiceOutcome[],
  }
}
