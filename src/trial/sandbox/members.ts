import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { parseProcessStat } from '../../base/process-identity.ts'
import type { Address } from '../../host/index.ts'
import { parseListeningSockets } from '../../runtime/sockets.ts'

/** The program, everybody in its session, and the descendants that left it. */
export function members(leader: number): number[] {
  const children = new Map<number, number[]>()
  const found = new Set<number>([leader])
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    const stat = Number.isInteger(pid) ? readQuietly(`/proc/${pid}/stat`) : undefined
    if (stat === undefined) continue
    const { session, parentPid } = parseProcessStat(stat)
    if (session === leader) found.add(pid)
    children.set(parentPid, [...(children.get(parentPid) ?? []), pid])
  }
  for (const pid of found) for (const child of children.get(pid) ?? []) found.add(child) // the set grows as it is walked
  return [...found]
}

/** What they listen on by TCP, each port once; an address that others can reach before one of the loopback. */
export function listeningOf(pids: readonly number[]): Address[] {
  const tables = ['tcp', 'tcp6'].map((table) => readQuietly(`/proc/self/net/${table}`) ?? '') // one namespace for all
  const sockets = tables.flatMap(parseListeningSockets)
  if (sockets.length === 0) return []
  const owned = new Set(pids.flatMap(socketsOf))
  const byPort = new Map<number, Address>()
  for (const { address, inode } of sockets) {
    const known = byPort.get(address.port)
    if (owned.has(inode) && (known === undefined || isLoopback(known))) byPort.set(address.port, address)
  }
  return [...byPort.values()]
}

/** What they hold of the machine's memory. @see proc(5) VmRSS */
export function residentBytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readQuietly(`/proc/${pid}/status`) ?? '')?.[1]
    return sum + Number(kilobytes ?? 0) * 1024
  }, 0)
}

function isLoopback({ host }: Address): boolean {
  return host === '::1' || host.startsWith('127.')
}

function socketsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      const inode = /^socket:\[(\d+)\]$/.exec(readLinkQuietly(`/proc/${pid}/fd/${fd}`))?.[1]
      return inode === undefined ? [] : [Number(inode)]
    })
  } catch {
    return [] // it ended meanwhile
  }
}

function readQuietly(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function readLinkQuietly(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
