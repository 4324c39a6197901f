import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { exec, execOk } from '../../src/base/exec.ts'
import { TestFairway } from '../harness/fairway.ts'

test('a lock of the script that starts the control plane is not kept by it', async () => {
  await using fairway = await TestFairway.create()
  const lock = join(fairway.root, 'deploy.lock')
  await writeFile(lock, '')
  const launcher = new URL('../../fairway', import.meta.url).pathname
  const script = 'exec 9>"$1" 20>"$1" 200>"$1"; flock 200; exec "$2" server start'
  await execOk(['bash', '-c', script, 'deploy', lock, launcher], { env: fairway.env })
  expect(await fairway.serverPid()).toBeDefined()
  const taken = await exec(['flock', '--nonblock', lock, 'true'], { env: fairway.env })
  expect(taken.exitCode).toBe(0)
})
