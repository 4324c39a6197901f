import { readFile } from 'node:fs/promises'
import { get } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { TestFairway } from '../harness/fairway.ts'

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
  expect((await fairway.run(['init', '--service', 'admin'], { cwd })).exit).toBe(78)
})
