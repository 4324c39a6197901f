import { readdir, readFile, readlink } from 'node:fs/promises'
import { errnoOf } from '../../../base/error.ts'
import { readProcessStat } from '../../../base/process-identity.ts'
import type { Address } from '../../../host/index.ts'
import { parseListeningSockets } from '../../sockets.ts'
import type { ProcessContext } from './context.ts'

/** Everybody in a session, and the descendants of its leader that left it but kept their parent. */
export async function sessionMembers(leader: number, procRoot: string): Promise<number[]> {
  const children = new Map<number, number[]>()
  const members = new Set<number>()
  for (const pid of await allPids(procRoot)) {
    const stat = await readProcessStat(pid, procRoot)
    if (stat === undefined) continue
    if (stat.session === leader) members.add(pid)
    children.set(stat.parentPid, [...(children.get(stat.parentPid) ?? []), pid])
  }
  for (const pid of members) for (const child of children.get(pid) ?? []) members.add(child) // the set grows as it is walked
  return [...members]
}

async function allPids(procRoot: string): Promise<number[]> {
  return (await readdir(procRoot)).filter((name) => /^\d+$/.test(name)).map(Number)
}

/** A process that writes to one of these files: with its session, proof enough that it is one of the instance's. */
export async function holdsOpen(pid: number, paths: readonly string[], procRoot: string): Promise<boolean> {
  for (const fd of ['1', '2']) {
    const target = await readlink(`${procRoot}/${pid}/fd/${fd}`).catch(() => '')
    if (paths.includes(target)) return true
  }
  return false
}

/** What a process was born with, for another that is to be like it. @throws ENOENT or ESRCH when it is gone */
export async function readCircumstances(pid: number, { procRoot, clock }: Pick<ProcessContext, 'procRoot' | 'clock'>) {
  let environ = ''
  // In the middle of an exec it reads as empty.
  for (let attempt = 0; attempt < 10 && environ === ''; attempt++) {
    if (attempt > 0) await clock.sleep(2)
    environ = await readFile(`${procRoot}/${pid}/environ`, 'utf8')
  }
  const cwd = await readlink(`${procRoot}/${pid}/cwd`)
  const pairs = environ.split('\0').flatMap((pair) => {
    const at = pair.indexOf('=')
    return at > 0 ? [[pair.slice(0, at), pair.slice(at + 1)] as const] : []
  })
  return { cwd, env: Object.fromEntries(pairs) }
}

/** What these processes listen on (TCP), each address once. They share one network namespace: that of the first. */
export async function listeningAddresses(pids: readonly number[], procRoot: string): Promise<Address[]> {
  const [first] = pids
  if (first === undefined) return []
  const tables = await Promise.all(
    ['tcp', 'tcp6'].map((table) => readFile(`${procRoot}/${first}/net/${table}`, 'utf8').catch(ignoreGone)),
  )
  const sockets = tables.flatMap((table) => parseListeningSockets(table ?? ''))
  if (sockets.length === 0) return []
  const owned = new Set<number>()
  for (const pid of pids) for (const inode of await socketInodes(pid, procRoot)) owned.add(inode)
  const found = new Map<string, Address>()
  for (const { address, inode } of sockets) {
    if (owned.has(inode)) found.set(`${address.host} ${address.port}`, address)
  }
  return [...found.values()]
}

async function socketInodes(pid: number, procRoot: string): Promise<number[]> {
  const fds = (await readdir(`${procRoot}/${pid}/fd`).catch(ignoreGone)) ?? []
  const targets = await Promise.all(fds.map((fd) => readlink(`${procRoot}/${pid}/fd/${fd}`).catch(() => '')))
  return targets.flatMap((target) => {
    const match = /^socket:\[(\d+)\]$/.exec(target)
    return match === null ? [] : [Number(match[1])]
  })
}

/** Gone in the meantime, or not ours to look into: then it shows nothing. */
function ignoreGone(error: unknown): undefined {
  const errno = errnoOf(error)
  if (errno !== 'ENOENT' && errno !== 'ESRCH' && errno !== 'EACCES' && errno !== 'EINVAL') throw error
}
