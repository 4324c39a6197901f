import { afterAll, beforeAll, expect, test } from 'vitest'
import { TestFairway } from '../harness/fairway.ts'
import { quickProbe, ServiceProject } from '../harness/service-project.ts'

let fairway: TestFairway
let project: ServiceProject

beforeAll(async () => {
  fairway = await TestFairway.create()
  project = await ServiceProject.create(fairway, [`probe: ${quickProbe}`])
  await fairway.ok(['up'], { cwd: project.folder })
})
afterAll(() => fairway[Symbol.asyncDispose]())

const say = async (...words: string[]) => {
  const { exit, stdout, stderr } = await fairway.start(words, { cwd: project.folder }).ended
  return { exit, text: `${stdout}${stderr}` }
}

test('a plan says what would change and why, and nothing does', async () => {
  expect((await say('up', '--plan')).text).toContain('shop/dev/web: stays at release 1, 1 instance\n')
  await project.values({ VERSION: '2' })
  await project.configure(['project: shop', 'services:', `  web: { instances: 2, probe: ${quickProbe} }`])
  expect((await say('up', '--plan')).text).toContain(
    'shop/dev/web: up: release 1 → 2, 1 → 2 instances (values: VERSION; instances)\n',
  )
  expect((await say('scale', '3', '--plan')).text).toBe(
    'shop/dev/web: scale: release 1 again, 1 → 3 instances (instances)\n',
  )
  expect(await say('down', '--all', '--plan')).toEqual({
    exit: 0,
    text: 'shop/dev/web: down: release 1 is taken down\n',
  })
  expect((await fairway.status(project.folder))[0]).toMatchObject({ release: 1, healthy: 1 })
})

test('a plan of what cannot be is an error, said as one', async () => {
  const { exit, text } = await say('rollback', '--to', '77', '--plan')
  expect(exit).toBe(66)
  expect(text).toContain('[RELEASE_UNKNOWN]')
})
