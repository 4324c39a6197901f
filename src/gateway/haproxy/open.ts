import { mkdir, readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import type { Clock } from '../../base/clock.ts'
import type { Report } from '../../base/event.ts'
import type { Address } from '../../host/index.ts'
import type { Gateway } from '../gateway.ts'
import { capacity } from './config.ts'
import { HaproxyGateway } from './controller.ts'
import { gatewayFiles } from './files.ts'
import { ManagedHaproxy } from './managed.ts'
import { assertAddress } from './names.ts'
import type { PortRange } from './ports.ts'
import { defaultInternalPorts, pickPort } from './ports.ts'
import { HaproxyProcess, requireHaproxy } from './process.ts'
import type { GatewayRecord } from './record.ts'
import { readRecord } from './record.ts'
import { HaproxyRuntimeClient } from './runtime-client.ts'
import { DesiredState } from './state.ts'

export interface HaproxyGatewayOptions {
  /** Of its own: configuration, maps, sockets and record lie here. */
  readonly folder: string
  /** Where users reach it; port 0 is chosen once and kept. */
  readonly binds: readonly Address[]
  /** A path, or a name looked for in the system's folders, sbin included. */
  readonly haproxyPath: string
  readonly clock: Clock
  readonly bootId: string
  readonly report?: Report
  /** Where the internal addresses of services come from. */
  readonly internalPorts?: PortRange
  /** By default what this process sees of the machine. */
  readonly cores?: number
  readonly openFiles?: number
}

/**
 * Makes the gateway ready to be restored; nothing serves before `restore`.
 * @throws FairwayError HAPROXY_MISSING, HOME_UNUSABLE, STATE_CORRUPT, PORT_TAKEN
 */
export async function openHaproxyGateway(options: HaproxyGatewayOptions): Promise<Gateway> {
  const files = gatewayFiles(options.folder)
  await requireHaproxy(options.haproxyPath)
  await mkdir(files.folder, { recursive: true, mode: 0o700 })
  const record = await readRecord(files.record)
  const binds: Address[] = []
  for (const bind of options.binds) binds.push({ host: bind.host, port: await resolvePort(bind, record) })
  const { clock, bootId, internalPorts = defaultInternalPorts } = options
  const state = new DesiredState(record, { folder: files.folder, binds: binds.map(assertAddress), internalPorts })
  const client = new HaproxyRuntimeClient({ master: files.masterSocket, worker: files.adminSocket, clock })
  const cores = options.cores ?? availableParallelism()
  const capacityOf = async (pid?: number) => {
    const openFiles = pid === undefined ? options.openFiles : undefined
    return capacity({ cores, openFiles: openFiles ?? (await openFilesLimit(pid)) })
  }
  const haproxy = new ManagedHaproxy(files, {
    capacity: await capacityOf(),
    clock,
    client,
    process: new HaproxyProcess(files, { program: options.haproxyPath, clock, bootId, client }),
  })
  const gateway = new HaproxyGateway({
    files,
    state,
    haproxy,
    clock,
    asked: options.binds,
    capacity: capacityOf,
    report: options.report ?? (() => {}),
  })
  await gateway.saveRecord()
  return gateway
}

async function resolvePort({ host, port }: Address, record: GatewayRecord): Promise<number> {
  return port === 0 ? (record.binds[`${host} 0`] ?? (await pickPort(host))) : port
}

/** The hard limit, to which HAProxy raises its own. @see proc(5), /proc/PID/limits */
async function openFilesLimit(pid?: number): Promise<number> {
  const text = await readFile(`/proc/${pid ?? 'self'}/limits`, 'utf8').catch(() => '')
  const limit = /^Max open files\s+\S+\s+(\S+)/m.exec(text)?.[1]
  return limit === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(limit ?? 1024)
}
