import { expect, test } from 'vitest'
import { TestFairway } from '../harness/fairway.ts'
import { makeProject, module, server } from '../harness/go-project.ts'

test('a binary for another machine is refused by name, before anything is built', async () => {
  await using fairway = await TestFairway.create()
  await using project = await makeProject({ 'go.mod': module, 'main.go': server })
  const cwd = project.folder
  const end = await fairway.run(['up', '--target', 'linux/riscv64'], { cwd })
  expect(end.exit).toBe(69)
  expect(end.events.filter(({ kind }) => /^(?:build|trial|upload)-/.test(kind))).toEqual([])
  expect(end.result).toMatchObject({
    outcome: 'refused',
    error: {
      code: 'MACHINE_UNFIT',
      message: expect.stringMatching(/^shop is built for linux\/riscv64, and the control plane’s machine is linux\//),
      hint: expect.stringContaining('fairway up --target linux/'),
    },
  })
  expect(await fairway.status(cwd)).toEqual([])
})

test('releases are verified from what the home keeps of them', { timeout: 300_000 }, async () => {
  await using fairway = await TestFairway.create()
  await using project = await makeProject({
    'go.mod': module,
    'main.go': `package main

import (
	"net/http"
	"os"
)

func main() { http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil) }
`,
  })
  const cwd = project.folder
  await fairway.ok(['up'], { cwd })
  const { result } = await fairway.ok(['verify', '1'], { cwd })
  expect(result).toMatchObject({ outcome: 'done', data: [{ service: 'shop', isSame: true, differences: [] }] })
  expect((await fairway.run(['verify', '7'], { cwd })).result.error?.code).toBe('RELEASE_UNKNOWN')
})
