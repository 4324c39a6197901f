import { counted } from './counted.ts'
import type { FairwayEvent, FairwayEventBody, Report } from './event.ts'
import type { Database } from './store/database.ts'
import type { Migration } from './store/migrate.ts'
import { strict } from './store/strict.ts'

declare module './store/database.ts' {
  interface Schema {
    events: { seq: number; at: number; operation: number | null; body: string }
  }
}

export const eventMigrations: readonly Migration[] = [
  {
    name: '0003-events',
    async up(database) {
      await database.schema
        .createTable('events')
        .addColumn('seq', 'integer', (column) => column.primaryKey())
        .addColumn('at', 'real', (column) => column.notNull())
        .addColumn('operation', 'integer')
        .addColumn('body', 'text', (column) => column.notNull())
        .modifyEnd(strict)
        .execute()
    },
  },
]

/** How many events are kept: a day of busy rollouts. */
export const keptEvents = 20_000
const pruneEvery = 500

type Listener = (event: FairwayEvent) => void

/**
 * Every event, in order, on disk before anybody sees it: a reader that was cut off goes on after the last number it saw.
 * Events of one turn of the event loop are written in one transaction.
 */
export class EventLog {
  readonly #database: Database
  readonly #now: () => number
  readonly #listeners = new Set<Listener>()
  #next: number
  #pending: FairwayEvent[] = []
  #writing: Promise<void> = Promise.resolve()
  #isScheduled = false
  /** Events that could not be written (a full disk): shown to who listens, counted here, said once there is room. */
  lost = 0

  private constructor(database: Database, now: () => number, next: number) {
    this.#database = database
    this.#now = now
    this.#next = next
  }

  static async open(database: Database, now: () => number): Promise<EventLog> {
    const { last } = await database
      .selectFrom('events')
      .select(({ fn }) => fn.max('seq').as('last'))
      .executeTakeFirstOrThrow()
    return new EventLog(database, now, (last ?? 0) + 1)
  }

  readonly report: Report = (body: FairwayEventBody, operation?: number) => {
    const seq = this.#next
    this.#next += 1
    this.#pending.push({ ...body, seq, at: this.#now(), ...(operation === undefined ? {} : { operation }) })
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#writing = this.#writing.then(() => this.#write())
    })
  }

  /** Resolves when everything reported so far is written and was shown. */
  async flush(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write())
    await this.#writing
  }

  /** @returns ends the subscription */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Oldest first; `isComplete` is false when events after `seq` are no longer kept. */
  async after(seq: number, limit = 5000): Promise<{ events: FairwayEvent[]; isComplete: boolean }> {
    const rows = await this.#database
      .selectFrom('events')
      .selectAll()
      .where('seq', '>', seq)
      .orderBy('seq')
      .limit(limit)
      .execute()
    const first = rows[0]?.seq
    return { events: rows.map(fromRow), isComplete: first === undefined || first === seq + 1 || seq === 0 }
  }

  /** Newest last. */
  async last(limit: number): Promise<FairwayEvent[]> {
    const rows = await this.#database.selectFrom('events').selectAll().orderBy('seq', 'desc').limit(limit).execute()
    return rows.map(fromRow).reverse()
  }

  async #write(): Promise<void> {
    const events = this.#pending
    if (events.length === 0) return
    this.#pending = []
    try {
      await this.#database
        .insertInto('events')
        .values(
          events.map(({ seq, at, operation, ...body }) => ({
            seq,
            at,
            operation: operation ?? null,
            body: JSON.stringify(body),
          })),
        )
        .execute()
      if (this.lost > 0) {
        this.report({
          kind: 'warning',
          message: `${counted(this.lost, 'event')} could not be written, and ${this.lost === 1 ? 'is' : 'are'} not in the history`,
        })
        this.lost = 0
      }
      const last = events.at(-1)?.seq ?? 0
      if (last % pruneEvery < events.length) {
        await this.#database
          .deleteFrom('events')
          .where('seq', '<=', last - keptEvents)
          .execute()
      }
    } catch {
      this.lost += events.length
    }
    for (const event of events) for (const listener of this.#listeners) listener(event)
  }
}

function fromRow({ seq, at, operation, body }: { seq: number; at: number; operation: number | null; body: string }) {
  const event = JSON.parse(body) as FairwayEventBody
  return { ...event, seq, at, ...(operation === null ? {} : { operation }) } satisfies FairwayEvent
}
