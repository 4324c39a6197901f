import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/base/clock.ts'
import { homeDefaults, type ModuleSettings } from '../../src/config/index.ts'
import { type ModuleProxy, openModuleProxy } from '../../src/goproxy/index.ts'
import type { ModuleVariables } from '../../src/module/index.ts'

/** A module proxy on a port of its own, without the rest of a control plane. */
export interface TestProxy extends AsyncDisposable {
  readonly url: string
  readonly home: string
  readonly proxy: ModuleProxy
  readonly warnings: string[]
  get(path: string, init?: RequestInit): Promise<{ status: number; text: string; headers: Headers }>
}

export interface TestProxyOptions {
  readonly upstream?: string
  readonly home?: string
  readonly settings?: Partial<ModuleSettings>
  readonly variables?: Partial<ModuleVariables>
  readonly environment?: Readonly<Record<string, string>>
  readonly pins?: ReadonlySet<string>
  readonly silentMs?: number
  readonly paceMs?: number
  readonly now?: () => number
}

export async function startTestProxy(options: TestProxyOptions = {}): Promise<TestProxy> {
  const own = options.home === undefined ? await mkdtemp(join(tmpdir(), 'fairway-proxy-')) : undefined
  const home = options.home ?? own ?? ''
  const warnings: string[] = []
  const { PATH = '', HOME = '' } = process.env
  const proxy = await openModuleProxy({
    home,
    settings: { ...homeDefaults.modules, ...options.settings },
    variables: {
      GOPROXY: options.upstream ?? 'off',
      GOSUMDB: 'sum.golang.org',
      GOPRIVATE: '',
      GONOPROXY: '',
      GONOSUMDB: '',
      ...options.variables,
    },
    environment: { PATH, HOME, ...options.environment },
    clock: { ...systemClock, ...(options.now === undefined ? {} : { now: options.now }) },
    pins: () => Promise.resolve(options.pins ?? new Set()),
    warn: (message) => void warnings.push(message),
    ...(options.silentMs === undefined ? {} : { silentMs: options.silentMs }),
    ...(options.paceMs === undefined ? {} : { paceMs: options.paceMs }),
  })
  const server = createServer((request, response) => void proxy.handle(request.url ?? '/', request, response))
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    home,
    proxy,
    warnings,
    async get(path, init) {
      const answer = await fetch(`${url}${path}`, init)
      return { status: answer.status, text: await answer.text(), headers: answer.headers }
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await proxy[Symbol.asyncDispose]()
      if (own !== undefined) await rm(own, { recursive: true, force: true })
    },
  }
}
