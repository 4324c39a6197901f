import { chmod, copyFile, cp, mkdir, mkdtemp, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { exec, type ExecResult } from '../../src/base/exec.ts'
import { version } from '../../src/server/api.ts'

/**
 * The launcher and the set-up, in a checkout whose npm and Node are a few lines of shell: what they are told, and how
 * often, is what matters here. The real ones are what every other test runs on.
 */
const checkout = new URL('../..', import.meta.url).pathname
const path = '/usr/bin:/bin'
let root: string
let copy: string

const node = '#!/bin/sh\necho "cache=$NODE_COMPILE_CACHE"\nfor word in "$@"; do echo "$word"; done\n'
const npm = `#!/bin/sh
echo "npm $*" >>"$ROOT/npm.log"
sleep 0.4
for arch in x64 arm64; do
  mkdir -p "node_modules/node-linux-$arch/bin"
  cp "$ROOT/node" "node_modules/node-linux-$arch/bin/node"
done
`

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'fw-launcher-'))
  await chmod(root, 0o755)
  copy = join(root, 'checkout')
  await mkdir(join(root, 'bin'))
  for (const [name, text] of [
    ['node', node],
    ['bin/npm', npm],
  ] as const) {
    await writeFile(join(root, name), text)
    await chmod(join(root, name), 0o755)
  }
  await cp(join(checkout, 'scripts'), join(copy, 'scripts'), { recursive: true })
  for (const name of ['fairway', 'package-lock.json']) await copyFile(join(checkout, name), join(copy, name))
})
afterEach(async () => {
  await rm(root, { recursive: true })
})

function launch(
  program: string,
  words: readonly string[],
  options: { cwd?: string; path?: string; user?: { uid: number; gid: number } } = {},
): Promise<ExecResult> {
  return exec([program, ...words], {
    cwd: options.cwd ?? root,
    env: { PATH: options.path ?? `${join(root, 'bin')}:${path}`, HOME: join(root, 'user'), ROOT: root },
    deadlineMs: 30_000,
    user: options.user,
  })
}

const npmCalls = async () => (await readFile(join(root, 'npm.log'), 'utf8')).trimEnd().split('\n')

test('the first start sets up, the next ones do not; words arrive as they were written', async () => {
  const words = ['up', 'a b', '$(id)', '', '*', '--only=x']
  const first = await launch(join(copy, 'fairway'), words)
  expect(first.stderr).toMatch(/setting up Node 24[\s\S]*ready/)
  const second = await launch(join(copy, 'fairway'), words)
  expect(second.stderr).toBe('')
  expect(second.stdout.split('\n').slice(0, -1)).toEqual([
    `cache=${copy}/node_modules/.cache/fairway`,
    '--max-semi-space-size=1',
    '--disable-warning=ExperimentalWarning',
    `${copy}/src/cli/main.ts`,
    ...words,
  ])
  expect(await npmCalls()).toHaveLength(1)
})

test('it works through symbolic links, relative ones too, from any folder', async () => {
  await mkdir(join(root, 'links/deep'), { recursive: true })
  await symlink('../../checkout/fairway', join(root, 'links/deep/one'))
  await symlink('deep/one', join(root, 'links/two'))
  await symlink(join(root, 'links/two'), join(root, 'bin/fairway'))
  const { stdout, exitCode } = await launch('fairway', ['status'], { cwd: '/' })
  expect(exitCode).toBe(0)
  expect(stdout).toContain(`${copy}/src/cli/main.ts\nstatus\n`)
})

test('two first starts at once set up once', async () => {
  const both = await Promise.all([launch(join(copy, 'fairway'), ['a']), launch(join(copy, 'fairway'), ['b'])])
  expect(both.map(({ exitCode }) => exitCode)).toEqual([0, 0])
  expect(await npmCalls()).toHaveLength(1)
})

test('a set-up that was killed is no lock for ever', async () => {
  await mkdir(join(copy, '.set-up.lock'))
  await writeFile(join(copy, '.set-up.lock/pid'), '4194304\n') // no process has it: the kernel's highest is one less
  const { exitCode } = await launch(join(copy, 'fairway'), [])
  expect(exitCode).toBe(0)
})

test('newer locked packages are set up again', async () => {
  await launch(join(copy, 'fairway'), [])
  const later = new Date(Date.now() + 5000)
  await utimes(join(copy, 'package-lock.json'), later, later)
  await launch(join(copy, 'fairway'), [])
  expect(await npmCalls()).toHaveLength(2)
})

test('without npm it says what is missing and how to get it', async () => {
  const tools = join(root, 'tools')
  await mkdir(tools)
  for (const name of ['sh', 'uname', 'dirname', 'readlink', 'id']) await symlink(`/usr/bin/${name}`, join(tools, name))
  const { exitCode, stderr } = await launch(join(copy, 'fairway'), ['up'], { path: tools })
  expect(exitCode).toBe(69)
  expect(stderr).toMatch(
    /npm is missing\. Fairway needs any Node >= 18 with npm once[\s\S]*apt-get install -y nodejs npm/,
  )
})

test('a checkout that this user cannot write is used all the same, with a cache of the user’s own', async () => {
  await launch(join(copy, 'fairway'), [])
  const isRoot = process.getuid?.() === 0
  if (!isRoot) await chmod(join(copy, 'node_modules'), 0o555)
  const user = isRoot ? { uid: 65_534, gid: 65_534 } : undefined
  const { stdout, stderr, exitCode } = await launch(join(copy, 'fairway'), [], user === undefined ? {} : { user })
  await chmod(join(copy, 'node_modules'), 0o755)
  expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 })
  expect(stdout).toContain(`cache=${root}/user/.cache/fairway/compile\n`)
})

test('such a checkout that nobody set up yet says who can', async () => {
  const isRoot = process.getuid?.() === 0
  if (!isRoot) await chmod(copy, 0o555)
  const user = isRoot ? { uid: 65_534, gid: 65_534 } : undefined
  const { stderr, exitCode } = await launch(join(copy, 'fairway'), [], user === undefined ? {} : { user })
  await chmod(copy, 0o755)
  expect(exitCode).toBe(73)
  expect(stderr).toContain(`${copy} cannot be written`)
})

test('the real one answers, and leaves no trace in an empty home', async () => {
  const env = { PATH: process.env['PATH'] ?? '', HOME: join(root, 'user'), FAIRWAY_HOME: join(root, 'home') }
  const run = (words: readonly string[]) => exec([join(checkout, 'fairway'), ...words], { cwd: root, env })
  expect(await run(['--version'])).toMatchObject({ exitCode: 0, stdout: `${version}\n`, stderr: '' })
  expect(await run(['status'])).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('fairway up') as string })
  await expect(readFile(join(root, 'home'))).rejects.toMatchObject({ code: 'ENOENT' })
})

test('doctor says what it found as a table, as data, and by its exit status', async () => {
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: process.env['HOME'] ?? '',
    FAIRWAY_HOME: join(root, 'home'),
    FAIRWAY_API: '127.0.0.1:0',
    FAIRWAY_GATEWAY: '127.0.0.1:0',
  }
  const doctor = (more: Readonly<Record<string, string>>, ...words: string[]) =>
    exec([join(checkout, 'fairway'), 'doctor', ...words], { cwd: root, env: { ...env, ...more }, deadlineMs: 30_000 })
  const good = await doctor({})
  expect(good).toMatchObject({ exitCode: 0, stderr: '' })
  expect(good.stdout).toMatch(/^machine\tgood\tlinux/)
  const bad = await doctor({ FAIRWAY_HAPROXY: '/nonexistent', FAIRWAY_HOME: '/proc/nowhere' }, '--json')
  expect(bad.exitCode).toBe(69)
  const result = JSON.parse(bad.stdout) as { error: { code: string; details: string[] } }
  expect(result).toMatchObject({ kind: 'result', outcome: 'refused', error: { code: 'MACHINE_UNFIT' } })
  expect(result.error.details.join('\n')).toMatch(/HAProxy: \/nonexistent could not be run/)
})
