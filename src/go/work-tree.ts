import { relative } from 'node:path'
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

/**
 * @param outputs files that the command writes, absolute: that they are there since the last time is no difference
 * @returns nothing where there is no git, no repository or no commit
 */
export async function readWorkTree(
  folder: string,
  { environment, outputs = [], signal }: Abortable & { environment: ProcessEnvironment; outputs?: readonly string[] },
): Promise<WorkTree> {
  const { PATH = '', HOME = '' } = environment
  const trust = ['-c', 'safe.directory=*', '-c', 'core.fsmonitor=false']
  const own = outputs.flatMap((file) => {
    const path = relative(folder, file)
    return path.startsWith('..') ? [] : [`:(exclude,literal)${path}`]
  })
  try {
    const result = await exec(
      ['git', ...trust, 'status', '--porcelain=v2', '--branch', '--untracked-files=normal', '--', '.', ...own],
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

/** When a commit was made, in seconds since 1970: the same for everyone who has it. @returns undefined where git does not say */
export async function readCommitTime(
  folder: string,
  commit: string,
  { environment, signal }: Abortable & { environment: ProcessEnvironment },
): Promise<number | undefined> {
  const { PATH = '', HOME = '' } = environment
  const argv = ['git', '-c', 'safe.directory=*', 'show', '--no-patch', '--format=%ct', commit] as const
  try {
    const result = await exec(argv, { cwd: folder, env: { PATH, HOME, LC_ALL: 'C' }, deadlineMs: 10_000, signal })
    const seconds = Number(result.stdout.trim())
    return result.exitCode === 0 && Number.isSafeInteger(seconds) ? seconds : undefined
  } catch (error) {
    if (error instanceof FairwayError && error.code !== 'ABORTED') return undefined
    throw error
  }
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
