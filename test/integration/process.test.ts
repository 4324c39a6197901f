import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readProcessStat } from '../../src/base/process-identity.ts'
import { exec } from '../../src/base/exec.ts'
import { Secret } from '../../src/base/secret.ts'
import type { Incarnation, InstanceSpec, LogLine, Runtime } from '../../src/runtime/index.ts'
import { makeProcessPlace } from '../contract/process-place.ts'
import { buildProgram, type TestProgram } from '../contract/runtime-program.ts'

let program: TestProgram
beforeAll(async () => {
  program = await buildProgram()
})
afterAll(() => program[Symbol.asyncDispose]())

const isRoot = process.getuid?.() === 0
const idOf = (ordinal: number): Incarnation => ({
  scope: { project: 'shop', environment: 'test', service: 'web' },
  release: 1,
  ordinal,
  incarnation: 1,
})
const specOf = (args: readonly string[], more: Partial<InstanceSpec> = {}): InstanceSpec => ({
  id: idOf(0),
  folder: program.folder,
  argv: ['./program', ...args],
  env: {},
  secretFiles: {},
  limits: {},
  ...more,
})
const pidOf = (instance: { state: { kind: string; pid?: number } }) => instance.state.pid ?? 0
const lives = async (pid: number) => !['Z', undefined].includes((await readProcessStat(pid))?.state)

describe('a control plane that dies', () => {
  test('while it starts 20 instances, at whatever line, leaves nothing that its successor does not find and end', async () => {
    const script = join(import.meta.dirname, '../fixtures/runtime-start-many.ts')
    const outcomes = { absent: 0, running: 0, other: 0 }
    for (const [afterLines, thenMs] of [
      [1, 0],
      [1, 4],
      [1, 9],
      [1, 15],
      [2, 0],
      [4, 2],
      [9, 5],
      [15, 1],
      [21, 0],
    ] as const) {
      await using place = await makeProcessPlace()
      const args = [script, place.runFolder, place.logFolder, program.folder, '20']
      const plane = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
      const exited = once(plane, 'exit')
      let lines = 0
      for await (const chunk of plane.stdout.iterator({ destroyOnReturn: false })) {
        lines += String(chunk).split('\n').length - 1
        if (lines >= afterLines) break
      }
      await new Promise((resolve) => setTimeout(resolve, thenMs))
      plane.kill('SIGKILL')
      await exited

      const runtime = await place.open()
      const found = await runtime.list()
      outcomes.absent += 20 - found.length
      for (const { id, state } of found) {
        outcomes[state.kind === 'running' ? 'running' : 'other'] += 1
        await runtime.stop(id, { graceMs: 1000 })
        await runtime.forget(id)
      }
      expect(await readdir(place.runFolder)).toEqual([])
      expect(await programsIn(program.folder)).toEqual([])
    }
    // The runs did meet starts not begun and done; those in between (`other`) come as they come.
    expect(outcomes.absent).toBeGreaterThan(0)
    expect(outcomes.running).toBeGreaterThan(0)
  })

  test('loses no exit status: it is read when another one comes', async () => {
    await using place = await makeProcessPlace()
    const first = await place.open()
    await first.start(specOf(['graceful', '0', '7']))
    const second = await place.open()
    await expect.poll(async () => (await second.tail(idOf(0), { lines: 1 })).length).toBe(1)
    process.kill(pidOf((await second.list())[0] ?? { state: { kind: '' } }), 'SIGTERM')
    expect(await second.exited(idOf(0))).toEqual({ kind: 'exit', code: 7 })
    expect((await (await place.open()).list())[0]?.state).toMatchObject({ status: { kind: 'exit', code: 7 } })
  })
})

describe('nothing foreign is signalled', () => {
  let stranger: ChildProcess
  beforeAll(() => {
    stranger = spawn('/bin/sleep', ['600'], { detached: true, stdio: 'ignore' })
  })
  afterAll(() => void stranger.kill('SIGKILL'))

  test('when a stranger’s process has been given the pid', async () => {
    await using place = await makeProcessPlace()
    const runtime = await place.open()
    await new Promise((resolve) => setTimeout(resolve, 50)) // start times are told in ticks of 10 ms
    await runtime.start(specOf(['exit', '0']))
    await runtime.exited(idOf(0))
    const folder = join(place.runFolder, 'shop.test.web.1-0.1')
    const record = JSON.parse(await readFile(join(folder, 'record.json'), 'utf8')) as { shim: object }
    const pid = stranger.pid ?? 0
    // As if neither shim nor program had been seen to end, and both pids had come round to the stranger.
    await writeFile(join(folder, 'record.json'), JSON.stringify({ ...record, shim: { ...record.shim, pid } }))
    const line = (await readFile(join(folder, 'status'), 'utf8'))
      .split('\n')[0]
      ?.replace(/^started \d+/, `started ${pid}`)
    await writeFile(join(folder, 'status'), `${line}\n`)

    for (const cgroups of ['probe', 'none'] as const) {
      const successor = await place.open({ cgroups })
      expect((await successor.list())[0]?.state).toEqual({ kind: 'exited', status: { kind: 'unknown' } })
      expect(await successor.stop(idOf(0), { graceMs: 0 })).toEqual({ kind: 'unknown' })
      expect(await successor.listening(idOf(0))).toEqual([])
    }
    expect(await lives(pid)).toBe(true)
  })

  test('when a program of another user would write a stranger’s pid into its shim’s report', async () => {
    if (!isRoot) return expect(process.getuid?.()).not.toBe(0) // an ordinary user’s programs could signal it themselves
    await using place = await makeProcessPlace()
    const runtime = await place.open()
    const user = { uid: 70_123, gid: 70_123 }
    const instance = await runtime.start(specOf(['forge', String(stranger.pid)], { user }))
    await expect.poll(async () => (await runtime.tail(idOf(0), { lines: 2 })).length).toBe(2)
    const lines = await runtime.tail(idOf(0), { lines: 2 })
    expect(lines.map(({ text }) => text)).toEqual(['opened 0, took 0', 'opened 0, took 0'])
    expect((await runtime.list())[0]?.state).toEqual({ kind: 'running', pid: pidOf(instance) })
    expect(await runtime.stop(idOf(0), { graceMs: 1000 })).toEqual({ kind: 'signal', signal: 'SIGTERM' })
    expect(await lives(stranger.pid ?? 0)).toBe(true)
  })

  test('after a boot: the same pids and start times mean nothing', async () => {
    await using place = await makeProcessPlace()
    const runtime = await place.open()
    const instance = await runtime.start(specOf(['sleep']))
    const afterBoot = await place.open({ bootId: 'another' })
    expect((await afterBoot.list())[0]?.state).toEqual({ kind: 'exited', status: { kind: 'unknown' } })
    expect(await afterBoot.stop(idOf(0), { graceMs: 0 })).toEqual({ kind: 'unknown' })
    expect(await afterBoot.exited(idOf(0))).toEqual({ kind: 'unknown' })
    expect(await lives(pidOf(instance))).toBe(true)
  })

  test('a run folder that was emptied has nothing to list', async () => {
    await using place = await makeProcessPlace()
    const runtime = await place.open()
    const instance = await runtime.start(specOf(['sleep']))
    const [name = ''] = await readdir(place.runFolder)
    const kept = join(place.base, 'kept')
    await rename(join(place.runFolder, name), kept)
    expect(await runtime.list()).toEqual([])
    expect(await runtime.stop(idOf(0), { graceMs: 0 })).toEqual({ kind: 'unknown' })
    expect(await lives(pidOf(instance))).toBe(true)
    await rename(kept, join(place.runFolder, name))
  })

  test('foreign and broken files in the run folder are passed over', async () => {
    await using place = await makeProcessPlace()
    const runtime = await place.open()
    await mkdir(join(place.runFolder, 'shop.test.web.1-0.1'))
    await writeFile(join(place.runFolder, 'shop.test.web.1-0.1', 'record.json'), '{"shim": {"pid": 1')
    await mkdir(join(place.runFolder, 'lost+found'))
    await writeFile(join(place.runFolder, 'notes.txt'), '')
    expect(await runtime.list()).toMatchObject([
      { id: idOf(0), state: { kind: 'exited', status: { kind: 'unknown' } } },
    ])
    await runtime.start(specOf(['sleep']))
    expect((await runtime.list())[0]?.state.kind).toBe('running')
  })
})

describe('the shim', () => {
  test('killed, the program lives on and is ended like any other; its status is unknown', async () => {
    await using place = await makeProcessPlace()
    const runtime = await place.open()
    const pid = pidOf(await runtime.start(specOf(['graceful', '0', '7'])))
    process.kill((await readProcessStat(pid))?.parentPid ?? 0, 'SIGKILL')
    await expect.poll(async () => (await runtime.tail(idOf(0), { lines: 1 })).length).toBe(1)
    expect((await runtime.list())[0]?.state).toEqual({ kind: 'running', pid })
    const waiting = runtime.exited(idOf(0))
    expect(await runtime.stop(idOf(0), { graceMs: 5000 })).toEqual({ kind: 'unknown' })
    expect(await waiting).toEqual({ kind: 'unknown' })
    expect(await lives(pid)).toBe(false)
  })

  test('killed, and then its program too, is seen to be gone within a second', async () => {
    await using place = await makeProcessPlace()
    const runtime = await place.open()
    const pid = pidOf(await runtime.start(specOf(['sleep'])))
    const ended = runtime.exited(idOf(0))
    await new Promise((resolve) => setTimeout(resolve, 50))
    process.kill((await readProcessStat(pid))?.parentPid ?? 0, 'SIGKILL')
    process.kill(pid, 'SIGKILL')
    const begun = performance.now()
    expect(await ended).toEqual({ kind: 'unknown' })
    expect(performance.now() - begun).toBeLessThan(1000)
    expect((await runtime.list())[0]?.state.kind).toBe('exited')
  })

  test('tells of an end within 20 ms', async () => {
    await using place = await makeProcessPlace()
    const runtime = await place.open()
    const took: number[] = []
    for (let ordinal = 0; ordinal < 15; ordinal++) {
      const pid = pidOf(await runtime.start(specOf(['sleep'], { id: idOf(ordinal) })))
      const ended = runtime.exited(idOf(ordinal))
      await new Promise((resolve) => setTimeout(resolve, 10))
      const begun = performance.now()
      process.kill(pid, 'SIGKILL')
      await ended
      took.push(performance.now() - begun)
    }
    expect(took.sort((a, b) => a - b)[7]).toBeLessThan(20)
  })
})

describe('a program this machine cannot run', () => {
  test('of another architecture is not taken for a shell script, and says what it is', async () => {
    await using place = await makeProcessPlace()
    const runtime = await place.open()
    const foreign = Buffer.concat([Buffer.from('\x7fELF\x02\x01\x01', 'latin1'), Buffer.alloc(57)])
    foreign.writeUInt16LE(243, 18) // RISC-V
    const script = Buffer.from('touch was-run\n')
    for (const [ordinal, content] of [foreign, script, Buffer.alloc(0)].entries()) {
      const name = `foreign-${ordinal}`
      await writeFile(join(place.base, name), content)
      await chmod(join(place.base, name), 0o755)
      await runtime.start(specOf([], { id: idOf(ordinal), folder: place.base, argv: [`./${name}`] }))
      expect(await runtime.exited(idOf(ordinal))).toEqual({ kind: 'exit', code: 126 })
      expect((await runtime.tail(idOf(ordinal), { lines: 1 }))[0]?.text).toMatch(/exec format error: it is/)
    }
    expect(await readdir(place.base)).not.toContain('was-run')
  })

  test('a folder that is missing is said before anything is started', async () => {
    await using place = await makeProcessPlace()
    const runtime = await place.open()
    await expect(runtime.start(specOf([], { folder: join(place.base, 'gone') }))).rejects.toMatchObject({
      code: 'START_FAILED',
    })
    expect(await runtime.list()).toEqual([])
  })

  test('an environment larger than the kernel takes is said so', async () => {
    await using place = await makeProcessPlace()
    const runtime = await place.open()
    const start = runtime.start(specOf(['env'], { env: { LARGE: 'x'.repeat(1 << 20) } }))
    await expect(start).rejects.toMatchObject({ code: 'START_FAILED', hint: expect.stringContaining('as: file') })
    expect(await readdir(place.runFolder)).toEqual([])
  })
})

describe('users and limits', () => {
  test('as root an instance is a user of its own, with no way back; as an ordinary user it keeps its own', async () => {
    await using place = await makeProcessPlace()
    const runtime = await place.open()
    const user = isRoot ? { uid: 70_123, gid: 70_123 } : undefined
    const dataFolder = join(place.base, 'data', 'web')
    await mkdir(join(place.base, 'data'), { mode: 0o711 })
    await runtime.start(
      specOf(['inspect'], {
        secretFiles: { TLS_KEY: new Secret('key') },
        dataFolder,
        ...(user === undefined ? {} : { user }),
      }),
    )
    await runtime.exited(idOf(0))
    const [line] = await runtime.tail(idOf(0), { lines: 1 })
    expect(JSON.parse(line?.text ?? '')).toMatchObject({
      uid: user?.uid ?? process.getuid?.(),
      file: 'key',
      ...(isRoot ? { gid: 70_123, groups: null, noNewPrivs: '1' } : {}),
    })
    const owners = await Promise.all(
      [dataFolder, join(place.runFolder, 'shop.test.web.1-0.1/secrets')].map((path) => stat(path)),
    )
    for (const { uid, mode } of owners) expect([uid, mode & 0o777]).toEqual([user?.uid ?? process.getuid?.(), 0o700])
    const status = await stat(join(place.runFolder, 'shop.test.web.1-0.1/status'))
    expect([status.uid, status.mode & 0o777]).toEqual([process.getuid?.(), 0o600])
  })

  test('a library to preload is none for what starts the program as root', async () => {
    await using place = await makeProcessPlace()
    const runtime = await place.open()
    const env = { LD_PRELOAD: '/nowhere/evil.so', PATH: '/nowhere' }
    const user = isRoot ? { uid: 70_123, gid: 70_123 } : undefined
    await runtime.start(specOf(['env'], { env, ...(user === undefined ? {} : { user }) }))
    await runtime.exited(idOf(0))
    const lines = await runtime.tail(idOf(0), { lines: 10 })
    expect((JSON.parse(lines[0]?.text ?? '') as string[]).sort()).toEqual([
      'LD_PRELOAD=/nowhere/evil.so',
      'PATH=/nowhere',
    ])
    if (isRoot) expect(lines).toHaveLength(1) // the loader complains of a library that is missing
  })

  test('a command beside a program that is just being started has the program’s user already', async () => {
    if (!isRoot) return expect(process.getuid?.()).not.toBe(0) // no other user is to be had
    await using place = await makeProcessPlace()
    const runtime = await place.open()
    for (let ordinal = 0; ordinal < 30; ordinal++) {
      const user = { uid: 70_123, gid: 70_123 }
      await runtime.start(specOf(['sleep'], { id: idOf(ordinal), env: { MODE: 'fine' }, user }))
      const { stdout } = await runtime.exec(idOf(ordinal), ['/bin/sh', '-c', 'id -u; echo $MODE'])
      expect(stdout).toBe('70123\nfine\n')
    }
  })

  test('a folder its user may not enter is named, with what to do', async () => {
    await using place = await makeProcessPlace()
    const runtime = await place.open()
    const shut = join(place.base, 'shut')
    await mkdir(join(shut, 'artifact'), { recursive: true })
    await chmod(shut, 0o700)
    if (!isRoot) return expect((await stat(shut)).mode & 0o777).toBe(0o700) // an ordinary user changes no user
    const start = runtime.start(specOf([], { folder: join(shut, 'artifact'), user: { uid: 70_123, gid: 70_123 } }))
    await expect(start).rejects.toMatchObject({
      code: 'START_FAILED',
      hint: expect.stringContaining(`chmod o+x ${shut}`),
    })
    await chown(shut, 70_123, 70_123)
    expect(
      (await runtime.start(specOf(['x'], { folder: join(shut, 'artifact'), user: { uid: 70_123, gid: 70_123 } })))
        .state,
    ).toBeDefined()
  })

  test('limits are what the kernel holds it to, or it is said once that they are not', async () => {
    await using place = await makeProcessPlace()
    const limits = { memoryBytes: 64 * 1024 * 1024, cpu: 0.25 }
    const runtime = await place.open(isRoot ? {} : { cgroups: 'none' })
    for (const ordinal of [0, 1]) await runtime.start(specOf(['sleep'], { id: idOf(ordinal), limits }))
    if (!isRoot)
      return expect(place.warnings).toEqual([expect.stringMatching(/^memory/), expect.stringMatching(/^CPU/)])
    const { groups } = JSON.parse(await readFile(join(place.runFolder, 'shop.test.web.1-0.1/record.json'), 'utf8')) as {
      groups: string[]
    }
    const held = await Promise.all(
      groups.flatMap((group) =>
        ['memory.limit_in_bytes', 'memory.max', 'cpu.cfs_quota_us', 'cpu.max'].map((file) =>
          readFile(join(group, file), 'utf8').catch(() => ''),
        ),
      ),
    )
    expect(held.join(' ')).toContain(String(limits.memoryBytes))
    expect(held.join(' ')).toMatch(/25000( 100000)?/)
    expect(place.warnings).toEqual([])

    const unlimited = await place.open({ cgroups: 'none' })
    for (const ordinal of [2, 3]) await unlimited.start(specOf(['sleep'], { id: idOf(ordinal), limits }))
    expect(place.warnings).toEqual([
      expect.stringMatching(/^memory limits are not enforced/),
      expect.stringMatching(/^CPU limits/),
    ])
  })

  test('a machine without /proc is refused', async () => {
    await using place = await makeProcessPlace()
    await expect(place.open({ procRoot: join(place.base, 'proc') })).rejects.toMatchObject({ code: 'MACHINE_UNFIT' })
  })
})

describe('a full disk', () => {
  test('is said as what it is, and leaves nothing half started', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fairway-full-'))
    try {
      const script = join(import.meta.dirname, '../fixtures/runtime-full-disk.ts')
      // In a mount namespace of its own: a file system of 16 pages, gone with it.
      const words = [
        'unshare',
        '-Urm',
        '/bin/sh',
        '-c',
        'mount -t tmpfs -o size=64k none "$1" && exec "$2" "$3" "$1" "$4"',
        'sh',
        folder,
        process.execPath,
        script,
        program.folder,
      ] as const
      const { stdout, stderr } = await exec(words, { env: { PATH: process.env['PATH'] ?? '' }, deadlineMs: 30_000 })
      expect(stderr).toBe('')
      expect(JSON.parse(stdout)).toEqual({
        code: 'DISK_FULL',
        left: [],
        thenRuns: 'running',
        endedWith: { kind: 'signal', signal: 'SIGTERM' },
      })
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
})

describe('logs', () => {
  test('stay under their cap while a program writes and another reads, and what was cut is counted', async () => {
    await using place = await makeProcessPlace()
    const capBytes = 512 * 1024
    const runtime = await place.open({ logCapBytes: capBytes })
    await runtime.start(specOf(['chatter', '30000', '20000']))
    const reader = collect(runtime, idOf(0), { follow: true })
    const path = join(place.logFolder, 'shop/test/web/1/1-0.1.out')
    let most = 0
    let cutBytes = 0
    for (let ended = false; !ended;) {
      ended = (await runtime.list())[0]?.state.kind !== 'running'
      cutBytes += (await runtime.enforceLogCap()).cutBytes
      most = Math.max(most, (await stat(path)).blocks * 512)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    const numbers = (await reader).map(({ text }) => Number(/^line (\d+) x{80}$/.exec(text)?.[1] ?? Number.NaN))
    expect(numbers).toEqual(Array.from({ length: 30_000 }, (_, i) => i))
    expect(most).toBeLessThan(capBytes * 1.5)

    const { size } = await stat(path)
    const [marker, ...left] = await collect(runtime, idOf(0))
    expect(marker).toEqual({ id: idOf(0), stream: 'out', text: `… ${cutBytes} bytes cut …`, offset: 0, cutBytes })
    expect(left[0]?.offset).toBe(cutBytes)
    expect(left.reduce((sum, { text }) => sum + text.length + 1, cutBytes)).toBe(size)
    expect((await runtime.tail(idOf(0), { lines: 1 }))[0]?.text).toMatch(/^line 29999 /)
    expect((await collect(runtime, idOf(0), { lines: 1_000_000 }))[0]?.cutBytes).toBeUndefined()
  })

  test('one line of 100 MB, or 10,000 lines a second, is read without growing', async () => {
    await using place = await makeProcessPlace()
    const runtime = await place.open()
    await runtime.start(specOf(['long', '100000000']))
    await runtime.start(specOf(['chatter', '20000', '10000'], { id: idOf(1) }))
    globalThis.gc?.()
    const before = process.memoryUsage().rss
    let most = before
    const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 10)
    const count = async (id: Incarnation) => {
      let lines = 0
      for await (const _ of runtime.logs(id, { follow: true })) lines += 1
      return lines
    }
    expect(await Promise.all([count(idOf(0)), count(idOf(1))])).toEqual([2, 20_000])
    clearInterval(watch)
    expect((most - before) / 1e6).toBeLessThan(60)
  })
})

test('100 instances are adopted at once and cost next to nothing to watch', async () => {
  await using place = await makeProcessPlace()
  const runtime = await place.open()
  for (let from = 0; from < 100; from += 10) {
    await Promise.all(Array.from({ length: 10 }, (_, i) => runtime.start(specOf(['sleep'], { id: idOf(from + i) }))))
  }
  const adopter = await place.open()
  const begun = performance.now()
  expect((await adopter.list()).filter(({ state }) => state.kind === 'running')).toHaveLength(100)
  const adoptedMs = performance.now() - begun

  const over = new AbortController()
  const waiting = Promise.allSettled(
    Array.from({ length: 100 }, (_, i) => adopter.exited(idOf(i), { signal: over.signal })),
  )
  await new Promise((resolve) => setTimeout(resolve, 500))
  const cpuBefore = process.cpuUsage()
  await new Promise((resolve) => setTimeout(resolve, 2000))
  const { user, system } = process.cpuUsage(cpuBefore)
  over.abort()
  await waiting
  await Promise.all(Array.from({ length: 100 }, (_, i) => adopter.stop(idOf(i), { graceMs: 1000 })))
  expect(adoptedMs).toBeLessThan(350)
  expect((user + system) / 2000).toBeLessThan(30) // ms a second
})

/** Processes that run the built program: every test has a build of its own. */
async function programsIn(folder: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const targets = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/exe`).catch(() => '')))
  return targets.filter((target) => target.startsWith(`${folder}/`))
}

async function collect(
  runtime: Runtime,
  id: Incarnation,
  options: Parameters<Runtime['logs']>[1] = {},
): Promise<LogLine[]> {
  const lines: LogLine[] = []
  for await (const line of runtime.logs(id, options)) lines.push(line)
  return lines
}
