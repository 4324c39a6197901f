import { createHash } from 'node:crypto'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import { errnoOf } from '../../base/error.ts'
import type { Address } from '../../host/index.ts'

export interface PortRange {
  readonly first: number
  readonly last: number
}

/** Below Linux's ephemeral ports (from 32768), so that no outgoing connection takes one while its service is down. */
export const defaultInternalPorts: PortRange = { first: 30_000, last: 32_767 }

/** 'free', or why it cannot be had: EADDRINUSE, EACCES, EADDRNOTAVAIL … */
export async function probePort({ host, port }: Address): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  const server = createServer()
  server.on('error', (error) => resolve(errnoOf(error) ?? 'unknown'))
  server.listen({ host, port, exclusive: true }, () => server.close(() => resolve('free')))
  return promise
}

/** Chosen by the kernel; free at this moment. */
export async function pickPort(host: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const server = createServer()
  server.on('error', reject)
  server.listen({ host, port: 0, exclusive: true }, () => {
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    server.close(() => resolve(port))
  })
  return promise
}

/**
 * The first port of the range, counted from a place that depends on the owner, that nobody here has: the same each time,
 * so it is the same again when the record was lost, and two homes seldom want the same.
 */
export function choosePort({ first, last }: PortRange, owner: string, taken: ReadonlySet<number>): number | undefined {
  const size = last - first + 1
  const begin = createHash('sha256').update(owner).digest().readUInt32BE(0) % size
  for (let step = 0; step < size; step += 1) {
    const port = first + ((begin + step) % size)
    if (!taken.has(port)) return port
  }
  return undefined
}

/** Inodes of the sockets that listen on a port: /proc/net/tcp and tcp6. @see proc(5); state 0A is LISTEN */
export function listeningInodes(table: string, port: number): string[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0')
  return table.split('\n').flatMap((line) => {
    const fields = line.trim().split(/\s+/)
    const [, local, , state] = fields
    const inode = fields[9]
    return local?.endsWith(`:${wanted}`) && state === '0A' && inode !== undefined ? [inode] : []
  })
}

/** Of a control plane, or of its HAProxy: the home it serves. */
function fairwayHome(words: readonly string[]): string | undefined {
  const configuration = words.map((word) => /^(.+)\/gateway\/haproxy\.cfg$/.exec(word)?.[1]).find(Boolean)
  const isServer = words.some((word) => word.endsWith('/src/server/main.ts'))
  return configuration ?? (isServer ? words[words.indexOf('--home') + 1] : undefined)
}

/** `command` is the program's name, or 'the Fairway in HOME'; undefined where /proc does not tell us: another user's process, or no /proc. */
export async function portHolder(
  port: number,
  procRoot = '/proc',
): Promise<{ readonly pid: number; readonly command: string } | undefined> {
  const tables = await Promise.all(
    ['tcp', 'tcp6'].map((name) => readFile(`${procRoot}/net/${name}`, 'utf8').catch(() => '')),
  )
  const sockets = new Set(tables.flatMap((table) => listeningInodes(table, port)).map((inode) => `socket:[${inode}]`))
  if (sockets.size === 0) return undefined
  const pids = (await readdir(procRoot).catch(() => [])).filter((name) => /^\d+$/.test(name))
  for (const pid of pids) {
    const descriptors = await readdir(`${procRoot}/${pid}/fd`).catch(() => [])
    const links = await Promise.all(descriptors.map((fd) => readlink(`${procRoot}/${pid}/fd/${fd}`).catch(() => '')))
    if (!links.some((link) => sockets.has(link))) continue
    const [command, words] = await Promise.all(
      ['comm', 'cmdline'].map((name) => readFile(`${procRoot}/${pid}/${name}`, 'utf8').catch(() => '?')),
    )
    const home = fairwayHome((words ?? '').split('\0'))
    return { pid: Number(pid), command: home === undefined ? (command ?? '?').trim() : `the Fairway in ${home}` }
  }
  return undefined
}
