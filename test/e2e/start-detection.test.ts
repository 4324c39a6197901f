import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'vitest'
import type { FairwayEventBody } from '../../src/base/event.ts'
import { type CommandEnd, TestFairway } from '../harness/fairway.ts'
import { copyPodinfo, setPodinfoVersion } from '../harness/podinfo.ts'
import { askRaw, startLoad } from '../load/raw-client.ts'

const starts = join(import.meta.dirname, '../fixtures/starts')

/** A program of test/fixtures/starts as a project of its own, without a fairway.yaml. */
async function project(fairway: TestFairway, name: string): Promise<string> {
  const folder = join(fairway.root, name)
  await cp(join(starts, name), folder, { recursive: true })
  await writeFile(join(folder, 'go.mod'), `module example.com/${name}\n\ngo 1.24\n`)
  return folder
}

function trialOf({ events }: CommandEnd): Extract<FairwayEventBody, { kind: 'trial-done' }> | undefined {
  return (events as FairwayEventBody[]).find((event) => event.kind === 'trial-done')
}

async function get(fairway: TestFairway, host: string, path: string): Promise<string> {
  const outcome = await askRaw(await fairway.gateway(), { path, host })
  return outcome.kind === 'answer' ? `${outcome.status} ${outcome.body}` : outcome.kind
}

test.concurrent('podinfo goes up without a fairway.yaml, two instances, replaced under load without a loss', async ({
  expect,
}) => {
  await using fairway = await TestFairway.create()
  const cwd = join(fairway.root, 'podinfo')
  await copyPodinfo(cwd, fairway.env)
  const first = await fairway.ok(['up'], { cwd })
  expect(trialOf(first)).toMatchObject({ found: 'listens where --port says, health at /healthz', tries: 3 })
  await fairway.ok(['scale', '2'], { cwd })
  const again = await fairway.ok(['up'], { cwd })
  expect(again.result.outcome).toBe('unchanged')
  expect(trialOf(again)).toBeUndefined()

  const host = 'podinfo.localhost'
  const load = startLoad({
    address: await fairway.gateway(),
    connections: 'keep-alive',
    perSecond: 50,
    request: { path: '/version', host },
  })
  await setPodinfoVersion(cwd, '7.1.0')
  const second = await fairway.ok(['up'], { cwd })
  expect(second.result.services).toMatchObject([{ outcome: 'done', release: 2 }])
  expect(trialOf(second)?.tries).toBe(1) // it listens as the one before
  const { failures, sent, answered } = await load.stop()
  expect({ failures, lost: sent - answered }).toEqual({ failures: [], lost: 0 })
  expect(await get(fairway, host, '/version')).toContain('7.1.0')
})

test.concurrent('what is missing is named by the first up, and with the lines it proposes it serves', async ({
  expect,
}) => {
  await using fairway = await TestFairway.create()
  const cwd = await project(fairway, 'missing-values')
  const refused = await fairway.run(['up'], { cwd })
  expect(refused.result).toMatchObject({ outcome: 'refused', error: { code: 'START_UNKNOWN' } })
  const { details = [], hint = '' } = refused.result.error ?? {}
  expect(details.map((line) => /needs (\w+)/.exec(line)?.[1])).toEqual([
    'SHOP_SESSION_SECRET',
    'SHOP_API_TOKEN',
    'SHOP_BASE_URL',
  ])
  await writeFile(join(cwd, 'fairway.yaml'), hint.slice(hint.indexOf('services:') - 4).replaceAll(/^ {4}/gm, ''))
  expect((await fairway.run(['up'], { cwd })).result.error?.code).toBe('VALUES_INVALID')
  for (const key of ['SHOP_SESSION_SECRET', 'SHOP_API_TOKEN'])
    await fairway.ok(['secret', 'set', key], { cwd, stdin: 'a value\n' })
  await writeFile(join(cwd, '.env.dev'), 'SHOP_BASE_URL=http://shop.example.com\n')
  const explained = await fairway.ok(['build', '--explain'], { cwd })
  expect(explained.result.data).toMatchObject({ services: [{ start: { missing: [] } }] })
  expect((await fairway.ok(['up'], { cwd })).result.outcome).toBe('done')
  expect(await get(fairway, 'missing-values.localhost', '/healthz')).toBe('200 ok\n')
})

test.concurrent('files it reads go into the artifact, a command and its port are found, data is kept', async ({
  expect,
}) => {
  await using fairway = await TestFairway.create()
  for (const [name, path, body] of [
    ['templates', '/static/shop.txt', '200 a shop\n'],
    ['named-file', '/', '200 hello\n'],
    ['config-file', '/ready', '200 ok\n'],
    ['subcommand', '/ping', '200 pong\n'],
    ['writes', '/healthz', '200 ok\n'],
    ['writes-elsewhere', '/healthz', '200 hello\n'],
    ['writes-where-told', '/healthz', '200 ok\n'],
  ] as const) {
    const cwd = await project(fairway, name)
    expect((await fairway.ok(['up'], { cwd })).result.outcome).toBe('done')
    expect(await get(fairway, `${name}.localhost`, path)).toBe(body)
  }
})

test.concurrent('what was found is written down by init --detect, and comes to the same release', async ({
  expect,
}) => {
  await using fairway = await TestFairway.create()
  const cwd = await project(fairway, 'writes-elsewhere')
  await fairway.ok(['up'], { cwd })
  await fairway.ok(['init', '--detect'], { cwd })
  expect(await readFile(join(cwd, 'fairway.yaml'), 'utf8')).toBe(
    [
      'services:',
      '  writes-elsewhere:',
      '    build: .',
      '    listen: { env: PORT }',
      '    args: [ "--storage-root={{data}}" ]',
      '    data: true',
      '    files: [ greeting.txt ]',
      '    probe: { http: /healthz }',
      '',
    ].join('\n'),
  )
  expect((await fairway.ok(['up'], { cwd })).result.outcome).toBe('unchanged')
})

test.concurrent('a place it may not write to, and nothing that names another: it is said, and nothing released', async ({
  expect,
}) => {
  await using fairway = await TestFairway.create()
  const { result } = await fairway.run(['up'], { cwd: await project(fairway, 'writes-nowhere') })
  expect(result.error).toMatchObject({
    code: 'START_UNKNOWN',
    message: expect.stringContaining('may not write to /fairway-shop'),
  })
})

test.concurrent.for([
  ['leaves', 'leaves was tried out, and exited with status 0 at once: 3 orders sent', '  3 orders sent'],
  ['panics', 'in main.main (main.go:6)', '  panic: assignment to entry in nil map'],
] as const)(
  '%s: one that ends by itself is stopped before a release, with its last lines',
  async (each, { expect }) => {
    const [name, message, line] = each
    await using fairway = await TestFairway.create()
    const cwd = await project(fairway, name)
    const { result } = await fairway.run(['up'], { cwd })
    expect(result).toMatchObject({
      outcome: 'refused',
      error: {
        code: 'START_UNKNOWN',
        message: expect.stringContaining(message),
        details: expect.arrayContaining([line]),
        hint: expect.stringContaining('listen: { env: PORT }'),
      },
    })
    expect(await fairway.status(cwd)).toEqual([])
  },
)

test.concurrent('gRPC goes up, healthy by its own word', async ({ expect }) => {
  await using fairway = await TestFairway.create()
  const cwd = await project(fairway, 'grpc')
  const { result } = await fairway.ok(['build', '--explain'], { cwd })
  expect(result.data).toMatchObject({ services: [{ probe: { kind: 'grpc' }, start: { missing: [] } }] })
  expect((await fairway.ok(['up'], { cwd })).result.outcome).toBe('done')
})

test.concurrent('a database that is not there is for the real start to say', async ({ expect }) => {
  await using fairway = await TestFairway.create()
  const cwd = await project(fairway, 'wants-database')
  const end = await fairway.run(['up'], { cwd })
  expect(end.events).toContainEqual(
    expect.objectContaining({ kind: 'warning', message: expect.stringContaining('wants postgres at 127.0.0.1:5432') }),
  )
  expect(end.result.outcome).toBe('reverted')
})

test.concurrent('without a sandbox it is said, and the defaults stand', async ({ expect }) => {
  await using fairway = await TestFairway.create()
  const cwd = await project(fairway, 'obeys-port')
  const path = join(fairway.root, 'bin')
  await cp(join(starts, '../refusing-unshare'), path, { recursive: true })
  const end = await fairway.ok(['up'], { cwd, env: { PATH: `${path}:${fairway.env['PATH'] ?? ''}` } })
  expect(end.events).toContainEqual(
    expect.objectContaining({ kind: 'warning', message: expect.stringContaining('no sandbox can be had here') }),
  )
  expect(end.result.outcome).toBe('done')
})
