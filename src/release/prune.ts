import type { ServiceScope } from '../config/index.ts'
import { parseInstanceRef, type Release } from './release.ts'
import type { World } from './world.ts'

/** Kept beside what runs and what is warm, per service and environment. */
const keptReleases = 10

/** Which releases' files may go: all but the newest ten and those in use. */
export function releasesToPrune(releases: readonly Release[], inUse: ReadonlySet<number>): Release[] {
  const newestFirst = [...releases].sort((a, b) => b.number - a.number)
  return newestFirst.slice(keptReleases).filter(({ number, prunedAt }) => prunedAt === null && !inUse.has(number))
}

/** The history stays; files and logs of old releases go. */
export async function pruneReleases(world: World, scope: ServiceScope): Promise<void> {
  const desired = await world.rollouts.desired(scope, { bootId: world.bootId, now: world.clock.monotonicMs() })
  const inUse = new Set([...desired.keys()].map((ref) => parseInstanceRef(ref).release))
  const serving = (await world.services.find(scope))?.serving
  if (serving !== null && serving !== undefined) inUse.add(serving)
  const pruned = releasesToPrune(await world.releases.list(scope), inUse)
  for (const release of pruned) {
    await world.releases.markPruned(scope, release.number, world.clock.now())
    await world.runtime.removeLogs(scope, release.number)
  }
  // Only what these releases had: an artifact just uploaded belongs to no release yet.
  const needed = await world.releases.artifactsInUse()
  for (const { artifact } of pruned) if (!needed.has(artifact)) await world.artifacts.remove(artifact)
}
