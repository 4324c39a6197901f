import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cp, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { execOk } from '../../src/base/exec.ts'
import { pullAll, registryLogin, startDockerRegistry } from '../harness/docker-registry.ts'
import { TestFairway, until } from '../harness/fairway.ts'
import { HostileRegistry } from '../harness/hostile-registry.ts'

let fairway: TestFairway
let cwd: string
beforeAll(async () => {
  fairway = await TestFairway.create()
  cwd = await fairway.project(new URL('../../examples/hello', import.meta.url).pathname)
})
afterAll(() => fairway[Symbol.asyncDispose]())

interface ImageData {
  readonly images: readonly {
    readonly service: string
    readonly digest: string
    readonly references: readonly string[]
    readonly file?: string
    readonly platforms: readonly {
      readonly platform: string
      readonly digest: string
      readonly layers: readonly { readonly holds: string; readonly digest: string }[]
    }[]
    readonly pushed?: {
      readonly isChanged: boolean
      readonly sentBytes: number
      readonly plan?: readonly { readonly missingBytes: number; readonly heldBytes: number }[]
    }
  }[]
}

async function image(
  words: readonly string[],
  options: { cwd?: string; env?: Record<string, string>; by?: TestFairway } = {},
) {
  const { by = fairway, ...rest } = options
  const { result } = await by.ok(['image', ...words], { cwd, ...rest })
  const [first, ...more] = (result.data as ImageData).images
  if (first === undefined) throw new Error('no image')
  return { ...first, more, outcome: result.outcome }
}

describe('a file', () => {
  test('holds an OCI layout and Docker’s manifest; every blob is what its name says', async () => {
    const { file = '', digest, platforms, references } = await image([])
    expect(file).toBe(join(cwd, 'hello.tar'))
    expect(references).toEqual(['hello/hello:latest'])
    expect(platforms[0]?.layers.map(({ holds }) => holds)).toEqual(['base', 'binary'])
    const list = execFileSync('tar', ['-tf', file], { encoding: 'utf8' }).trim().split('\n')
    expect(list.slice(0, 5)).toEqual(['oci-layout', 'index.json', 'manifest.json', 'blobs/', 'blobs/sha256/'])
    for (const path of list.slice(5)) {
      const bytes = execFileSync('tar', ['-xOf', file, path], { maxBuffer: 1e9 })
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(path.split('/').at(-1))
    }
    const manifest = execFileSync('tar', ['-xOf', file, `blobs/${digest.replace(':', '/')}`], { encoding: 'utf8' })
    const { config } = JSON.parse(manifest) as { config: { digest: string } }
    const text = execFileSync('tar', ['-xOf', file, `blobs/${config.digest.replace(':', '/')}`], { encoding: 'utf8' })
    expect(JSON.parse(text)).toMatchObject({
      config: {
        User: '65532:65532',
        Entrypoint: ['/app/hello'],
        WorkingDir: '/app',
        Env: expect.arrayContaining(['PORT=8080', 'ZONEINFO=/usr/share/zoneinfo.zip']),
      },
    })
  })

  test('has the same bytes in another folder and home, with other time zone, language and umask', async () => {
    const here = await image(['--output', 'here.tar'])
    await using other = await TestFairway.create({ TZ: 'Asia/Tokyo', LC_ALL: 'tr_TR.UTF-8', LANG: 'tr_TR.UTF-8' })
    const folder = join(other.root, 'elsewhere/and deeper')
    await mkdir(folder, { recursive: true })
    for (const name of ['main.go', 'go.mod', 'fairway.yaml']) await cp(join(cwd, name), join(folder, name))
    const before = process.umask(0o077)
    try {
      const there = await image(['--output', 'there.tar'], { by: other, cwd: folder })
      expect(there.digest).toBe(here.digest)
      expect(Buffer.compare(await readFile(join(cwd, 'here.tar')), await readFile(join(folder, 'there.tar')))).toBe(0)
    } finally {
      process.umask(before)
    }
  })

  test('goes to the standard output, alone', async () => {
    const { file = '' } = await image([])
    const piped = join(fairway.root, 'piped.tar')
    const launcher = new URL('../../fairway', import.meta.url).pathname
    execFileSync('sh', ['-c', '"$0" image --output - >"$1"', launcher, piped], {
      cwd,
      env: fairway.env,
      stdio: 'ignore',
    })
    expect(Buffer.compare(await readFile(piped), await readFile(file))).toBe(0)
  })

  test('of several platforms is one index over them', async () => {
    const { platforms, digest } = await image([
      '--target',
      'linux/arm64,linux/amd64,linux/arm/v7',
      '--output',
      'many.tar',
    ])
    expect(platforms.map(({ platform }) => platform)).toEqual(['linux/amd64', 'linux/arm/v7', 'linux/arm64/v8'])
    expect(new Set(platforms.map(({ layers }) => layers[0]?.digest)).size).toBe(1) // the base is the same for all
    const index = JSON.parse(
      execFileSync('tar', ['-xOf', join(cwd, 'many.tar'), `blobs/${digest.replace(':', '/')}`], { encoding: 'utf8' }),
    ) as { manifests: object[] }
    expect(index.manifests).toHaveLength(3)
  })

  test('says the commit, and its time, where nothing differs from it; SOURCE_DATE_EPOCH wins', async () => {
    const repository = await fairway.project(cwd, 'repository')
    for (const name of await readdir(repository))
      if (name.endsWith('.tar')) await rename(join(repository, name), join(fairway.root, name))
    const git = (...words: string[]) =>
      execFileSync('git', ['-c', 'user.name=ada', '-c', 'user.email=a@example.com', ...words], {
        cwd: repository,
        encoding: 'utf8',
        env: { ...process.env, GIT_COMMITTER_DATE: '1700000000 +0000' },
      }).trim()
    git('init', '-q')
    git('add', '.')
    git('commit', '-qm', 'one')
    const labels = async (env: Record<string, string> = {}) => {
      const { file = '', digest } = await image(['--output', '../labelled.tar'], { cwd: repository, env })
      const { annotations } = JSON.parse(
        execFileSync('tar', ['-xOf', file, `blobs/${digest.replace(':', '/')}`], { encoding: 'utf8' }),
      ) as { annotations: Record<string, string> }
      return annotations
    }
    const commit = git('rev-parse', 'HEAD')
    // What it wrote itself the last time is no difference.
    const inside = async () => (await image(['--output', 'inside.tar'], { cwd: repository })).digest
    expect(await inside()).toBe(await inside())
    await rm(join(repository, 'inside.tar'))
    expect(await labels()).toMatchObject({
      'org.opencontainers.image.revision': commit,
      'org.opencontainers.image.created': '2023-11-14T22:13:20Z',
    })
    expect(await labels({ SOURCE_DATE_EPOCH: '1' })).toMatchObject({
      'org.opencontainers.image.created': '1970-01-01T00:00:01Z',
    })
    await writeFile(join(repository, 'note'), 'untracked')
    expect(await labels()).not.toHaveProperty('org.opencontainers.image.revision')
  })

  test('that cannot be is refused before anything is built', async () => {
    const refused = async (...words: string[]) => {
      const { result, events } = await fairway.run(['image', ...words], { cwd })
      expect(events).toEqual([])
      return result.error?.message
    }
    expect(await refused('--output', '-')).toContain('--json')
    expect(await refused('--tag', 'Not/Good')).toContain('is no image’s name')
    expect(await refused('--push')).toContain('to where')
    expect(await refused('--push', '--tag', 'web:v1')).toContain('names no registry')
    expect(await refused('--port', '0')).toContain('--port')
    expect(await refused('--plan')).toContain('--push')
    expect(await refused('--target', 'linux')).toContain('is no target')
    expect(await refused('nobody')).toContain('has no service')
    const folder = await fairway.run(['image', '--output', '..'], { cwd })
    expect(folder.result.error).toMatchObject({ code: 'USAGE', message: expect.stringContaining('is a folder') })
    const nowhere = await fairway.run(['image', '--output', 'no/such/x.tar'], { cwd })
    expect(nowhere.result.error).toMatchObject({ code: 'USAGE', message: expect.stringContaining('ENOENT') })
  })

  test('is made of a binary that is built already too, with no Go at hand', async () => {
    const binary = join(fairway.root, 'built elsewhere')
    const env = { ...fairway.env, CGO_ENABLED: '0', GOFLAGS: '' }
    await execOk(['go', 'build', '-trimpath', '-ldflags=-w', '-buildvcs=false', '-o', binary, '.'], {
      cwd,
      env,
      deadlineMs: 120_000,
    })
    const made = await image([])
    const same = await image(['--binary', binary, '--output', 'same.tar'])
    expect(same.digest).toBe(made.digest)
    const bare = await fairway.ok(['image', '--binary', binary, '--output', 'bare.tar'], {
      cwd,
      env: { PATH: '/usr/bin:/bin', GOROOT: '' },
    })
    expect(bare.events).toContainEqual(
      expect.objectContaining({ kind: 'warning', message: expect.stringContaining('no time zones') }),
    )
    const script = await fairway.run(['image', '--binary', join(cwd, 'main.go')], { cwd })
    expect(script.result.error).toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('no Linux executable'),
    })
    const nothing = await fairway.run(['image', '--binary', 'no-such'], { cwd })
    expect(nothing.result.error).toMatchObject({ code: 'USAGE', message: expect.stringContaining('ENOENT') })
  })

  test('of a system that has no such images is refused', async () => {
    const { result } = await fairway.run(['image', '--target', 'windows/amd64'], { cwd })
    expect(result.error?.code).toBe('IMAGE_IMPOSSIBLE')
  })
})

describe('a push', () => {
  test('brings image and bill of materials, and says where it stands; again it changes nothing', async () => {
    await using registry = await startDockerRegistry()
    const tag = `${registry.address}/shop/{{service}}:v1`
    const plan = await image(['--push', '--plan', '--tag', tag])
    expect(plan.pushed?.plan?.[0]).toMatchObject({ heldBytes: 0 })
    const first = await image(['--push', '--tag', tag, '--target', 'linux/amd64,linux/arm64'])
    expect(first).toMatchObject({ outcome: 'done', references: [`${registry.address}/shop/hello:v1`] })
    const pulled = await pullAll(registry.address, 'shop/hello', 'v1')
    expect(pulled.digest).toBe(first.digest)
    for (const { digest } of pulled.manifests) {
      const said = await pullAll(registry.address, 'shop/hello', digest.replace(':', '-'))
      expect(said.manifests.map(({ manifest }) => manifest.artifactType)).toEqual([
        'application/vnd.cyclonedx+json',
        'application/spdx+json',
      ])
      const [, content = Buffer.alloc(0)] = said.manifests[0]?.blobs ?? []
      expect(JSON.parse(content.toString('utf8'))).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.6' })
    }
    const second = await image(['--push', '--tag', tag, '--target', 'linux/amd64,linux/arm64'])
    expect(second).toMatchObject({ outcome: 'unchanged', digest: first.digest, pushed: { sentBytes: 0 } })
  })

  test('logs in as Docker’s config.json says, by its own entry or by a helper; the password shows nowhere', async () => {
    await using registry = await startDockerRegistry({ hasLogin: true })
    const docker = join(fairway.root, 'docker')
    await mkdir(docker, { recursive: true })
    const config = join(docker, 'config.json')
    const tag = ['--push', '--tag', `${registry.address}/shop/hello:v1`]
    const { user, password } = registryLogin
    await writeFile(
      config,
      JSON.stringify({
        auths: { [registry.address]: { auth: Buffer.from(`${user}:${password}`).toString('base64') } },
      }),
    )
    await image(tag, { env: { DOCKER_CONFIG: docker } })
    const bin = join(fairway.root, 'bin')
    await mkdir(bin, { recursive: true })
    const answer = JSON.stringify({ ServerURL: registry.address, Username: user, Secret: password })
    const helper = `#!/bin/sh\n[ "$1" = get ] && [ "$(cat)" = '${registry.address}' ] && echo '${answer}'\n`
    await writeFile(join(bin, 'docker-credential-test'), helper, { mode: 0o755 })
    await writeFile(config, JSON.stringify({ credHelpers: { [registry.address]: 'test' } }))
    await image([...tag, '--no-sbom'], { env: { DOCKER_CONFIG: docker, PATH: `${bin}:${fairway.env['PATH'] ?? ''}` } })
    await writeFile(
      config,
      JSON.stringify({ auths: { [registry.address]: { username: user, password: 'not the w0rd' } } }),
    )
    const wrong = await fairway.run(['image', ...tag], { cwd, env: { DOCKER_CONFIG: docker } })
    expect(wrong.result.error?.code).toBe('REGISTRY_DENIED')
    expect(wrong.stdout + wrong.stderr).not.toContain('not the w0rd')
    await writeFile(config, '{ "auths": secret!')
    const broken = await fairway.run(['image', ...tag], { cwd, env: { DOCKER_CONFIG: docker } })
    expect(broken.result.error?.message).toContain('it is not JSON')
    expect(broken.stdout).not.toContain('secret!')
    await writeFile(config, JSON.stringify({ credsStore: '../../bin/sh' }))
    const evil = await fairway.run(['image', ...tag], { cwd, env: { DOCKER_CONFIG: docker } })
    expect(evil.result.error?.message).toContain('its name is no word')
  })

  test('Ctrl-C leaves nothing: no tag there, no half file here', async () => {
    await using registry = await HostileRegistry.start()
    registry.mishap = ({ method }) =>
      method === 'POST' ? { kind: 'answer', status: 503, headers: { 'retry-after': '60' } } : undefined
    const push = fairway.start(
      ['image', '--push', '--output', 'kept.tar', '--tag', `${registry.address}/shop/hello:v1`],
      { cwd },
    )
    await until(async () => push.printed().includes('again in 60 s'), 'it waits')
    push.signal('SIGINT')
    expect((await push.ended).exit).toBe(3)
    expect(registry.manifests.size).toBe(0)
    expect((await readdir(cwd)).filter((name) => name.includes('.new'))).toEqual([])
    expect((await stat(join(cwd, 'kept.tar'))).size).toBeGreaterThan(1_000_000) // written whole before
  })
})

test('the bill of materials of a service, in either format', async () => {
  const cyclonedx = fairway.start(['sbom'], { cwd })
  expect(JSON.parse((await cyclonedx.ended).stdout)).toMatchObject({ bomFormat: 'CycloneDX' })
  await fairway.ok(['sbom', 'hello', '--format', 'spdx', '--output', 'hello.spdx.json'], { cwd })
  expect(JSON.parse(await readFile(join(cwd, 'hello.spdx.json'), 'utf8'))).toMatchObject({ spdxVersion: 'SPDX-2.3' })
  const unknown = await fairway.run(['sbom', '--format', 'xml'], { cwd })
  expect(unknown.result.error?.message).toContain('cyclonedx or spdx')
})
