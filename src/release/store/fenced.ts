import { checkFence, type Lease } from '../../base/lease.ts'
import type { Database } from '../../base/store/database.ts'

/** Reads as it likes; every write happens in one transaction with the check of the lease. */
export class Fenced {
  protected readonly database: Database
  readonly #lease: Lease

  constructor(database: Database, lease: Lease) {
    this.database = database
    this.#lease = lease
  }

  /** @throws FairwayError LEASE_LOST when somebody newer writes here now */
  protected write<T>(work: (transaction: Database) => Promise<T>): Promise<T> {
    return this.database.transaction().execute(async (transaction) => {
      await checkFence(transaction, this.#lease)
      return work(transaction)
    })
  }
}
