import { createHash, randomUUID } from 'node:crypto'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { askHealth } from '../../base/grpc-health.ts'
import type { Address } from '../../host/index.ts'
import { healthPaths, type HttpAnswer, otherPaths, type PortAnswer } from '../observation.ts'

const answerWithinMs = 1_500
/** What speaks another language is silent, or breaks off. */
const firstWithinMs = 700
/** Nearly every server answers within a tenth of it. */
const soonMs = 25
const maxBodyBytes = 64 * 1024

/** What asking nearly all of them needs of Node: 10 ms, once, which the first one asked need not wait for. */
export async function loadClients(): Promise<void> {
  await import('node:http')
}

/** What a listening port answers: by HTTP/1.1, by gRPC, or merely a connection. */
export async function askPort(listening: Address): Promise<PortAnswer> {
  const address = { ...listening, host: reachable(listening.host) }
  const random = [`/${randomUUID()}`, `/${randomUUID()}/${randomUUID()}`] as const
  const asking = askPath(address, random[0], firstWithinMs)
  // One that speaks HTTP/1.1 says so at once; one that speaks none of them is waited for only once.
  const soon = await Promise.race([asking, delay(soonMs, undefined, { ref: false })])
  const others = soon === undefined ? Promise.all([askGrpc(address), wantsTls(address)]) : undefined
  others?.catch(() => {}) // awaited where HTTP/1.1 is not what it speaks
  const first = await asking
  if (first === undefined) {
    const [grpc, tls] = (await others) ?? []
    // What it says to a preface without TLS may look like HTTP/2.
    return { address: listening, tls: tls === true, ...(grpc === undefined || tls === true ? {} : { grpc }) }
  }
  if (first.tls) return { address: listening, tls: true }
  const second = (await askPath(address, random[1]))?.answer ?? first.answer
  const paths: Record<string, HttpAnswer> = {}
  await Promise.all(
    [...otherPaths, ...healthPaths].map(async (path) => {
      const asked = await askPath(address, path)
      if (asked !== undefined) paths[path] = asked.answer
    }),
  )
  return { address: listening, tls: false, http: { random: [first.answer, second], paths } }
}

function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  return host === '::' ? '::1' : host
}

/** undefined: not by HTTP/1.1. */
async function askPath(
  address: Address,
  path: string,
  withinMs = answerWithinMs,
): Promise<{ answer: HttpAnswer; tls: boolean } | undefined> {
  const { request } = await import('node:http') // only where something is tried
  const { promise, resolve } = Promise.withResolvers<{ answer: HttpAnswer; tls: boolean } | undefined>()
  const asked = request({
    ...address,
    path,
    agent: false,
    headers: { host: `localhost:${address.port}`, 'user-agent': 'fairway-probe', accept: '*/*' },
    signal: AbortSignal.timeout(withinMs),
  })
  asked.on('error', () => resolve(undefined))
  asked.on('response', (response) => {
    const chunks: Buffer[] = []
    let held = 0
    const finish = () => {
      const text = Buffer.concat(chunks).toString('utf8')
      const { statusCode: status = 0 } = response
      resolve({
        answer: toAnswer(status, response.headers['content-type'] ?? '', text, path),
        tls: isTls(text),
      })
      asked.destroy()
    }
    response.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      held += chunk.length
      if (held >= maxBodyBytes) finish()
    })
    response.on('end', finish)
    response.on('error', finish)
  })
  asked.end()
  return promise
}

function toAnswer(status: number, type: string, text: string, path: string): HttpAnswer {
  const plain = text.replaceAll(path, '').replaceAll(path.slice(1), '')
  return {
    status,
    type,
    digest: createHash('sha256').update(plain).digest('hex').slice(0, 16),
    isMetrics: status === 200 && /^# (HELP|TYPE) \w+/m.test(text),
  }
}

/** What Go's own server says to a request without TLS on a port with it. */
function isTls(text: string): boolean {
  return text.startsWith('Client sent an HTTP request to an HTTPS server')
}

/** Whether it shakes hands, whatever its certificate says. */
async function wantsTls(address: Address): Promise<boolean> {
  const { connect: connectTls } = await import('node:tls') // only where something is tried
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connectTls({ ...address, rejectUnauthorized: false, ALPNProtocols: ['h2', 'http/1.1'] })
  const timer = setTimeout(() => resolve(false), firstWithinMs)
  socket.on('secureConnect', () => resolve(true))
  socket.on('error', ({ message }) => resolve(/alert/i.test(message))) // it wants a certificate of ours
  socket.on('close', () => resolve(false))
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    socket.destroy()
  }
}

async function askGrpc(address: Address): Promise<PortAnswer['grpc']> {
  const answer = await askHealth(() => connect(address), {
    authority: `localhost:${address.port}`,
    signal: AbortSignal.timeout(firstWithinMs),
  })
  return answer.kind === 'failed' ? undefined : answer.kind
}
