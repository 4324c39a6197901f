import { errnoOf } from '../../../base/error.ts'
import { identifyProcess, type ProcessIdentity, readProcessStat } from '../../../base/process-identity.ts'
import type { Incarnation } from '../../runtime.ts'
import { groupMembers } from './cgroup.ts'
import type { ProcessContext } from './context.ts'
import { logPath } from './instance-folder.ts'
import type { Observation } from './observe.ts'
import { holdsOpen, sessionMembers } from './processes.ts'

/** A negative pid is a whole group. One that is gone is what was wanted. */
export function sendSignal(pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error
  }
}

/** Where there is no cgroup, who descends from a program can be told only while it lives. */
export async function identifyFamily(
  pid: number,
  { cgroups, bootId, procRoot }: ProcessContext,
): Promise<ProcessIdentity[]> {
  if (cgroups.kind !== 'none') return []
  const members = (await sessionMembers(pid, procRoot)).filter((member) => member !== pid)
  const identities = await Promise.all(members.map((member) => identifyProcess(member, bootId, procRoot)))
  return identities.filter((identity) => identity !== undefined)
}

/** What the program started and left behind, wherever it went: nothing of an instance outlives it. */
export async function killRemains(id: Incarnation, seen: Observation, context: ProcessContext): Promise<void> {
  for (let round = 0; round < 100; round++) {
    const remains = await findRemains(id, seen, context)
    if (remains.length === 0) return
    for (const pid of remains) sendSignal(pid, 'SIGKILL')
    await context.clock.sleep(round < 10 ? 2 : 20)
  }
}

async function findRemains(id: Incarnation, seen: Observation, context: ProcessContext): Promise<number[]> {
  const { procRoot, bootId, logFolder } = context
  if (!('record' in seen) || seen.record === undefined || seen.record.bootId !== bootId) return []
  const { groups, shim } = seen.record
  if (groups.length > 0) {
    // The shim is about to write what it saw, or waits at a gate that nobody opens: it leaves by itself.
    const others = (await groupMembers(groups)).filter((pid) => pid !== shim?.pid)
    return keep(others, async (pid) => !['Z', undefined].includes((await readProcessStat(pid, procRoot))?.state))
  }
  if (seen.kind !== 'ended') return []
  // The number of a session is not given away while it has members: where another process bears it as its pid, they are
  // strangers. Who is left must also still hold the instance's output.
  const bearer = await readProcessStat(seen.program.pid, procRoot)
  if (bearer !== undefined && bearer.startTicks !== seen.program.startTicks) return []
  const logs = (['out', 'err'] as const).map((stream) => logPath(logFolder, id, stream))
  return keep(await sessionMembers(seen.program.pid, procRoot), (pid) => holdsOpen(pid, logs, procRoot))
}

async function keep(pids: readonly number[], wanted: (pid: number) => Promise<boolean>): Promise<number[]> {
  const answers = await Promise.all(pids.map(wanted))
  return pids.filter((_, i) => answers[i])
}
