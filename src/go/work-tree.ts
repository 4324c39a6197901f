import type { Abortable } from '../base/bounds.ts'
import { FairwayError } from '../base/error.ts'
import { exec } from '../base/exec.ts'
import type { ProcessEnvironment } from './toolchain.ts'

/** What git says of the sources: recorded beside the artifact, never part of it. */
export interface WorkTree {
  readonly commit?: string
  /** Something differs from the commit. */
  readonly dirty?: boolean
}

/** @returns nothing where there is no git, no repository or no commit */
export async function readWorkTree(
  folder: string,
  { environment, signal }: Abortable & { environment: ProcessEnvironment },
): Promise<WorkTree> {
  const { PATH = '', HOME = '' } = environment
  const trust = ['-c', 'safe.directory=*', '-c', 'core.fsmonitor=false']
  try {
    const result = await exec(
      ['git', ...trust, 'status', '--porcelain=v2', '--branch', '--untracked-files=normal', '--', '.'],
      {
        cwd: folder,
        env: { PATH, HOME, LC_ALL: 'C', GIT_OPTIONAL_LOCKS: '0' },
        deadlineMs: 10_000,
        maxOutputBytes: 1024 * 1024,
        signal,
      },
    )
    return result.exitCode === 0 ? parseStatus(result.stdout) : {}
  } catch (error) {
    // No git, or one so slow that a note in the recipe is not worth the wait.
    if (error instanceof FairwayError && (error.code === 'COMMAND_FAILED' || error.code === 'COMMAND_TIMEOUT'))
      return {}
    throw error
  }
}

/** @see git-status(1), "Porcelain Format Version 2" */
export function parseStatus(text: string): WorkTree {
  const commit = /^# branch\.oid ([0-9a-f]{40,64})$/m.exec(text)?.[1]
  if (commit === undefined) return {}
  return { commit, dirty: text.split('\n').some((line) => line !== '' && !line.startsWith('#')) }
}

/**
 * What `{{tag}}` and `{{commit}}` of ldflags stand for: 'devel' where no tag points at the commit or something differs
 * from it.
 */
export async function readStamp(
  folder: string,
  options: Abortable & { environment: ProcessEnvironment },
): Promise<{ tag: string; commit: string }> {
  const { commit, dirty } = await readWorkTree(folder, options)
  if (commit === undefined) return { tag: 'devel', commit: 'unknown' }
  if (dirty === true) return { tag: 'devel', commit: `${commit}-dirty` }
  const { PATH = '', HOME = '' } = options.environment
  const result = await exec(['git', '-c', 'safe.directory=*', 'describe', '--tags', '--exact-match', 'HEAD'], {
    cwd: folder,
    env: { PATH, HOME, LC_ALL: 'C', GIT_OPTIONAL_LOCKS: '0' },
    deadlineMs: 10_000,
    signal: options.signal,
  })
  const tag = result.stdout.trim()
  // It becomes part of a flag: what could end it there is no version either.
  return { tag: result.exitCode === 0 && /^[\w.+/-]+$/.test(tag) ? tag : 'devel', commit }
}
