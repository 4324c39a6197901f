import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { exec, execOk } from '../../src/base/exec.ts'
import { commandTable, globalOptions } from '../../src/cli/command-table.ts'

const launcher = new URL('../../fairway', import.meta.url).pathname
const env = { PATH: process.env['PATH'] ?? '', HOME: tmpdir(), FAIRWAY_HOME: join(tmpdir(), 'fw-no-home') }
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fw-completion-'))
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { stdout } = await execOk([launcher, 'completion', shell], { env, deadlineMs: 30_000 })
    await writeFile(join(folder, shell), stdout)
  }
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

/** What bash itself offers after these words; the last one is being typed. */
async function offered(words: readonly string[]): Promise<string[]> {
  const script =
    'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _fairway; printf "%s\\n" "${COMPREPLY[@]}"'
  const { stdout } = await execOk(['bash', '--norc', '-c', script, 'bash', join(folder, 'bash'), 'fairway', ...words], {
    env,
    deadlineMs: 10_000,
  })
  return stdout.split('\n').filter((word) => word !== '')
}

test('bash: a beginning is completed to the commands that have it', async () => {
  expect(await offered(['ro'])).toEqual(['rollback', 'rollout'].filter((word) => word.startsWith('ro')).toSorted())
  expect(await offered(['sta'])).toEqual(['status'])
  expect(new Set(await offered(['']))).toEqual(new Set(commandTable.map(({ words }) => words.split(' ')[0])))
})

test('bash: a group is completed to its commands, a command to its options and those of all', async () => {
  expect(await offered(['rollout', ''])).toEqual(['show', 'abort', 'promote'])
  expect(await offered(['server', 'st'])).toEqual(['start', 'stop', 'status'])
  expect(await offered(['rollback', '--t'])).toEqual(['--to', '--token-file'])
  expect(await offered(['--json', 'logs', '--f'])).toEqual(['--follow'])
  for (const { flags } of globalOptions) {
    const long = /--[a-z-]+/.exec(flags)?.[0] ?? ''
    expect(await offered(['up', long])).toContain(long)
  }
})

test('bash registers it for the launcher by name and by path', async () => {
  const script = 'source "$1"; complete -p fairway; complete -p ./fairway'
  const { stdout } = await execOk(['bash', '--norc', '-c', script, 'bash', join(folder, 'bash')], { env })
  expect(stdout).toMatch(/-F _fairway fairway\n.*-F _fairway \.\/fairway/)
})

// zsh and fish are in no set-up of ours: where a machine has them they read the script themselves, elsewhere bash does,
// as far as the grammars agree (words in single quotes).
test.for(['zsh', 'fish'])('%s: every command is there, and the script can be read', async (shell) => {
  const path = join(folder, shell)
  const own = await exec([shell, '-n', path], { env }).catch(() => undefined)
  if (own !== undefined) expect(own).toMatchObject({ exitCode: 0, stderr: '' })
  else
    await execOk(
      [
        'bash',
        '--norc',
        '-c',
        'while read -r line; do eval "words=($line)" || exit 1; done < <(grep "^complete" "$1")',
        'bash',
        path,
      ],
      { env },
    )
  const { stdout: text } = await execOk(['cat', path], { env })
  for (const { words } of commandTable) for (const word of words.split(' ')) expect(text).toContain(word)
})
