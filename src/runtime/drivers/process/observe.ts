import { readFileSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { errnoOf } from '../../../base/error.ts'
import { isAlive } from '../../../base/process-identity.ts'
import type { ExitStatus, Incarnation } from '../../runtime.ts'
import { countOomKills } from './cgroup.ts'
import type { ProcessContext } from './context.ts'
import { folderPaths, parseRecord, type ProcessRecord } from './instance-folder.ts'
import { exitStatus, parseStatusFile } from './shim.ts'

/** What stands of an incarnation, from its folder and /proc; every state a kill of the control plane can leave is one of these. */
export type Observation =
  | { readonly kind: 'absent' }
  /** Prepared, and left there: its program has not run. */
  | { readonly kind: 'unstarted'; readonly record?: ProcessRecord }
  /** The shim lives and its program has not reported yet. */
  | { readonly kind: 'starting'; readonly record: ProcessRecord; readonly shim: number }
  | {
      readonly kind: 'running'
      readonly record: ProcessRecord
      readonly pid: number
      /** false: somebody killed it; the program's status will be unknown. */
      readonly shimAlive: boolean
    }
  | {
      readonly kind: 'ended'
      readonly record: ProcessRecord
      readonly status: ExitStatus
      readonly exitedAt?: number
      /** Its pid is the number of its session, by which what it left behind is found; it is not to be signalled. */
      readonly program: { readonly pid: number; readonly startTicks: number }
    }

export async function observe(id: Incarnation, { runFolder, bootId, procRoot }: ProcessContext): Promise<Observation> {
  const paths = folderPaths(runFolder, id)
  const text = readIfThere(paths.record)
  const record = text === undefined ? undefined : parseRecord(text)
  if (record === undefined) return { kind: (await isThere(paths.folder)) ? 'unstarted' : 'absent' }
  const alive = async (process: { pid: number; startTicks: number } | undefined) =>
    process !== undefined && (await isAlive({ ...process, bootId: record.bootId }, bootId, procRoot))

  // In this order, so that an end in between is seen by one of the looks: who lives is asked before what is written.
  const shimAlive = await alive(record.shim)
  const { program } = parseStatusFile(readIfThere(paths.status) ?? '')
  if (program !== undefined && (await alive(program))) return { kind: 'running', record, pid: program.pid, shimAlive }
  const report = parseStatusFile(readIfThere(paths.status) ?? '')
  if (report.program === undefined) {
    return shimAlive && record.shim !== undefined
      ? { kind: 'starting', record, shim: record.shim.pid }
      : { kind: 'unstarted', record }
  }
  const ended = report.program
  if (report.exit === undefined) {
    // The program is gone and its shim has yet to write what became of it; or is gone too.
    return shimAlive
      ? { kind: 'running', record, pid: ended.pid, shimAlive }
      : { kind: 'ended', record, status: { kind: 'unknown' }, program: ended }
  }
  const exitedAt = (await stat(paths.status)).mtimeMs
  return { kind: 'ended', record, status: await explain(report.exit, record, paths.killed), exitedAt, program: ended }
}

async function explain(code: number, record: ProcessRecord, killedPath: string): Promise<ExitStatus> {
  const status = exitStatus(code)
  const killed = status.kind === 'signal' && status.signal === 'SIGKILL'
  if (!killed || (await isThere(killedPath))) return status
  return (await countOomKills(record.groups)) > 0 ? { kind: 'out-of-memory' } : status
}

/** A few hundred bytes of our own: without the thread pool and the garbage that fs/promises makes of each. */
function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
