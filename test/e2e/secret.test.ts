import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { TestFairway } from '../harness/fairway.ts'
import { quickProbe, ServiceProject } from '../harness/service-project.ts'
import { askRaw } from '../load/raw-client.ts'

const first = 'tr0ub4dor-and-3-staples'
const second = 'correct-horse-battery/9'

test('a secret reaches the program and nothing else', async () => {
  await using fairway = await TestFairway.create()
  const project = await ServiceProject.create(fairway, [
    `probe: ${quickProbe}`,
    'config: { SECRET: { required: true, secret: true }, PEM: { secret: true, as: file }, URL: { secret: true, type: url } }',
  ])
  const cwd = project.folder
  const shown: string[] = []
  const run = async (words: readonly string[], stdin?: string) => {
    const end = await fairway.run(words, { cwd, ...(stdin === undefined ? {} : { stdin }) })
    const plain = stdin === undefined && words[0] !== 'up' ? await fairway.start(words, { cwd }).ended : end
    shown.push(end.stdout, end.stderr, plain.stdout, plain.stderr)
    return end
  }
  const ask = async (path: string) => {
    const got = await askRaw(await fairway.gateway(), { path, host: 'web.localhost' })
    return got.kind === 'answer' ? got.body : got.kind
  }

  expect((await run(['up'])).result.error).toMatchObject({ code: 'VALUES_INVALID' }) // required, and not there
  const wrong = await run(['secret', 'set', 'URL'], first)
  expect(wrong.result.error?.message).toBe(
    'URL: expected a URL like https://example.com, as fairway.yaml declares it for web',
  )
  await run(['secret', 'set', 'SECRET'], `${first}\n`)
  await run(['secret', 'set', 'PEM'], `${second}\n`)
  expect((await run(['up'])).result.outcome).toBe('done')
  expect(await ask('/environment?key=SECRET')).toBe(first)
  expect(await ask('/file?key=PEM_FILE')).toBe(second)
  expect((await run(['secret', 'list'])).result.data).toMatchObject({
    secrets: [{ key: 'PEM' }, { key: 'SECRET', version: 1 }],
  })
  // The one file in which it stands is the one the program was given.
  expect(await filesWith(fairway.home, first)).toEqual([])
  const files = await filesWith(fairway.home, second)
  expect(files.filter((path) => !path.startsWith('run/instances/'))).toEqual([])
  expect(await commandLinesWith([first, second])).toEqual([])

  await run(['secret', 'set', 'SECRET'], second)
  expect((await run(['up'])).result.services).toMatchObject([{ outcome: 'done', release: 2 }])
  expect(await ask('/environment?key=SECRET')).toBe(second)
  const difference = await run(['config', 'diff', '1', '2'])
  expect(difference.stdout).toContain('SECRET')
  // A release is code, configuration and secret versions together.
  expect((await run(['rollback'])).result.services).toMatchObject([{ outcome: 'done', release: 1 }])
  expect(await ask('/environment?key=SECRET')).toBe(first)

  // A program that cannot keep it: masked wherever it is shown.
  await project.values({ TELL: '1' })
  await run(['up'])
  expect((await run(['logs', 'web'])).stdout).toMatch(/SECRET is \[secret\]|SECRET is \*+/)
  await project.values({ TELL: '1', MODE: 'exit:1' })
  expect((await run(['up'])).result.outcome).toBe('reverted')
  expect((await run(['rollout', 'show'])).stdout).toContain('SECRET is ')
  await run(['releases'])
  await run(['status'])
  await run(['config', 'explain', 'SECRET'])
  await run(['events', '-n', '500'])
  for (const text of shown) {
    expect(text).not.toContain(first)
    expect(text).not.toContain(second)
  }
  const kept = await filesWith(fairway.home, second)
  expect(kept.filter((path) => !/^(logs\/shop|run\/instances)\//.test(path))).toEqual([])
})

/** Paths in the folder whose bytes hold the text, as it is or in base64. */
async function filesWith(folder: string, text: string): Promise<string[]> {
  const needles = [Buffer.from(text), Buffer.from(Buffer.from(text).toString('base64').slice(0, 16))]
  const found: string[] = []
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const content = await readFile(path).catch(() => Buffer.alloc(0)) // it may be gone by now
    if (needles.some((needle) => content.includes(needle))) found.push(path.slice(folder.length + 1))
  }
  return found
}

async function commandLinesWith(texts: readonly string[]): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
  return lines.filter((line) => texts.some((text) => line.includes(text)))
}
