import { readFile } from 'node:fs/promises'
import { get } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { TestFairway } from '../harness/fairway.ts'
import { makeProject, module, server } from '../harness/go-project.ts'

test('a project that was begun here serves, with health and metrics, beside its worker', async () => {
  await using fairway = await TestFairway.create()
  const begun = await fairway.ok(['init', 'shop', '--service', 'web,order-api', '--worker', 'mailer'])
  expect(begun.result.data).toMatchObject({ module: 'example.com/shop', project: 'shop' })
  const cwd = join(fairway.root, 'shop')

  const up = await fairway.ok(['up'], { cwd })
  expect(up.result.services).toMatchObject([
    { service: 'web', outcome: 'done' },
    { service: 'order-api', outcome: 'done' },
    { service: 'mailer', outcome: 'done' },
  ])
  const { host, port } = await fairway.gateway()
  const ask = async (name: string, path: string) => {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    get({ host, port, path, headers: { host: `${name}.localhost` } }, (response) => {
      text(response).then((body) => resolve(`${response.statusCode} ${body}`), reject)
    }).on('error', reject)
    return promise
  }
  expect(await ask('web', '/')).toBe('200 {"hello":"world"}\n')
  expect(await ask('order-api', '/healthz')).toBe('204 ')
  expect(await ask('web', '/metrics')).toContain(
    'http_request_duration_seconds_count{method="GET",route="GET /{$}",status="200"}',
  )

  // One more of them joins, and what was written by hand stays.
  const file = await readFile(join(cwd, 'fairway.yaml'), 'utf8')
  await fairway.ok(['init', '--service', 'admin'], { cwd })
  expect(await readFile(join(cwd, 'fairway.yaml'), 'utf8')).toContain(file.trimEnd())
  expect((await fairway.ok(['up', '--only', 'admin'], { cwd })).result.services).toMatchObject([{ outcome: 'done' }])
  expect((await fairway.run(['init', '--service', 'admin'], { cwd })).result.error?.code).toBe('USAGE')
})

test('a service added to a module that was there builds at once: go.mod comes to name what it imports', async () => {
  await using fairway = await TestFairway.create()
  await using project = await makeProject({ 'go.mod': module, 'cmd/web/main.go': server, 'cmd/admin/main.go': server })
  const cwd = project.folder
  const bare = await fairway.run(['init'], { cwd })
  expect(bare.result.error).toMatchObject({
    code: 'USAGE',
    message: expect.stringMatching(/is a project already: a program lies in cmd\//),
    hint: expect.stringContaining('fairway init --service NAME'),
  })

  const added = await fairway.start(['init', '--worker', 'mailer'], { cwd }).ended
  expect(added.stdout).toContain('web (./cmd/web), which was detected until now, was written down in fairway.yaml')
  expect(await readFile(join(cwd, 'fairway.yaml'), 'utf8')).toContain('  web:\n    build: ./cmd/web\n')
  expect(await readFile(join(cwd, 'go.mod'), 'utf8')).toBe(module) // all of its imports are go's own
  const begun = await fairway.ok(['init', '--service', 'api'], { cwd })
  expect(begun.result.data).toMatchObject({ moduleFrom: 'go.mod', files: expect.arrayContaining([changed('go.mod')]) })
  expect(await readFile(join(cwd, 'go.mod'), 'utf8')).toContain('require github.com/prometheus/client_golang v')
  await fairway.ok(['build', '--only', 'api'], { cwd })

  const again = await fairway.ok(['init', '--service', 'other'], { cwd })
  expect((again.result.data as { files: object[] }).files).not.toContainEqual(changed('go.mod'))
})

test('where several programs could be meant, none is written down, and that is said', async () => {
  await using fairway = await TestFairway.create()
  await using project = await makeProject({ 'go.mod': module, 'cmd/one/main.go': server, 'cmd/two/main.go': server })
  const { result } = await fairway.ok(['init', '--worker', 'mailer', '--plan'], { cwd: project.folder })
  expect(result.data).toMatchObject({ formerUnknown: { message: expect.stringContaining('./cmd/one, ./cmd/two') } })
})

test('what it says is next can be pasted, whatever the folder is called; one that cannot be written is named', async () => {
  await using fairway = await TestFairway.create()
  const begun = await fairway.start(['init', 'my shop']).ended
  expect(begun.stdout).toContain("Next: cd 'my shop' && fairway up\n")
  const refused = await fairway.run(['init', '/proc/shop'])
  expect(refused.result.error).toMatchObject({ code: 'USAGE', message: expect.stringMatching(/^\/proc\/shop/) })
})

test('init --detect --service writes down that service alone, where it listens and how it is asked', async () => {
  await using fairway = await TestFairway.create()
  await using project = await makeProject({ 'go.mod': module, 'cmd/web/main.go': server, 'cmd/admin/main.go': server })
  const cwd = project.folder
  await fairway.ok(['init', '--detect', '--service', 'admin'], { cwd })
  const lines = ['services:', '  admin:', '    build: ./cmd/admin', '    listen: { env: PORT }']
  expect((await readFile(join(cwd, 'fairway.yaml'), 'utf8')).split('\n').slice(0, 4)).toEqual(lines)
  expect(await readFile(join(cwd, 'fairway.yaml'), 'utf8')).toContain('probe: {')
  expect((await fairway.run(['init', '--detect', '--service', 'cart'], { cwd })).result.error?.code).toBe(
    'SERVICE_UNKNOWN',
  )
})

function changed(path: string) {
  return { path, isChange: true }
}
