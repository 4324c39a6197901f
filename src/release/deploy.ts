import { machineRuns, type Recipe, requireRunnable } from '../artifact/index.ts'
import { type DesiredState, type Route, type ServiceScope, type ServiceSpecification } from '../config/index.ts'
import type { ReleaseEngine } from './engine.ts'
import { releaseDigest } from './identity.ts'
import { inOrderOfNeeds } from './needs.ts'
import type { ReleaseContent, ReleaseValue, ServiceState } from './release.ts'
import type { PlannedChange } from './store/rollout-store.ts'
import type { Delivery } from './wire.ts'

/** Keeps values that must not be read. */
export interface SecretKeeper {
  seal(scope: ServiceScope, key: string, value: string): { sealed: string; fingerprint: string }
  /** @throws FairwayError VALUES_INVALID when there is no such version */
  fingerprint(scope: ServiceScope, key: string, version: number): Promise<string>
}

/** What takes an artifact's files together, once they are all here. */
export interface ArtifactAssembler {
  /** @throws FairwayError ARTIFACT_CORRUPT when a file is missing or is not what its digest says */
  assemble(artifact: Delivery['artifact'], recipe: Recipe): Promise<void>
}

export interface DeployContext {
  readonly engine: ReleaseEngine
  readonly secretKeeper: SecretKeeper
  readonly assembler: ArtifactAssembler
  readonly who: string
}

export interface DeployInput {
  readonly project: string
  readonly environment: string
  readonly services: readonly Delivery[]
}

/** One service of an `up` as it would be changed. */
export interface PlannedDeploy {
  readonly change: PlannedChange
  readonly content: ReleaseContent
}

/**
 * Freezes each delivery into a release and says what would change; nothing that serves is touched yet.
 * @param dry nothing is written either: a release that would be new has the number it would get
 * @throws FairwayError ROUTE_TAKEN, ARTIFACT_CORRUPT, VALUES_INVALID, MACHINE_UNFIT for another machine's binary
 */
export async function planDeploy(
  input: DeployInput,
  context: DeployContext,
  { dry }: { dry: boolean },
): Promise<PlannedDeploy[]> {
  const planned: PlannedDeploy[] = []
  const runs = machineRuns()
  for (const delivery of inOrderOfNeeds(input.services, ({ specification: { service, needs } }) => ({
    name: service,
    needs,
  }))) {
    const { specification } = delivery
    const { goos, goarch, variant } = delivery.recipe
    requireRunnable(
      specification.service,
      { os: goos, arch: goarch, ...(variant === undefined ? {} : { variant }) },
      runs,
    )
    const scope = { project: input.project, environment: input.environment, service: specification.service }
    const { world } = context.engine
    const before = await world.services.find(scope)
    const desired = await desiredOf(scope, specification, before, context)
    const { number, content } = await freeze(scope, delivery, context, { dry })
    const { needs, desired: declared } = specification
    const change = { scope, release: number, desired, declaredInstances: declared.instances, needs }
    planned.push({ change: { verb: 'up', ...change }, content })
  }
  return planned
}

async function freeze(
  scope: ServiceScope,
  { specification, artifact, recipe, source }: Delivery,
  { engine, secretKeeper, assembler, who }: DeployContext,
  { dry }: { dry: boolean },
): Promise<{ number: number; content: ReleaseContent }> {
  if (!dry) await assembler.assemble(artifact, recipe)
  const values: Record<string, ReleaseValue> = {}
  for (const [key, value] of Object.entries(specification.values)) {
    const { asFile } = value
    if ('storedVersion' in value) {
      const fingerprint = await secretKeeper.fingerprint(scope, key, value.storedVersion)
      values[key] = { kind: 'stored', asFile, version: value.storedVersion, fingerprint }
    } else if (value.secret) {
      values[key] = { kind: 'sealed', asFile, ...secretKeeper.seal(scope, key, value.value) }
    } else values[key] = { kind: 'plain', asFile, value: value.value }
  }
  const content = { artifact: artifact.digest, values, run: specification.run }
  const digest = releaseDigest(artifact.digest, values, specification.run)
  if (dry) {
    const all = await engine.world.releases.list(scope)
    const known = all.find((release) => release.digest === digest)
    return { number: known?.number ?? (all[0]?.number ?? 0) + 1, content }
  }
  const { release } = await engine.world.releases.findOrCreate({
    ...content,
    scope,
    digest,
    binary: artifact.binary,
    goVersion: recipe.goVersion,
    source,
    createdAt: engine.world.clock.now(),
    who,
  })
  return { number: release.number, content }
}

/** `scale N` holds until the file says another number than it said last; a default host that is taken gets longer. */
async function desiredOf(
  scope: ServiceScope,
  { desired }: ServiceSpecification,
  before: ServiceState | undefined,
  context: DeployContext,
): Promise<DesiredState> {
  const scaled =
    before !== undefined && before.serving !== null && before.declaredInstances === desired.instances
      ? before.desired.instances
      : desired.instances
  const { route, routeFallback, ...rest } = desired
  const free = route === undefined ? undefined : await freeRoute(scope, route, routeFallback, context)
  return { ...rest, instances: scaled, ...(free === undefined ? {} : { route: free }) }
}

async function freeRoute(
  scope: ServiceScope,
  route: Route,
  fallback: Route | undefined,
  { engine }: DeployContext,
): Promise<Route> {
  if (fallback !== undefined && (await engine.routeOwner(route, scope)) !== undefined) {
    if ((await engine.routeOwner(fallback, scope)) === undefined) return fallback
  }
  await engine.refuseTaken(route, scope)
  return route
}
