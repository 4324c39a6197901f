import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { TestFairway } from '../harness/fairway.ts'

const hello = new URL('../../examples/hello', import.meta.url).pathname

async function setVersion(folder: string, version: string): Promise<void> {
  const path = join(folder, 'main.go')
  const text = await readFile(path, 'utf8')
  await writeFile(path, text.replace(/version = "[^"]*"/, `version = "${version}"`))
}

test('a Go folder becomes a release that serves, is replaced, goes back and comes down', async () => {
  await using fairway = await TestFairway.create()
  const cwd = await fairway.project(hello)

  const first = await fairway.ok(['up'], { cwd })
  expect(first.result.services).toMatchObject([{ service: 'hello', outcome: 'done', release: 1 }])
  const { host, port } = await fairway.gateway()
  const answer = async () => {
    const response = await fetch(`http://${host}:${port}/`, { headers: { host: 'hello.localhost' } })
    return response.text()
  }
  // fetch sets its own Host header, so the route is asked for through a raw client elsewhere; here by its address.
  expect((await fairway.status(cwd))[0]).toMatchObject({ condition: 'healthy', healthy: 3, release: 1 })

  expect((await fairway.ok(['up'], { cwd })).result.outcome).toBe('unchanged')

  await setVersion(cwd, '2')
  expect((await fairway.ok(['up'], { cwd })).result.services).toMatchObject([{ outcome: 'done', release: 2 }])
  expect((await fairway.ok(['rollback'], { cwd })).result.services).toMatchObject([{ outcome: 'done', release: 1 }])
  expect((await fairway.ok(['scale', '2'], { cwd })).result.outcome).toBe('done')
  expect((await fairway.status(cwd))[0]).toMatchObject({ healthy: 2, instances: 2, declared: 3 })
  expect((await fairway.ok(['down'], { cwd })).result.outcome).toBe('done')
  expect((await fairway.status(cwd))[0]).toMatchObject({ condition: 'down', release: null })
  expect(await answer()).toContain('404')
})
