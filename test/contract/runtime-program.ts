import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execOk } from '../../src/base/exec.ts'
import type { Address } from '../../src/host/index.ts'

export interface TestProgram extends AsyncDisposable {
  /** Holds the binary, called `program`; open to every user. */
  readonly folder: string
}

/** Builds test/fixtures/runtime-program. */
export async function buildProgram(): Promise<TestProgram> {
  const folder = await mkdtemp(join(tmpdir(), 'fairway-program-'))
  await chmod(folder, 0o755)
  const { PATH = '', HOME = '', GOCACHE, GOPATH } = process.env
  const env = {
    PATH,
    HOME,
    CGO_ENABLED: '0',
    ...(GOCACHE === undefined ? {} : { GOCACHE }),
    ...(GOPATH === undefined ? {} : { GOPATH }),
  }
  await execOk(['go', 'build', '-buildvcs=false', '-o', join(folder, 'program'), '.'], {
    cwd: join(import.meta.dirname, '../fixtures/runtime-program'),
    env,
    deadlineMs: 120_000,
  })
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
}

/** A port nobody has at this moment, on an address of this process's own, so that files side by side do not meet. */
export async function freeAddress(): Promise<Address> {
  const host = `127.${64 + (process.pid % 64)}.${(process.pid >> 6) % 256}.1`
  const server = createServer()
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  server.on('error', reject)
  server.listen(0, host, () => {
    const address = server.address()
    if (address !== null && typeof address === 'object') resolve(address.port)
  })
  const port = await promise
  await new Promise((done) => server.close(done))
  return { host, port }
}
