import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chown } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { TestFairway, until } from '../harness/fairway.ts'
import { quickProbe, ServiceProject } from '../harness/service-project.ts'

const nobody = 65_534

test('`user:` that a control plane of an ordinary user cannot follow is said once, and the release goes on', async () => {
  await using fairway = await TestFairway.create()
  await chown(fairway.home, nobody, nobody)
  await chown(join(fairway.home, 'config.yaml'), nobody, nobody)
  const launcher = new URL('../../fairway', import.meta.url).pathname
  const words = [`--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', launcher, 'server', 'run']
  const server = spawn('/usr/bin/setpriv', words, { env: { ...fairway.env, HOME: fairway.home }, stdio: 'ignore' })
  const ended = once(server, 'exit')
  onTestFinished(async () => void (await ended))
  await until(async () => (await fairway.serverPid()) !== undefined, 'it serves')

  const project = await ServiceProject.create(fairway, [`probe: ${quickProbe}`, 'user: root'])
  const warningsOf = async () => {
    const { events } = await fairway.ok(['up'], { cwd: project.folder })
    return events.filter(({ kind }) => kind === 'warning')
  }
  expect(await warningsOf()).toMatchObject([
    { message: expect.stringContaining('`user: root` of web is not followed') },
  ])
  await project.configure(['project: shop', 'services:', '  web:', `    probe: ${quickProbe}`, `    user: nobody`])
  expect(await warningsOf()).toEqual([])
})
