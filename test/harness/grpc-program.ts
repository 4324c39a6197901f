import { createServer, type Http2Server, type ServerHttp2Session } from 'node:http2'
import type { AddressInfo } from 'node:net'

/** A program that speaks gRPC over cleartext HTTP/2: its health, and an echo of one message at every other path. */
export class GrpcProgram implements AsyncDisposable {
  health: 'SERVING' | 'NOT_SERVING' | 'none' = 'SERVING'
  readonly asked: string[] = []
  readonly #server: Http2Server
  readonly #sessions = new Set<ServerHttp2Session>()

  private constructor() {
    this.#server = createServer()
    this.#server.on('session', (session) => {
      this.#sessions.add(session)
      session.once('close', () => this.#sessions.delete(session))
    })
    this.#server.on('stream', (stream, headers) => {
      const path = String(headers[':path'])
      this.asked.push(path)
      const isHealth = path === '/grpc.health.v1.Health/Check'
      const refused = isHealth && this.health === 'none'
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        if (refused) {
          stream.respond({ 'content-type': 'application/grpc', 'grpc-status': '12' }, { endStream: true })
          return
        }
        stream.respond({ 'content-type': 'application/grpc' }, { waitForTrailers: true })
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
        stream.end(
          isHealth ? Buffer.from([0, 0, 0, 0, 2, 8, this.health === 'SERVING' ? 1 : 2]) : Buffer.concat(chunks),
        )
      })
    })
  }

  static async start(): Promise<GrpcProgram> {
    const program = new GrpcProgram()
    await new Promise<void>((resolve) => program.#server.listen(0, '127.0.0.1', resolve))
    return program
  }

  get address(): { host: string; port: number } {
    return { host: '127.0.0.1', port: (this.#server.address() as AddressInfo).port }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.#sessions) session.destroy()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }
}
