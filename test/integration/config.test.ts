import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FairwayError } from '../../src/base/error.ts'
import { execOk } from '../../src/base/exec.ts'
import { homeFolder, type LoadOptions, loadProject, readHomeConfig } from '../../src/config/index.ts'

const { PATH = '' } = process.env
const environment = { PATH, HOME: '/nonexistent', GIT_CONFIG_NOSYSTEM: '1' }

/** A folder with these files, removed at the end of the test. */
async function projectFolder(files: Readonly<Record<string, string>>) {
  const folder = await mkdtemp(join(tmpdir(), 'fairway-config-'))
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(folder, name, '..'), { recursive: true })
    await writeFile(join(folder, name), content, { mode: 0o600 })
  }
  return {
    folder,
    load: (options: Partial<LoadOptions> = {}) =>
      loadProject({
        folder,
        environment: 'dev',
        processEnvironment: environment,
        detectServices: async () => ['web'],
        ...options,
      }),
    git: (...words: string[]) => execOk(['git', ...words], { cwd: folder, env: environment }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

async function failure(promise: Promise<unknown>): Promise<FairwayError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof FairwayError)) throw new Error(`not refused with an explanation: ${String(error)}`)
  return error
}

test('a project without fairway.yaml is named by its module and has what was detected', async () => {
  await using project = await projectFolder({ 'go.mod': 'module example.com/My_Shop/v2\n', '.env': 'GREETING=hello\n' })
  const loaded = await project.load()
  expect(loaded).toMatchObject({
    name: 'my-shop',
    nameFrom: 'the module’s path in go.mod',
    protected: false,
    warnings: [],
  })
  expect(loaded.services.map(({ specification }) => [specification.service, specification.values])).toEqual([
    ['web', { GREETING: { value: 'hello', secret: false, asFile: false } }],
  ])
})

test('an environment brings its own values, protection, binds and instances', async () => {
  await using project = await projectFolder({
    'fairway.yaml': `project: shop
services: { web: { build: ./cmd/web, config: { MODE: { default: a } } } }
environments: { prod: { protected: true, gateway: { bind: ['*:80'] }, services: { web: { instances: 3 } } } }
`,
    '.env': 'MODE=b\n',
    '.env.prod': 'MODE=c\n',
    '.env.dev': 'MODE=not-this\n',
  })
  const loaded = await project.load({ environment: 'prod', stored: async () => new Map([['TOKEN', 2]]) })
  expect(loaded).toMatchObject({ protected: true, binds: [{ host: '*', port: 80 }] })
  expect(loaded.services[0]).toMatchObject({ build: './cmd/web', specification: { desired: { instances: 3 } } })
  expect(loaded.services[0]?.specification.values).toEqual({
    MODE: { value: 'c', secret: false, asFile: false },
    TOKEN: { storedVersion: 2, secret: true, asFile: false },
  })
})

test('an environment nobody declared is refused with the ones there are; local with the name to use', async () => {
  await using project = await projectFolder({ 'fairway.yaml': 'environments: { production: {} }' })
  const unknown = await failure(project.load({ environment: 'prodution' }))
  expect(unknown).toMatchObject({ code: 'ENVIRONMENT_UNKNOWN' })
  expect(unknown.message).toContain('did you mean `production`?')
  const local = await failure(project.load({ environment: 'local' }))
  expect(local).toMatchObject({ code: 'ENVIRONMENT_UNKNOWN', hint: expect.stringContaining('.env.dev.local') })
})

test('a malformed line of .env is named by file and line, without its text', async () => {
  await using project = await projectFolder({ '.env': 'A=1\n\nhunter2\n', '.env.dev': 'B="open\n' })
  const error = await failure(project.load())
  expect(error).toMatchObject({ code: 'VALUES_INVALID', message: '.env:3: expected KEY=VALUE, found no `=`' })
  expect(error.details).toHaveLength(2)
  expect(JSON.stringify(error)).not.toContain('hunter2')
})

test('a declared secret in a file git tracks is refused; in a file git ignores it is fine', async () => {
  await using project = await projectFolder({
    'fairway.yaml': 'services: { web: { config: { TOKEN: { secret: true } } } }',
    '.env': '\nTOKEN=hunter2\n',
  })
  await project.git('init', '-q')
  await expect(project.load()).resolves.toBeDefined() // untracked
  await project.git('add', '.env')
  const error = await failure(project.load())
  expect(error).toMatchObject({
    code: 'SECRET_EXPOSED',
    message: '.env:2: TOKEN is declared secret, and git tracks this file',
  })
  expect(JSON.stringify([error, error.message, error.hint])).not.toContain('hunter2')
})

test('this machine’s own file is refused when git tracks it, and warned of when others can read it', async () => {
  await using project = await projectFolder({ '.env.dev.local': 'TOKEN=hunter2\n', '.env.local': 'A=1\n' })
  await chmod(join(project.folder, '.env.dev.local'), 0o644)
  const { warnings } = await project.load()
  expect(warnings).toEqual([
    '.env.dev.local can be read by others on this machine (mode 0644): chmod 600 .env.dev.local',
    expect.stringContaining('.env.local is not read'),
  ])
  await project.git('init', '-q')
  await project.git('add', '-f', '.env.dev.local')
  expect(await failure(project.load())).toMatchObject({ code: 'SECRET_EXPOSED' })
})

test('a required value that is missing is named with the file to put it in, before anything starts', async () => {
  await using project = await projectFolder({
    'fairway.yaml': 'services:\n  web:\n    config:\n      URL: { required: true }\n      N: { type: int }\n',
    '.env': 'N=x\n',
  })
  const error = await failure(project.load())
  expect(error.code).toBe('VALUES_INVALID')
  expect(error.details).toEqual([
    '.env:1: N: expected a whole number, found "x"',
    'fairway.yaml:4: URL is required by web and has no value: write it to .env.dev',
  ])
})

test.each([
  ['10 MB', Buffer.alloc(10 * 1024 * 1024, 'a'), 'is 10.0 MiB long, at most 1 MiB was expected'],
  ['not UTF-8', Buffer.from([0x61, 0x0a, 0x62, 0xff, 0x63]), 'line 2, byte 2: not UTF-8'],
  ['a NUL byte', Buffer.from('project: a\0'), 'line 1, byte 11: a NUL byte, text was expected'],
])('a fairway.yaml of %s is refused in milliseconds', async (_, content, message) => {
  await using project = await projectFolder({})
  await writeFile(join(project.folder, 'fairway.yaml'), content)
  await failure(project.load()) // zod and yaml are loaded once
  const begin = performance.now()
  expect(await failure(project.load())).toMatchObject({ code: 'CONFIG_INVALID', message: `fairway.yaml: ${message}` })
  expect(performance.now() - begin).toBeLessThan(300)
})

test('a fairway.yaml that is a folder, a link to itself or a FIFO is refused, and fairway.yml is named', async () => {
  await using project = await projectFolder({})
  const path = join(project.folder, 'fairway.yaml')
  await mkdir(path)
  expect(await failure(project.load())).toMatchObject({
    message: 'fairway.yaml: is a folder, a text file was expected',
  })
  await rm(path, { recursive: true })
  await symlink('fairway.yaml', path)
  expect(await failure(project.load())).toMatchObject({
    message: 'fairway.yaml: is a symbolic link that leads to itself',
  })
  await rm(path)
  await execOk(['mkfifo', path], { env: environment })
  expect(await failure(project.load())).toMatchObject({
    message: 'fairway.yaml: is a special file, a text file was expected',
  })
  await rm(path)
  await writeFile(join(project.folder, 'fairway.yml'), '')
  expect(await failure(project.load())).toMatchObject({ hint: 'Rename it: mv fairway.yml fairway.yaml' })
})

test('what only the whole file tells has its place too', async () => {
  await using project = await projectFolder({
    'fairway.yaml': 'services:\n  web: {}\nenvironments:\n  dev:\n    services:\n      web:\n        needs: [db]\n',
  })
  expect(await failure(project.load())).toMatchObject({
    code: 'CONFIG_INVALID',
    message: 'fairway.yaml:7:9: services.web.needs: `db` is no service of this project; known: web',
  })
})

test('the home is the flag’s, the variable’s, root’s own or the XDG data folder', () => {
  const home = (uid: number, environment: Record<string, string>, flag?: string) =>
    homeFolder({ flag, environment, uid, cwd: '/srv' })
  expect(home(0, {}, 'here')).toBe('/srv/here')
  expect(home(1000, { FAIRWAY_HOME: '/a', HOME: '/home/ada' })).toBe('/a')
  expect(home(0, { HOME: '/root' })).toBe('/var/lib/fairway')
  expect(home(1000, { HOME: '/home/ada', XDG_DATA_HOME: 'relative' })).toBe('/home/ada/.local/share/fairway')
  expect(() => home(1000, {})).toThrow('No home folder')
})

test('the home’s config.yaml has defaults, is overridden by variables and explains what is wrong', async () => {
  const modules = { private: [], deny: [], allow: [], quota: 20 * 1024 ** 3, offline: false }
  await using home = await projectFolder({})
  expect(await readHomeConfig(home.folder, {})).toEqual({
    api: { host: '127.0.0.1', port: 8470 },
    gateway: { host: '127.0.0.1', port: 8480 },
    ports: { first: 20_000, last: 29_999 },
    modules,
  })
  await writeFile(join(home.folder, 'config.yaml'), 'gateway: "*:80"\nports: 21000-21100\nnetwork: 10.83.16.0/20\n')
  expect(await readHomeConfig(home.folder, { FAIRWAY_API: '[::1]:0' })).toEqual({
    api: { host: '::1', port: 0 },
    gateway: { host: '*', port: 80 },
    ports: { first: 21_000, last: 21_100 },
    network: { first: 0x0a53_1000, bits: 20 },
    modules,
  })
  expect(await failure(readHomeConfig(home.folder, { FAIRWAY_API: '8470' }))).toMatchObject({
    code: 'HOME_CONFIG_INVALID',
  })
  await writeFile(join(home.folder, 'config.yaml'), 'gatway: "*:80"\nports: 1-2\nnetwork: 8.8.8.0/24\n')
  const error = await failure(readHomeConfig(home.folder, {}))
  expect(error.code).toBe('HOME_CONFIG_INVALID')
  expect(error.details.map((line) => line.replace(home.folder, ''))).toEqual([
    '/config.yaml:1:1: unknown key `gatway`; did you mean `gateway`?',
    '/config.yaml:2:1: ports: expected a range of at least 10 ports like `20000-29999`, found the text "1-2"',
    '/config.yaml:3:1: network: expected a range of private addresses from /16 to /28 like `10.83.16.0/20`, found the text "8.8.8.0/24"',
  ])
})
