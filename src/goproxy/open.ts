import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { readBootId } from '../base/process-identity.ts'
import { FairwayError } from '../base/error.ts'
import type { BindAddress, ModuleSettings } from '../config/index.ts'
import {
  HttpClient,
  type ModuleSource,
  ModuleSources,
  type ModuleVariables,
  parseChecksumSource,
  parseSources,
  ZipHandler,
} from '../module/index.ts'
import { ModuleCache } from './cache.ts'
import { Checks } from './checks.ts'
import { type Counters, newCounters } from './counters.ts'
import { Quota } from './eviction.ts'
import { GitModules } from './git-modules.ts'
import { ProxyHandler } from './serve.ts'
import { findPrivate } from './settings.ts'
import { ModuleStore } from './store.ts'
import { Upstreams } from './upstream.ts'

export interface ModuleProxyOptions {
  readonly home: string
  readonly settings: ModuleSettings
  /** Where modules come from, `settings.proxy` reckoned in. */
  readonly variables: ModuleVariables
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  /** 'path version' of each module that must stay. */
  readonly pins: () => Promise<ReadonlySet<string>>
  readonly warn: (message: string) => void
  /** Nothing may come from an upstream for so long; 30 s unless told. */
  readonly silentMs?: number
  /** Over such a while the pace of a zip is judged; 30 s unless told. */
  readonly paceMs?: number
}

/** A home's modules: the store, who fills it, and who gives it out. */
export interface ModuleProxy extends AsyncDisposable {
  readonly store: ModuleStore
  readonly cache: ModuleCache
  readonly checks: Checks
  readonly counters: Counters
  /** As the metrics have them. */
  readonly figures: () => Readonly<Record<string, number>>
  handle(target: string, request: IncomingMessage, response: ServerResponse): Promise<void>
}

export function storeFolder(home: string): string {
  return join(home, 'modules')
}

function parseUpstreams(list: string): ModuleSource[] {
  if (list !== '') return parseSources(list)
  throw new FairwayError('USAGE', 'GOPROXY names this proxy alone: it has nobody to ask', {
    hint: 'Name its upstream in HOME/config.yaml: `modules: { proxy: https://HOST }`.',
  })
}

/** A GOPROXY list without our own address, which whoever asks us may well be set to. */
export function withoutOwn(list: string, { host, port }: BindAddress): string {
  const isOwn = (word: string) => {
    const url = URL.parse(word)
    if (url === null || !/^\/goproxy\/?$/.test(url.pathname) || Number(url.port === '' ? 80 : url.port) !== port)
      return false
    return ['localhost', '127.0.0.1', '[::1]', host, `[${host}]`].includes(url.hostname)
  }
  return Array.from(list.matchAll(/([^,|]+)([,|]|$)/g))
    .filter(([, word = '']) => !isOwn(word.trim()))
    .map(([whole]) => whole)
    .join('')
    .replace(/[,|]$/, '')
}

/** @throws FairwayError USAGE for a GOPROXY or GOSUMDB that cannot be read; HOME_UNUSABLE, DISK_FULL */
export async function openModuleProxy(options: ModuleProxyOptions): Promise<ModuleProxy> {
  const { home, settings, variables, environment, clock, pins, warn, silentMs, paceMs } = options
  const store = await ModuleStore.open(storeFolder(home), { now: clock.now() })
  await store.mend(await readBootId())
  const counters = newCounters()
  const reach = { environment, ...(silentMs === undefined ? {} : { silentMs }) }
  const http = new HttpClient(reach)
  const zips = new ZipHandler(reach)
  const sources = settings.offline ? [] : parseUpstreams(variables.GOPROXY)
  const upstreams = new Upstreams({
    http,
    zips,
    clock,
    sources,
    counters,
    ...(paceMs === undefined ? {} : { windowMs: paceMs }),
  })
  const checks = new Checks({
    source: parseChecksumSource(variables.GOSUMDB),
    // A name that is private here is told to no database.
    variables: {
      ...variables,
      GONOSUMDB: [
        variables.GONOSUMDB === '' ? variables.GOPRIVATE : variables.GONOSUMDB,
        ...settings.private.map(({ match }) => match),
      ].join(','),
    },
    connect: (source) =>
      settings.offline
        ? () => Promise.resolve(undefined)
        : new ModuleSources({ http, clock, variables }).checksumRemote(source),
    headFolder: join(home, 'sumdb'),
    folder: store.folder,
    now: clock.now,
  })
  const quota = new Quota({ store, quota: settings.quota, pins, counters, clock, warn })
  const git = new GitModules({ cacheFolder: join(home, 'cache/git'), environment, clock })
  const cache = new ModuleCache({
    store,
    upstreams,
    checks,
    zips,
    privateSource: (path) => {
      const place = findPrivate(settings.private, path)
      return place === undefined ? undefined : git.source(place)
    },
    isOffline: settings.offline,
    counters,
    clock,
    onStored: (bytes) => quota.stored(bytes),
  })
  quota.check()
  const figures = () => ({ ...counters, ...quota.gauges })
  const handler = new ProxyHandler({
    cache,
    checks,
    settings,
    counters,
    monotonicMs: () => performance.now(),
    gauges: () => quota.gauges,
  })
  return {
    store,
    cache,
    checks,
    counters,
    figures,
    handle: (target, request, response) => handler.handle(target, request, response),
    async [Symbol.asyncDispose]() {
      await http.close()
      await zips[Symbol.asyncDispose]()
      await quota[Symbol.asyncDispose]()
    },
  }
}
