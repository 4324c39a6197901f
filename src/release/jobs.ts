import { type ServiceScope, scopeKey } from '../config/index.ts'
import { type Incarnation, type Instance, incarnationName } from '../runtime/index.ts'
import type { World } from './world.ts'

/** From SIGTERM to SIGKILL of a job that is to end before it is done. */
export const jobGraceMs = 5000

export interface JobStatus {
  /** '12-0.3' */
  readonly name: string
  readonly release: number
  readonly pid: number
  readonly startedAt: number
  /** The program, and `…` where it has arguments; null when an earlier control plane began it. */
  readonly command: readonly string[] | null
}

export type JobCommands = Map<string, readonly string[]>

export function jobKey(id: Incarnation): string {
  return `${scopeKey(id.scope)}/${incarnationName(id)}`
}

export function jobsAmong(instances: readonly Instance[], commands: JobCommands): JobStatus[] {
  return instances.flatMap(({ id, state, startedAt }) => {
    if (id.ordinal !== 0 || state.kind !== 'running') return []
    const command = commands.get(jobKey(id)) ?? null
    return [{ name: incarnationName(id), release: id.release, pid: state.pid, startedAt, command }]
  })
}

export async function hasJobs({ runtime }: World, scope: ServiceScope): Promise<boolean> {
  return jobsAmong(await runtime.list(scope), new Map()).length > 0
}

/**
 * Ends what runs as a job of a service, or of any: what is down has nothing running. Whoever began one sees its end and
 * forgets it.
 */
export async function endJobs({ runtime }: World, scope?: ServiceScope): Promise<void> {
  const jobs = (await runtime.list(scope)).filter(({ id, state }) => id.ordinal === 0 && state.kind === 'running')
  await Promise.all(jobs.map(({ id }) => runtime.stop(id, { graceMs: jobGraceMs })))
}
