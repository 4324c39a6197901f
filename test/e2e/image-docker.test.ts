import { join } from 'node:path'
import { expect, test } from 'vitest'
import { DockerEngine } from '../harness/docker-engine.ts'
import { TestFairway } from '../harness/fairway.ts'

test('a real Docker engine loads the file and runs it: user, certificates, time zones, folders and files are there', async () => {
  if (process.getuid?.() !== 0) return expect(process.getuid?.()).not.toBe(0) // an engine of our own is root's
  await using fairway = await TestFairway.create()
  await using engine = await DockerEngine.start()
  const cwd = await fairway.project(new URL('../fixtures/container-program', import.meta.url).pathname)
  const file = join(fairway.root, 'web.tar')
  await fairway.ok(['image', '--output', file, '--tag', 'container/web:v1'], { cwd })
  expect(await engine.load(file)).toContain('container/web:v1')
  const { status, output } = await engine.run('container/web:v1')
  expect(status).toBe(0)
  expect(JSON.parse(output)).toEqual({
    zones: true, roots: true, temporary: true, data: true, binaryWritable: false, mime: true,
    folder: '/app', https: 443, page: 'hello\n', uid: 65_532, user: 'nonroot', home: '/home/nonroot', args: ['serve'], PORT: '8080',
  }) // prettier-ignore
  // One for several platforms: Docker is given this machine's.
  await fairway.ok(['image', '--output', file, '--tag', 'container/web:v2', '--target', 'linux/arm64,linux/amd64'], {
    cwd,
  })
  await engine.load(file)
  const { Architecture: architecture } = JSON.parse(await engine.ask('GET', '/images/container/web:v2/json')) as {
    Architecture: string
  }
  expect(architecture).toBe(process.arch === 'x64' ? 'amd64' : process.arch)
})
