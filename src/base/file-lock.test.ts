import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { withFileLock } from './file-lock.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairway-lock-'))
})
afterAll(() => rm(folder, { recursive: true }))

test('of two that want the same lock one waits for the other, and says so', async () => {
  const path = join(folder, 'one')
  const order: string[] = []
  const first = Promise.withResolvers<void>()
  const inside = Promise.withResolvers<void>()
  const holding = withFileLock(path, async () => {
    inside.resolve()
    await first.promise
    order.push('first')
  })
  await inside.promise
  const waiting = Promise.withResolvers<void>()
  const second = withFileLock(path, async () => void order.push('second'), { onWait: () => waiting.resolve() })
  await waiting.promise
  first.resolve()
  await Promise.all([holding, second])
  expect(order).toEqual(['first', 'second'])
})

test('who waits can give up', async () => {
  const path = join(folder, 'two')
  const abort = new AbortController()
  await withFileLock(path, async () => {
    const waiting = withFileLock(path, () => Promise.resolve(1), {
      signal: abort.signal,
      onWait: () => abort.abort(new Error('enough')),
    })
    await expect(waiting).rejects.toThrow('enough')
  })
})

test('a holder that is killed holds nothing', async () => {
  const path = join(folder, 'three')
  const program = `const { withFileLock } = await import(${JSON.stringify(join(import.meta.dirname, 'file-lock.ts'))})
    await withFileLock(${JSON.stringify(path)}, async () => { console.log('held'); await new Promise((done) => setTimeout(done, 60_000)) })`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  const waited = Promise.withResolvers<void>()
  const taken = withFileLock(path, () => Promise.resolve('mine'), { onWait: () => waited.resolve() })
  await waited.promise
  child.kill('SIGKILL')
  await expect(taken).resolves.toBe('mine')
})
