import { randomBytes, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { chmod, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from './base/atomic-file.ts'
import { type Clock, systemClock } from './base/clock.ts'
import { errnoOf, explainWriteError, FairwayError } from './base/error.ts'
import { EventLog, eventMigrations } from './base/event-log.ts'
import { type Checkpoint, journalMigrations, openJournal } from './base/journal.ts'
import {
  acquireLease,
  beatLease,
  findHungHolder,
  forgetHolders,
  type Lease,
  leaseMigrations,
  releaseLease,
} from './base/lease.ts'
import { makeFolder } from './base/make-folder.ts'
import { endProcess, identifyProcess, isAlive, type ProcessIdentity, readBootId } from './base/process-identity.ts'
import { Secret } from './base/secret.ts'
import { backUpDatabase } from './base/store/backup.ts'
import { type Database, explainSqliteError, isLocked, openDatabase } from './base/store/database.ts'
import { isMigrated, migrate } from './base/store/migrate.ts'
import { sweepFolder } from './base/sweep-folder.ts'
import { ArtifactStore } from './artifact/index.ts'
import { type HomeConfig, readHomeConfig, type ServiceScope, scopeKey } from './config/index.ts'
import { type Gateway, gatewayFiles, openHaproxyGateway, requireHaproxy } from './gateway/index.ts'
import {
  firstUidOf,
  forgetIncarnations,
  IncarnationStore,
  ReleaseEngine,
  releaseMigrations,
  ReleaseStore,
  RolloutStore,
  ServiceStore,
  type World,
} from './release/index.ts'
import { openProcessRuntime, type Runtime } from './runtime/index.ts'
import { secretMigrations, SecretStore } from './security/index.ts'
import { choosePort, InstanceNetworks } from './host/index.ts'
import type { ModuleProxy } from './goproxy/index.ts'

/** All domains' migrations as one ordered list: a name once released keeps its place. */
export const migrations = [
  ...leaseMigrations,
  ...journalMigrations,
  ...eventMigrations,
  ...releaseMigrations,
  ...secretMigrations,
]

const leaseName = 'control-plane'
/** A control plane that is killed is succeeded at once (its process is gone); one that hangs, after this. */
const leaseTtlMs = 15_000
const slowTickMs = 10_000

export interface AppOptions {
  readonly home: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly clock?: Clock
  /** Told when another took over: nothing may be done any more. */
  readonly onLost: (error: unknown) => void
  readonly checkpoint?: Checkpoint | undefined
  /** Where processes live until the next boot; tests give another boot. */
  readonly bootId?: string | undefined
}

/** The control plane: drivers picked, domains handed to each other, in plain sight. */
export interface App extends AsyncDisposable {
  readonly home: string
  readonly homeId: string
  readonly config: HomeConfig
  readonly token: string
  readonly engine: ReleaseEngine
  readonly events: EventLog
  readonly artifacts: ArtifactStore
  readonly secrets: SecretStore
  readonly runtime: Runtime
  readonly gateway: Gateway
  readonly database: Database
  readonly clock: Clock
  /** The module proxy, opened when somebody asks it first: most control planes serve no modules. */
  modules(): Promise<ModuleProxy>
  readonly moduleFigures: () => Promise<Readonly<Record<string, number>>>
  /** Adopts what runs and goes on with what was under way. */
  begin(): Promise<{ adopted: number }>
}

/**
 * Opens a home: one control plane at a time.
 * @throws FairwayError HOME_BUSY, HOME_UNUSABLE, STATE_NEWER, HAPROXY_MISSING, PORT_TAKEN, MACHINE_UNFIT
 */
export async function openApp(options: AppOptions): Promise<App> {
  const { home, environment, clock = systemClock, onLost, checkpoint } = options
  const config = await readHomeConfig(home, environment)
  const haproxyPath = environment['FAIRWAY_HAPROXY'] ?? 'haproxy'
  // What the machine lacks is said before anything is written.
  gatewayFiles(join(home, 'gateway'))
  await requireHaproxy(haproxyPath)
  await makeFolders(home)
  await sweepStaging(home, clock.now())
  const bootId = options.bootId ?? (await readBootId())
  const statePath = join(home, 'state.db')
  await using cleanUp = new AsyncDisposableStack()
  const database = openDatabase(statePath)
  cleanUp.defer(() => database.destroy())
  try {
    await migrate(database, migrations, {
      now: clock.now(),
      beforeFirst: () => backUpDatabase(statePath, join(home, 'backups'), clock.now()),
    })
  } catch (error) {
    throw explainSqliteError(error, statePath)
  }
  const lease = await holdLease(database, { clock, bootId, onLost, cleanUp })
  const secrets = await SecretStore.open(database, { home, random: (bytes) => randomBytes(bytes) })
  const artifacts = await ArtifactStore.open(join(home, 'artifacts'), { now: clock.now() })
  const events = await EventLog.open(database, clock.now)
  cleanUp.defer(() => events.flush())
  const warn = (message: string) => events.report({ kind: 'warning', message })
  const homeId = await readOrMake(join(home, 'id'), () => randomUUID(), 0o644)
  const networks = new InstanceNetworks({
    statePath: join(home, 'network.json'),
    homeId: `${homeId} ${home}`,
    range: config.network,
    clock,
    warn,
  })
  const runtime = await openProcessRuntime({
    runFolder: join(home, 'run', 'instances'),
    logFolder: join(home, 'logs'),
    bootId,
    clock,
    warn,
    networks,
  })
  const gateway = await openHaproxyGateway({
    folder: join(home, 'gateway'),
    binds: [config.gateway],
    haproxyPath,
    bootId,
    clock,
    report: events.report,
  })
  cleanUp.use(gateway)
  const services = new ServiceStore(database, lease)
  const world: World = {
    runtime,
    gateway,
    artifacts: {
      folder: (digest) => artifacts.folder(digest),
      holds: async (digest) => (await artifacts.find(digest)) !== undefined,
      recipe: async (digest) => (await artifacts.find(digest))?.recipe,
      remove: (digest) => artifacts.remove(digest, { now: clock.now() }),
    },
    secrets: {
      reveal: async (scope, key, value) =>
        value.kind === 'stored'
          ? secrets.reveal(scope, key, value.version)
          : secrets.keyring.open(Buffer.from(value.sealed, 'base64'), [scopeKey(scope), key]),
    },
    place: (scope, { user }) => placeOf({ home, homeId, services }, scope, user),
    mayRunAs: (user) => mayRunAs(user, { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }),
    choosePort: (taken) => choosePort(config.ports, taken),
    networks,
    timeZone: environment['TZ'] ?? 'UTC',
    releases: new ReleaseStore(database, lease),
    services,
    incarnations: new IncarnationStore(database, lease),
    rollouts: new RolloutStore(database, lease),
    journal: openJournal(database, lease, clock.now),
    report: events.report,
    clock,
    bootId,
    checkpoint,
  }
  const engine = new ReleaseEngine(world)
  cleanUp.use(engine)
  const warned = new Set<string>()
  const warnOnce = (message: string) => {
    if (!warned.has(message)) warn(message)
    warned.add(message)
  }
  const slowTimer = setInterval(() => {
    runtime.enforceLogCap().catch((error: unknown) => warn(`logs could not be capped: ${String(error)}`))
    runtime.tend().catch((error: unknown) => warnOnce(`networks could not be looked after: ${String(error)}`))
  }, slowTickMs).unref()
  cleanUp.defer(() => clearInterval(slowTimer))
  let proxy: Promise<ModuleProxy> | undefined
  const modules = () => {
    proxy ??= import('./pipeline/modules.ts').then(({ openHomeModules }) =>
      openHomeModules({ home, environment, clock, warn }),
    )
    proxy.catch(() => (proxy = undefined))
    return proxy
  }
  cleanUp.defer(async () => (await proxy?.catch(() => undefined))?.[Symbol.asyncDispose]())
  const kept = cleanUp.move()
  return {
    home,
    homeId,
    config,
    token: await readOrMake(join(home, 'token'), () => randomBytes(32).toString('base64url'), 0o600),
    engine,
    events,
    artifacts,
    secrets,
    runtime,
    gateway,
    database,
    clock,
    modules,
    moduleFigures: async () => (await proxy?.catch(() => undefined))?.figures() ?? {},
    begin: () => engine.begin(),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

/**
 * Makes a state that was copied from elsewhere fit to be opened here: what was desired stays, who worked on it and which
 * processes it had do not.
 * @param folder holds it, and the key of its secrets
 * @throws FairwayError STATE_NEWER, STATE_CORRUPT
 */
export async function settleRestoredState(folder: string, now: number): Promise<void> {
  const path = join(folder, 'state.db')
  const database = openDatabase(path)
  try {
    if (!(await isMigrated(database, migrations))) {
      throw new FairwayError('STATE_CORRUPT', `${path} is not the state of a home`)
    }
    await migrate(database, migrations, { now })
    await SecretStore.open(database, { home: folder, random: (bytes) => randomBytes(bytes) })
    await forgetHolders(database)
    await forgetIncarnations(database)
  } catch (error) {
    throw explainSqliteError(error, path)
  } finally {
    await database.destroy()
  }
}

/** What a backup or a restore that was killed left: copies of the state, with its key. None takes half an hour. */
export async function sweepStaging(home: string, now: number): Promise<void> {
  await sweepFolder(join(home, 'backups'), /^(?:restore|staging)-/, { before: now - 3_600_000 })
}

/** The context operations are run with. */
export function releaseContext({ engine, secrets, artifacts }: App) {
  return {
    engine,
    assembler: { assemble: artifacts.assemble.bind(artifacts) },
    secretKeeper: {
      seal(scope: ServiceScope, key: string, value: string) {
        const secret = new Secret(value)
        const sealed = Buffer.from(secrets.keyring.seal(secret, [scopeKey(scope), key])).toString('base64')
        return { sealed, fingerprint: secrets.keyring.fingerprint(secret) }
      },
      async fingerprint(scope: ServiceScope, key: string, version: number) {
        return secrets.keyring.fingerprint(await secrets.reveal(scope, key, version))
      },
    },
  }
}

async function makeFolders(home: string): Promise<void> {
  try {
    await makeFolder(home, 0o755)
    for (const folder of ['run', 'logs', 'data', 'backups', 'artifacts', 'cache']) {
      await makeFolder(join(home, folder), 0o755)
    }
    // Instances with a user of their own pass through; what must not be read has a mode of its own.
    await chmod(home, 0o711)
    await chmod(join(home, 'data'), 0o711)
    for (const folder of ['backups', 'cache']) await chmod(join(home, folder), 0o700)
  } catch (error) {
    throw explainWriteError(error, home)
  }
}

async function holdLease(
  database: Database,
  {
    clock,
    bootId,
    onLost,
    cleanUp,
  }: { clock: Clock; bootId: string; onLost: AppOptions['onLost']; cleanUp: AsyncDisposableStack },
): Promise<Lease> {
  const self = await identifyProcess(process.pid, bootId)
  if (self === undefined) throw new FairwayError('MACHINE_UNFIT', 'There is no /proc to see processes by')
  const context = { database, clock, self, isAlive: (holder: typeof self) => isAlive(holder, bootId) }
  const hung = await findHungHolder(leaseName, context)
  const take = () => acquireLease(leaseName, leaseTtlMs, context)
  const lease = await take().catch(async (error: unknown) => {
    if (hung === undefined || !isLocked(error)) throw error
    await endHolder(hung, context) // it hangs within a transaction
    return take()
  })
  // Only now: a disk that is full lets nobody beat, and nobody succeed either.
  if (hung !== undefined) await endHolder(hung, context)
  const timer = setInterval(() => {
    beatLease(lease, { database, clock }).catch((error: unknown) => {
      // A beat that could not be written (a full disk) is no loss: until another takes over, the fence is ours.
      if (error instanceof FairwayError && error.code === 'LEASE_LOST') onLost(error)
    })
  }, leaseTtlMs / 5).unref()
  cleanUp.defer(async () => {
    clearInterval(timer)
    await releaseLease(lease, { database })
  })
  return lease
}

/**
 * Its lease is over and the fence keeps its late orders out, but it still listens at the API's address. It ends as in a
 * crash: what it had begun is gone on with.
 * @throws FairwayError HOME_BUSY where it cannot be ended
 */
async function endHolder(
  hung: ProcessIdentity,
  { clock, self }: { clock: Clock; self: ProcessIdentity },
): Promise<void> {
  if (!(await isAlive(hung, self.bootId))) return
  const at = new Date(clock.now()).toISOString()
  process.stderr.write(`${at} pid ${hung.pid}, the control plane before this one, hangs and is ended\n`)
  if (await endProcess(hung, self.bootId, clock)) return
  throw new FairwayError('HOME_BUSY', `The control plane before this one (pid ${hung.pid}) hangs and cannot be ended`, {
    hint: `As its user or as root: kill -KILL ${hung.pid}`,
  })
}

/** Where a service's instances live on this machine, and as whom. */
async function placeOf(
  app: Pick<App, 'home' | 'homeId'> & { services: ServiceStore },
  scope: ServiceScope,
  user: string | undefined,
) {
  const { home } = app
  const folder = join(home, 'data', scope.project, scope.environment, scope.service)
  const owner = process.getuid?.() === 0 ? await userOf(app, scope, user) : undefined
  const place = {
    homeFolder: join(folder, 'home'),
    temporaryFolder: join(folder, 'tmp'),
    dataFolder: join(folder, 'data'),
  }
  try {
    for (const one of [place.homeFolder, place.temporaryFolder]) await makeFolder(one, 0o755)
    if (owner !== undefined) {
      const { chown } = await import('node:fs/promises')
      for (const one of [place.homeFolder, place.temporaryFolder]) {
        await chown(one, owner.uid, owner.gid)
        await chmod(one, 0o700)
      }
    }
  } catch (error) {
    throw explainWriteError(error, folder)
  }
  return owner === undefined ? place : { ...place, user: owner }
}

/** Root alone may be anybody; others are what they are, by name or by number. */
function mayRunAs(user: string, { uid, gid }: { uid: number; gid: number }): boolean {
  if (uid === 0 || user === String(uid) || user === `${uid}:${gid}`) return true
  return passwd().some(([name, , number]) => name === user && Number(number) === uid)
}

function passwd(): string[][] {
  return readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
}

async function userOf(
  { homeId, services }: Pick<App, 'homeId'> & { services: ServiceStore },
  scope: ServiceScope,
  user: string | undefined,
) {
  const users = passwd()
  if (user !== undefined) {
    const entry = users.find(([name, , uid]) => name === user || uid === user)
    if (entry === undefined) {
      throw new FairwayError('CONFIG_INVALID', `There is no user ${JSON.stringify(user)} on this machine`, {
        hint: 'Leave `user:` out: instances then run as an unprivileged user of their service’s own.',
      })
    }
    return { uid: Number(entry[2]), gid: Number(entry[3]) }
  }
  const named = new Set(users.map(([, , uid]) => Number(uid)))
  const running = await uidsInUse()
  const uid = await services.allotUid(scope, firstUidOf(homeId), (one) => named.has(one) || running.has(one))
  return { uid, gid: uid }
}

async function uidsInUse(): Promise<Set<number>> {
  const uids = new Set<number>()
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      uids.add((await stat(`/proc/${entry}`)).uid)
    } catch {
      // it has ended meanwhile
    }
  }
  return uids
}

async function readOrMake(path: string, make: () => string, mode: number): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
  const text = make()
  await writeFileAtomic(path, `${text}\n`, { mode })
  return text
}
