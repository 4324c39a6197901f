import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { askRaw } from '../test/load/raw-client.ts'

/** ms from the exec of a program to its first answer of 200: the least that any rollout takes. */
export async function bareStart(
  program: string,
  argsOf: (port: number) => readonly string[],
  { path, env }: { path: string; env: Readonly<Record<string, string>> },
): Promise<number> {
  const port = await freePort()
  const begin = performance.now()
  const child = spawn(program, argsOf(port), { stdio: 'ignore', env: { ...env, PORT: String(port) } })
  const ended = new Promise((resolve) => child.on('close', resolve))
  try {
    for (;;) {
      const answer = await askRaw({ host: '127.0.0.1', port }, { path, host: 'localhost' })
      if (answer.kind === 'answer' && answer.status === 200) return performance.now() - begin
      if (performance.now() - begin > 20_000) throw new Error(`${program} does not answer`)
      await delay(1)
    }
  } finally {
    child.kill('SIGKILL')
    await ended
  }
}

export async function freePort(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  const server = createServer()
  server.listen({ host: '127.0.0.1', port: 0 }, () => {
    const address = server.address()
    server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
  })
  return promise
}
