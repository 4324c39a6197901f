import type { ArtifactStore } from '../artifact/index.ts'
import { pinKey, pinsOf } from './eviction.ts'

/**
 * What the artifacts of a home were built of, kept releases and those about to be: none of it may be evicted, so that each
 * can be built again.
 */
export async function pinnedModules(artifacts: Pick<ArtifactStore, 'list' | 'find'>): Promise<ReadonlySet<string>> {
  const pins = new Set<string>()
  for (const digest of await artifacts.list()) {
    const recipe = (await artifacts.find(digest).catch(() => undefined))?.recipe // removed, or broken: it is no release
    if (recipe === undefined) continue
    for (const pin of pinsOf(recipe.goSum ?? '')) pins.add(pin)
    for (const module of recipe.modules) pins.add(pinKey(module))
    const { goVersion, goos, goarch } = recipe
    pins.add(pinKey({ path: 'golang.org/toolchain', version: `v0.0.1-${goVersion}.${goos}-${goarch}` }))
  }
  return pins
}
