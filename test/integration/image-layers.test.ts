import { execFileSync } from 'node:child_process'
import {
  appendFile,
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { getCACertificates } from 'node:tls'
import { deflateRawSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Artifact, type Digest, digestOf, hashFile, makeArtifact } from '../../src/artifact/index.ts'
import { execOk } from '../../src/base/exec.ts'
import { baseEntries } from '../../src/image/base.ts'
import { findLibraries } from '../../src/image/libraries.ts'
import { LayerCache, makeImage, type MadeImage } from '../../src/image/index.ts'

let folder: string
let cache: LayerCache

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairway-image-'))
  cache = await LayerCache.open(join(folder, 'cache'), { now: Date.now() })
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** An artifact of files: a binary is executable. */
async function artifactOf(
  files: Readonly<Record<string, string>>,
): Promise<{ artifact: Artifact; sources: Map<string, string> }> {
  const described = await Promise.all(
    Object.entries(files).map(async ([path, source]) => {
      return { path, digest: await digestOfFile(source), size: (await stat(source)).size, executable: path === 'web' }
    }),
  )
  return { artifact: makeArtifact({ files: described, binary: 'web' }), sources: new Map(Object.entries(files)) }
}

async function digestOfFile(path: string): Promise<Digest> {
  const digest = await hashFile(path)
  if (digest === undefined) throw new Error(`no ${path}`)
  return digest
}

async function make(files: Readonly<Record<string, string>>, architecture: string, into = cache): Promise<MadeImage> {
  return makeImage(
    {
      ...(await artifactOf(files)),
      platform: { os: 'linux', architecture },
      args: [], workingFolder: '/app', environment: {}, ports: [], volumes: [], labels: {}, createdAt: 0,
    },
    into,
  ) // prettier-ignore
}

/** A program that asks the C library who it is: with cgo, so it is not static. */
async function buildCgo(name: string, env: Readonly<Record<string, string>>): Promise<string> {
  const source = join(folder, name)
  await mkdir(source)
  const program =
    'package main\n\n// #include <stdlib.h>\nimport "C"\n\nfunc main() { println("six times seven:", C.abs(-42)) }\n'
  await writeFile(join(source, 'main.go'), program)
  await writeFile(join(source, 'go.mod'), 'module example.com/cgo\n\ngo 1.21\n')
  await buildGo(source, { CGO_ENABLED: '1', ...env })
  return join(source, 'web')
}

async function buildGo(cwd: string, settings: Readonly<Record<string, string>>): Promise<void> {
  const { PATH = '', HOME = '' } = process.env
  const env = { PATH, HOME, GOFLAGS: '', GOTOOLCHAIN: 'local', ...settings }
  await execOk(['go', 'build', '-trimpath', '-ldflags=-w', '-o', 'web', '.'], { cwd, env, deadlineMs: 120_000 })
}

/** What a container would see as its root. */
async function unpack({ image }: MadeImage, name: string): Promise<string> {
  const root = join(folder, name)
  await mkdir(root)
  for (const { path } of image.layers) execFileSync('tar', ['-xzf', path, '-C', root, '--no-same-owner'])
  return root
}

test('a cgo binary of this machine runs with nothing but what lies in its image', async () => {
  const made = await make({ web: await buildCgo('host', {}) }, 'amd64')
  expect(made.libraries.map(({ name }) => name)).toContain('libc.so.6')
  expect(made.image.layers.map(({ holds }) => holds)).toEqual(['base', 'libraries', 'binary'])
  const root = await unpack(made, 'host-root')
  const linker = made.libraries.find(({ name }) => name.startsWith('ld-linux'))
  const libc = made.libraries.find(({ name }) => name === 'libc.so.6')
  const words = ['--inhibit-cache', '--library-path', join(root, dirname(libc?.path ?? '')), join(root, 'app/web')]
  expect(run(join(root, linker?.path ?? ''), words)).toBe('six times seven: 42\n')
})

test('one of another architecture gets the libraries its cross compiler brought', async () => {
  const env = { GOARCH: 'arm64', CC: 'aarch64-linux-gnu-gcc' }
  const made = await make({ web: await buildCgo('arm64', env) }, 'arm64')
  expect(made.libraries.map(({ path }) => path)).toContain('lib/aarch64-linux-gnu/libc.so.6')
  const root = await unpack(made, 'arm64-root')
  expect(run('qemu-aarch64', ['-L', root, join(root, 'app/web')])).toBe('six times seven: 42\n')
})

/** Its standard error, where Go's println writes to. */
function run(program: string, args: readonly string[]): string {
  return execFileSync('sh', ['-c', '"$0" "$@" 2>&1', program, ...args], {
    env: { PATH: process.env['PATH'] },
    encoding: 'utf8',
  })
}

test('a library that is not here is named, and what to do', async () => {
  const elf = {
    arch: 'amd64',
    interpreter: '/lib64/ld-linux-x86-64.so.2',
    libraries: ['libnothere.so.7'],
    sections: [],
  }
  await expect(findLibraries(elf)).rejects.toMatchObject({
    code: 'IMAGE_IMPOSSIBLE',
    message: expect.stringContaining('libnothere.so.7'),
    hint: expect.stringContaining('cgo: static'),
  })
  await expect(findLibraries({ ...elf, arch: 's390x', interpreter: '/lib/ld64.so.1' })).rejects.toMatchObject({ message: expect.stringContaining('/lib/ld64.so.1') }) // prettier-ignore
})

test('the same content is the same layer, whatever the files’ times, modes and places and our umask', async () => {
  const digests = []
  for (const [name, mode, umask] of [
    ['one', 0o600, 0o077],
    ['two', 0o777, 0o000],
  ] as const) {
    const place = join(folder, name)
    const before = process.umask(umask)
    try {
      await mkdir(join(place, 'static'), { recursive: true })
      await writeFile(join(place, 'web'), await programBytes())
      await writeFile(join(place, 'static/page'), 'hello')
      await chmod(join(place, 'static/page'), mode)
      await utimes(join(place, 'static/page'), 1, mode)
      const own = await LayerCache.open(join(place, 'cache'), { now: 0 })
      const { image } = await make({ web: join(place, 'web'), 'static/page': join(place, 'static/page') }, 'amd64', own)
      digests.push(image.manifest.descriptor.digest)
    } finally {
      process.umask(before)
    }
  }
  expect(digests[0]).toBe(digests[1])
})

let program: Buffer | undefined
async function programBytes(): Promise<Buffer> {
  if (program === undefined) {
    const source = join(folder, 'static-program')
    await mkdir(source)
    await writeFile(join(source, 'main.go'), 'package main\n\nfunc main() {}\n')
    await writeFile(join(source, 'go.mod'), 'module example.com/static\n\ngo 1.21\n')
    await buildGo(source, { CGO_ENABLED: '0' })
    program = await readFile(join(source, 'web'))
  }
  return program
}

test('an unchanged layer is not made again; one that was damaged is', async () => {
  const place = join(folder, 'again')
  const own = await LayerCache.open(place, { now: Date.now() })
  const entries = baseEntries({ rootCertificates: getCACertificates('bundled') })
  const first = await own.layer('base', entries)
  const { ino } = await stat(first.path)
  expect(await own.layer('base', entries)).toEqual(first)
  expect((await stat(first.path)).ino).toBe(ino)
  await truncate(first.path, 100)
  await appendFile(first.path, Buffer.alloc(first.size - 100))
  expect(await own.layer('base', entries)).toEqual(first)
  expect(await hashFile(first.path)).toBe(first.digest)
  expect((await readdir(join(place, 'image'))).length).toBe(2) // the layer and its note: nothing half-made
})

test('a file that changes while it is read makes no layer', async () => {
  const source = join(folder, 'moving')
  await writeFile(source, 'one')
  const entry = { path: 'app/web', kind: 'file', mode: 0o555, size: 3, source, digest: digestOf('two') } as const
  await expect(cache.layer('binary', [entry])).rejects.toMatchObject({ code: 'ARTIFACT_CORRUPT' })
})

// It changes with the certificates of the locked Node, and with nothing else.
test('the base has one digest, here and everywhere', async () => {
  const base = await cache.layer('base', baseEntries({ rootCertificates: getCACertificates('bundled') }))
  expect(base.digest).toBe('2e58a80ee9120c7370ce8e83209178549e19273a023c4eaa310041b77c2764d9')
})

test('a processor without any of the instructions that compression uses here writes the same bytes', async () => {
  const bytes = (await programBytes()).subarray(0, 300_000)
  await writeFile(join(folder, 'sample'), bytes)
  const script =
    'process.stdout.write(require("node:zlib").deflateRawSync(require("node:fs").readFileSync(process.argv[1]), { level: 5 }))'
  const [emulator, cpu] = process.arch === 'x64' ? ['qemu-x86_64', 'qemu64'] : ['qemu-aarch64', 'cortex-a53']
  const words = ['-cpu', cpu, process.execPath, '--jitless', '-e', script, join(folder, 'sample')]
  const plain = execFileSync(emulator, words, { maxBuffer: 1e8, stdio: ['ignore', 'pipe', 'ignore'] })
  expect(digestOf(plain)).toBe(digestOf(deflateRawSync(bytes, { level: 5 })))
})
