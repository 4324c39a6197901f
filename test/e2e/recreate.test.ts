import { expect, test } from 'vitest'
import { TestFairway } from '../harness/fairway.ts'
import { loadOn, quickProbe, ServiceProject } from '../harness/service-project.ts'
import { startLoad } from '../load/raw-client.ts'

test('the gap of recreate is announced, answered with 503 and Retry-After, and counted exactly', async () => {
  await using fairway = await TestFairway.create()
  const project = await ServiceProject.create(fairway, [`probe: ${quickProbe}`, 'strategy: recreate', 'instances: 2'])
  await project.values({ VERSION: '1' })
  await fairway.ok(['up'], { cwd: project.folder })
  const load = startLoad(await loadOn(fairway, { connections: 'new', perSecond: 200 }))
  await project.values({ VERSION: '2' })
  const { events, result } = await fairway.ok(['up'], { cwd: project.folder })
  const { failures } = await load.stop()

  expect(result.services).toMatchObject([{ outcome: 'done', release: 2 }])
  const kinds = events.map(({ kind }) => kind)
  expect(kinds.indexOf('gap-begun')).toBeGreaterThan(0)
  expect(kinds.indexOf('gap-begun')).toBeLessThan(kinds.indexOf('gap-ended'))
  const refused = failures.filter(({ kind, detail }) => kind === 'status' && detail.includes('503')).length
  expect(refused).toBeGreaterThan(0)
  expect(failures).toHaveLength(refused)
  expect(events.find(({ kind }) => kind === 'gap-ended')).toMatchObject({ refused })
})
