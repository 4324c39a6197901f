import type { InstalledToolchain } from './toolchain-store.ts'
import { languageLine } from './version.ts'

/** Not used for so long, a toolchain may go: it can be fetched again. */
const unusedMs = 30 * 86_400_000
/** A build that runs with one now began lately. */
const busyMs = 3_600_000

export interface PrunedToolchain extends InstalledToolchain {
  readonly why: string
}

/**
 * Which toolchains nobody needs: those that a newer patch of the same line replaced, and those not used for 30 days. Never
 * the one that was named by `toolchain use`, nor one that was used within the last hour.
 * @param installed the newest first
 */
export function choosePruned(
  installed: readonly InstalledToolchain[],
  { preferred, now }: { preferred: string | undefined; now: number },
): PrunedToolchain[] {
  const newest = new Map<string, string>()
  return installed.flatMap((one) => {
    const line = languageLine(one.version) ?? ''
    const replacedBy = newest.get(line)
    newest.set(line, replacedBy ?? one.version)
    if (one.version === preferred || now - one.usedAt < busyMs) return []
    if (replacedBy !== undefined) return [{ ...one, why: `${replacedBy} replaces it` }]
    return now - one.usedAt > unusedMs ? [{ ...one, why: 'not used for 30 days' }] : []
  })
}
