import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { execOk } from '../../src/base/exec.ts'
import { probeNetworks } from '../../src/host/index.ts'
import type { InstanceSpec, OwnNetwork, Runtime } from '../../src/runtime/index.ts'
import { makeProcessPlace, type ProcessPlace } from '../contract/process-place.ts'
import { buildProgram, type TestProgram } from '../contract/runtime-program.ts'
import { networkRemains } from '../harness/network-remains.ts'

let program: TestProgram
beforeAll(async () => {
  program = await buildProgram()
})
afterAll(() => program[Symbol.asyncDispose]())

const prefixOf = ({ networks }: ProcessPlace) => networks.linkOf('0.0.0.1').slice(0, 8)

async function specOf(place: ProcessPlace, ordinal: number, more: Partial<OwnNetwork>): Promise<InstanceSpec> {
  const host = await place.networks.choose(new Set())
  return {
    id: { scope: { project: 'shop', environment: 'test', service: 'web' }, release: 1, ordinal, incarnation: 1 },
    folder: program.folder,
    argv: ['./program', 'serve', ':8080'],
    env: {},
    secretFiles: {},
    limits: {},
    address: { host, port: 8080 },
    network: { host, ports: [8080], machinePorts: [], ...more },
  }
}

async function startOne(place: ProcessPlace, runtime: Runtime, ordinal: number, more: Partial<OwnNetwork> = {}) {
  const spec = await specOf(place, ordinal, more)
  await runtime.start(spec)
  await expect
    .poll(async () => (await runtime.tail(spec.id, { lines: 9 })).map(({ text }) => text).join())
    .toContain('listening on')
  return spec
}

const answers = async ({ address }: InstanceSpec) => {
  try {
    return (await fetch(`http://${address?.host}:${address?.port}/`)).ok
  } catch {
    return false
  }
}

test('behind a firewall that drops what it does not know, an instance reaches the world, the machine and a nameserver', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fairway-apart-'))
  try {
    const fixture = join(import.meta.dirname, '../fixtures/network-apart.ts')
    const argv = ['unshare', '--net', '--mount', process.execPath, fixture, 'machine', folder] as const
    const { PATH = '' } = process.env
    const { stdout } = await execOk(argv, { env: { PATH }, deadlineMs: 60_000 })
    const reached = { world: '192.168.77.1 saw 192.168.77.2', machine: '127.0.0.1 saw 127.0.0.1' }
    expect(JSON.parse(stdout)).toEqual({
      dnsmasq: { ...reached, lookup: ['192.0.2.88'] },
      resolved: { ...reached, lookup: ['192.0.2.77'] },
      flushed: { ...reached, lookup: ['192.0.2.77'] },
      accepts: 5, // both ways through DOCKER-USER and the other forward chain, and one way in
      forward: '1',
      left: [],
      firewall: true,
      links: [],
      routes: '',
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test('two homes side by side do not touch each other', async () => {
  await using here = await makeProcessPlace()
  await using there = await makeProcessPlace()
  const [runtime, other] = [await here.open(), await there.open()]
  const staying = await startOne(here, runtime, 1)
  const leaving = await startOne(there, other, 1)
  expect(staying.network?.host.split('.').slice(0, 3)).not.toEqual(leaving.network?.host.split('.').slice(0, 3))
  await other.stop(leaving.id, { graceMs: 1000 })
  await other.forget(leaving.id)
  expect(await networkRemains(prefixOf(there))).toEqual([])
  expect(await answers(leaving)).toBe(false)
  expect(await answers(staying)).toBe(true)
  expect(await networkRemains(prefixOf(here))).not.toEqual([])
  await runtime.stop(staying.id, { graceMs: 1000 })
  await runtime.forget(staying.id)
  expect(await networkRemains(prefixOf(here))).toEqual([])
})

test('a control plane killed while it makes networks, at whatever line, leaves nothing its successor does not remove', async () => {
  const script = join(import.meta.dirname, '../fixtures/runtime-start-many.ts')
  for (const [afterLines, thenMs] of [
    [1, 5],
    [1, 20],
    [1, 40],
    [1, 60],
    [2, 10],
    [4, 15],
    [7, 0],
  ] as const) {
    await using place = await makeProcessPlace()
    const state = join(place.base, 'network.json')
    const args = [script, place.runFolder, place.logFolder, program.folder, '8', state]
    const plane = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    const exited = once(plane, 'exit')
    let lines = 0
    for await (const chunk of plane.stdout.iterator({ destroyOnReturn: false })) {
      lines += String(chunk).split('\n').length - 1
      if (lines >= afterLines) break
    }
    await delay(thenMs)
    plane.kill('SIGKILL')
    await exited
    const runtime = await place.open()
    await runtime.tend()
    for (const { id } of await runtime.list()) {
      await runtime.stop(id, { graceMs: 1000 })
      await runtime.forget(id)
    }
    expect(await readdir(place.runFolder)).toEqual([])
    expect(await networkRemains(prefixOf(place))).toEqual([])
  }
})

test('another range in HOME/config.yaml is for those who come; those who are there keep all they have', async () => {
  await using place = await makeProcessPlace()
  const machine = createServer((_, response) => response.end('the machine'))
  await new Promise<void>((resolve) => machine.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void machine.close())
  const bound = machine.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0
  const machinePorts = [{ port, certain: true }]
  const before = await place.open()
  const first = await startOne(place, before, 1, { machinePorts })
  const networks = place.openNetworks({ first: 0xc612_0000 + 256 * (process.pid % 256), bits: 24 })
  const after = await place.open({ networks })
  const second = await startOne({ ...place, networks }, after, 2, { machinePorts })
  expect(second.network?.host).toMatch(/^198\.18\./)
  for (const { id } of [first, second]) {
    const { stdout } = await after.exec(id, ['./program', 'get', `http://127.0.0.1:${port}/`])
    expect(stdout).toBe('the machine')
  }
  for (const { id } of [first, second]) {
    await after.stop(id, { graceMs: 1000 })
    await after.forget(id)
  }
  expect(await networkRemains(prefixOf(place))).toEqual([])
})

test('what nobody owns any more is removed, also where the record of it cannot be read', async () => {
  await using place = await makeProcessPlace()
  const runtime = await place.open()
  const { id } = await startOne(place, runtime, 1)
  const state = (await runtime.find(id))?.state
  await rename(place.runFolder, `${place.runFolder}.away`)
  await writeFile(join(place.base, 'network.json'), 'half a li')
  const successor = await place.open() // makes the run folder anew
  expect(await networkRemains(prefixOf(place))).not.toEqual([])
  await successor.tend()
  expect(await networkRemains(prefixOf(place))).toEqual([])
  if (state?.kind === 'running') process.kill(-state.pid, 'SIGKILL')
})

test('after a reboot, the records of the boot before keep nothing of the network', async () => {
  await using place = await makeProcessPlace()
  const runtime = await place.open()
  const spec = await startOne(place, runtime, 1)
  await runtime.stop(spec.id, { graceMs: 1000 })
  const rebooted = await place.open({ bootId: 'b007'.padEnd(36, '0') })
  await rebooted.tend()
  expect(await networkRemains(prefixOf(place))).toEqual([])
})

describe('whether it can be done', () => {
  test('is tried out', async () => {
    expect(await probeNetworks(0)).toMatchObject({ kind: 'able' })
  })

  test('and what is missing is named with the command that brings it', async () => {
    const empty = await mkdtemp(join(tmpdir(), 'fairway-tools-'))
    try {
      expect(await probeNetworks(1000)).toMatchObject({ kind: 'unable', why: expect.stringContaining('root') })
      const bare = await probeNetworks(0, [empty])
      expect(bare).toMatchObject({ hint: 'sudo apt-get install iproute2 nftables util-linux' })
    } finally {
      await rm(empty, { recursive: true })
    }
  })
})
