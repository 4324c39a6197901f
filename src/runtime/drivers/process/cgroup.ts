import { constants } from 'node:fs'
import { access, mkdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errnoOf } from '../../../base/error.ts'
import type { Limits } from '../../../config/index.ts'

/**
 * Control groups hold an instance's processes together, wherever they fork to, and limit them. Version 2 has one tree;
 * version 1 a tree for each controller, of which we use two.
 * @see Linux Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/
 */
export interface Mount {
  readonly version: 1 | 2
  /** Version 1: ['rw', 'memory'], as the mount's options have it. */
  readonly controllers: readonly string[]
  readonly mountPoint: string
  /** The part of the tree that is mounted there: '/' but in a container. */
  readonly root: string
}

/** The cgroup mounts of /proc/PID/mountinfo. */
export function parseMounts(mountinfo: string): Mount[] {
  const mounts: Mount[] = []
  for (const line of mountinfo.split('\n')) {
    const [before, after] = line.split(' - ')
    const [, , , root, mountPoint] = before?.split(' ') ?? []
    const [type, , options] = after?.split(' ') ?? []
    if (root === undefined || mountPoint === undefined) continue
    if (type === 'cgroup2') mounts.push({ version: 2, controllers: [], root, mountPoint })
    if (type === 'cgroup') mounts.push({ version: 1, controllers: options?.split(',') ?? [], root, mountPoint })
  }
  return mounts
}

/** Where a process stands in each tree, from /proc/PID/cgroup: '' is version 2's. */
export function parseMembership(text: string): Map<string, string> {
  const paths = new Map<string, string>()
  for (const line of text.split('\n')) {
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line)
    if (match === null) continue
    for (const controller of (match[1] ?? '').split(',')) paths.set(controller, match[2] ?? '/')
  }
  return paths
}

/** The folder we are in and those above it, nearest first: the nearest that lets us is where our groups go. */
export function candidateFolders({ mountPoint, root }: Mount, own: string): string[] {
  const below = root === '/' ? own : own.startsWith(`${root}/`) ? own.slice(root.length) : '/'
  const folders: string[] = []
  for (let at = join(mountPoint, below); at.length > mountPoint.length + 1; at = dirname(at)) folders.push(at)
  return [...folders, mountPoint]
}

/** Where groups can be made, and in which files limits go. */
export type Cgroups =
  | { readonly kind: 'none'; readonly why: string }
  | { readonly kind: 'v1'; readonly memory?: string; readonly cpu?: string }
  | { readonly kind: 'v2'; readonly parent: string; readonly memory: boolean; readonly cpu: boolean }

export interface LimitFile {
  readonly path: string
  readonly content: string
  /** Swap accounting is not compiled in everywhere. */
  readonly optional?: boolean
}

const cpuPeriodMicros = 100_000

/** The files to write, in order, to hold a group to its limits. */
export function limitFiles(cgroups: Cgroups, name: string, { memoryBytes, cpu }: Limits): LimitFile[] {
  const quota = cpu === undefined ? undefined : Math.max(1000, Math.round(cpu * cpuPeriodMicros)) // the kernel's least
  const files: LimitFile[] = []
  if (cgroups.kind === 'v2') {
    const group = join(cgroups.parent, name)
    if (memoryBytes !== undefined && cgroups.memory) {
      files.push({ path: join(group, 'memory.max'), content: String(memoryBytes) })
      files.push({ path: join(group, 'memory.swap.max'), content: '0', optional: true })
    }
    if (quota !== undefined && cgroups.cpu) {
      files.push({ path: join(group, 'cpu.max'), content: `${quota} ${cpuPeriodMicros}` })
    }
  }
  if (cgroups.kind === 'v1') {
    if (memoryBytes !== undefined && cgroups.memory !== undefined) {
      const group = join(cgroups.memory, name)
      files.push({ path: join(group, 'memory.limit_in_bytes'), content: String(memoryBytes) })
      files.push({ path: join(group, 'memory.memsw.limit_in_bytes'), content: String(memoryBytes), optional: true })
    }
    if (quota !== undefined && cgroups.cpu !== undefined) {
      const group = join(cgroups.cpu, name)
      files.push({ path: join(group, 'cpu.cfs_period_us'), content: String(cpuPeriodMicros) })
      files.push({ path: join(group, 'cpu.cfs_quota_us'), content: String(quota) })
    }
  }
  return files
}

export function groupFolders(cgroups: Cgroups, name: string): string[] {
  switch (cgroups.kind) {
    case 'none':
      return []
    case 'v1':
      return [cgroups.memory, cgroups.cpu].filter((parent) => parent !== undefined).map((parent) => join(parent, name))
    case 'v2':
      return [join(cgroups.parent, name)]
  }
}

/** Which of the wanted limits this machine will not hold, in words. */
export function unheldLimits(cgroups: Cgroups, { memoryBytes, cpu }: Limits): string[] {
  const can = {
    memory: cgroups.kind !== 'none' && cgroups.memory !== undefined && cgroups.memory !== false,
    cpu: cgroups.kind !== 'none' && cgroups.cpu !== undefined && cgroups.cpu !== false,
  }
  return [
    ...(memoryBytes !== undefined && !can.memory ? ['memory'] : []),
    ...(cpu !== undefined && !can.cpu ? ['CPU'] : []),
  ]
}

/** How often the kernel killed for memory here: memory.events (v2) or memory.oom_control (v1). */
export function parseOomKills(text: string): number {
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0)
}

/** Tries out what this process may do. @param name of the folder ours go into; nobody else's */
export async function probeCgroups(name: string, procRoot = '/proc'): Promise<Cgroups> {
  let mounts: Mount[]
  let membership: Map<string, string>
  try {
    mounts = parseMounts(await readFile(`${procRoot}/self/mountinfo`, 'utf8'))
    membership = parseMembership(await readFile(`${procRoot}/self/cgroup`, 'utf8'))
  } catch (error) {
    return { kind: 'none', why: errnoOf(error) ?? 'no control groups' }
  }
  const refusals = new Set<string>()
  const find = async (controller: string, usable: (parent: string) => Promise<boolean>) => {
    const mount = mounts.find(({ version, controllers }) =>
      controller === '' ? version === 2 : controllers.includes(controller),
    )
    if (mount === undefined) return undefined
    for (const folder of candidateFolders(mount, membership.get(controller) ?? '/')) {
      const parent = join(folder, name)
      try {
        await mkdir(parent).catch((error: unknown) => {
          if (errnoOf(error) !== 'EEXIST') throw error
        })
        if (await usable(parent)) return parent
      } catch (error) {
        refusals.add(errnoOf(error) ?? 'refused')
      } finally {
        await rmdir(parent).catch(() => {}) // made again with the first group; it stays where it holds some
      }
    }
    return undefined
  }
  let hasCpu = false
  const parent = await find('', async (parent) => {
    await enableControllers(dirname(parent))
    hasCpu = await isWritable(join(parent, 'cpu.max'))
    return isWritable(join(parent, 'memory.max'))
  })
  if (parent !== undefined) return { kind: 'v2', parent, memory: true, cpu: hasCpu }
  const memory = await find('memory', (parent) => isWritable(join(parent, 'memory.limit_in_bytes')))
  const cpu = await find('cpu', (parent) => isWritable(join(parent, 'cpu.cfs_quota_us')))
  if (memory !== undefined || cpu !== undefined) {
    return { kind: 'v1', ...(memory === undefined ? {} : { memory }), ...(cpu === undefined ? {} : { cpu }) }
  }
  return { kind: 'none', why: [...refusals].join(', ') || 'no memory or cpu controller' }
}

async function isWritable(path: string): Promise<boolean> {
  return access(path, constants.W_OK).then(
    () => true,
    () => false,
  )
}

/** Version 2 only: what a folder's children may be limited in. A folder that holds processes itself refuses (EBUSY). */
async function enableControllers(folder: string): Promise<void> {
  const file = join(folder, 'cgroup.subtree_control')
  const enabled = (await readFile(file, 'utf8')).split(/\s+/)
  if (!enabled.includes('memory')) await writeFile(file, '+memory')
  if (!enabled.includes('cpu')) await writeFile(file, '+cpu').catch(() => {}) // not everywhere, and memory matters more
}

/** Makes the group in each tree and writes its limits. Returns its folders. */
export async function createGroup(cgroups: Cgroups, name: string, limits: Limits): Promise<string[]> {
  const folders = groupFolders(cgroups, name)
  for (const folder of folders) await createFolder(folder, cgroups.kind === 'v2')
  for (const { path, content, optional } of limitFiles(cgroups, name, limits)) {
    await writeFile(path, content).catch((error: unknown) => {
      if (optional !== true) throw error
    })
  }
  return folders
}

/** What is above it goes with the last group, perhaps while we are at it. */
async function createFolder(folder: string, inOneTree: boolean): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await mkdir(dirname(folder), { recursive: true })
      if (inOneTree) await enableControllers(dirname(folder))
      await mkdir(folder, { recursive: true })
      return
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || attempt === 3) throw error
    }
  }
}

export async function joinGroup(folders: readonly string[], pid: number): Promise<void> {
  for (const folder of folders) await writeFile(join(folder, 'cgroup.procs'), String(pid))
}

/** Everybody in the group, at this moment. */
export async function groupMembers(folders: readonly string[]): Promise<number[]> {
  const pids = new Set<number>()
  for (const folder of folders) {
    const text = await readFile(join(folder, 'cgroup.procs'), 'utf8').catch(ignoreGone)
    for (const line of text?.split('\n') ?? []) if (line !== '') pids.add(Number(line))
  }
  return [...pids]
}

export async function countOomKills(folders: readonly string[]): Promise<number> {
  let kills = 0
  for (const folder of folders) {
    for (const file of ['memory.events', 'memory.oom_control']) {
      const text = await readFile(join(folder, file), 'utf8').catch(ignoreGone)
      kills += parseOomKills(text ?? '')
    }
  }
  return kills
}

/** A group that still holds a process stays: the caller has ended them, the kernel may take a moment. */
export async function removeGroup(folders: readonly string[], sleep: (ms: number) => Promise<void>): Promise<void> {
  for (const folder of folders) {
    for (let attempt = 0; attempt < 50; attempt++) {
      const errno = await rmdir(folder).then(() => 'gone', errnoOf)
      if (errno !== 'EBUSY') break
      await sleep(10)
    }
    await rmdir(dirname(folder)).catch(() => {}) // ours, when it was the last
  }
}

function ignoreGone(error: unknown): undefined {
  const errno = errnoOf(error)
  if (errno !== 'ENOENT' && errno !== 'ENODEV') throw error
}
