import { FairwayError } from '../../base/error.ts'
import type { Address } from '../../host/index.ts'
import type { ServerMode } from '../gateway.ts'

/** A line of `show servers state`: what HAProxy keeps of a server over a reload. */
export interface ServerState {
  readonly backend: string
  readonly name: string
  readonly id: number
  readonly address: Address
  readonly mode: ServerMode
  readonly running: boolean
  readonly checkEnabled: boolean
  /** As HAProxy wrote them, to be given back to it. */
  readonly fields: readonly string[]
}

/** Columns of `show servers state`, version 1. @see HAProxy Management Guide 2.6, "show servers state" */
export const stateColumns = [
  'be_id', 'be_name', 'srv_id', 'srv_name', 'srv_addr', 'srv_op_state', 'srv_admin_state', 'srv_uweight', 'srv_iweight',
  'srv_time_since_last_change', 'srv_check_status', 'srv_check_result', 'srv_check_health', 'srv_check_state',
  'srv_agent_state', 'bk_f_forced_id', 'srv_f_forced_id', 'srv_fqdn', 'srv_port', 'srvrecord', 'srv_use_ssl',
  'srv_check_port', 'srv_check_addr', 'srv_agent_addr', 'srv_agent_port',
] as const // prettier-ignore
export type StateColumn = (typeof stateColumns)[number]

/** Bits of srv_admin_state: forced, inherited, by configuration, by resolution. */
const maintenanceBits = 0x01 | 0x02 | 0x04 | 0x20 | 0x40
const drainBits = 0x08 | 0x10
/** Bit of srv_check_state. */
const checkEnabledBit = 0x04

/** @throws FairwayError GATEWAY_REFUSED when it is not what HAProxy 2.6 and later write */
export function parseServersState(text: string): ServerState[] {
  const [version, header, ...lines] = text.split('\n')
  if (version?.trim() !== '1' || header === undefined || !header.startsWith('# ')) {
    throw new FairwayError('GATEWAY_REFUSED', `HAProxy answered "show servers state" with ${excerpt(text)}`)
  }
  const names = header.slice(2).trim().split(' ')
  const index = (name: StateColumn) => {
    const at = names.indexOf(name)
    if (at === -1) throw new FairwayError('GATEWAY_REFUSED', `HAProxy's "show servers state" has no ${name}`)
    return at
  }
  const column = new Map(stateColumns.map((name) => [name, index(name)]))
  return lines.flatMap((line) => {
    const words = line.trim().split(' ')
    if (words.length < names.length) return []
    const field = (name: StateColumn) => words[column.get(name) ?? -1] ?? ''
    const admin = Number(field('srv_admin_state'))
    return [
      {
        backend: field('be_name'),
        name: field('srv_name'),
        id: Number(field('srv_id')),
        address: { host: field('srv_addr'), port: Number(field('srv_port')) },
        mode: (admin & maintenanceBits) !== 0 ? 'shut' : (admin & drainBits) !== 0 ? 'drain' : 'ready',
        running: field('srv_op_state') !== '0',
        checkEnabled: (Number(field('srv_check_state')) & checkEnabledBit) !== 0,
        fields: stateColumns.map(field),
      } satisfies ServerState,
    ]
  })
}

/** A row of `show stat`, by column name. */
export type StatRow = Readonly<Record<string, string>>

/**
 * The CSV of `show stat`: a header `# pxname,svname,…,` and a line per row; a field that holds a comma is quoted as in
 * RFC 4180, and a quoted one may hold line ends.
 */
export function parseStat(text: string): StatRow[] {
  const [header, ...records] = csvRecords(text)
  if (header === undefined || header[0] !== '# pxname') {
    throw new FairwayError('GATEWAY_REFUSED', `HAProxy answered "show stat" with ${excerpt(text)}`)
  }
  const names = ['pxname', ...header.slice(1)]
  return records
    .filter((record) => record.length > 1)
    .map((record) => Object.fromEntries(names.map((name, at) => [name, record[at] ?? ''])))
}

function csvRecords(text: string): string[][] {
  // Nothing quoted is the rule, and a backend of a hundred servers is asked for often: ten times as fast.
  if (!text.includes('"')) return text.split('\n').flatMap((line) => (line === '' ? [] : [line.split(',')]))
  const records: string[][] = []
  let record: string[] = []
  let field = ''
  let quoted = false
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at]
    if (quoted) {
      if (char !== '"') field += char
      else if (text[at + 1] === '"') {
        field += '"'
        at += 1
      } else quoted = false
    } else if (char === '"') quoted = true
    else if (char === ',') {
      record.push(field)
      field = ''
    } else if (char === '\n') {
      records.push([...record, field])
      record = []
      field = ''
    } else field += char
  }
  if (field !== '' || record.length > 0) records.push([...record, field])
  return records
}

/** `show info`: `Name: value` lines. */
export function parseInfo(text: string): ReadonlyMap<string, string> {
  const pairs = text.split('\n').flatMap((line): [string, string][] => {
    const colon = line.indexOf(':')
    return colon <= 0 ? [] : [[line.slice(0, colon), line.slice(colon + 1).trim()]]
  })
  return new Map(pairs)
}

/** `show map FILE`: `0xADDRESS key value` lines. */
export function parseMap(text: string): ReadonlyMap<string, string> {
  const pairs = text.split('\n').flatMap((line): [string, string][] => {
    const [address, key, ...value] = line.trim().split(' ')
    return address?.startsWith('0x') && key !== undefined ? [[key, value.join(' ')]] : []
  })
  return new Map(pairs)
}

/** The master's children. `old` finish what they have; `failedReloads` counts configurations it could not start. */
export interface Processes {
  readonly master: number
  readonly failedReloads: number
  readonly current: number | undefined
  readonly old: readonly number[]
}

/** `show proc` on the master socket. */
export function parseProcesses(text: string): Processes {
  const rows = text.split('\n').flatMap((line) => {
    const match = /^(\d+)\s+(master|worker)\s+(\d+)(?:\s+\[failed: (\d+)\])?/.exec(line)
    if (match === null) return []
    return [{ pid: Number(match[1]), type: match[2], reloads: Number(match[3]), failed: Number(match[4] ?? 0) }]
  })
  const master = rows.find(({ type }) => type === 'master')
  if (master === undefined) {
    throw new FairwayError('GATEWAY_REFUSED', `HAProxy answered "show proc" with ${excerpt(text)}`)
  }
  const oldAt = text.indexOf('# old workers')
  const isOld = (pid: number) => oldAt !== -1 && new RegExp(`^${pid}\\s`, 'm').test(text.slice(oldAt))
  const workers = rows.filter(({ type }) => type === 'worker').map(({ pid }) => pid)
  return {
    master: master.pid,
    failedReloads: master.failed,
    current: workers.find((pid) => !isOld(pid)),
    old: workers.filter(isOld),
  }
}

/** `show sess`: the ids of the open sessions of one server. */
export function parseSessions(text: string, backend: string, server: string): string[] {
  return text.split('\n').flatMap((line) => {
    const id = /^(0x[0-9a-f]+):/.exec(line)?.[1]
    return id !== undefined && line.includes(` be=${backend} `) && line.includes(` srv=${server} `) ? [id] : []
  })
}

/** 'HAProxy version 2.6.12-1+deb12u4 2026/…' → [2, 6]; undefined when it says something else. */
export function parseVersion(
  text: string,
): { readonly text: string; readonly major: number; readonly minor: number } | undefined {
  const match = /^HA-?Proxy version ((\d+)\.(\d+)\S*)/m.exec(text)
  if (match === null) return undefined
  return { text: match[1] ?? '', major: Number(match[2]), minor: Number(match[3]) }
}

function excerpt(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text)
}
