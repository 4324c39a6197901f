import { connect as connectHttp2 } from 'node:http2'
import { type AddressInfo, connect, createServer } from 'node:net'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { askHealth } from '../../src/base/grpc-health.ts'
import { awaitHealthy } from '../../src/health/index.ts'
import { GrpcProgram } from '../harness/grpc-program.ts'
import { Bench, front, host, scope, server } from './haproxy-fixture.ts'

const probe = {
  target: { kind: 'grpc' },
  everyMs: 20,
  timeoutMs: 500,
  healthyForMs: 0,
  deadlineMs: 1_000,
} as const

async function ask(program: { host: string; port: number }): Promise<{ healthy: boolean; answers: string[] }> {
  const { promise: exited } = Promise.withResolvers<never>()
  const { healthy, answers } = await awaitHealthy(
    { address: program, exited: () => exited, listening: async () => [program], exec: () => exited },
    probe,
    { clock: systemClock },
  )
  return {
    healthy,
    answers: answers.map((answer) => ('detail' in answer ? `${answer.kind}: ${answer.detail}` : answer.kind)),
  }
}

test('a program is healthy when grpc.health.v1 says SERVING', async () => {
  await using program = await GrpcProgram.start()
  expect(await ask(program.address)).toEqual({ healthy: true, answers: ['good'] })
})

test('NOT_SERVING, no health service and no HTTP/2 are told apart', async () => {
  await using program = await GrpcProgram.start()
  program.health = 'NOT_SERVING'
  expect((await ask(program.address)).answers.at(-1)).toBe('grpc: NOT_SERVING')
  program.health = 'none'
  expect((await ask(program.address)).answers.at(-1)).toBe('grpc: grpc-status 12')
  await using bench = await Bench.open()
  const web = await bench.start('web')
  expect((await ask(web.address)).answers.at(-1)).toMatch(/^closed: /)
})

test('what hangs up at a preface it does not know speaks no gRPC', async () => {
  const other = createServer((socket) => socket.once('data', () => socket.end()).on('error', () => {}))
  await new Promise<void>((resolve) => void other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as AddressInfo
  const signal = AbortSignal.timeout(5_000)
  const answer = await askHealth(() => connect(port, '127.0.0.1'), { authority: `localhost:${port}`, signal })
  other.close()
  expect(answer.kind).toBe('failed')
})

test('gRPC goes through the gateway as HTTP/2 on both sides, and a server is confirmed by its health', async () => {
  await using bench = await Bench.open()
  const gateway = await bench.gateway()
  await gateway.restore([])
  await gateway.setService({ scope, route: { host, path: '/' }, check: { kind: 'grpc', health: true } })
  await using program = await GrpcProgram.start()
  await gateway.attach(server('1-1.1'), program.address)
  program.health = 'NOT_SERVING'
  await expect(gateway.confirm(server('1-1.1'), { deadlineMs: 3_000 })).rejects.toMatchObject({
    code: 'GATEWAY_UNCONFIRMED',
    message: expect.stringContaining('NOT_SERVING'),
  })
  program.health = 'SERVING'
  await gateway.confirm(server('1-1.1'), { deadlineMs: 5_000 })
  await gateway.setMode(server('1-1.1'), 'ready')
  expect(await echo(front(gateway), 'hello')).toEqual({ body: '\0\0\0\0\u0005hello', status: '0' })
  // Written into its files too: after a restart of HAProxy it is spoken to in the same way.
  await gateway.restore([
    {
      scope,
      route: { host, path: '/' },
      check: { kind: 'grpc', health: true },
      servers: [{ name: '1-1.1', address: program.address, mode: 'ready' }],
    },
  ])
  expect(await echo(front(gateway), 'again')).toEqual({ body: '\0\0\0\0\u0005again', status: '0' })
})

/** One call of one message, by prior knowledge: no TLS, no upgrade. */
async function echo(
  address: { host: string; port: number },
  message: string,
): Promise<{ body: string; status: string }> {
  const session = connectHttp2(`http://${host}`, { createConnection: () => connect(address) })
  try {
    const stream = session.request({
      ':method': 'POST',
      ':path': '/echo.Echo/Echo',
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    const { promise, resolve, reject } = Promise.withResolvers<{ body: string; status: string }>()
    session.on('error', reject)
    stream.on('error', reject)
    let body = ''
    let status = ''
    stream.on('data', (chunk: Buffer) => (body += chunk.toString()))
    stream.on('trailers', (trailers) => (status = String(trailers['grpc-status'])))
    stream.on('end', () => resolve({ body, status }))
    stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), Buffer.from(message)]))
    return await promise
  } finally {
    session.destroy()
  }
}
