import { createHash } from 'node:crypto'
import { access, mkdir } from 'node:fs/promises'
import { explainWriteError, FairwayError } from '../../../base/error.ts'
import { readProcessStat } from '../../../base/process-identity.ts'
import type { Runtime } from '../../runtime.ts'
import { probeCgroups } from './cgroup.ts'
import type { ProcessContext } from './context.ts'
import { ProcessRuntime } from './process-runtime.ts'

export interface ProcessRuntimeOptions extends Omit<ProcessContext, 'procRoot' | 'cgroups' | 'logCapBytes' | 'tools'> {
  readonly procRoot?: string
  /** 'none' leaves the machine's control groups alone: nothing is limited. */
  readonly cgroups?: 'probe' | 'none'
  readonly logCapBytes?: number
}

/**
 * Instances as processes of this machine, that need nobody to live: detached, each under a shim that keeps its exit
 * status, with their output going straight into files. A control plane adopts what it finds by pid, start time and boot.
 * @throws FairwayError MACHINE_UNFIT, HOME_UNUSABLE
 */
export async function openProcessRuntime(options: ProcessRuntimeOptions): Promise<Runtime> {
  const { runFolder, logFolder, procRoot = '/proc', cgroups = 'probe' } = options
  if ((await readProcessStat(process.pid, procRoot).catch(() => undefined)) === undefined) {
    throw new FairwayError('MACHINE_UNFIT', `There is no ${procRoot} to see processes by`, {
      hint: 'Fairway runs instances on Linux with /proc mounted: `mount -t proc proc /proc`.',
    })
  }
  const tools = ['setsid', 'setpriv', 'fallocate', 'unshare', 'nsenter']
  const [setsid = '', setpriv = '', fallocate = '', unshare = '', nsenter = ''] = await Promise.all(tools.map(findTool))
  try {
    await mkdir(runFolder, { recursive: true, mode: 0o711 })
    await mkdir(logFolder, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw explainWriteError(error, runFolder)
  }
  const groupName = `fairway-${createHash('sha256').update(runFolder).digest('hex').slice(0, 12)}`
  return new ProcessRuntime({
    ...options,
    procRoot,
    logCapBytes: options.logCapBytes ?? 64 * 1024 * 1024,
    cgroups: cgroups === 'none' ? { kind: 'none', why: 'not asked for' } : await probeCgroups(groupName, procRoot),
    tools: { setsid, setpriv, fallocate, unshare, nsenter },
  })
}

/** Where util-linux lies; our own PATH is nothing to go by. */
async function findTool(name: string): Promise<string> {
  for (const folder of ['/usr/bin', '/bin', '/usr/sbin', '/sbin']) {
    const path = `${folder}/${name}`
    const found = await access(path).then(
      () => true,
      () => false,
    )
    if (found) return path
  }
  throw new FairwayError('MACHINE_UNFIT', `${name} is missing`, {
    hint: 'Install util-linux: `apt-get install util-linux`.',
  })
}
