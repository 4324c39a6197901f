import { connect } from 'node:net'
import { request } from 'node:http'
import { expect, test } from 'vitest'
import { checks } from '../../src/gateway/haproxy/timeouts.ts'
import { systemClock } from '../../src/base/clock.ts'
import type { Address } from '../../src/host/index.ts'
import type { RawOutcome } from '../load/raw-client.ts'
import { askRaw, RawConnection } from '../load/raw-client.ts'
import { Bench, front, host, scope, server, web } from './haproxy-fixture.ts'

test('a route leads to its service by host and longest path, on the boundary of a path segment', async () => {
  await using bench = await Bench.open()
  const gateway = await bench.gateway()
  await gateway.restore([])
  const other = { project: 'shop', environment: 'dev', service: 'api' }
  await gateway.setService(web)
  await gateway.setService({ scope: other, route: { host, path: '/api' }, check: { kind: 'tcp' } })
  await bench.admit(gateway, '1-1.1')
  const api = await bench.start('api')
  const name = { scope: other, server: '1-1.1' }
  await gateway.attach(name, api.address)
  await gateway.confirm(name, { deadlineMs: 5_000 })
  await gateway.setMode(name, 'ready')

  const who = async (path: string, at = host) => servedBy(await askRaw(front(gateway), { path, host: at }))
  expect(await who('/')).toBe('1-1.1')
  expect(await who('/api')).toBe('api')
  expect(await who('/api/users?all=1')).toBe('api')
  expect(await who('/apix')).toBe('1-1.1')
  expect(await who('/API')).toBe('1-1.1')
  expect(await who('/api', 'WEB.localhost:8480')).toBe('api')
  expect(servedBy(await askRaw(portOf(gateway.internalUrl(other)), { path: '/', host: 'anything' }))).toBe('api')

  // The route moves, without a reload: a path with a root of its own.
  await gateway.setService({ scope: other, route: { host: 'api.localhost', path: '/v1' }, check: { kind: 'tcp' } })
  expect(await who('/api')).toBe('1-1.1')
  expect(await who('/v1/x', 'api.localhost')).toBe('api')
  await expect(gateway.setService({ scope: other, route: web.route, check: { kind: 'tcp' } })).rejects.toMatchObject({
    code: 'ROUTE_TAKEN',
  })
})

test('an unknown host gets a plain 404, a service without a healthy instance 503 with Retry-After', async () => {
  await using bench = await Bench.open()
  const gateway = await bench.gateway()
  await gateway.restore([web].map((service) => ({ ...service, servers: [] })))
  const unknown = answered(await askRaw(front(gateway), { path: '/', host: 'nobody.example.com' }))
  expect([unknown.status, unknown.headers.get('content-type')]).toEqual([404, 'text/plain'])
  expect(unknown.body).toMatch(/^404 Not found: .*\n$/)
  expect([...unknown.headers.keys()]).not.toContain('server')
  const empty = answered(await askRaw(front(gateway), { path: '/', host }))
  expect([empty.status, empty.headers.get('retry-after')]).toEqual([503, '2'])
  expect(empty.body).toMatch(/^503 /)

  // Healthy no more, by HAProxy's own check, while nobody else looks.
  await bench.admit(gateway, '1-1.1')
  await askRaw(front(gateway), { path: '/sick', host })
  await until(async () => answered(await askRaw(front(gateway), { path: '/', host })).status === 503)
  expect(await gateway.observe(scope)).toMatchObject([{ name: '1-1.1', up: false, mode: 'ready' }])
})

test('what a client says about forwarding is dropped and said anew', async () => {
  await using bench = await Bench.open()
  const gateway = await bench.gateway()
  await gateway.restore([])
  await gateway.setService(web)
  await bench.admit(gateway, '1-1.1')
  const claims = {
    'X-Forwarded-For': '10.9.8.7',
    'x-forwarded-proto': 'https',
    'X-Forwarded-Host': 'bank.example.com',
    'X-Forwarded-User': 'root',
    'X-Real-IP': '10.9.8.7',
    Forwarded: 'for=10.9.8.7',
  }
  const { body } = answered(await askRaw(front(gateway), { path: '/headers', host: `${host}:8480`, headers: claims }))
  expect(JSON.parse(body)).toEqual({
    host: `${host}:8480`,
    headers: {
      'X-Forwarded-For': ['127.0.0.1'],
      'X-Forwarded-Proto': ['http'],
      'X-Forwarded-Host': [`${host}:8480`],
      'X-Forwarded-Port': [String(front(gateway).port)],
    },
  })
})

test('WebSockets, event streams, chunked uploads and the end of a client pass through', async () => {
  await using bench = await Bench.open()
  const gateway = await bench.gateway()
  await gateway.restore([])
  await gateway.setService(web)
  await bench.admit(gateway, '1-1.1')
  const at = front(gateway)

  const socket = connect(at)
  const key = 'dGhlIHNhbXBsZSBub25jZQ=='
  socket.write(
    `GET /socket HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  )
  const reader = socket.iterator({ destroyOnReturn: false })
  expect(await readUntil(reader, '\r\n\r\n')).toMatch(/^HTTP\/1\.1 101 [^]*s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/i)
  socket.write('ping over the tunnel')
  expect(await readUntil(reader, 'tunnel')).toBe('ping over the tunnel')
  socket.destroy()

  const stream = connect(at)
  stream.write(`GET /events?every=150ms HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  const events = stream.iterator({ destroyOnReturn: false })
  const began = performance.now()
  await readUntil(events, 'data: 0')
  const first = performance.now() - began
  await readUntil(events, 'data: 2')
  expect(first).toBeLessThan(140)
  expect(performance.now() - began).toBeGreaterThan(250)
  stream.destroy()

  const megabytes = 5
  expect(await uploadChunked(at, megabytes)).toBe(`1-1.1 /upload ${megabytes * 1024 * 1024}\n`)

  // The program hears that nobody waits any more.
  const impatient = connect(at)
  impatient.write(`GET /?wait=5s HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  await systemClock.sleep(100)
  impatient.destroy()
  await until(async () => answered(await askRaw(at, { path: '/cancelled', host })).body === '1')
})

test('confirming is refused when nothing answers, when it is ill, and when another one answers', async () => {
  await using bench = await Bench.open()
  const gateway = await bench.gateway()
  await gateway.restore([])
  await gateway.setService(web)
  const well = await bench.admit(gateway, '1-1.1')

  const gone = await bench.start('1-2.1')
  await gone.stop()
  await gateway.attach(server('1-2.1'), gone.address)
  await expect(gateway.confirm(server('1-2.1'), { deadlineMs: 2_000 })).rejects.toMatchObject({
    code: 'GATEWAY_UNCONFIRMED',
    message: expect.stringContaining('L4CON'),
  })

  const ill = await bench.start('1-3.1')
  await askRaw(ill.address, { path: '/sick', host })
  await gateway.attach(server('1-3.1'), ill.address)
  await expect(gateway.confirm(server('1-3.1'), { deadlineMs: 2_000 })).rejects.toMatchObject({
    code: 'GATEWAY_UNCONFIRMED',
    message: expect.stringContaining('503'),
  })

  // Shut, it is passed over by HAProxy: the answer comes from its neighbour, and does not count for it.
  await gateway.attach(server('1-4.1'), well.address)
  await gateway.confirm(server('1-4.1'), { deadlineMs: 2_000 })
  await gateway.setMode(server('1-4.1'), 'shut')
  await expect(gateway.confirm(server('1-4.1'), { deadlineMs: 200 })).rejects.toMatchObject({
    code: 'GATEWAY_UNCONFIRMED',
  })
  await expect(gateway.confirm(server('9-9.9'), { deadlineMs: 200 })).rejects.toMatchObject({
    code: 'GATEWAY_UNCONFIRMED',
  })
})

test('an instance that listens is confirmed long before a check interval is over', async () => {
  await using bench = await Bench.open()
  const gateway = await bench.gateway()
  await gateway.restore([])
  await gateway.setService(web)
  const took: number[] = []
  for (let release = 1; release <= 9; release += 1) {
    const name = server(`${release}-1.1`)
    const program = await bench.start(name.server)
    const began = performance.now()
    await gateway.attach(name, program.address)
    await gateway.confirm(name, { deadlineMs: 2_000 })
    took.push(performance.now() - began)
  }
  const median = took.toSorted((a, b) => a - b)[4]
  expect(median).toBeLessThan(checks.inter / 4)
})

function answered(outcome: RawOutcome): Extract<RawOutcome, { kind: 'answer' }> {
  if (outcome.kind !== 'answer') throw new Error(`${outcome.kind}: ${outcome.detail}`)
  return outcome
}

function servedBy(outcome: RawOutcome): string | undefined {
  return answered(outcome).headers.get('x-served-by')
}

function portOf(url: string): Address {
  return { host: '127.0.0.1', port: Number(new URL(url).port) }
}

async function until(holds: () => Promise<boolean>, withinMs = 5_000): Promise<void> {
  const deadline = performance.now() + withinMs
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error('it did not come about')
    await systemClock.sleep(10)
  }
}

async function readUntil(reader: AsyncIterator<Buffer>, mark: string): Promise<string> {
  let text = ''
  while (!text.includes(mark)) {
    const { value, done } = await reader.next()
    if (done === true) throw new Error(`ended after ${JSON.stringify(text)}`)
    text += value.toString('latin1')
  }
  return text
}

function uploadChunked(at: Address, megabytes: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const outgoing = request(
    { ...at, method: 'POST', path: '/upload', headers: { host, 'transfer-encoding': 'chunked' }, agent: false },
    (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve(text))
    },
  )
  outgoing.on('error', reject)
  for (let part = 0; part < megabytes; part += 1) outgoing.write(Buffer.alloc(1024 * 1024, 'x'))
  outgoing.end()
  return promise
}

test('a connection to a program is used again, as costs a third of opening one for each request', async () => {
  await using bench = await Bench.open()
  const gateway = await bench.gateway()
  await gateway.restore([])
  await gateway.setService(web)
  await bench.admit(gateway, '1-1.1')
  const client = new RawConnection(front(gateway))
  const remotes = new Set<unknown>()
  for (let request = 0; request < 20; request += 1) {
    const { headers } = answered(await client.exchange({ path: '/headers', host }, { close: false, timeoutMs: 5_000 }))
    remotes.add(headers.get('x-remote'))
  }
  client.close()
  expect(remotes.size).toBeLessThan(4) // one, and a second where the first request’s is not put aside in time
})
