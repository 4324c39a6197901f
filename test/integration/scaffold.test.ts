import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { exec, execOk } from '../../src/base/exec.ts'
import { prepareScaffold, writeScaffold } from '../../src/scaffold/index.ts'

const { PATH = '', HOME = '' } = process.env
const env = { PATH, HOME, GOFLAGS: '-mod=mod', GOTOOLCHAIN: 'local', CGO_ENABLED: '0' }
const go = (folder: string, ...words: string[]) => execOk(['go', ...words], { cwd: folder, env, deadlineMs: 300_000 })

async function scaffold(...services: Parameters<typeof prepareScaffold>[1]['services']) {
  const folder = await mkdtemp(join(tmpdir(), 'fairway-scaffold-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const order = { project: 'shop', module: 'github.com/acme/shop', services }
  await writeScaffold(folder, await prepareScaffold(folder, order))
  return { folder, order }
}

test('a scaffolded project is formatted, vetted, built and tested, whatever its services are called', async () => {
  const { folder } = await scaffold(
    { name: 'web', kind: 'web' },
    { name: 'order-api', kind: 'web' },
    { name: 'log', kind: 'web' },
    { name: 'zulu', kind: 'worker' },
    { name: 'type', kind: 'worker' },
    { name: 'worker', kind: 'worker' },
  )
  const { stdout } = await exec(['gofmt', '-l', '.'], { cwd: folder, env, deadlineMs: 60_000 })
  expect(stdout).toBe('')
  await go(folder, 'vet', './...')
  await go(folder, 'test', './...')
  // Its go.mod and go.sum are as `go mod tidy` would write them.
  await go(folder, 'mod', 'tidy', '-diff')
})

test('a service of either kind is added to what was scaffolded, and a file that is there is left alone', async () => {
  const { folder, order } = await scaffold({ name: 'web', kind: 'web' })
  const more = {
    ...order,
    services: [
      { name: 'admin', kind: 'web' as const },
      { name: 'mailer', kind: 'worker' as const },
    ],
  }
  await writeScaffold(folder, await prepareScaffold(folder, more))
  await go(folder, 'test', './...')
  await expect(prepareScaffold(folder, { ...more, services: [{ name: 'web', kind: 'web' }] })).rejects.toMatchObject({
    code: 'USAGE',
  })
})

test('a project of workers alone needs no module but its own', async () => {
  const { folder } = await scaffold({ name: 'mailer', kind: 'worker' })
  await go(folder, 'test', './...')
  await go(folder, 'mod', 'tidy', '-diff')
})
