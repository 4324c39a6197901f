import { join } from 'node:path'
import { FairwayError } from '../base/error.ts'
import { Secret } from '../base/secret.ts'
import { dataWorkdir, type RunSpecification, type ServiceScope, scopeKey } from '../config/index.ts'
import type { InstanceSpec, MachinePort } from '../runtime/index.ts'
import { instanceArguments, instanceEnvironment, serviceUrlName } from './environment.ts'
import { findMachinePorts } from './machine-ports.ts'
import { listenAddress, portsWithin } from './network.ts'
import type { Release } from './release.ts'
import type { IncarnationRecord } from './store/incarnation-store.ts'
import { incarnationOf, type World } from './world.ts'

/**
 * What one incarnation of a release is started with.
 * @param command a whole command in place of the service itself: a job
 * @throws FairwayError RELEASE_PRUNED when its artifact is no longer here
 */
export async function instanceSpec(
  world: World,
  release: Release,
  record: IncarnationRecord,
  command?: readonly string[],
): Promise<InstanceSpec> {
  const { scope, run } = release
  await requireArtifact(world, release)
  const { env: secretEnv, files } = await splitValues(world, release)
  const place = await world.place(scope, run.user === undefined ? {} : { user: run.user })
  const dataFolder = run.data ? place.dataFolder : null
  const folder = world.artifacts.folder(release.artifact)
  const address = listenAddress(record)
  const env = instanceEnvironment({
    run,
    goVersion: release.goVersion,
    values: secretEnv,
    address,
    homeFolder: place.homeFolder,
    temporaryFolder: place.temporaryFolder,
    dataFolder,
    serviceUrls: await serviceUrls(world, scope),
    timeZone: world.timeZone,
  })
  const workdir = command === undefined ? workingFolder(run, folder, dataFolder) : undefined
  const program = workdir === undefined ? `./${release.binary}` : join(folder, release.binary)
  const args = instanceArguments(run, { address, dataFolder })
  return {
    id: incarnationOf(scope, record.instance, record.incarnation),
    folder,
    ...(workdir === undefined ? {} : { workdir }),
    argv: command === undefined ? [program, ...args] : argvOf(command),
    env,
    secretFiles: files,
    ...(record.address === null ? {} : { address: record.address }),
    ...(record.network === null
      ? {}
      : {
          network: {
            host: record.network,
            ports: portsWithin(run, record),
            machinePorts: machinePorts([env, files], args),
          },
        }),
    limits: run.limits,
    ...(place.user === undefined ? {} : { user: place.user }),
    ...(dataFolder === null ? {} : { dataFolder }),
  }
}

/** Absolute; undefined: the artifact's folder. A job is a command of the artifact's folder, wherever the service starts. */
function workingFolder({ workdir }: RunSpecification, folder: string, dataFolder: string | null): string | undefined {
  if (workdir === undefined) return undefined
  if (workdir !== dataWorkdir) return join(folder, workdir)
  if (dataFolder === null) throw new TypeError('a working directory among data that is not kept')
  return dataFolder
}

/** What its values, files and arguments name on 127.0.0.1 is the machine's from within, too. */
function machinePorts(
  values: readonly Readonly<Record<string, string | Secret>>[],
  args: readonly string[],
): MachinePort[] {
  const texts = values
    .flatMap((all) => Object.values(all))
    .map((value) => (typeof value === 'string' ? value : value.reveal()))
  return findMachinePorts([...texts, ...args])
}

export async function requireArtifact(world: World, { scope, number, artifact, source }: Release): Promise<void> {
  if (await world.artifacts.holds(artifact)) return
  throw new FairwayError('RELEASE_PRUNED', `${scopeKey(scope)}#${number}: its files are no longer kept`, {
    hint: `Build it again: check out ${source.commit ?? `the source it came from (${source.from})`} and run fairway up.`,
  })
}

/** Every secret of a release, for masking what its instances print. */
export async function releaseSecrets(world: World, release: Release): Promise<Secret[]> {
  const revealing = Object.entries(release.values).flatMap(([key, value]) =>
    value.kind === 'plain' ? [] : [world.secrets.reveal(release.scope, key, value)],
  )
  return Promise.all(revealing)
}

async function splitValues(
  world: World,
  { scope, values }: Release,
): Promise<{ env: Record<string, string | Secret>; files: Record<string, Secret> }> {
  const env: Record<string, string | Secret> = {}
  const files: Record<string, Secret> = {}
  for (const [key, value] of Object.entries(values)) {
    const text = value.kind === 'plain' ? value.value : await world.secrets.reveal(scope, key, value)
    if (value.asFile) files[key] = typeof text === 'string' ? new Secret(text) : text
    else env[key] = text
  }
  return { env, files }
}

/** Services of the same environment that listen are reached through the gateway, with or without a route of their own. */
async function serviceUrls(world: World, scope: ServiceScope): Promise<Record<string, string>> {
  const neighbours = await world.services.list({ project: scope.project, environment: scope.environment })
  return Object.fromEntries(
    neighbours
      .filter(({ check }) => check !== null)
      .map(({ scope: other }) => [serviceUrlName(other.service), world.gateway.internalUrl(other)]),
  )
}

function argvOf(command: readonly string[]): [string, ...string[]] {
  const [program, ...args] = command
  if (program === undefined) throw new TypeError('a job without a command')
  return [program, ...args]
}
