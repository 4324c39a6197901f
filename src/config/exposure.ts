import { exec } from '../base/exec.ts'
import { FairwayError } from '../base/error.ts'
import type { Abortable } from '../base/bounds.ts'
import type { SpecifiedService } from './specify.ts'
import type { ValueLayer } from './values.ts'

/** A layer's file as it lies there. */
export interface LayerFile extends ValueLayer {
  /** Permission bits. */
  readonly mode: number
}

/**
 * Which of these files of a folder git tracks.
 * @param environment where git is found (PATH) and whose it is (HOME)
 * @returns none where there is no repository or no git
 */
export async function trackedFiles(
  folder: string,
  names: readonly string[],
  { environment, signal }: Abortable & { environment: Readonly<Record<string, string | undefined>> },
): Promise<Set<string>> {
  if (names.length === 0) return new Set()
  // The repository may be another user's; asking its index runs nothing of it with these two set.
  const trust = ['-c', `safe.directory=*`, '-c', 'core.fsmonitor=false']
  const { PATH = '', HOME = '' } = environment
  try {
    const result = await exec(['git', ...trust, 'ls-files', '-z', '--', ...names], {
      cwd: folder,
      env: { PATH, HOME, LC_ALL: 'C', GIT_OPTIONAL_LOCKS: '0', GIT_LITERAL_PATHSPECS: '1' },
      deadlineMs: 10_000,
      signal,
    })
    return new Set(result.exitCode === 0 ? result.stdout.split('\0').filter((name) => name !== '') : [])
  } catch (error) {
    if (error instanceof FairwayError && error.code === 'COMMAND_FAILED') return new Set() // no git
    throw error
  }
}

/**
 * Secrets that stand where others can read them. Pure.
 * @returns what ends the matter (tracked by git) and what is only said (readable by others on this machine)
 */
export function findExposures(
  layers: readonly LayerFile[],
  services: readonly Pick<SpecifiedService, 'declarations'>[],
  tracked: ReadonlySet<string>,
): { exposed: { message: string; hint: string }[]; warnings: string[] } {
  const secretKeys = new Set(
    services.flatMap(({ declarations }) => [...declarations].filter(([, { secret }]) => secret).map(([key]) => key)),
  )
  const exposed: { message: string; hint: string }[] = []
  const warnings: string[] = []
  for (const { name, local, entries, mode } of layers) {
    if (local && entries.length > 0 && (mode & 0o077) !== 0) {
      warnings.push(
        `${name} can be read by others on this machine (mode ${mode.toString(8).padStart(4, '0')}): chmod 600 ${name}`,
      )
    }
    if (!tracked.has(name)) continue
    if (local) {
      const hint = `git rm --cached ${name} && echo '${name}' >> .gitignore; whatever secret it holds is in the history: change it.`
      exposed.push({ message: `${name} is this machine’s own and is tracked by git`, hint })
      continue
    }
    for (const { key, line } of entries.filter((entry) => secretKeys.has(entry.key) && entry.value !== '')) {
      const hint = `Move ${key} to a file git ignores (.env.ENV.local) or \`fairway secret set ${key}\`; its value is in the history: change it.`
      exposed.push({ message: `${name}:${line}: ${key} is declared secret, and git tracks this file`, hint })
    }
  }
  return { exposed, warnings }
}
