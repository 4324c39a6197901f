import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ZipHandler } from '../../src/module/zip-handler.ts'
import { until } from '../harness/fairway.ts'
import { startModuleUpstream } from '../harness/module-upstream.ts'
import { zipOf } from '../harness/small-upstream.ts'

const module = { path: 'example.com/shop', version: 'v1.2.0' }
const content = zipOf({ ...module, files: { 'shop.go': 'package shop\n' } })
let root: string
let zip: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'fairway-zips-'))
  zip = join(root, 'shop.zip')
  await writeFile(zip, content)
})
afterAll(() => rm(root, { recursive: true }))

const isGone = (pid: number) => stat(`/proc/${pid}`).then(() => false, () => true) // prettier-ignore
const away = { user: undefined, mostBytes: 1e6, onProgress: () => {} }

test('zips are read by a process that ends when no more come, and is there again for the next', async () => {
  await using zips = new ZipHandler({ environment: {}, restMs: 50 })
  const sums = await zips.read(zip, module)
  expect(sums).toMatchObject({ h1: expect.stringMatching(/^h1:/), bytes: content.length })
  const { pid = 0 } = zips
  await until(() => isGone(pid), 'the process ended')
  expect(zips.pid).toBeUndefined()
  expect(await zips.read(zip, module)).toEqual(sums)
  await expect(zips.read(zip, { ...module, version: 'v1.3.0' })).rejects.toMatchObject({ code: 'MODULE_INVALID' })
})

test('one that is killed fails what it was asked for, and nothing after it', async () => {
  await using upstream = await startModuleUpstream(root, { misbehave: () => ({ kind: 'silence', afterBytes: 10 }) })
  await using zips = new ZipHandler({ environment: {} })
  const asked = zips.fetch(`${upstream.url}/shop.zip`, join(root, 'cut'), away)
  await until(() => Promise.resolve(upstream.requests.length > 0), 'it was asked for')
  process.kill(zips.pid ?? 0, 'SIGKILL')
  await expect(asked).rejects.toMatchObject({ code: 'MODULE_UNAVAILABLE', message: expect.stringContaining('SIGKILL') })
  expect((await zips.read(zip, module)).bytes).toBe(content.length)
})

test('a fetch brings the whole file or leaves none: cut, stopped, or not there', async () => {
  let how: 'whole' | 'cut' | 'silence' = 'whole'
  await using upstream = await startModuleUpstream(root, {
    misbehave: () => (how === 'whole' ? undefined : { kind: how, afterBytes: 10 }),
  })
  await using zips = new ZipHandler({ environment: {} })
  const target = join(root, 'fetched')
  expect(await zips.fetch(`${upstream.url}/shop.zip`, target, away)).toBe(content.length)
  expect(await zips.fetch(`${upstream.url}/none.zip`, target, away)).toBeUndefined()
  how = 'cut'
  expect(await zips.fetch(`${upstream.url}/shop.zip`, target, away)).toBeUndefined()
  await expect(stat(target)).rejects.toMatchObject({ code: 'ENOENT' })
  how = 'silence'
  const stop = new AbortController()
  const stopped = zips.fetch(`${upstream.url}/shop.zip`, target, { ...away, signal: stop.signal })
  await until(() => Promise.resolve(upstream.requests.length === 4), 'it was asked for')
  stop.abort()
  expect(await stopped).toBeUndefined()
  await expect(stat(target)).rejects.toMatchObject({ code: 'ENOENT' })
})
