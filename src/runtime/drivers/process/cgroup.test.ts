import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  candidateFolders,
  type Cgroups,
  createGroup,
  limitFiles,
  parseMembership,
  parseMounts,
  parseOomKills,
  probeCgroups,
  unheldLimits,
} from './cgroup.ts'

const hybrid = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:5 - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`

describe('reading', () => {
  test('mounts of both versions are told apart', () => {
    expect(parseMounts(hybrid).map(({ version, mountPoint }) => `${version} ${mountPoint}`)).toEqual([
      '1 /sys/fs/cgroup/cpu,cpuacct',
      '1 /sys/fs/cgroup/memory',
      '1 /sys/fs/cgroup/systemd',
      '2 /sys/fs/cgroup/unified',
    ])
    expect(parseMounts(hybrid)[0]?.controllers).toEqual(['rw', 'cpu', 'cpuacct'])
  })

  test('membership is known by controller', () => {
    const paths = parseMembership(
      '9:name=systemd:/user\n4:memory:/a b\n3:cpu,cpuacct:/c\n0::/system.slice/fairway.service\n',
    )
    expect(Object.fromEntries(paths)).toEqual({
      'name=systemd': '/user',
      memory: '/a b',
      cpu: '/c',
      cpuacct: '/c',
      '': '/system.slice/fairway.service',
    })
  })

  test('the nearest folder is tried first, and none above the mount', () => {
    const mount = { version: 2 as const, controllers: [], mountPoint: '/sys/fs/cgroup', root: '/' }
    expect(candidateFolders(mount, '/user.slice/session')).toEqual([
      '/sys/fs/cgroup/user.slice/session',
      '/sys/fs/cgroup/user.slice',
      '/sys/fs/cgroup',
    ])
    expect(candidateFolders(mount, '/')).toEqual(['/sys/fs/cgroup'])
    expect(candidateFolders({ ...mount, root: '/docker/1' }, '/docker/1/x')[0]).toBe('/sys/fs/cgroup/x')
    expect(candidateFolders({ ...mount, root: '/docker/1' }, '/elsewhere')).toEqual(['/sys/fs/cgroup'])
  })

  test('kills for memory are counted in both versions’ words', () => {
    expect(parseOomKills('oom_kill_disable 0\nunder_oom 0\noom_kill 2\n')).toBe(2)
    expect(parseOomKills('low 0\nhigh 0\nmax 31\noom 1\noom_kill 1\noom_group_kill 0\n')).toBe(1)
    expect(parseOomKills('')).toBe(0)
  })

  test('no text makes a parser throw', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        parseMounts(text)
        parseMembership(text)
        return parseOomKills(text) >= 0
      }),
    )
  })
})

describe('limits as files', () => {
  const limits = { memoryBytes: 64 * 1024 * 1024, cpu: 0.5 }
  const lines = (cgroups: Cgroups, wanted = limits) =>
    limitFiles(cgroups, 'web', wanted).map(({ path, content }) => `${path}=${content}`)

  test('of version 2', () => {
    expect(lines({ kind: 'v2', parent: '/cg', memory: true, cpu: true })).toEqual([
      '/cg/web/memory.max=67108864',
      '/cg/web/memory.swap.max=0',
      '/cg/web/cpu.max=50000 100000',
    ])
  })

  test('of version 1, swap included', () => {
    expect(lines({ kind: 'v1', memory: '/m', cpu: '/c' })).toEqual([
      '/m/web/memory.limit_in_bytes=67108864',
      '/m/web/memory.memsw.limit_in_bytes=67108864',
      '/c/web/cpu.cfs_period_us=100000',
      '/c/web/cpu.cfs_quota_us=50000',
    ])
  })

  test('none where none are wanted or can be had; and what cannot be had is named', () => {
    expect(limitFiles({ kind: 'v2', parent: '/cg', memory: true, cpu: true }, 'web', {})).toEqual([])
    expect(lines({ kind: 'none', why: 'EROFS' })).toEqual([])
    expect(unheldLimits({ kind: 'none', why: 'EROFS' }, limits)).toEqual(['memory', 'CPU'])
    expect(unheldLimits({ kind: 'v1', memory: '/m' }, limits)).toEqual(['CPU'])
    expect(unheldLimits({ kind: 'v2', parent: '/cg', memory: true, cpu: false }, { memoryBytes: 1 })).toEqual([])
  })
})

/** A folder that looks like a tree of version 2, where only the root lets us in; files in it do not come by themselves. */
describe('probing', () => {
  let base = ''
  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), 'fairway-cgroup-'))
    await mkdir(join(base, 'proc/self'), { recursive: true })
    await mkdir(join(base, 'tree/slice/session'), { recursive: true })
    await writeFile(join(base, 'proc/self/mountinfo'), `41 31 0:38 / ${base}/tree rw - cgroup2 cgroup2 rw\n`)
    await writeFile(join(base, 'proc/self/cgroup'), '0::/slice/session\n')
  })
  afterEach(() => rm(base, { recursive: true, force: true }))

  test('finds the nearest folder that hands its controllers on', async () => {
    await writeFile(join(base, 'tree/cgroup.subtree_control'), 'memory cpu\n')
    await mkdir(join(base, 'tree/fairway-x'))
    for (const file of ['memory.max', 'cpu.max', 'cgroup.subtree_control'])
      await writeFile(join(base, 'tree/fairway-x', file), 'memory cpu')
    const cgroups = await probeCgroups('fairway-x', join(base, 'proc'))
    expect(cgroups).toEqual({ kind: 'v2', parent: join(base, 'tree/fairway-x'), memory: true, cpu: true })
    const folders = await createGroup(cgroups, 'web', { memoryBytes: 1 << 20 })
    expect(await readdir(folders[0] ?? '')).toEqual(['memory.max', 'memory.swap.max'])
  })

  test('leaves nothing where nothing is to be had, and says why', async () => {
    const before = await readdir(base, { recursive: true })
    expect(await probeCgroups('fairway-x', join(base, 'proc'))).toEqual({ kind: 'none', why: 'ENOENT' })
    expect(await readdir(base, { recursive: true })).toEqual(before)
    expect(await probeCgroups('fairway-x', join(base, 'nothing'))).toMatchObject({ kind: 'none' })
  })
})
