import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { TestFairway } from '../harness/fairway.ts'
import { quickProbe, ServiceProject } from '../harness/service-project.ts'

test('a backup taken while it serves brings everything into another home: releases, secrets, what is desired', async () => {
  await using fairway = await TestFairway.create()
  const project = await ServiceProject.create(fairway, [`probe: ${quickProbe}`, 'instances: 2'])
  const cwd = project.folder
  await fairway.ok(['secret', 'set', 'PASSWORD'], { cwd, stdin: 'correct horse battery\n' })
  await project.values({ VERSION: '1' })
  await fairway.ok(['up'], { cwd })
  await project.values({ VERSION: '2' })
  await fairway.ok(['up'], { cwd })
  const file = join(fairway.root, 'backup.tar.gz')
  await fairway.ok(['server', 'backup', file], { cwd })

  const running = await fairway.run(['server', 'restore', file, '--yes'], { cwd })
  expect(running.result).toMatchObject({ outcome: 'refused', error: { code: 'HOME_BUSY' } })

  await using other = await TestFairway.create()
  await other.ok(['server', 'restore', file])
  await other.ok(['server', 'start'])
  await expect
    .poll(async () => (await other.status(cwd))[0])
    .toMatchObject({ condition: 'healthy', release: 2, healthy: 2 })
  expect((await other.ok(['rollback'], { cwd })).result.services).toMatchObject([{ release: 1 }])
  const { result } = await other.ok(['secret', 'list'], { cwd })
  expect(result.data).toMatchObject({ secrets: [{ key: 'PASSWORD', version: 1 }] })
})

test('a file that is no backup changes nothing', async () => {
  await using fairway = await TestFairway.create()
  const file = join(fairway.root, 'not-a-backup')
  await writeFile(file, 'certainly not')
  const { result, exit } = await fairway.run(['server', 'restore', file])
  expect(result).toMatchObject({ outcome: 'refused', error: { code: 'STATE_CORRUPT' } })
  expect(exit).toBe(74)
  const missing = await fairway.run(['server', 'restore', `${file}.none`])
  expect(missing.result.outcome).toBe('refused')
})
