import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import type { Address } from '../../src/host/index.ts'

/** One conversation on a connection of its own. @throws whatever kept it from its end */
export type Conversation = (signal: AbortSignal) => Promise<void>

export interface StreamLoad {
  stop(): Promise<{ readonly held: number; readonly failures: readonly string[] }>
}

/** Conversations begun at this rate, whatever becomes of those before; nothing is tried again. */
export function startStreamLoad(converse: Conversation, { perSecond }: { readonly perSecond: number }): StreamLoad {
  const failures: string[] = []
  const underWay = new Set<Promise<void>>()
  let held = 0
  const one = async () => {
    try {
      await converse(AbortSignal.timeout(10_000))
      held += 1
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error))
    }
  }
  const timer = setInterval(() => {
    const running: Promise<void> = one().finally(() => underWay.delete(running))
    underWay.add(running)
  }, 1000 / perSecond)
  return {
    async stop() {
      clearInterval(timer)
      await Promise.all(underWay)
      return { held, failures }
    },
  }
}

/** One call without a message: answered with grpc-status 0. */
export function callGrpc(address: Address, { host, path }: { host: string; path: string }): Conversation {
  return async (signal) => {
    const session = connectHttp2(`http://${host}:${address.port}`, { createConnection: () => connect(address) })
    const abort = () => session.destroy(new Error('no answer in time'))
    signal.addEventListener('abort', abort, { once: true })
    try {
      const broken = once(session, 'error').then(([error]) => Promise.reject(error as Error))
      broken.catch(() => {})
      const stream = session.request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
      })
      let status: unknown
      stream.on('response', (head) => (status ??= head['grpc-status']))
      stream.on('trailers', (tail) => (status ??= tail['grpc-status']))
      stream.resume().end(Buffer.alloc(5))
      await Promise.race([once(stream, 'end'), broken])
      if (status !== '0') throw new Error(`grpc-status ${String(status)}`)
    } finally {
      signal.removeEventListener('abort', abort)
      session.destroy()
    }
  }
}

/** A connection on which the program speaks first. */
export function hearGreeting(address: Address, greeting: RegExp): Conversation {
  return async (signal) => {
    const socket = connect({ ...address, signal })
    try {
      const [first] = (await Promise.race([
        once(socket, 'data', { signal }),
        once(socket, 'end', { signal }).then(() => ['the end']),
      ])) as [Buffer | string]
      if (!greeting.test(String(first))) throw new Error(`it said ${String(first).slice(0, 80)}`)
    } finally {
      socket.destroy()
    }
  }
}

/** A connection by TLS, whatever its certificate, on which one path is asked for by HTTP/1.1. */
export function askByTls(address: Address, path: string): Conversation {
  return async (signal) => {
    const socket = connectTls({ ...address, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] })
    const abort = () => socket.destroy(new Error('no answer in time'))
    signal.addEventListener('abort', abort, { once: true })
    try {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: load\r\nConnection: close\r\n\r\n`)
      let text = ''
      for await (const chunk of socket) text += String(chunk)
      if (!text.startsWith('HTTP/1.1 200 ')) throw new Error(`it answered ${text.slice(0, 80)}`)
    } finally {
      signal.removeEventListener('abort', abort)
      socket.destroy()
    }
  }
}

/** Long enough for a load to be under way. */
export const settled = (): Promise<void> => delay(300)
