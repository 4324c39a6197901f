import type { Digest } from '../../artifact/index.ts'
import { parseScopeKey, type RunSpecification, type ServiceScope, scopeKey } from '../../config/index.ts'
import type { Release, ReleaseValue, Source } from '../release.ts'
import { Fenced } from './fenced.ts'
import type { ReleaseTables } from './schema.ts'

export type ReleaseDraft = Omit<Release, 'number' | 'provenAt' | 'prunedAt'>

/** Releases, numbered per service and environment; a known digest is that release again. */
export class ReleaseStore extends Fenced {
  async findOrCreate(draft: ReleaseDraft): Promise<{ release: Release; created: boolean }> {
    const scope = scopeKey(draft.scope)
    return this.write(async (transaction) => {
      const known = await transaction
        .selectFrom('releases')
        .selectAll()
        .where('scope', '=', scope)
        .where('digest', '=', draft.digest)
        .executeTakeFirst()
      if (known !== undefined) {
        // Whatever was pruned came back with this upload.
        await transaction
          .updateTable('releases')
          .set({ pruned_at: null })
          .where('scope', '=', scope)
          .where('number', '=', known.number)
          .execute()
        return { release: { ...fromRow(known), prunedAt: null }, created: false }
      }
      const { last } = await transaction
        .selectFrom('releases')
        .select(({ fn }) => fn.max('number').as('last'))
        .where('scope', '=', scope)
        .executeTakeFirstOrThrow()
      const release: Release = { ...draft, number: (last ?? 0) + 1, provenAt: null, prunedAt: null }
      await transaction.insertInto('releases').values(toRow(release)).execute()
      return { release, created: true }
    })
  }

  async find(scope: ServiceScope, number: number): Promise<Release | undefined> {
    const row = await this.database
      .selectFrom('releases')
      .selectAll()
      .where('scope', '=', scopeKey(scope))
      .where('number', '=', number)
      .executeTakeFirst()
    return row === undefined ? undefined : fromRow(row)
  }

  /** Newest first. */
  async list(scope: ServiceScope): Promise<Release[]> {
    const rows = await this.database
      .selectFrom('releases')
      .selectAll()
      .where('scope', '=', scopeKey(scope))
      .orderBy('number', 'desc')
      .execute()
    return rows.map(fromRow)
  }

  async markProven(scope: ServiceScope, number: number, at: number): Promise<void> {
    await this.write((transaction) =>
      transaction
        .updateTable('releases')
        .set({ proven_at: at })
        .where('scope', '=', scopeKey(scope))
        .where('number', '=', number)
        .where('proven_at', 'is', null)
        .execute(),
    )
  }

  async markPruned(scope: ServiceScope, number: number, at: number): Promise<void> {
    await this.write((transaction) =>
      transaction
        .updateTable('releases')
        .set({ pruned_at: at })
        .where('scope', '=', scopeKey(scope))
        .where('number', '=', number)
        .execute(),
    )
  }

  /** Digests of the artifacts that some kept release, of any service, still needs. */
  async artifactsInUse(): Promise<Set<string>> {
    const rows = await this.database.selectFrom('releases').select('artifact').where('pruned_at', 'is', null).execute()
    return new Set(rows.map((row) => row.artifact))
  }
}

function toRow(release: Release): ReleaseTables['releases'] {
  return {
    scope: scopeKey(release.scope),
    number: release.number,
    digest: release.digest,
    artifact: release.artifact,
    binary: release.binary,
    run: JSON.stringify(release.run),
    release_values: JSON.stringify(release.values),
    go_version: release.goVersion,
    source: JSON.stringify(release.source),
    created_at: release.createdAt,
    who: release.who,
    proven_at: release.provenAt,
    pruned_at: release.prunedAt,
  }
}

function fromRow(row: ReleaseTables['releases']): Release {
  return {
    scope: parseScopeKey(row.scope),
    number: row.number,
    digest: row.digest,
    artifact: row.artifact as Digest,
    binary: row.binary,
    run: JSON.parse(row.run) as RunSpecification,
    values: JSON.parse(row.release_values) as Record<string, ReleaseValue>,
    goVersion: row.go_version,
    source: JSON.parse(row.source) as Source,
    createdAt: row.created_at,
    who: row.who,
    provenAt: row.proven_at,
    prunedAt: row.pruned_at,
  }
}
