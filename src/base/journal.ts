import type { Bounded } from './bounds.ts'
import { checkFence, type Lease } from './lease.ts'
import type { Database } from './store/database.ts'
import type { Migration } from './store/migrate.ts'
import { strict } from './store/strict.ts'

/** A state of the world to reach, not a gesture to make. */
export interface JournaledStep {
  /** 'shop/production/web/rollout-42/3/start/12-3' */
  readonly key: string
  /** Asks the world, not the journal. */
  holds(options: Bounded): Promise<boolean>
  act(options: Bounded): Promise<void>
}

export type StepState = 'begun' | 'done'

export interface JournalEntry {
  readonly key: string
  readonly state: StepState
  readonly fence: number
  readonly at: number
}

/** Every entry is written in one transaction with the check of its fencing token. */
export interface Journal {
  /** @throws FairwayError LEASE_LOST when somebody newer writes here now */
  append(key: string, state: StepState): Promise<void>
  /** Entries whose key begins with `prefix`, oldest first. */
  read(prefix: string): Promise<JournalEntry[]>
}

/** Where a step stands when it may be killed; tests pass a hook that does. */
export type Checkpoint = (place: 'begun' | 'acted' | 'done', key: string) => Promise<void>

/**
 * Safe to call again after a crash, here or elsewhere: it looks before it acts, whatever the journal says.
 * @returns whether there was anything to do
 */
export async function runStep(
  step: JournaledStep,
  journal: Journal,
  { checkpoint, ...bounds }: Bounded & { checkpoint?: Checkpoint | undefined } = {},
): Promise<boolean> {
  await journal.append(step.key, 'begun')
  await checkpoint?.('begun', step.key)
  const held = await step.holds(bounds)
  if (!held) await step.act(bounds)
  await checkpoint?.('acted', step.key)
  await journal.append(step.key, 'done')
  await checkpoint?.('done', step.key)
  return !held
}

declare module './store/database.ts' {
  interface Schema {
    journal: { sequence: number | undefined; key: string; state: string; fence: number; at: number }
  }
}

export const journalMigrations: readonly Migration[] = [
  {
    name: '0002-journal',
    async up(database) {
      await database.schema
        .createTable('journal')
        .addColumn('sequence', 'integer', (column) => column.primaryKey())
        .addColumn('key', 'text', (column) => column.notNull())
        .addColumn('state', 'text', (column) => column.notNull())
        .addColumn('fence', 'integer', (column) => column.notNull())
        .addColumn('at', 'real', (column) => column.notNull())
        .modifyEnd(strict)
        .execute()
      await database.schema.createIndex('journal_key').on('journal').column('key').execute()
    },
  },
]

export function openJournal(database: Database, lease: Lease, now: () => number): Journal {
  return {
    async append(key, state) {
      await database.transaction().execute(async (transaction) => {
        await checkFence(transaction, lease)
        await transaction
          .insertInto('journal')
          .values({ sequence: undefined, key, state, fence: lease.fence, at: now() })
          .execute()
      })
    },
    async read(prefix) {
      const rows = await database
        .selectFrom('journal')
        .selectAll()
        .where('key', '>=', prefix)
        .where('key', '<', `${prefix}\u{10ffff}`)
        .orderBy('sequence')
        .execute()
      return rows.map(({ key, state, fence, at }) => ({ key, state: state as StepState, fence, at }))
    },
  }
}
