import { expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import type { Address } from '../../src/host/index.ts'
import type { Load, LoadResult } from '../load/raw-client.ts'
import { askRaw, RawConnection, startLoad } from '../load/raw-client.ts'
import { Bench, front, host, scope, server, web } from './haproxy-fixture.ts'

/** Fast and slow, kept and new connections, 40 kB posts, which HAProxy could not send a second time if it wanted to. */
function mixedLoad(address: Address): Load[] {
  const post = { method: 'POST', bodyBytes: 40_000, host } as const
  return [
    startLoad({ address, connections: 'keep-alive', perSecond: 200, request: { path: '/', host } }),
    startLoad({ address, connections: 'new', perSecond: 80, request: { path: '/', host } }),
    startLoad({ address, connections: 'keep-alive', perSecond: 30, request: { path: '/', ...post } }),
    startLoad({ address, connections: 'keep-alive', perSecond: 20, request: { path: '/?wait=500ms', host } }),
    startLoad({ address, connections: 'new', perSecond: 5, request: { path: '/?wait=1500ms', ...post } }),
  ]
}

async function stopAll(loads: readonly Load[]): Promise<LoadResult[]> {
  return Promise.all(loads.map((load) => load.stop()))
}

const failuresOf = (results: readonly LoadResult[]) => results.flatMap(({ failures }) => failures)
const sentOf = (results: readonly LoadResult[]) => results.reduce((total, { sent }) => total + sent, 0)

test('100 replacements under load lose no request, and HAProxy repeats none', async () => {
  await using bench = await Bench.open()
  const gateway = await bench.gateway()
  await gateway.restore([])
  await gateway.setService(web)
  const batch = 10
  let running = await admitAll(bench, gateway, 0, batch)
  const load = mixedLoad(front(gateway))
  for (let round = 1; round <= 10; round += 1) {
    const fresh = await admitAll(bench, gateway, round, batch)
    await Promise.all([...running].map(([name, program]) => bench.retire(gateway, name, program)))
    running = fresh
  }
  const results = await stopAll(load)
  expect(failuresOf(results)).toEqual([])
  expect(sentOf(results)).toBeGreaterThan(3_000)
  expect(await gateway.counters()).toEqual({ retries: 0, redispatches: 0 })
  expect(results[0]?.servedBy.size).toBeGreaterThan(100)
})

test('what speaks no HTTP is reached at a port that stays, and replaced without losing a connection', async () => {
  await using bench = await Bench.open()
  const gateway = await bench.gateway()
  await gateway.restore([])
  await gateway.setService({ scope, check: { kind: 'stream' } })
  const url = new URL(gateway.internalUrl(scope))
  expect(url.protocol).toBe('tcp:')
  let running = await admitAll(bench, gateway, 0, 2)
  const address = { host: url.hostname, port: Number(url.port) }
  const load = startLoad({ address, connections: 'new', perSecond: 100, request: { path: '/', host } })
  for (let round = 1; round <= 10; round += 1) {
    const fresh = await admitAll(bench, gateway, round, 2)
    await Promise.all([...running].map(([name, program]) => bench.retire(gateway, name, program)))
    running = fresh
    // Another service comes or goes: a reload.
    const other = { project: 'shop', environment: 'dev', service: `other-${round}` }
    await gateway.setService({ scope: other, check: { kind: round % 2 === 0 ? 'stream' : 'tcp' } })
  }
  const results = await stopAll([load])
  expect(failuresOf(results)).toEqual([])
  expect(sentOf(results)).toBeGreaterThan(100)
  expect(results[0]?.servedBy.size).toBeGreaterThan(10)
  expect(await gateway.counters()).toEqual({ retries: 0, redispatches: 0 })
})

test('the same load does lose requests when a program is ended before it is drained', async () => {
  await using bench = await Bench.open()
  const gateway = await bench.gateway()
  await gateway.restore([])
  await gateway.setService(web)
  await bench.admit(gateway, '0-1.1')
  let old = { name: '0-2.1', program: await bench.admit(gateway, '0-2.1') }
  const load = mixedLoad(front(gateway))
  await systemClock.sleep(1_000)
  for (let round = 1; round <= 3; round += 1) {
    const name = `${round}-2.1`
    const program = await bench.admit(gateway, name)
    await systemClock.sleep(300)
    await old.program.stop()
    await gateway.setMode(server(old.name), 'shut')
    await gateway.detach(server(old.name))
    old = { name, program }
  }
  const kinds = failuresOf(await stopAll(load)).map(({ kind }) => kind)
  expect(kinds.length).toBeGreaterThan(0)
  expect(await gateway.counters()).not.toEqual({ retries: 0, redispatches: 0 })
})

test('30 reloads under load lose no request', async () => {
  await using bench = await Bench.open()
  const gateway = await bench.gateway()
  await gateway.restore([])
  await gateway.setService(web)
  await bench.admit(gateway, '1-1.1')
  await bench.admit(gateway, '1-2.1')
  const load = mixedLoad(front(gateway))
  const other = { project: 'shop', environment: 'dev', service: 'other' }
  for (let reload = 0; reload < 15; reload += 1) {
    await gateway.setService({ scope: other, route: { host: 'other.localhost', path: '/' }, check: { kind: 'tcp' } })
    await gateway.removeService(other)
    await systemClock.sleep(50)
  }
  const results = await stopAll(load)
  expect(failuresOf(results)).toEqual([])
  expect(sentOf(results)).toBeGreaterThan(500)
  expect(await gateway.counters()).toEqual({ retries: 0, redispatches: 0 })
})

test('a connection kept idle over a reload reaches the instances of now; an answer that outlasts it is waited for', async () => {
  await using bench = await Bench.open()
  const gateway = await bench.gateway()
  await gateway.restore([])
  await gateway.setService(web)
  const first = await bench.admit(gateway, '1-1.1')
  const internal = { host: '127.0.0.1', port: Number(new URL(gateway.internalUrl(scope)).port) }
  const kept = [front(gateway), front(gateway), internal].map((address) => new RawConnection(address))
  const bounds = { close: false, timeoutMs: 5_000 }
  const relayed = new RawConnection(front(gateway))
  for (const connection of [...kept, relayed]) await connection.exchange({ path: '/', host }, bounds)
  const slow = askRaw(front(gateway), { path: '/?wait=1500ms', host })
  await systemClock.sleep(100)
  await gateway.setService({ scope: { ...scope, service: 'other' }, check: { kind: 'tcp' } })

  await bench.admit(gateway, '2-1.1')
  await gateway.setMode(server('1-1.1'), 'drain')
  // The new worker has no session of it; the old one, which takes no orders about servers any more, has.
  expect(await gateway.quiet(server('1-1.1'), { deadlineMs: 200 })).toBe(false)
  await bench.retire(gateway, '1-1.1', first)
  expect(await slow).toMatchObject({ status: 200, body: expect.stringContaining('1-1.1') })

  // These clients still talk to the old worker, which knows only the instance that is gone.
  for (const connection of kept) {
    expect(await connection.exchange({ path: '/', host }, bounds)).toMatchObject({ status: 200, body: '2-1.1 / 0\n' })
  }
  expect(await gateway.counters()).toEqual({ retries: 0, redispatches: 0 })
  const told = await relayed.exchange({ path: '/headers', host }, bounds)
  expect(told).toMatchObject({
    status: 200,
    body: expect.stringContaining('"X-Forwarded-For":["127.0.0.1"]'),
  })
  expect(told).toMatchObject({ body: expect.stringContaining(`"X-Forwarded-Port":["${front(gateway).port}"]`) })
})

test('cutting ends what a server still answers, also in a worker that was replaced', async () => {
  await using bench = await Bench.open()
  const gateway = await bench.gateway()
  await gateway.restore([])
  await gateway.setService(web)
  await bench.admit(gateway, '1-1.1')
  const inOld = askRaw(front(gateway), { path: '/?wait=8s', host })
  await systemClock.sleep(100)
  await gateway.setService({ scope: { ...scope, service: 'other' }, check: { kind: 'tcp' } })
  const inCurrent = askRaw(front(gateway), { path: '/?wait=8s', host })
  await systemClock.sleep(100)
  await gateway.setMode(server('1-1.1'), 'shut')
  expect((await gateway.observe(scope))[0]).toMatchObject({ sessions: 2 })
  await gateway.cut(server('1-1.1'))
  expect(await gateway.quiet(server('1-1.1'), { deadlineMs: 2_000 })).toBe(true)
  await gateway.detach(server('1-1.1'))
  // There is no other instance to which HAProxy could send them again.
  for (const cut of await Promise.all([inOld, inCurrent])) {
    expect(cut.kind === 'answer' ? cut.status : cut.kind).toBeOneOf([503, 502, 'eof', 'reset'])
  }
})

async function admitAll(bench: Bench, gateway: Awaited<ReturnType<Bench['gateway']>>, round: number, count: number) {
  const names = Array.from({ length: count }, (_, at) => `${round}-${at + 1}.1`)
  return new Map(await Promise.all(names.map(async (name) => [name, await bench.admit(gateway, name)] as const)))
}
