import { chmod, mkdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { readBootId, readProcessStat } from '../../src/base/process-identity.ts'
import type { Gateway, GatewayService } from '../../src/gateway/index.ts'
import { openHaproxyGateway } from '../../src/gateway/index.ts'
import { pickPort } from '../../src/gateway/haproxy/ports.ts'
import { HaproxyRuntimeClient } from '../../src/gateway/haproxy/runtime-client.ts'
import { askRaw, startLoad } from '../load/raw-client.ts'
import { Bench, front, host, scope, server, web } from './haproxy-fixture.ts'

const clientOf = ({ folder }: Bench) =>
  new HaproxyRuntimeClient({
    master: join(folder, 'gateway/master.sock'),
    worker: join(folder, 'gateway/admin.sock'),
    clock: systemClock,
  })

const modesOf = async (gateway: Gateway) =>
  (await gateway.observe(scope)).map(({ name, mode }) => `${name} ${mode}`).sort()

/** A gateway with one server of each mode. */
async function threeModes(bench: Bench): Promise<{ gateway: Gateway; services: GatewayService[] }> {
  const gateway = await bench.gateway()
  await gateway.restore([])
  await gateway.setService(web)
  const ready = await bench.admit(gateway, '1-1.1')
  const drained = await bench.admit(gateway, '1-2.1')
  await gateway.setMode(server('1-2.1'), 'drain')
  const shut = await bench.admit(gateway, '1-3.1')
  await gateway.setMode(server('1-3.1'), 'shut')
  const servers = [
    { name: '1-1.1', address: ready.address, mode: 'ready' as const },
    { name: '1-2.1', address: drained.address, mode: 'drain' as const },
    { name: '1-3.1', address: shut.address, mode: 'shut' as const },
  ]
  return { gateway, services: [{ ...web, servers }] }
}

for (const victim of ['master', 'worker'] as const) {
  test(`HAProxy whose ${victim} is killed is back within a second, with the same servers and modes`, async () => {
    await using bench = await Bench.open()
    const { gateway } = await threeModes(bench)
    const before = await modesOf(gateway)
    const restarted = new Promise<string>((resolve) => gateway.onRestart(resolve))
    const { master, current = 0 } = await clientOf(bench).processes()
    // Attached an instant before: in no file yet.
    const fresh = await bench.start('2-1.1')
    await gateway.attach(server('2-1.1'), fresh.address)
    const began = performance.now()
    process.kill(victim === 'master' ? master : current, 'SIGKILL')
    await restarted
    const answer = await askRaw(front(gateway), { path: '/', host })
    expect(performance.now() - began).toBeLessThan(1_000)
    expect(answer).toMatchObject({ kind: 'answer', status: 200 })
    expect(await modesOf(gateway)).toEqual([...before, '2-1.1 drain'])
    expect(bench.events).toContainEqual(expect.objectContaining({ kind: 'gateway-restarted' }))
    await gateway.confirm(server('2-1.1'), { deadlineMs: 3_000 })
  })
}

test('an order given while HAProxy is away is obeyed when it is back', async () => {
  await using bench = await Bench.open()
  const { gateway } = await threeModes(bench)
  const fresh = await bench.start('2-1.1')
  process.kill((await clientOf(bench).processes()).master, 'SIGKILL')
  await gateway.attach(server('2-1.1'), fresh.address)
  await gateway.confirm(server('2-1.1'), { deadlineMs: 5_000 })
  await gateway.setMode(server('2-1.1'), 'ready')
  expect(await modesOf(gateway)).toEqual(['1-1.1 ready', '1-2.1 drain', '1-3.1 shut', '2-1.1 ready'])
})

test('a new control plane adopts the HAProxy that runs, without losing a request, and repairs what drifted', async () => {
  await using bench = await Bench.open()
  const { gateway, services } = await threeModes(bench)
  const { master, current } = await clientOf(bench).processes()
  const load = startLoad({ address: front(gateway), connections: 'new', perSecond: 100, request: { path: '/', host } })
  await gateway[Symbol.asyncDispose]()

  // While nobody looks: one server removed, one put into another mode, a stranger and its route added.
  const client = clientOf(bench)
  await client.setMode('shop.dev.web/1-2.1', 'shut')
  await client.deleteServer('shop.dev.web/1-2.1')
  await client.setMode('shop.dev.web/1-3.1', 'drain')
  await client.introduceServer('shop.dev.web/9-9.9', ['127.0.0.1:9', 'id', '77', 'check'], 'drain')
  await client.addMapEntry(join(bench.folder, 'gateway/routes.map'), 'stranger.test', 'shop.dev.web')

  // Its own limit of open files is another; HAProxy has the one it was started with, so that is no reason for a reload.
  const again = await bench.gateway({ openFiles: 512 })
  await again.restore(services)
  expect(again.binds).toEqual(gateway.binds)
  expect(again.internalUrl(scope)).toBe(gateway.internalUrl(scope))
  expect(await client.processes()).toMatchObject({ master, current })
  expect(await modesOf(again)).toEqual(['1-1.1 ready', '1-2.1 drain', '1-3.1 shut'])
  expect(await askRaw(front(again), { path: '/', host: 'stranger.test' })).toMatchObject({ status: 404 })
  const { failures, sent } = await load.stop()
  expect(failures).toEqual([])
  expect(sent).toBeGreaterThan(0)

  // The new one watches over it as the first did.
  const restarted = new Promise<string>((resolve) => again.onRestart(resolve))
  process.kill(master, 'SIGKILL')
  await restarted
  expect(await modesOf(again)).toEqual(['1-1.1 ready', '1-2.1 drain', '1-3.1 shut'])
})

test('after the end of everything a new control plane starts HAProxy with all it is given', async () => {
  await using bench = await Bench.open()
  const { gateway, services } = await threeModes(bench)
  await gateway.shutdown()
  const again = await bench.gateway()
  await again.restore(services)
  expect(again.binds).toEqual(gateway.binds)
  expect(await modesOf(again)).toEqual(['1-1.1 ready', '1-2.1 drain', '1-3.1 shut'])
  expect(await askRaw(front(again), { path: '/', host })).toMatchObject({ status: 200 })
})

test('an HAProxy whose control plane was killed before it wrote the pid down is adopted by its socket', async () => {
  await using bench = await Bench.open()
  const { gateway, services } = await threeModes(bench)
  const { master } = await clientOf(bench).processes()
  await gateway[Symbol.asyncDispose]()
  await writeFile(join(bench.folder, 'gateway/haproxy.json'), '{"pid":')
  const again = await bench.gateway()
  await again.restore(services)
  expect((await clientOf(bench).processes()).master).toBe(master)
})

test('an operator may reload by hand: servers, modes and supervision stay', async () => {
  await using bench = await Bench.open()
  const { gateway } = await threeModes(bench)
  const { master, current } = await clientOf(bench).processes()
  process.kill(master, 'SIGUSR2')
  for (;;) {
    const now = (await clientOf(bench).processes()).current
    if (now !== undefined && now !== current) break
    await systemClock.sleep(5)
  }
  await gateway.confirm(server('1-1.1'), { deadlineMs: 5_000 })
  // Given an instant before, the last orders may not have stood in the files: they are given again.
  await expect.poll(() => modesOf(gateway)).toEqual(['1-1.1 ready', '1-2.1 drain', '1-3.1 shut'])
  const restarted = new Promise<string>((resolve) => gateway.onRestart(resolve))
  process.kill(master, 'SIGKILL')
  await restarted
})

test('a configuration that HAProxy refuses, when asked or when it starts with it, leaves the old one serving', async () => {
  await using bench = await Bench.open()
  const gateway = await bench.gateway({ haproxyPath: await moodyHaproxy(bench.folder) })
  await gateway.restore([])
  await gateway.setService(web)
  await bench.admit(gateway, '1-1.1')
  const { current } = await clientOf(bench).processes()
  const another = { scope: { ...scope, service: 'another' }, check: { kind: 'tcp' } } as const

  await writeFile(join(bench.folder, 'refuse'), '')
  await expect(gateway.setService(another)).rejects.toMatchObject({
    code: 'GATEWAY_REFUSED',
    details: ['[ALERT] not in the mood'],
  })
  await rm(join(bench.folder, 'refuse'))
  await writeFile(join(bench.folder, 'spoil'), '')
  await expect(gateway.setService(another)).rejects.toMatchObject({
    code: 'GATEWAY_REFUSED',
    details: expect.arrayContaining([expect.stringContaining('role.map')]),
  })
  await rm(join(bench.folder, 'spoil'))

  expect((await clientOf(bench).processes()).current).toBe(current)
  expect(await askRaw(front(gateway), { path: '/', host })).toMatchObject({ status: 200 })
  expect(await gateway.observe(another.scope)).toEqual([])
  // Not wedged by it: servers and structure can be changed as before.
  await bench.admit(gateway, '1-2.1')
  await gateway.setService(another)
  expect(await modesOf(gateway)).toEqual(['1-1.1 ready', '1-2.1 ready'])
})

/** HAProxy that refuses a configuration while `refuse` exists, and finds a file gone after its consent while `spoil` does. */
async function moodyHaproxy(folder: string): Promise<string> {
  const path = join(folder, 'haproxy')
  const script = `#!/bin/sh
if [ "$1" = -c ]; then
  [ -e '${folder}/refuse' ] && { echo '[ALERT] not in the mood' >&2; exit 1; }
  haproxy "$@" || exit 1
  [ -e '${folder}/spoil' ] && rm '${folder}/gateway/role.map'
  exit 0
fi
exec haproxy "$@"
`
  await writeFile(path, script, { mode: 0o755 })
  return path
}

test('a port that somebody else holds is named with its holder, and nothing was started', async () => {
  await using bench = await Bench.open()
  const port = await pickPort('127.0.0.1')
  const stranger = createServer().listen(port, '127.0.0.1')
  await new Promise((resolve) => stranger.once('listening', resolve))
  const gateway = await bench.gateway({ binds: [{ host: '127.0.0.1', port }] })
  await expect(gateway.restore([])).rejects.toMatchObject({
    code: 'PORT_TAKEN',
    message: expect.stringContaining(`(pid ${process.pid})`),
  })
  // The same when the gateway runs already and is to be given another address: it goes on at the one it has.
  const own = await bench.gateway()
  await own.restore([])
  await own[Symbol.asyncDispose]()
  await expect((await bench.gateway({ binds: [{ host: '127.0.0.1', port }] })).restore([])).rejects.toMatchObject({
    code: 'PORT_TAKEN',
    message: expect.stringContaining(`(pid ${process.pid})`),
  })
  expect(await askRaw(front(own), { path: '/', host })).toMatchObject({ status: 404 })
  stranger.close()
  const moved = await bench.gateway({ binds: [{ host: '127.0.0.1', port }] })
  await moved.restore([])
  expect(await askRaw({ host: '127.0.0.1', port }, { path: '/', host })).toMatchObject({ status: 404 })
})

test('HAProxy is found missing or too old, and a folder too long for a socket, before anything is touched', async () => {
  await using bench = await Bench.open()
  const open = async (changes: { haproxyPath?: string; folder?: string }) => {
    const gateway = await openHaproxyGateway({
      folder: join(bench.folder, 'other'),
      binds: [{ host: '127.0.0.1', port: 0 }],
      haproxyPath: 'haproxy',
      clock: systemClock,
      bootId: await readBootId(),
      ...changes,
    })
    return gateway
  }
  await expect(open({ haproxyPath: join(bench.folder, 'none') })).rejects.toMatchObject({
    code: 'HAPROXY_MISSING',
    hint: expect.stringContaining('apt-get install'),
  })
  const old = join(bench.folder, 'bin/haproxy')
  await mkdir(join(bench.folder, 'bin'))
  await writeFile(old, '#!/bin/sh\necho "HA-Proxy version 2.2.9-2+deb11u6 2023/12/16 - https://haproxy.org/"\n')
  await chmod(old, 0o755)
  await expect(open({ haproxyPath: old })).rejects.toMatchObject({
    code: 'HAPROXY_MISSING',
    message: expect.stringContaining('2.2.9'),
  })
  await expect(open({ folder: join(bench.folder, 'x'.repeat(90)) })).rejects.toMatchObject({ code: 'HOME_UNUSABLE' })
})

test('shutting down ends the master and its workers', async () => {
  await using bench = await Bench.open()
  const { gateway } = await threeModes(bench)
  const { master, current = 0 } = await clientOf(bench).processes()
  await gateway.shutdown()
  const left = await Promise.all([master, current].map((pid) => readProcessStat(pid)))
  expect(left.filter((stat) => stat !== undefined && stat.state !== 'Z')).toEqual([])
})
