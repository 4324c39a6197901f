import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { FairwayError } from '../base/error.ts'
import { type Argv, exec, type ExecOptions, execOk, lastLines } from '../base/exec.ts'
import { writeOutput } from '../base/output-file.ts'
import { copyDatabase } from '../base/store/backup.ts'
import { settleRestoredState, sweepStaging } from '../app.ts'
import { checkBackup, homeFiles, homeFolders } from './check-backup.ts'
import { isAbsent } from './client.ts'
import { connect } from './connect.ts'
import type { CommandContext } from './context.ts'

const tarDeadlineMs = 30 * 60_000

/**
 * One file with everything a home cannot get back otherwise; consistent, also while the control plane writes. Services may
 * write too: their folders are copied as they lie.
 * @returns what changed while it was copied
 */
export async function backUp(file: string, { home, cwd, environment }: CommandContext): Promise<string[]> {
  if (!existsSync(join(home, 'state.db'))) {
    throw new FairwayError('HOME_UNUSABLE', `${home} has no state to save`, { hint: 'Is it the right --home?' })
  }
  const staging = await mkdtemp(join(home, 'backups', 'staging-'))
  try {
    copyDatabase(join(home, 'state.db'), join(staging, 'state.db'))
    for (const name of Object.keys(homeFiles)) {
      if (name !== 'state.db' && existsSync(join(home, name))) await copyFile(join(home, name), join(staging, name))
    }
    const kept = homeFolders.filter((name) => existsSync(join(home, name)))
    return await writeOutput(resolve(cwd, file), async (output) => {
      if ((await output.stat()).isFile()) await output.chmod(0o600) // it holds the key
      return pack(
        [
          'tar',
          '--create',
          '--gzip',
          `--file=/proc/${process.pid}/fd/${output.fd}`,
          '-C',
          staging,
          '.',
          '-C',
          home,
          ...kept.map((name) => `./${name}`),
        ],
        { env: { PATH: environment['PATH'] ?? '/usr/bin:/bin' }, deadlineMs: tarDeadlineMs },
      )
    })
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
}

/**
 * Unpacked beside the home first, looked at, then moved in: a broken file changes nothing. What was there lies in
 * HOME/backups/replaced-….
 * @throws FairwayError HOME_BUSY while a control plane runs, STATE_CORRUPT, USAGE where the home is in use and `overwrite` was not said
 */
export async function restore(
  file: string,
  context: CommandContext,
  { overwrite }: { overwrite: boolean },
): Promise<void> {
  const { home, cwd, environment } = context
  await refuseRunning(context)
  await refuseInstances(home)
  if (existsSync(join(home, 'state.db')) && !overwrite) {
    throw new FairwayError('USAGE', `${home} has a state of its own`, {
      hint: 'To put it aside (under HOME/backups) and restore all the same: --yes.',
    })
  }
  const source = resolve(cwd, file)
  await mkdir(join(home, 'backups'), { recursive: true, mode: 0o700 })
  await sweepStaging(home, Date.now())
  const staging = await mkdtemp(join(home, 'backups', 'restore-'))
  try {
    await unpack(source, staging, environment['PATH'] ?? '/usr/bin:/bin')
    if (!existsSync(join(staging, 'state.db'))) throw notABackup(file)
    await checkBackup(staging)
    await settle(staging)
    const aside = join(home, 'backups', `replaced-${new Date().toISOString().replaceAll(':', '-')}`)
    await mkdir(aside)
    const known = new Set(['state.db-wal', 'state.db-shm', ...Object.keys(homeFiles), ...homeFolders])
    for (const name of await readdir(home)) if (known.has(name)) await rename(join(home, name), join(aside, name))
    for (const name of await readdir(staging)) await rename(join(staging, name), join(home, name))
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
}

const tarNote = /^tar: (?:\.\/)?(.+): (?:file changed as we read it|File removed before we read it|File shrank by .+)$/

/** GNU tar ends with 1 when all is packed, but some of it changed meanwhile. @returns the names of that */
async function pack(argv: Argv, options: ExecOptions): Promise<string[]> {
  const { exitCode, signal, stderr } = await exec(argv, options)
  if (exitCode === 0) return []
  const changed = stderr.split('\n').flatMap((line) => tarNote.exec(line)?.[1] ?? [])
  if (exitCode === 1 && changed.length > 0) return [...new Set(changed)]
  throw new FairwayError('COMMAND_FAILED', `tar could not pack the home (${signal ?? `exit status ${exitCode}`})`, {
    details: lastLines(stderr, 20),
  })
}

async function unpack(source: string, target: string, path: string): Promise<void> {
  try {
    await execOk(['tar', '--extract', '--gzip', `--file=${source}`, '-C', target], {
      env: { PATH: path },
      deadlineMs: tarDeadlineMs,
    })
  } catch (error) {
    if (!(error instanceof FairwayError) || error.code !== 'COMMAND_FAILED') throw error
    throw notABackup(`${dirname(source)}/${source.split('/').at(-1)}`, error)
  }
}

/** What is wrong with it is said of the backup, not of the folder it lies in meanwhile. */
async function settle(staging: string): Promise<void> {
  try {
    await settleRestoredState(staging, Date.now())
  } catch (error) {
    if (!(error instanceof FairwayError) || error.code !== 'STATE_CORRUPT') throw error
    throw new FairwayError('STATE_CORRUPT', `In the backup, ${error.message.replaceAll(`${staging}/`, '')}`, {
      hint: 'Take another one: nothing was changed.',
      cause: error,
    })
  }
}

function notABackup(file: string, cause?: unknown): FairwayError {
  return new FairwayError('STATE_CORRUPT', `${file} is not a backup of a home, or is damaged`, {
    hint: '`fairway server backup FILE` writes one. Nothing was changed.',
    cause,
  })
}

/** Nobody would know them any more: they would serve on, unseen, beside those of the restored state. */
async function refuseInstances(home: string): Promise<void> {
  const kept = await readdir(join(home, 'run', 'instances')).catch(() => [])
  if (kept.length === 0) return
  throw new FairwayError('HOME_BUSY', `Instances of ${home} may still run (${kept.length} are on record)`, {
    hint: 'End them first: fairway server start, fairway down --all, fairway server stop.',
  })
}

async function refuseRunning(context: CommandContext): Promise<void> {
  try {
    await connect(context, 'never')
  } catch (error) {
    if (isAbsent(error)) return
    throw error
  }
  throw new FairwayError('HOME_BUSY', `A control plane runs on ${context.home}`, {
    hint: 'End what serves and then it: fairway down --all, fairway server stop.',
  })
}
