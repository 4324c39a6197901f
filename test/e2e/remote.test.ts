import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { TestFairway, until } from '../harness/fairway.ts'
import { quickProbe, ServiceProject } from '../harness/service-project.ts'
import { askRaw } from '../load/raw-client.ts'

test('--server speaks to the control plane of another home, with its token and nothing less', async () => {
  await using there = await TestFairway.create()
  await using here = await TestFairway.create()
  await there.ok(['server', 'start'])
  const { addresses } = await there.version()
  const server = ['--server', `http://${addresses.api}`]
  const remote = [...server, '--token-file', join(there.home, 'token')]
  const project = await ServiceProject.create(here, [`probe: ${quickProbe}`, 'config: { SECRET: { secret: true } }'])
  const cwd = project.folder

  await here.ok(['secret', 'set', 'SECRET', ...remote], { cwd, stdin: 'from-afar' })
  const up = await here.ok(['up', ...remote], { cwd })
  expect(up.result.services).toMatchObject([{ service: 'web', outcome: 'done', release: 1 }])
  const ask = async (path: string) => askRaw(await there.gateway(), { path, host: 'web.localhost' })
  expect(await ask('/environment?key=SECRET')).toMatchObject({ status: 200, body: 'from-afar' })
  expect(await there.programs()).toHaveLength(1)
  expect(await here.programs()).toEqual([])
  expect(await here.serverPid()).toBeUndefined() // none was started here

  expect((await here.ok(['up', ...remote], { cwd })).result.outcome).toBe('unchanged')
  await project.values({ VERSION: 'b' })
  await here.ok(['up', ...remote], { cwd })
  await here.ok(['rollback', ...remote], { cwd })
  const job = await here.start(['run', ...remote, 'web', '--', './web', 'exit', '9'], { cwd }).ended
  expect([job.exit, job.stderr]).toEqual([9, 'leaving with 9\n'])
  expect((await here.ok(['logs', 'web', ...remote], { cwd })).stdout).toContain('begins as')

  const wrong = join(here.root, 'wrong-token')
  await writeFile(wrong, 'not-the-token\n')
  for (const access of [server, [...server, '--token-file', wrong]]) {
    const refused = await here.run(['status', ...access], { cwd })
    expect([refused.exit, refused.result.error?.code]).toEqual([77, 'UNAUTHORIZED'])
  }
  // A page of elsewhere whose name resolves to us sends its own Host.
  const [host = '', port = ''] = addresses.api.split(':')
  const rebound = await askRaw({ host, port: Number(port) }, { path: '/v1/version', host: 'shop.example.com' })
  expect(rebound).toMatchObject({ kind: 'answer', status: 401 })
  expect(rebound.kind === 'answer' ? rebound.body : '').toContain('does not answer for shop.example.com')
})

test('a line that was cut aborts nothing: it is taken up again where it broke', async () => {
  await using there = await TestFairway.create()
  await using here = await TestFairway.create()
  await there.ok(['server', 'start'])
  const { addresses } = await there.version()
  const env = { FAIRWAY_API: addresses.api } // the same address after it was killed
  const remote = ['--server', `http://${addresses.api}`, '--token-file', join(there.home, 'token')]
  const project = await ServiceProject.create(here, [`probe: ${quickProbe}`])
  await project.values({ MODE: 'late:2500' })
  const up = here.start(['up', '--json', ...remote], { cwd: project.folder })
  await until(async () => /stage-begun.*await-healthy/.test(up.printed()), 'it waits for the instance')
  await there.killServer()
  await there.ok(['server', 'start'], { env })
  const end = await up.ended
  expect([end.exit, end.result.outcome]).toEqual([0, 'done'])
  const numbers = end.events.flatMap((event) => ('seq' in event ? [event.seq] : []))
  expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b)) // none twice, in order
})
