import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { TestFairway } from '../harness/fairway.ts'

const hello = new URL('../../examples/hello', import.meta.url).pathname

test('a project adds addresses to the gateway, and no project removes another’s', async () => {
  await using fairway = await TestFairway.create()
  const [first, second] = [await freePort(), await freePort()]
  const one = await fairway.project(hello, 'one')
  await writeFile(join(one, 'fairway.yaml'), configuration('one', first))
  await fairway.ok(['up', '--env', 'staging'], { cwd: one })
  const two = await fairway.project(hello, 'two')
  await writeFile(join(two, 'fairway.yaml'), configuration('two', second))
  await fairway.ok(['up', '--env', 'staging'], { cwd: two })
  for (const port of [first, second]) {
    expect(await ask(port, 'one.example.com')).toContain('Hello')
    expect(await ask(port, 'two.example.com')).toContain('Hello')
  }

  await fairway.ok(['down', '--env', 'staging'], { cwd: two })
  expect(await ask(first, 'one.example.com')).toContain('Hello')
  await expect(ask(second, 'one.example.com')).rejects.toThrow('ECONNREFUSED')

  await using holder = await listen()
  await writeFile(join(two, 'fairway.yaml'), configuration('two', holder.port))
  const refused = await fairway.run(['up', '--env', 'staging'], { cwd: two })
  expect(refused.result).toMatchObject({ outcome: 'refused', error: { code: 'PORT_TAKEN' } })
  expect(await ask(first, 'one.example.com')).toContain('Hello')
})

function configuration(project: string, port: number): string {
  return `
project: ${project}
services: { hello: { probe: { http: /healthz, healthyFor: 0s } } }
environments:
  staging:
    gateway: { bind: ['127.0.0.1:${port}'] }
    services: { hello: { route: { host: ${project}.example.com } } }
`
}

async function ask(port: number, host: string): Promise<string> {
  const { request } = await import('node:http')
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const asked = request({ host: '127.0.0.1', port, headers: { host }, agent: false }, (answer) => {
    let text = ''
    answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
    answer.on('end', () => resolve(text))
  })
  asked.on('error', reject).end()
  return promise
}

async function listen(): Promise<AsyncDisposable & { port: number }> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

async function freePort(): Promise<number> {
  await using held = await listen()
  return held.port
}
