import { execFile } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { withFileLock } from '../../src/base/file-lock.ts'

const run = promisify(execFile)

/** Kept between runs, so that each module is fetched once per machine. */
const place = join(tmpdir(), `fairway-test-modules-${process.getuid?.() ?? 0}`)

/** The newest patches that a test can have: not all that are listed can be downloaded. */
export const toolchains = { older: '1.26.7', newer: '1.26.8', oldLine: '1.25.13' } as const

export function toolchainModule(version: string): string {
  return `golang.org/toolchain@v0.0.1-go${version}.linux-amd64`
}

export const podinfo = 'github.com/stefanprodan/podinfo@v1.8.1-0.20250910200901-e86405a8674e'

/**
 * Lets the ordinary go command fetch modules, with all that their builds need where `build` names a package in them.
 * @returns a folder that is a module proxy and a checksum database, byte for byte
 */
export async function fillModuleCache(modules: readonly { module: string; build?: string }[]): Promise<string> {
  await mkdir(place, { recursive: true })
  await withFileLock(join(place, 'lock'), async () => {
    for (const { module, build } of modules) await fill(module, build)
  })
  return join(place, 'pkg/mod/cache/download')
}

/** Of the go command that fills the upstream: its own folder, nobody's settings, the machine's source and build cache. */
export function goEnvironment(): Record<string, string> {
  const { PATH = '', HOME = '', GOPROXY = '', GOCACHE = '' } = process.env
  return {
    PATH,
    HOME,
    GOPATH: place,
    GOENV: 'off',
    GOFLAGS: '',
    GOTOOLCHAIN: 'local',
    ...(GOPROXY === '' ? {} : { GOPROXY }),
    ...(GOCACHE === '' ? {} : { GOCACHE }),
  }
}

async function fill(module: string, build: string | undefined): Promise<void> {
  const mark = join(place, 'filled', `${module}${build ?? ''}`.replaceAll('/', '_'))
  if (await stat(mark).catch(() => undefined)) return
  const env = goEnvironment()
  const { stdout } = await run('go', ['mod', 'download', '-json', module], { env, cwd: '/' })
  const { Dir } = JSON.parse(stdout) as { Dir: string }
  if (build === undefined) {
    await makeWritable(Dir)
    await rm(Dir, { recursive: true }) // only the zip is served
  } else {
    const copy = await mkdtemp(join(tmpdir(), 'fairway-fill-'))
    await cp(Dir, join(copy, 'm'), { recursive: true })
    await makeWritable(copy)
    await run('go', ['list', '-mod=mod', '-deps', '-test', build], { env, cwd: join(copy, 'm'), maxBuffer: 1 << 26 })
    await rm(copy, { recursive: true })
  }
  await mkdir(mark, { recursive: true })
}

/** The ordinary go command in a folder of the test's own; what it fetches for that is served from then on. */
export async function fillBy(words: readonly string[], folder: string): Promise<void> {
  await withFileLock(join(place, 'lock'), () =>
    run('go', words, { env: goEnvironment(), cwd: folder, maxBuffer: 1 << 26 }),
  )
}

async function makeWritable(folder: string): Promise<void> {
  await chmod(folder, 0o755)
  for (const entry of await readdir(folder, { withFileTypes: true }))
    if (entry.isDirectory()) await makeWritable(join(folder, entry.name))
}

/** What may be wrong with an answer. */
export type Misbehaviour =
  | { readonly kind: 'status'; readonly status: number; readonly words: string }
  /** The connection ends after so many bytes of the body. */
  | { readonly kind: 'cut'; readonly afterBytes: number }
  /** …and then nothing, for ever. */
  | { readonly kind: 'silence'; readonly afterBytes: number }
  | { readonly kind: 'slow'; readonly bytesPerSecond: number }
  | { readonly kind: 'length'; readonly claims: number }
  | { readonly kind: 'page' }
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  | { readonly kind: 'redirect'; readonly to: string }

export interface ModuleUpstream extends AsyncDisposable {
  /** A GOPROXY. */
  readonly url: string
  /** '/golang.org/toolchain/@v/….zip', in order; a part with its range behind it. */
  readonly requests: string[]
  readonly headers: IncomingMessage['headers'][]
}

export interface UpstreamOptions {
  /** false: it answers the whole for every range. */
  readonly hasRanges?: boolean
  /** 404: no checksum database is passed on. */
  readonly hasSumdb?: boolean
  /** Absent is answered so; 403 as some do. */
  readonly absentStatus?: number
  /** @param nth how often this path was asked before */
  readonly misbehave?: (path: string, nth: number) => Misbehaviour | undefined
}

/** Serves such a folder on loopback: GET alone, decoded once, as a static file server would. */
export async function startModuleUpstream(folder: string, options: UpstreamOptions = {}): Promise<ModuleUpstream> {
  const requests: string[] = []
  const headers: IncomingMessage['headers'][] = []
  const counts = new Map<string, number>()
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '/')
    requests.push(request.headers.range === undefined ? path : `${path} ${request.headers.range}`)
    headers.push(request.headers)
    const nth = counts.get(path) ?? 0
    counts.set(path, nth + 1)
    response.on('error', () => {})
    answer(folder, path, options.misbehave?.(path, nth), request, response, options).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    headers,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function answer(
  folder: string,
  path: string,
  wrong: Misbehaviour | undefined,
  request: IncomingMessage,
  response: ServerResponse,
  { hasRanges = true, hasSumdb = true, absentStatus = 404 }: UpstreamOptions,
): Promise<void> {
  if (wrong?.kind === 'status') return end(response, wrong.status, wrong.words)
  if (wrong?.kind === 'page') {
    response.setHeader('Content-Type', 'text/html; charset=utf-8')
    return end(response, 200, '<!DOCTYPE html><title>Sign in</title>')
  }
  if (wrong?.kind === 'redirect') {
    response.setHeader('Location', wrong.to)
    return end(response, 302, '')
  }
  if (path.startsWith('/sumdb/') && !hasSumdb) return end(response, absentStatus, 'no database here')
  if (path === '/sumdb/sum.golang.org/supported') return end(response, 200, '')
  const file = path === '/sumdb/sum.golang.org/latest' ? join(place, 'pkg', path) : join(folder, path)
  if (wrong?.kind === 'bytes') return end(response, 200, wrong.bytes)
  const tile = await cutTile(file)
  if (tile !== undefined) return end(response, 200, tile)
  const size = path.includes('..') ? undefined : (await stat(file).catch(() => undefined))?.size
  if (size === undefined) return end(response, absentStatus, `${path.slice(1)}: not here`)
  const first = hasRanges ? Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0) : 0
  if (first >= size && first > 0) {
    response.setHeader('Content-Range', `bytes */${size}`)
    return end(response, 416, '')
  }
  response.setHeader('ETag', `"${size}"`)
  response.setHeader('Content-Length', wrong?.kind === 'length' ? wrong.claims : size - first)
  if (first > 0) response.setHeader('Content-Range', `bytes ${first}-${size - 1}/${size}`)
  response.statusCode = first > 0 ? 206 : 200
  await sendBody(file, first, wrong, response)
}

/** A tile of an earlier tree is the beginning of the same one of a later tree, which is what the go command asked for. */
async function cutTile(file: string): Promise<Buffer | undefined> {
  const [, whole = '', width = ''] = /^(.*\/tile\/8\/\d+\/.*)\.p\/(\d+)$/.exec(file) ?? []
  if (whole === '' || whole.includes('..')) return undefined
  const widths = await readdir(`${whole}.p`).catch((): string[] => [])
  if (widths.includes(width)) return undefined
  const wider = widths.find((each) => Number(each) > Number(width))
  const bytes = await readFile(wider === undefined ? whole : `${whole}.p/${wider}`).catch(() => undefined)
  return bytes?.subarray(0, 32 * Number(width))
}

async function sendBody(
  file: string,
  first: number,
  wrong: Misbehaviour | undefined,
  response: ServerResponse,
): Promise<void> {
  if (wrong?.kind === 'cut' || wrong?.kind === 'silence') {
    const content = (await readFile(file)).subarray(first, first + wrong.afterBytes)
    await new Promise<void>((resolve) => void response.write(content, () => resolve()))
    if (wrong.kind === 'cut') response.destroy()
    return
  }
  if (wrong?.kind === 'length') {
    response.write((await readFile(file)).subarray(first, first + wrong.claims), () => response.destroy())
    return
  }
  const pieces = createReadStream(file, {
    start: first,
    ...(wrong?.kind === 'slow' ? { highWaterMark: wrong.bytesPerSecond / 10 } : {}),
  })
  for await (const piece of pieces) {
    if (response.destroyed) return
    await new Promise<void>((resolve) => void response.write(piece, () => resolve()))
    if (wrong?.kind === 'slow') await delay(100)
  }
  response.end()
}

function end(response: ServerResponse, status: number, body: string | Buffer): void {
  response.statusCode = status
  response.end(body)
}
