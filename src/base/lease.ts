import type { Clock } from './clock.ts'
import { FairwayError } from './error.ts'
import type { ProcessIdentity } from './process-identity.ts'
import type { Database } from './store/database.ts'
import type { Migration } from './store/migrate.ts'
import { strict } from './store/strict.ts'

/**
 * Locks are leases: a holder that stops beating loses them, and a fencing token that only grows tells its late writes
 * from those of its successor. Ages are monotonic time within one boot; another boot id means the holder is gone.
 */
export interface Lease {
  readonly name: string
  /** Grows with every new holder, never with a beat. */
  readonly fence: number
  /** How long the lease would last from its last beat, in ms: no act may take longer. */
  readonly ttlMs: number
}

declare module './store/database.ts' {
  interface Schema {
    leases: {
      name: string
      fence: number
      holder_pid: number
      holder_start: number
      boot_id: string
      beat_ms: number
      ttl_ms: number
      released: number
    }
  }
}

export const leaseMigrations: readonly Migration[] = [
  {
    name: '0001-leases',
    async up(database) {
      await database.schema
        .createTable('leases')
        .addColumn('name', 'text', (column) => column.primaryKey())
        .addColumn('fence', 'integer', (column) => column.notNull())
        .addColumn('holder_pid', 'integer', (column) => column.notNull())
        .addColumn('holder_start', 'integer', (column) => column.notNull())
        .addColumn('boot_id', 'text', (column) => column.notNull())
        .addColumn('beat_ms', 'real', (column) => column.notNull())
        .addColumn('ttl_ms', 'integer', (column) => column.notNull())
        .addColumn('released', 'integer', (column) => column.notNull())
        .modifyEnd(strict)
        .execute()
    },
  },
]

interface LeaseContext {
  readonly database: Database
  readonly clock: Clock
  readonly self: ProcessIdentity
  /** Asked only about a holder of this boot: one that is proven gone is succeeded at once. */
  readonly isAlive: (holder: ProcessIdentity) => Promise<boolean>
}

/**
 * @returns the lease, with a token higher than any before
 * @throws FairwayError HOME_BUSY while another holder lives and beats
 */
export async function acquireLease(name: string, ttlMs: number, context: LeaseContext): Promise<Lease> {
  const { database, clock, self } = context
  return database.transaction().execute(async (transaction) => {
    // The first statement writes, changing nothing: so it waits for its turn. Where another writes, a transaction that has
    // read before it writes is refused at once.
    await transaction.updateTable('leases').set({ name }).where('name', '=', name).execute()
    const held = await transaction.selectFrom('leases').selectAll().where('name', '=', name).executeTakeFirst()
    if (held !== undefined && held.released === 0 && held.boot_id === self.bootId) {
      const holder = { pid: held.holder_pid, startTicks: held.holder_start, bootId: held.boot_id }
      const isSelf = holder.pid === self.pid && holder.startTicks === self.startTicks
      const fresh = clock.monotonicMs() - held.beat_ms <= held.ttl_ms
      if (!isSelf && fresh && (await context.isAlive(holder))) {
        throw new FairwayError('HOME_BUSY', `Another control plane (pid ${holder.pid}) holds this home`, {
          hint: 'Use that one, or end it with `fairway server stop`. For a second, separate control plane choose another --home.',
        })
      }
    }
    const fence = (held?.fence ?? 0) + 1
    const row = {
      fence,
      holder_pid: self.pid,
      holder_start: self.startTicks,
      boot_id: self.bootId,
      beat_ms: clock.monotonicMs(),
      ttl_ms: ttlMs,
      released: 0,
    }
    await transaction
      .insertInto('leases')
      .values({ name, ...row })
      .onConflict((conflict) => conflict.column('name').doUpdateSet(row))
      .execute()
    return { name, fence, ttlMs }
  })
}

/** @throws FairwayError LEASE_LOST when somebody newer holds it */
export async function beatLease(
  lease: Lease,
  { database, clock }: Pick<LeaseContext, 'database' | 'clock'>,
): Promise<void> {
  const { numUpdatedRows } = await database
    .updateTable('leases')
    .set({ beat_ms: clock.monotonicMs() })
    .where('name', '=', lease.name)
    .where('fence', '=', lease.fence)
    .where('released', '=', 0)
    .executeTakeFirst()
  if (numUpdatedRows === 0n) throw new FairwayError('LEASE_LOST', `${lease.name}: another control plane took over`)
}

/**
 * Who holds a lease whose time is over, and lives: it hangs, and still has what its successor needs, its port before all.
 * Read outside of any transaction: it may have been stopped within one of its own.
 */
export async function findHungHolder(
  name: string,
  { database, clock, self, isAlive }: LeaseContext,
): Promise<ProcessIdentity | undefined> {
  const held = await database.selectFrom('leases').selectAll().where('name', '=', name).executeTakeFirst()
  if (held === undefined || held.released !== 0 || clock.monotonicMs() - held.beat_ms <= held.ttl_ms) return undefined
  const holder = { pid: held.holder_pid, startTicks: held.holder_start, bootId: held.boot_id }
  if (holder.pid === self.pid || holder.bootId !== self.bootId) return undefined
  return (await isAlive(holder)) ? holder : undefined
}

/** The next holder need not wait. */
export async function releaseLease(lease: Lease, { database }: Pick<LeaseContext, 'database'>): Promise<void> {
  await database
    .updateTable('leases')
    .set({ released: 1 })
    .where('name', '=', lease.name)
    .where('fence', '=', lease.fence)
    .execute()
}

/** For a state that came from elsewhere: whoever held it there holds nothing here. */
export async function forgetHolders(database: Database): Promise<void> {
  await database.updateTable('leases').set({ released: 1 }).execute()
}

/** Holds within the caller's transaction, or throws: the check every fenced write begins with. */
export async function checkFence(transaction: Database, lease: Lease): Promise<void> {
  const row = await transaction
    .selectFrom('leases')
    .select('fence')
    .where('name', '=', lease.name)
    .where('released', '=', 0)
    .executeTakeFirst()
  if (row?.fence !== lease.fence) throw new FairwayError('LEASE_LOST', `${lease.name}: another control plane took over`)
}
