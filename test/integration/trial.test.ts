import { once } from 'node:events'
import { existsSync, watch } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { execOk } from '../../src/base/exec.ts'
import { Secret } from '../../src/base/secret.ts'
import type { Findings } from '../../src/trial/index.ts'
import { readSourceClues, readTree } from '../../src/trial/sources.ts'
import { sweepTrialFolders } from '../../src/trial/trial-folder.ts'
import { tryOut } from '../../src/trial/try-out.ts'

const starts = join(import.meta.dirname, '../fixtures/starts')
let root = ''

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'fw-trial-'))
  await chmod(root, 0o755) // else the trial's folders would lie among everybody's
  const env = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? root, GOFLAGS: '-mod=mod' }
  await execOk(['go', 'build', '-o', `${root}/`, './...'], { cwd: starts, env, deadlineMs: 300_000 })
})

afterAll(() => rm(root, { recursive: true, force: true }))

/** The findings of one program of test/fixtures/starts. */
async function tryFixture(
  name: string,
  values: Readonly<Record<string, string>> = {},
  secrets: readonly string[] = [],
  { isRoot = process.getuid?.() === 0, cacheFolder = join(root, 'cache') } = {},
): Promise<Findings> {
  const project = join(starts, name)
  const tree = await readTree(project)
  const source = await readSourceClues(project, '', tree, [{ folder: '', path: `example.com/starts/${name}` }])
  const findings = await tryOut(
    {
      known: {
        service: name,
        said: {},
        keys: Object.keys(values),
        hidden: [],
        folders: ['.'],
        files: tree.files,
        source,
      },
      binary: join(root, name),
      project,
      values: Object.fromEntries(Object.entries(values).map(([key, value]) => [key, { value, asFile: false }])),
      secrets: secrets.map((each) => new Secret(each)),
    },
    {
      user: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, isRoot },
      cacheFolder,
      path: process.env['PATH'] ?? '',
      withinMs: 4_000,
    },
  )
  if ('refused' in findings) throw new Error(`no sandbox: ${findings.refused}`)
  return findings
}

const serving = { verdict: 'serves', ports: [], args: [], data: false, files: [], protocol: 'http', missing: [] }

test.for<[string, Partial<Findings>]>([
  ['obeys-port', { listen: { kind: 'env', name: 'PORT' }, probe: { kind: 'http', path: '/healthz' }, tries: 1 }],
  ['fixed', { listen: { kind: 'port', port: 8080 }, probe: { kind: 'http', path: '/health' } }],
  ['loopback', { listen: { kind: 'port', port: 5000 }, probe: { kind: 'http', path: '/' }, loopbackOnly: true }],
  [
    'subcommand',
    { args: ['serve'], listen: { kind: 'arg', template: '-port={{port}}' }, probe: { kind: 'http', path: '/ping' } },
  ],
  ['own-variable', { listen: { kind: 'env', name: 'SHOP_HTTP_PORT' }, probe: { kind: 'http', path: '/livez' } }],
  [
    'address-variable',
    {
      listen: { kind: 'env', name: 'SHOP_LISTEN', template: '{{host}}:{{port}}' },
      probe: { kind: 'http', path: '/up' },
    },
  ],
  [
    'address-flag',
    {
      listen: { kind: 'arg', template: '-web.listen-address={{host}}:{{port}}' },
      probe: { kind: 'http', path: '/-/healthy' },
    },
  ],
  [
    'config-file',
    {
      args: ['-config=config/shop.yaml'],
      files: ['config/shop.yaml'],
      listen: { kind: 'port', port: 8086 },
      probe: { kind: 'http', path: '/ready' },
    },
  ],
  ['templates', { listen: { kind: 'env', name: 'PORT' }, files: ['static', 'templates/*.html'] }],
  ['named-file', { listen: { kind: 'env', name: 'PORT' }, files: ['data/greeting.txt'] }],
  ['two-ports', { listen: { kind: 'port', port: 8081 }, ports: [2112], probe: { kind: 'http', path: '/healthz' } }],
  ['any-path', { listen: { kind: 'env', name: 'PORT' }, probe: { kind: 'tcp' } }],
  [
    'grpc',
    {
      listen: { kind: 'arg', template: '-grpc-addr={{host}}:{{port}}' },
      protocol: 'grpc',
      probe: { kind: 'grpc' },
    },
  ],
  ['raw-tcp', { listen: { kind: 'arg', template: '-port={{port}}' }, protocol: 'tcp', probe: { kind: 'tcp' } }],
  ['writes', { listen: { kind: 'env', name: 'PORT' }, data: true, probe: { kind: 'http', path: '/healthz' } }],
  [
    'writes-elsewhere',
    { args: ['--storage-root={{data}}'], listen: { kind: 'env', name: 'PORT' }, data: true, files: ['greeting.txt'] },
  ],
  [
    'writes-where-told',
    { values: { SHOP_DATA: '.' }, workdir: '{{data}}', listen: { kind: 'env', name: 'PORT' }, data: true },
  ],
  [
    'wants-tls',
    {
      args: ['-tls=false'],
      listen: { kind: 'port', port: 14_000 },
      probe: { kind: 'http', path: '/healthz' },
      tls: false,
    },
  ],
  [
    'positional-config',
    { args: ['serve', 'config-dev.yml'], files: ['config-dev.yml'], listen: { kind: 'port', port: 8087 } },
  ],
  [
    'required-flags',
    {
      args: ['-data-dir={{data}}'],
      data: true,
      listen: { kind: 'arg', template: '-bind={{host}}:{{port}}' },
      words: 'error: -bind and -data-dir are required',
    },
  ],
  ['forks', { listen: { kind: 'env', name: 'PORT' }, probe: { kind: 'http', path: '/healthz' } }],
  ['floods', { listen: { kind: 'env', name: 'PORT' }, probe: { kind: 'http', path: '/healthz' } }],
])('%s is found out', async ([name, expected]) => {
  expect(await tryFixture(name)).toMatchObject({ ...serving, ...expected })
})

test('several values that are missing are named all at once, and with them it serves', async () => {
  const found = await tryFixture('missing-values')
  expect(found).toMatchObject({
    verdict: 'needs',
    missing: [
      { kind: 'value', name: 'SHOP_SESSION_SECRET', secret: true },
      { kind: 'value', name: 'SHOP_API_TOKEN', secret: true },
      { kind: 'value', name: 'SHOP_BASE_URL', secret: false },
    ],
    listen: { kind: 'env', name: 'PORT' },
    probe: { kind: 'http', path: '/healthz' },
  })
  const values = { SHOP_SESSION_SECRET: 'a', SHOP_API_TOKEN: 'b', SHOP_BASE_URL: 'c' }
  expect(await tryFixture('missing-values', values)).toMatchObject({ verdict: 'serves', tries: 1 })
})

test('what one sentence names is given at once; a flag that a variable tells too is asked for by that', async () => {
  expect(await tryFixture('named-together')).toMatchObject({
    verdict: 'needs',
    args: [],
    missing: [
      { kind: 'value', name: 'STRIPE_API_KEY', secret: true },
      { kind: 'value', name: 'REGION', secret: false },
      { kind: 'value', name: 'SHOP_TOKEN', secret: true },
    ],
    listen: { kind: 'arg', template: '-p {{port}}' },
  })
})

test('a required flag is named, and what else was found out with a placeholder for it', async () => {
  expect(await tryFixture('required-flag')).toMatchObject({
    verdict: 'needs',
    missing: [{ kind: 'flag', flag: '-shop-name' }],
    listen: { kind: 'arg', template: '-addr={{host}}:{{port}}' },
    probe: { kind: 'http', path: '/status' },
  })
})

test('a usage text that names no way to serve is "needs arguments", whatever its status', async () => {
  const { verdict, missing } = await tryFixture('usage')
  expect({ verdict, missing }).toEqual({
    verdict: 'needs',
    missing: [{ kind: 'arguments', usage: 'usage: usage KEY VALUE...' }],
  })
})

test('a port that wants TLS is said to; of two the one that is found is no further one', async () => {
  expect(await tryFixture('wants-tls', { SHOP_SEALED: '1' })).toMatchObject({
    verdict: 'serves',
    listen: { kind: 'port', port: 14_000 },
    ports: [15_000],
    protocol: 'tcp',
    tls: true,
    evidence: expect.arrayContaining([expect.stringContaining('15000 wants TLS')]),
  })
})

test('several modes are named', async () => {
  const { missing } = await tryFixture('modes')
  expect(missing).toEqual([{ kind: 'arguments', usage: 'USAGE modes <mode> [flags]', commands: ['forward', 'ingest'] }])
})

test('where it may not write is named', async () => {
  const { verdict, missing } = await tryFixture('writes-nowhere')
  expect({ verdict, missing }).toEqual({ verdict: 'needs', missing: [{ kind: 'write', path: '/fairway-shop' }] })
})

test('a database that is not there leaves the matter to the real start, with what the source says', async () => {
  expect(await tryFixture('wants-database')).toMatchObject({
    verdict: 'unsure',
    wants: ['postgres at 127.0.0.1:5432'],
    listen: { kind: 'env', name: 'SHOP_PORT' },
    missing: [],
  })
})

test('one that listens on nothing is said to be a worker; one that dies is for the real start, with its last words', async () => {
  expect(await tryFixture('worker')).toMatchObject({ verdict: 'needs', missing: [{ kind: 'listener' }] })
  expect(await tryFixture('dies')).toMatchObject({
    verdict: 'unsure',
    missing: [],
    doubt: expect.stringContaining('the ledger: it is sealed'),
  })
})

test('what it writes to the system’s temporary folder is in no other try’s way, nor in the real start’s', async () => {
  expect(await tryFixture('leaves-behind')).toMatchObject({ ...serving, probe: { kind: 'http', path: '/healthz' } })
  expect(await readdir('/tmp')).not.toContain('fairway-left-behind.log')
})

test('one that does its work and leaves, and one that panics, end everywhere', async () => {
  expect(await tryFixture('leaves')).toMatchObject({ verdict: 'ends', end: { exit: { kind: 'exit', code: 0 } } })
  expect(await tryFixture('panics')).toMatchObject({ verdict: 'ends', end: { exit: { kind: 'exit', code: 2 } } })
})

test('what it prints of its secrets is masked in all that is told of it', async () => {
  const { end } = await tryFixture('leaves', {}, ['orders sent'])
  expect(end?.lines).toEqual(['3 [secret]', ''])
})

test('nothing it started is left, and none of its folders', async () => {
  await Promise.all(['forks', 'floods'].map((name) => tryFixture(name)))
  const left = await Promise.all(
    (await readdir('/proc')).map(
      async (pid) => (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')[0] ?? '',
    ),
  )
  expect(
    left.filter((program) => /fairway-trial-[\w-]+\/bin\/(?:forks|floods)|^\.\/(?:forks|floods)$/.test(program)),
  ).toEqual([])
  const folders = await readdir(join(root, 'cache/trials'))
  expect(folders.filter((name) => name.startsWith('fairway-trial-'))).toEqual([])
})

test.for([true, false])('it has temporary folders of its own, empty at each start (as root: %s)', async (isRoot) => {
  const neighbour = join(root, `neighbour-${isRoot}.sock`)
  await using server = createServer().listen(neighbour)
  await once(server, 'listening')
  await chmod(neighbour, 0o777)
  const values = { NEIGHBOUR: neighbour }
  expect(await tryFixture('shares', values, [], { isRoot: isRoot && process.getuid?.() === 0 })).toMatchObject({
    ...serving,
    listen: { kind: 'env', name: 'SHOP_PORT' },
  })
  for (const folder of ['/tmp', '/var/tmp', '/dev/shm']) {
    expect(existsSync(join(folder, 'fairway-shares.lock'))).toBe(false)
  }
})

test('a home that nobody else may enter needs no folder among everybody’s', async () => {
  const closed = await mkdtemp(join(root, 'closed-'))
  const before = await trialFolders(tmpdir())
  const seen = new Set<string>()
  const watcher = watch(tmpdir(), (_, name) => seen.add(String(name)))
  expect(await tryFixture('templates', {}, [], { cacheFolder: join(closed, 'cache') })).toMatchObject({
    verdict: 'serves',
    files: ['static', 'templates/*.html'],
  })
  watcher.close()
  expect(
    [...seen].filter((name) => name.startsWith(`fairway-trial-${process.pid}-`) && !before.includes(name)),
  ).toEqual([])
  expect(await trialFolders(join(closed, 'cache/trials'))).toEqual([])
})

test('what a killed trial left is swept: after minutes where its process is gone, after a day in any case', async () => {
  const base = await mkdtemp(join(root, 'left-'))
  const [gone, ours, other] = ['fairway-trial-4194305-abcdef', `fairway-trial-${process.pid}-abcdef`, 'fairway-trials']
  for (const name of [gone, ours, other]) {
    await mkdir(join(base, name, 'files/templates'), { recursive: true })
    await chmod(join(base, name, 'files'), 0o555)
  }
  const uid = process.getuid?.() ?? 0
  const minuteMs = 60_000
  const sweep = (ageMs: number, who = uid) => sweepTrialFolders(base, { now: Date.now() + ageMs, uid: who })
  await sweep(minuteMs)
  await sweep(20 * minuteMs, uid + 1)
  expect(await readdir(base)).toEqual([gone, ours, other].toSorted())
  await sweep(20 * minuteMs)
  expect(await readdir(base)).toEqual([ours, other].toSorted())
  await sweep(25 * 60 * minuteMs)
  expect(await readdir(base)).toEqual([other])
})

async function trialFolders(base: string): Promise<string[]> {
  return (await readdir(base)).filter((name) => name.startsWith('fairway-trial-'))
}
