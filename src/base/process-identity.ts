import { closeSync, openSync, readSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import type { Clock } from './clock.ts'
import { errnoOf } from './error.ts'

/**
 * A process that cannot be mistaken for another: a pid is reused, but not together with its start time, and start times
 * begin anew only at a boot. Never signal a process known by less.
 */
export interface ProcessIdentity {
  readonly pid: number
  /** Clock ticks since boot: field 22 of /proc/PID/stat. */
  readonly startTicks: number
  readonly bootId: string
}

/** @see random(4) /proc/sys/kernel/random/boot_id: another at each boot */
export async function readBootId(procRoot = '/proc'): Promise<string> {
  return (await readFile(`${procRoot}/sys/kernel/random/boot_id`, 'utf8')).trim()
}

export interface ProcessStat {
  /** R, S, D, T, Z …: @see proc(5) */
  readonly state: string
  readonly parentPid: number
  readonly processGroup: number
  readonly session: number
  readonly startTicks: number
}

/** The command may hold spaces and parentheses: what follows the last `)` is regular. */
export function parseProcessStat(text: string): ProcessStat {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const number = (index: number) => Number(fields[index])
  return {
    state: fields[0] ?? '?',
    parentPid: number(1),
    processGroup: number(2),
    session: number(3),
    startTicks: number(19),
  }
}

/** undefined when no such process is left; reading may give ESRCH even after a good open. */
export async function readProcessStat(pid: number, procRoot = '/proc'): Promise<ProcessStat | undefined> {
  try {
    return parseProcessStat(readLine(`${procRoot}/${pid}/stat`))
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ESRCH') return undefined
    throw error
  }
}

/** More than any line of /proc/PID/stat. */
const line = Buffer.alloc(4096)

/**
 * /proc answers from memory, in microseconds. fs.readFile would take 64 KiB for each of these files, whose size is said to
 * be 0: a hundred instances, looked at often, would hold 100 MB of our memory in used buffers.
 */
function readLine(path: string): string {
  const file = openSync(path, 'r')
  try {
    return line.toString('latin1', 0, readSync(file, line))
  } finally {
    closeSync(file)
  }
}

/** A zombie has ended: only its parent has not asked yet. */
export async function isAlive(identity: ProcessIdentity, bootId: string, procRoot = '/proc'): Promise<boolean> {
  if (identity.bootId !== bootId) return false
  const stat = await readProcessStat(identity.pid, procRoot)
  return stat !== undefined && stat.startTicks === identity.startTicks && stat.state !== 'Z' && stat.state !== 'X'
}

export async function identifyProcess(
  pid: number,
  bootId: string,
  procRoot = '/proc',
): Promise<ProcessIdentity | undefined> {
  const stat = await readProcessStat(pid, procRoot)
  return stat === undefined ? undefined : { pid, startTicks: stat.startTicks, bootId }
}

/** From SIGKILL to the end: one that waits for a disk in the kernel takes its time. */
const endDeadlineMs = 10_000

/** SIGKILL to exactly this process. @returns whether it is gone: not if it is another user's, or stuck in the kernel */
export async function endProcess(
  identity: ProcessIdentity,
  bootId: string,
  { sleep, monotonicMs }: Pick<Clock, 'sleep' | 'monotonicMs'>,
): Promise<boolean> {
  if (!(await isAlive(identity, bootId))) return true
  try {
    process.kill(identity.pid, 'SIGKILL')
  } catch (error) {
    if (errnoOf(error) === 'EPERM') return false
    if (errnoOf(error) !== 'ESRCH') throw error
  }
  const until = monotonicMs() + endDeadlineMs
  while (!(await hasLetGo(identity, bootId))) {
    if (monotonicMs() > until) return false
    await sleep(5)
  }
  return true
}

/** A process that shows as ended holds its ports and locks until the last of its threads is gone too. */
async function hasLetGo(identity: ProcessIdentity, bootId: string): Promise<boolean> {
  if (await isAlive(identity, bootId)) return false
  try {
    return (await readdir(`/proc/${identity.pid}/task`)).length <= 1
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return true
    throw error
  }
}
