import { join } from 'node:path'
import { expect, test } from 'vitest'
import { TestFairway } from '../harness/fairway.ts'

test('with --json every command about the control plane prints one line, its result', async () => {
  await using fairway = await TestFairway.create()
  const file = join(fairway.root, 'backup.tar.gz')
  const commands: readonly (readonly string[])[] = [
    ['server', 'status'], // none runs
    ['server', 'start'],
    ['server', 'status'],
    ['server', 'token'],
    ['server', 'install', '--print'],
    ['server', 'backup', file],
    ['server', 'restore', file], // one runs
    ['status'],
    ['down', '--all', '--yes'],
    ['doctor'],
    ['server', 'stop'],
    ['server', 'stop'],
    ['server', 'restore', file, '--yes'],
    ['server', 'restore', file], // a state is there
    ['server', 'token', '--home='],
    ['help', 'nope'],
  ]
  for (const words of commands) {
    const { stdout } = await fairway.run(words)
    const lines = stdout.trimEnd().split('\n')
    expect({ words, count: lines.length, first: JSON.parse(lines[0] ?? '') as unknown }).toMatchObject({
      count: 1,
      first: { kind: 'result' },
    })
  }
})
