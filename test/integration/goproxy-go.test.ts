import { execFile, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { verifyStore } from '../../src/goproxy/verify.ts'
import { fillModuleGraph } from '../harness/module-graph.ts'
import { startTestProxy, type TestProxy } from '../harness/module-proxy.ts'
import { podinfo, startModuleUpstream } from '../harness/module-upstream.ts'

const run = promisify(execFile)
const { PATH = '' } = process.env

async function scratch(): Promise<{ folder: string } & AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), 'fairway-goproxy-'))
  return {
    folder,
    [Symbol.asyncDispose]: async () => {
      await run('chmod', ['-R', 'u+w', folder])
      await rm(folder, { recursive: true })
    },
  }
}

async function findings({ proxy }: TestProxy) {
  const recorded = (module: { path: string; version: string }) => proxy.checks.expected(module).catch(() => undefined)
  return (await verifyStore(proxy.store, { recorded, repair: false, now: Date.now() + 7_200_000 })).findings
}

test(
  'the go command downloads podinfo and all it needs; then again without any upstream, and straight from the folder',
  { timeout: 300_000 },
  async () => {
    const graph = await fillModuleGraph(podinfo)
    await using work = await scratch()
    const download = async (GOPROXY: string, name: string) => {
      const path = await graph.freshPath()
      const env = {
        PATH,
        HOME: work.folder,
        GOENV: 'off',
        GOFLAGS: '-modcacherw',
        GOTOOLCHAIN: 'local',
        GOPATH: path,
        GOPROXY,
      }
      try {
        await run('go', ['mod', 'download'], { cwd: graph.source, env, maxBuffer: 1 << 26 })
        // With nothing known of it before: its go.mod, its zip and the database's answers all come through the proxy.
        if (name !== 'file') await run('go', ['mod', 'download', podinfo], { cwd: '/', env })
      } finally {
        await rm(path, { recursive: true })
      }
    }
    let home: TestProxy
    {
      await using upstream = await startModuleUpstream(graph.upstream)
      home = await startTestProxy({ upstream: upstream.url })
      await download(home.url, 'podinfo')
      expect(
        upstream.requests.filter((path, index) => upstream.requests.indexOf(path) !== index && path.endsWith('.zip')),
      ).toEqual([])
    }
    await using proxy = home
    const { misses } = proxy.proxy.counters
    await download(proxy.url, 'podinfo')
    expect(proxy.proxy.counters.misses).toBe(misses)
    expect(await findings(proxy)).toEqual([])
    await download(`file://${proxy.proxy.store.download},off`, 'file')
  },
)

/** A repository with all that makes module zips differ. */
async function makeRepository(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  const git = (...words: string[]) =>
    run('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.com', '-c', 'init.defaultBranch=main', ...words], {
      cwd: folder,
      env: { PATH, HOME: folder, GIT_AUTHOR_DATE: '2024-03-01T10:00:00Z', GIT_COMMITTER_DATE: '2024-03-01T10:00:00Z' },
    })
  const write = async (files: Record<string, string>) => {
    for (const [name, content] of Object.entries(files)) {
      await mkdir(join(folder, name, '..'), { recursive: true })
      await writeFile(join(folder, name), content)
    }
    await git('add', '-A', '-f')
    await git('commit', '-qm', 'change')
  }
  const root = 'git.example.com/team/lib.git'
  await git('init', '-q')
  await write({ 'old.go': 'package lib\n', LICENSE: 'old words\n' })
  await git('tag', 'v0.1.0')
  await git('tag', 'v3.0.0') // without a go.mod: +incompatible
  await write({
    'go.mod': `module ${root}\n\ngo 1.20\n`,
    'lib.go': 'package lib\n',
    '.gitattributes': 'secret.txt export-ignore\nstamp.txt export-subst\n*.crlf text eol=crlf\n',
    'secret.txt': 'kept\n',
    'stamp.txt': '$Format:%H$\n',
    'a.crlf': 'one\ntwo\n',
    'vendor/example.com/x/x.go': 'package x\n',
    'vendor/modules.txt': '# x\n',
    'pkg/vendor/v.go': 'package vendor\n',
    'pkg/vendor/y/y.go': 'package y\n',
    'sub/go.mod': `module ${root}/sub\n\ngo 1.25\n`,
    'sub/sub.go': 'package sub\n',
    'sub/vendor/modules.txt': '# y\n',
    'sub/p/vendor/v.go': 'package vendor\n',
    'v2/go.mod': `module ${root}/v2\n\ngo 1.25\n`,
    'v2/two.go': 'package lib\n',
  })
  await run('ln', ['-s', 'lib.go', 'link.go'], { cwd: folder })
  await git('add', '-A')
  await git('commit', '-qm', 'link')
  for (const tag of ['v1.0.0', 'sub/v0.2.0', 'v2.0.0']) await git('tag', tag)
  await git('tag', '-a', '-m', 'annotated', 'v1.1.0-rc.1')
  await write({ 'lib.go': 'package lib // newer\n', 'sub/sub.go': 'package sub // newer\n' })
}

test(
  'modules of a private repository are, file by file, what the go command makes of it',
  { timeout: 300_000 },
  async () => {
    await using work = await scratch()
    const root = 'git.example.com/team/lib.git'
    const repository = join(work.folder, 'repos/team/lib.git')
    await makeRepository(repository)
    const config = join(work.folder, 'gitconfig')
    await writeFile(
      config,
      `[url "file://${work.folder}/repos/"]\n\tinsteadOf = https://git.example.com/\n[safe]\n\tdirectory = *\n`,
    )
    await using proxy = await startTestProxy({
      settings: { private: [{ match: 'git.example.com/team/*', repository: 'https://{root}' }] },
      environment: { GIT_CONFIG_GLOBAL: config },
    })
    const download = async (GOPROXY: string, query: string) => {
      const path = await mkdtemp(join(work.folder, 'gopath-'))
      const env = {
        PATH,
        HOME: work.folder,
        GOENV: 'off',
        GOFLAGS: '-modcacherw',
        GOTOOLCHAIN: 'local',
        GOPATH: path,
        GOPROXY,
        GONOSUMDB: 'git.example.com',
        GIT_CONFIG_GLOBAL: config,
        GIT_ALLOW_PROTOCOL: 'file:https',
      }
      const { stdout } = await run('go', ['mod', 'download', '-json', query], { cwd: '/', env }).catch(
        (error: { stdout: string }) => error,
      )
      const { Version, Sum, GoModSum, Error } = JSON.parse(stdout) as Record<string, string>
      return { Version, Sum, GoModSum, failed: Error !== undefined }
    }
    const head = (await run('git', ['rev-parse', 'HEAD'], { cwd: repository })).stdout.trim()
    for (const query of [
      `${root}@v1.0.0`,
      `${root}@v1.1.0-rc.1`,
      `${root}@latest`,
      `${root}@main`,
      `${root}@${head.slice(0, 12)}`,
      `${root}@v0.1.0`,
      `${root}@v3.0.0+incompatible`,
      `${root}/sub@v0.2.0`,
      `${root}/sub@main`,
      `${root}/v2@v2.0.0`,
      `${root}/v2@main`,
      `${root}/v5@v5.0.0`,
      `${root}@v1.9.9`,
      `${root}/none@main`,
    ]) {
      const straight = await download('direct', query)
      expect(straight.failed).toBe(/none|v5|v1\.9\.9/.test(query))
      expect({ query, ...(await download(proxy.url, query)) }).toEqual({ query, ...straight })
    }
    expect((await proxy.get(`/${root}/@v/list`)).text.split('\n').filter(Boolean)).toEqual([
      'v0.1.0',
      'v1.0.0',
      'v1.1.0-rc.1',
    ])
    expect(await findings(proxy)).toEqual([])
  },
)

test('a private repository that cannot be reached is said so without its credentials', async () => {
  await using work = await scratch()
  const token = join(work.folder, 'token')
  await writeFile(token, 'very-secret')
  await using proxy = await startTestProxy({
    settings: {
      private: [{ match: 'git.example.com/*', repository: 'http://bob@127.0.0.1:9/{path}.git', tokenFile: token }],
    },
  })
  const answer = await proxy.get('/git.example.com/lib/@v/list')
  expect(answer.status).toBe(502)
  expect(answer.text).toContain('The repository of git.example.com/lib cannot be fetched')
  expect(answer.text).not.toMatch(/very-secret|dmVyeS1z|bob/)
})

test('killed at any moment while it stores, the store is whole', { timeout: 300_000 }, async () => {
  const graph = await fillModuleGraph(podinfo)
  await using upstream = await startModuleUpstream(graph.upstream)
  await using work = await scratch()
  const script = join(import.meta.dirname, '../fixtures/store-modules.ts')
  for (const afterMs of [60, 150, 250, 400, 700, 1200]) {
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', script, work.folder, upstream.url, graph.source],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    await new Promise((resolve) => child.stdout.once('data', resolve)) // it begins
    await delay(afterMs)
    const ended = new Promise((resolve) => child.once('close', resolve))
    child.kill('SIGKILL')
    await ended
    await using proxy = await startTestProxy({ home: work.folder, upstream: 'off' })
    // What is under way is nobody's; what may be half is what nobody takes for whole.
    const bad = (await findings(proxy)).filter(({ kind }) => kind !== 'orphan')
    expect(bad.filter(({ kind, file }) => kind !== 'half' || !/\.zip(?:hash)?$/.test(file))).toEqual([])
  }
  await using proxy = await startTestProxy({ home: work.folder, upstream: upstream.url })
  const recorded = (module: { path: string; version: string }) =>
    proxy.proxy.checks.expected(module).catch(() => undefined)
  await verifyStore(proxy.proxy.store, { recorded, repair: true, now: Date.now() + 7_200_000 })
  expect(await findings(proxy)).toEqual([])
})

test(
  'on a disk that is full nothing is stored by half, and once there is room all is well',
  { timeout: 120_000 },
  async () => {
    const graph = await fillModuleGraph(podinfo)
    await using upstream = await startModuleUpstream(graph.upstream)
    const folder = await mkdtemp(join(tmpdir(), 'fairway-small-disk-'))
    await run('mount', ['-t', 'tmpfs', '-o', 'size=300k', 'fairway-test', folder])
    try {
      const large = '/github.com/prometheus/client_golang/@v'
      const name = (await readdir(join(graph.upstream, large))).find((each) => each.endsWith('.zip')) ?? ''
      {
        await using proxy = await startTestProxy({ home: folder, upstream: upstream.url })
        const answer = await proxy.get(`${large}/${name}`)
        expect([answer.status, answer.text]).toEqual([507, expect.stringContaining('No space left')])
        expect((await findings(proxy)).filter(({ kind }) => kind !== 'orphan')).toEqual([])
        await run('mount', ['-o', 'remount,size=100m', folder])
        expect((await proxy.get(`${large}/${name}`)).status).toBe(200)
        expect(await findings(proxy)).toEqual([])
      }
    } finally {
      await run('umount', [folder])
      await rm(folder, { recursive: true })
    }
  },
)
