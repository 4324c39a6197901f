import { FairwayError } from '../base/error.ts'
import type { Secret } from '../base/secret.ts'
import type { Database } from '../base/store/database.ts'
import type { Migration } from '../base/store/migrate.ts'
import { strict } from '../base/store/strict.ts'
import { keyPattern, keyRule } from '../config/index.ts'
import { type Keyring, openKeyring } from './keyring.ts'

declare module '../base/store/database.ts' {
  interface Schema {
    secrets: {
      project: string
      environment: string
      key: string
      /** From 1; a number is never given twice, so that a release means what it meant. */
      version: number
      /** null: from this version on the key is removed. */
      sealed: Uint8Array | null
      key_id: string
      fingerprint: string
      set_at: number
      set_by: string
    }
  }
}

export const secretMigrations: readonly Migration[] = [
  {
    name: '0005-secrets',
    async up(database) {
      await database.schema
        .createTable('secrets')
        .addColumn('project', 'text', (column) => column.notNull())
        .addColumn('environment', 'text', (column) => column.notNull())
        .addColumn('key', 'text', (column) => column.notNull())
        .addColumn('version', 'integer', (column) => column.notNull())
        .addColumn('sealed', 'blob')
        .addColumn('key_id', 'text', (column) => column.notNull())
        .addColumn('fingerprint', 'text', (column) => column.notNull())
        .addColumn('set_at', 'real', (column) => column.notNull())
        .addColumn('set_by', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('secrets_key', ['project', 'environment', 'key', 'version'])
        .modifyEnd(strict)
        .execute()
    },
  },
]

/** Secrets belong to a project's environment, whichever of its services read them. */
export interface SecretScope {
  readonly project: string
  readonly environment: string
}

/** What may be shown of a secret. */
export interface SecretSummary {
  readonly key: string
  readonly version: number
  readonly setAt: number
  readonly setBy: string
}

const maxBytes = 1024 * 1024

/** Secrets given by `fairway secret set`, encrypted, by version. Old versions stay for the releases that name them. */
export class SecretStore {
  readonly #database: Database
  /** Also seals and marks what a release keeps of secrets that came from files. */
  readonly keyring: Keyring

  private constructor(database: Database, keyring: Keyring) {
    this.#database = database
    this.keyring = keyring
  }

  /** @throws FairwayError STATE_CORRUPT when HOME/key is missing or another than the secrets were encrypted with; HOME_UNUSABLE */
  static async open(
    database: Database,
    { home, random }: { home: string; random: (bytes: number) => Uint8Array },
  ): Promise<SecretStore> {
    const rows = await database
      .selectFrom('secrets')
      .select('key_id')
      .where('sealed', 'is not', null)
      .distinct()
      .execute()
    const keyring = await openKeyring(home, { mayCreate: rows.length === 0, random })
    if (rows.some((row) => row.key_id !== keyring.id)) {
      throw new FairwayError('STATE_CORRUPT', `${home}/key is not the key the stored secrets were encrypted with`, {
        hint: 'Put back the key file that belongs to this state: it lies beside it in a backup.',
      })
    }
    return new SecretStore(database, keyring)
  }

  /**
   * @returns the version in force; setting what is set already makes no new one
   * @throws FairwayError VALUES_INVALID for a name or a value no program could be given
   */
  async set(
    { project, environment }: SecretScope,
    key: string,
    secret: Secret,
    { who, now }: { who: string; now: number },
  ): Promise<number> {
    checkSecret(key, secret)
    const fingerprint = this.keyring.fingerprint(secret)
    return this.#database.transaction().execute(async (transaction) => {
      const latest = await latestVersion(transaction, { project, environment }, key)
      if (latest?.sealed != null && latest.fingerprint === fingerprint) return latest.version
      const version = (latest?.version ?? 0) + 1
      const sealed = this.keyring.seal(secret, [project, environment, key, version])
      await transaction
        .insertInto('secrets')
        .values({
          project,
          environment,
          key,
          version,
          sealed,
          key_id: this.keyring.id,
          fingerprint,
          set_at: now,
          set_by: who,
        })
        .execute()
      return version
    })
  }

  /** From the next release on the key has no stored value; releases there are keep theirs. @returns false when there was none */
  async remove(
    { project, environment }: SecretScope,
    key: string,
    { who, now }: { who: string; now: number },
  ): Promise<boolean> {
    return this.#database.transaction().execute(async (transaction) => {
      const latest = await latestVersion(transaction, { project, environment }, key)
      if (latest?.sealed == null) return false
      const tomb = { sealed: null, key_id: '', fingerprint: '', set_at: now, set_by: who }
      await transaction
        .insertInto('secrets')
        .values({ project, environment, key, version: latest.version + 1, ...tomb })
        .execute()
      return true
    })
  }

  /** What is in force, by key. Never a value. */
  async list({ project, environment }: SecretScope): Promise<SecretSummary[]> {
    const rows = await this.#database
      .selectFrom('secrets')
      .select(['key', 'version', 'set_at', 'set_by', (is) => is('sealed', 'is not', null).as('present')])
      .where('project', '=', project)
      .where('environment', '=', environment)
      .orderBy('key')
      .orderBy('version')
      .execute()
    const latest = new Map(rows.map((row) => [row.key, row]))
    return [...latest.values()]
      .filter(({ present }) => Boolean(present))
      .map(({ key, version, set_at, set_by }) => ({ key, version, setAt: set_at, setBy: set_by }))
  }

  /** @throws FairwayError VALUES_INVALID when that version is not kept, STATE_CORRUPT when it does not open */
  async reveal({ project, environment }: SecretScope, key: string, version: number): Promise<Secret> {
    const row = await this.#database
      .selectFrom('secrets')
      .select('sealed')
      .where('project', '=', project)
      .where('environment', '=', environment)
      .where('key', '=', key)
      .where('version', '=', version)
      .executeTakeFirst()
    if (row?.sealed == null) {
      throw new FairwayError('VALUES_INVALID', `Version ${version} of the secret ${key} is not kept`, {
        hint: `Set it again and release: fairway secret set ${key} --env ${environment}, fairway up --env ${environment}`,
      })
    }
    return this.keyring.open(row.sealed, [project, environment, key, version])
  }

  /** Forgets values that are neither in force nor named by a release; their version numbers stay taken. */
  async prune(scope: SecretScope, named: (key: string, version: number) => boolean): Promise<number> {
    const { project, environment } = scope
    const current = new Map((await this.list(scope)).map(({ key, version }) => [key, version]))
    const rows = await this.#database
      .selectFrom('secrets')
      .select(['key', 'version'])
      .where('project', '=', project)
      .where('environment', '=', environment)
      .where('sealed', 'is not', null)
      .execute()
    const idle = rows.filter(({ key, version }) => current.get(key) !== version && !named(key, version))
    for (const { key, version } of idle) {
      await this.#database
        .updateTable('secrets')
        .set({ sealed: null, fingerprint: '' })
        .where('project', '=', project)
        .where('environment', '=', environment)
        .where('key', '=', key)
        .where('version', '=', version)
        .execute()
    }
    return idle.length
  }
}

async function latestVersion(database: Database, { project, environment }: SecretScope, key: string) {
  return database
    .selectFrom('secrets')
    .select(['version', 'sealed', 'fingerprint'])
    .where('project', '=', project)
    .where('environment', '=', environment)
    .where('key', '=', key)
    .orderBy('version', 'desc')
    .limit(1)
    .executeTakeFirst()
}

function checkSecret(key: string, secret: Secret): void {
  const value = secret.reveal()
  const refuse = (what: string, hint?: string) => new FairwayError('VALUES_INVALID', what, { hint })
  if (!keyPattern.test(key))
    throw refuse(`${JSON.stringify(key.slice(0, 80))} is no name for a secret`, `A secret is named by ${keyRule}.`)
  if (value === '')
    throw refuse(
      `The value of ${key} is empty`,
      `It is read from stdin: printf %s "$VALUE" | fairway secret set ${key}`,
    )
  if (value.includes('\0')) throw refuse(`The value of ${key} holds a NUL byte: no environment can carry it`)
  if (Buffer.byteLength(value) > maxBytes) throw refuse(`The value of ${key} is longer than 1 MiB`)
}
