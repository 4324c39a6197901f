import { join } from 'node:path'
import { z } from 'zod'
import { namePattern } from '../../../config/index.ts'
import { type Incarnation, incarnationName, instanceName } from '../../runtime.ts'

/** 'shop.production.web.12-3.1': the folder of an incarnation under the run folder, and its cgroup. */
export function folderName(id: Incarnation): string {
  return `${instanceName(id)}.${id.incarnation}`
}

/** undefined for what is no incarnation's folder. */
export function parseFolderName(name: string): Incarnation | undefined {
  const [project, environment, service, instance, incarnation, ...rest] = name.split('.')
  const match = /^([1-9]\d*)-(\d+)$/.exec(instance ?? '')
  if (match === null || rest.length > 0 || !/^\d+$/.test(incarnation ?? '')) return undefined
  const id = {
    scope: { project: project ?? '', environment: environment ?? '', service: service ?? '' },
    release: Number(match[1]),
    ordinal: Number(match[2]),
    incarnation: Number(incarnation),
  }
  return isIncarnation(id) ? id : undefined
}

function isIncarnation({ scope, release, ordinal, incarnation }: Incarnation): boolean {
  const names = [scope.project, scope.environment, scope.service]
  const numbers = [release, ordinal, incarnation]
  return names.every((name) => namePattern.test(name)) && numbers.every((n) => Number.isSafeInteger(n) && n >= 0)
}

/**
 * Ids are checked where they enter the product; once more here, where they become paths.
 * @throws TypeError
 */
export function checkIncarnation(id: Incarnation): void {
  if (!isIncarnation(id)) throw new TypeError(`not an incarnation: ${JSON.stringify(id)}`)
}

/** Everything the driver keeps of an incarnation, but for its logs. */
export function folderPaths(runFolder: string, id: Incarnation) {
  const folder = join(runFolder, folderName(id))
  return {
    folder,
    record: join(folder, 'record.json'),
    /** Written by the shim alone. */
    status: join(folder, 'status'),
    secrets: join(folder, 'secrets'),
    /** There when SIGKILL came from us: whatever the cgroup says, it was not for memory. */
    killed: join(folder, 'killed'),
  }
}

/** 'logs/shop/production/web/12' */
export function releaseLogFolder(logFolder: string, id: Pick<Incarnation, 'scope' | 'release'>): string {
  return join(logFolder, id.scope.project, id.scope.environment, id.scope.service, String(id.release))
}

/** 'logs/shop/production/web/12/12-3.1.out' */
export function logPath(logFolder: string, id: Incarnation, stream: 'out' | 'err'): string {
  return join(releaseLogFolder(logFolder, id), `${incarnationName(id)}.${stream}`)
}

const processRecord = z.object({
  /** Absent until the shim waits at its gate. */
  shim: z.object({ pid: z.number().int().min(2), startTicks: z.number() }).optional(),
  bootId: z.string(),
  startedAt: z.number(),
  address: z.object({ host: z.string(), port: z.number().int() }).optional(),
  /** Of its own network. */
  network: z.object({ host: z.string() }).optional(),
  /** undefined: Fairway's own. */
  user: z.object({ uid: z.number().int(), gid: z.number().int() }).optional(),
  /** Its cgroup, in each hierarchy. */
  groups: z.array(z.string()),
})

/** What is needed to adopt; with the status file it says all there is to know. */
export type ProcessRecord = z.infer<typeof processRecord>

/** undefined for a record that is broken: it can be removed, but nothing may be signalled by it. */
export function parseRecord(text: string): ProcessRecord | undefined {
  try {
    return processRecord.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}
