import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, chmod, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Artifact, ArtifactStore, digestOf, makeArtifact, type Recipe } from '../../src/artifact/index.ts'
import { exec } from '../../src/base/exec.ts'

const recipe: Recipe = {
  goVersion: 'go1.26.8',
  goos: 'linux',
  goarch: 'amd64',
  mainPackage: 'example.com/shop',
  module: 'example.com/shop',
  modules: [],
  flags: ['-trimpath'],
  cgo: false,
  builtAt: 0,
}
const hour = 3_600_000

/** An artifact of these files; `web` is its binary. */
function makeContents(files: Readonly<Record<string, string>>) {
  const contents = { web: '#!/bin/sh\n', ...files }
  const artifact = makeArtifact({
    files: Object.entries(contents).map(([path, content]) => ({
      path,
      digest: digestOf(content),
      size: Buffer.byteLength(content),
      executable: path === 'web',
    })),
    binary: 'web',
  })
  return { artifact, contents: new Map(Object.entries(contents)) }
}

async function put(store: ArtifactStore, { artifact, contents }: ReturnType<typeof makeContents>) {
  for (const file of artifact.files) {
    if (!(await store.has(file))) await store.putBlob(file, bytes(contents.get(file.path) ?? ''))
  }
  await store.assemble(artifact, recipe)
}

async function* bytes(text: string) {
  for (let offset = 0; offset < text.length; offset += 1000) yield Buffer.from(text.slice(offset, offset + 1000))
}

async function openStore() {
  const folder = await mkdtemp(join(tmpdir(), 'fairway-artifact-'))
  const root = join(folder, 'artifacts')
  return {
    folder,
    root,
    store: await ArtifactStore.open(root, { now: Date.now() }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

test('an artifact is laid out read-only, for every user to read, and is what its digest says', async () => {
  await using home = await openStore()
  const made = makeContents({ 'templates/a/index.html': '<h1>', 'also-empty': '', empty: '' })
  const umask = process.umask(0o077)
  try {
    await put(home.store, made)
  } finally {
    process.umask(umask)
  }
  const { digest } = made.artifact
  const mode = async (path: string) => ((await stat(join(home.store.folder(digest), path))).mode & 0o777).toString(8)
  expect(await Promise.all(['', 'web', 'templates', 'templates/a', 'templates/a/index.html'].map(mode))).toEqual([
    '755',
    '555',
    '755',
    '755',
    '444',
  ])
  expect(await readFile(join(home.store.folder(digest), 'templates/a/index.html'), 'utf8')).toBe('<h1>')
  expect(await home.store.list()).toEqual([digest])
  expect(await home.store.verify(digest)).toEqual({ artifact: made.artifact, recipe })
})

test('content that is not what its digest says is refused and leaves nothing', async () => {
  await using home = await openStore()
  const blob = { digest: digestOf('good'), size: 4, executable: false }
  for (const content of ['evil', 'good and more', 'go']) {
    await expect(home.store.putBlob(blob, bytes(content))).rejects.toMatchObject({ code: 'ARTIFACT_CORRUPT' })
  }
  expect(await home.store.has(blob)).toBe(false)
  expect(await readdir(join(home.root, 'incoming'))).toEqual([])
  expect(await readdir(join(home.root, 'blobs'))).toEqual([])
})

test('a manifest with a blob that was not sent, or another digest, is refused', async () => {
  await using home = await openStore()
  const { artifact } = makeContents({})
  await expect(home.store.assemble(artifact, recipe)).rejects.toThrow('web: its content')
  await expect(home.store.assemble({ ...artifact, digest: digestOf('') }, recipe)).rejects.toMatchObject({
    code: 'ARTIFACT_CORRUPT',
  })
  expect(await home.store.list()).toEqual([])
})

test('twenty puts of one artifact at once end in one', async () => {
  await using home = await openStore()
  const made = makeContents({ a: 'a'.repeat(100_000), b: 'b' })
  await Promise.all(Array.from({ length: 20 }, () => put(home.store, made)))
  await home.store.verify(made.artifact.digest)
  expect(await readdir(join(home.root, 'incoming'))).toEqual([])
})

test('a byte changed on disk is found, and the file is named', async () => {
  await using home = await openStore()
  const made = makeContents({ a: 'a', b: 'b' })
  await put(home.store, made)
  const path = join(home.store.folder(made.artifact.digest), 'b')
  await chmod(path, 0o644)
  await appendFile(path, '!')
  await expect(home.store.verify(made.artifact.digest)).rejects.toMatchObject({
    code: 'ARTIFACT_CORRUPT',
    message: expect.stringContaining('changed or gone: b'),
  })
})

test('removing an artifact frees what no other holds, but not what was just sent', async () => {
  await using home = await openStore()
  const [old, fresh] = [makeContents({ shared: 's', old: 'old' }), makeContents({ shared: 's', fresh: 'fresh' })]
  await put(home.store, old)
  await put(home.store, fresh)
  const [blob] = makeContents({ coming: 'coming' }).artifact.files.filter(({ path }) => path === 'coming')
  if (blob === undefined) throw new Error('no blob')
  const later = Date.now() + 2 * hour
  await home.store.remove(old.artifact.digest, { now: later })
  await home.store.remove(old.artifact.digest, { now: later })
  expect(await home.store.list()).toEqual([fresh.artifact.digest])
  await home.store.verify(fresh.artifact.digest)
  expect(await readdir(join(home.root, 'blobs'))).toHaveLength(3)
  await home.store.putBlob(blob, bytes('coming'))
  await home.store.remove(fresh.artifact.digest, { now: Date.now() })
  expect(await home.store.has(blob)).toBe(true)
})

test('what a kill left half-way is seen by nobody and swept after an hour', async () => {
  await using home = await openStore()
  const left = join(home.root, 'incoming', 'half')
  await writeFile(left, 'half')
  await ArtifactStore.open(home.root, { now: Date.now() })
  expect(await readdir(join(home.root, 'incoming'))).toEqual(['half'])
  const before = new Date(Date.now() - 2 * hour)
  await utimes(left, before, before)
  await ArtifactStore.open(home.root, { now: Date.now() })
  expect(await readdir(join(home.root, 'incoming'))).toEqual([])
})

/** Puts artifacts until it is killed: a program of its own, since only a process can be. */
const writer = `
import { ArtifactStore, digestOf, makeArtifact } from ${JSON.stringify(new URL('../../src/artifact/index.ts', import.meta.url).href)}
const [root, recipe, first, length] = JSON.parse(process.argv[1])
const store = await ArtifactStore.open(root, { now: Date.now() })
async function* bytes(text) { for (let at = 0; at < text.length; at += 4096) yield Buffer.from(text.slice(at, at + 4096)) }
for (let round = first; ; round += 1) {
  const contents = Object.fromEntries(Array.from({ length: 12 }, (_, index) => ['f' + index + '/x', 'round ' + round + ' ' + index + ' '.repeat(length)]))
  const files = Object.entries(contents).map(([path, text], index) => ({ path, digest: digestOf(text), size: text.length, executable: index === 0 }))
  const artifact = makeArtifact({ files, binary: 'f0/x' })
  try {
    for (const file of files) await store.putBlob(file, bytes(contents[file.path]))
    await store.assemble(artifact, recipe)
    process.stdout.write('whole\\n')
  } catch (error) {
    const whole = await store.list()
    for (const digest of whole) await store.verify(digest)
    process.stdout.write(JSON.stringify({ code: error.code, hint: error.hint, whole: whole.length }) + '\\n')
    process.exit(3)
  }
}
`
const write = (root: string, first: number, length: number) => [
  process.execPath,
  '--input-type=module',
  '-e',
  writer,
  JSON.stringify([root, recipe, first, length]),
]

test('killed at any moment, what can be seen is whole', async () => {
  await using home = await openStore()
  let seen: Artifact['digest'][] = []
  for (let round = 0; round < 8; round += 1) {
    const [program = '', ...args] = write(home.root, round * 1000, 20_000)
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout, 'data') // one is whole, the next is under way
    await new Promise((resolve) => setTimeout(resolve, 3 + round * 7))
    child.kill('SIGKILL')
    await once(child, 'exit')
    const store = await ArtifactStore.open(home.root, { now: Date.now() })
    seen = await store.list()
    for (const digest of seen) await store.verify(digest)
  }
  expect(seen.length).toBeGreaterThanOrEqual(8)
})

test('a full disk is said so, and leaves what was there whole', async () => {
  await using home = await openStore()
  const disk = join(home.folder, 'disk')
  // A file system of one MiB in a mount namespace of its own: gone with the process.
  const script = `mkdir "$1" && mount -t tmpfs -o size=1m none "$1" && shift && exec "$@"`
  const result = await exec(
    [
      'unshare',
      '--user',
      '--map-root-user',
      '--mount',
      'sh',
      '-c',
      script,
      'sh',
      disk,
      ...write(join(disk, 'artifacts'), 0, 10_000),
    ],
    {
      env: { PATH: process.env['PATH'] ?? '' },
      deadlineMs: 60_000,
    },
  )
  expect(JSON.parse(result.stdout.trim().split('\n').at(-1) ?? '')).toEqual({
    code: 'DISK_FULL',
    whole: expect.toSatisfy((count: number) => count > 0),
    hint: expect.stringContaining('nothing was half written'),
  })
})
