import { sql } from 'kysely'

/** SQLite checks column types only in STRICT tables; other databases always do. */
export const strict = sql`STRICT`
