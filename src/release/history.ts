import type { RolloutRecord } from './release.ts'

/**
 * The releases that served one after another, as one would go back through them: the last is the one that serves, or
 * served last. What was rolled back from is left out, until it is brought up again.
 * @param rollouts in any order; only those that ended as done count
 */
export function servingHistory(rollouts: readonly Pick<RolloutRecord, 'id' | 'verb' | 'to' | 'outcome'>[]): number[] {
  const line: number[] = []
  for (const { verb, to, outcome } of [...rollouts].sort((a, b) => a.id - b.id)) {
    if (outcome !== 'done' || to === null || verb === 'scale' || verb === 'down') continue
    if (verb === 'rollback' && line.includes(to)) line.length = line.lastIndexOf(to) + 1
    else if (line.at(-1) !== to) line.push(to)
  }
  return line
}

/** Where `rollback` goes without --to: the release that served before `serving`; after `down`, the one that served last. */
export function previousRelease(
  rollouts: readonly Pick<RolloutRecord, 'id' | 'verb' | 'to' | 'outcome'>[],
  serving: number | null,
): number | undefined {
  const line = servingHistory(rollouts)
  return serving === null ? line.at(-1) : line.slice(0, Math.max(0, line.lastIndexOf(serving))).at(-1)
}
