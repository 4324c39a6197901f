import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type CommandEnd, isRunning, TestFairway, until } from '../harness/fairway.ts'
import { loadOn, quickProbe, ServiceProject } from '../harness/service-project.ts'
import { askRaw, startLoad } from '../load/raw-client.ts'

/**
 * The control plane is killed at the Nth place its journal passes (begun, acted, done of each step), for N = 1, 2, … until
 * a change passes without: every place there is, whatever the plan. The command that waits starts it again, and what was
 * under way must come to its end, with no request lost.
 *
 * FAIRWAY_TEST_ALL_CRASHES=1 strikes at every place of every change; otherwise that is done for the first one, and
 * a sample for the others, chosen by FAIRWAY_TEST_SEED.
 */
const all = process.env['FAIRWAY_TEST_ALL_CRASHES'] === '1'
const seed = Number(process.env['FAIRWAY_TEST_SEED'] ?? Date.now() % 1_000_000)

interface Change {
  readonly name: string
  /** Lines of fairway.yaml for the service. */
  readonly service: readonly string[]
  readonly words: readonly string[]
  /** Called before each time; `serving` is the VERSION that serves. */
  prepare(project: ServiceProject, at: { serving: string; place: number; fairway: TestFairway }): Promise<void>
  readonly outcomes: readonly string[]
  readonly isGapless: boolean
  /** 1: every place. */
  readonly stride: number
}

/** Where the job before a release notes that it ran. */
const noteOf = (fairway: TestFairway) => join(fairway.root, 'jobs')
const other = (version: string) => (version === 'a' ? 'b' : 'a')

const changes: readonly Change[] = [
  {
    name: 'a rolling rollout',
    service: ['strategy: rolling', 'instances: 2'],
    words: ['up'],
    prepare: (project, { serving }) => project.values({ VERSION: other(serving) }),
    outcomes: ['done'],
    isGapless: true,
    stride: 1,
  },
  {
    name: 'a rollout that fails and reverts',
    service: ['strategy: { rolling: { batch: 2 } }', 'instances: 2'],
    words: ['up'],
    prepare: (project, { serving }) => project.values({ VERSION: other(serving), MODE: 'exit:1' }),
    outcomes: ['reverted'],
    isGapless: true,
    stride: 5,
  },
  {
    name: 'a rollout by recreate',
    service: ['strategy: recreate', 'instances: 1'],
    words: ['up'],
    prepare: (project, { serving }) => project.values({ VERSION: other(serving) }),
    outcomes: ['done'],
    isGapless: false,
    stride: 4,
  },
  {
    name: 'a rollout with a job before it',
    service: ['before: [./web, migrate]', 'instances: 1'],
    words: ['up'],
    prepare: (project, { place, fairway }) => project.values({ VERSION: `v${place}`, JOB_NOTE: noteOf(fairway) }),
    // A job that nobody saw ending is not run again: it ends the rollout.
    outcomes: ['done', 'reverted'],
    isGapless: true,
    stride: 5,
  },
  {
    name: 'a rollback',
    service: ['instances: 2'],
    words: ['rollback'],
    async prepare(project, { fairway }) {
      await project.values({ VERSION: 'b' })
      await fairway.ok(['up'], { cwd: project.folder })
    },
    outcomes: ['done'],
    isGapless: true,
    stride: 5,
  },
]

test.for(changes)('$name comes to its end wherever the control plane is killed', async (change) => {
  await using fairway = await TestFairway.create()
  const project = await ServiceProject.create(fairway, [...change.service, `probe: ${quickProbe}`])
  const cwd = project.folder
  for (const version of ['a', 'b']) {
    await project.values({ VERSION: version })
    await fairway.ok(['up'], { cwd })
  }
  await writeFile(noteOf(fairway), '')
  await chmod(noteOf(fairway), 0o666)
  const load = startLoad(await loadOn(fairway))
  onTestFinished(() => void load.stop())

  const random = randomOf(seed)
  let strikes = 0
  let serving = 'b'
  for (let place = 1; ; place += all ? 1 : 1 + Math.floor(random() * (2 * change.stride - 1))) {
    await change.prepare(project, { serving, place, fairway })
    await fairway.killServer()
    await fairway.ok(['server', 'start'], { env: { FAIRWAY_TEST_CRASH_AT: String(place) } })
    const killed = (await fairway.serverPid()) ?? 0
    const end = await fairway.run(change.words, { cwd })
    const at = `place ${place} of ${change.name} (FAIRWAY_TEST_SEED=${seed})`
    expect(end.exit, at).toBe(end.result.outcome === 'done' ? 0 : 1)
    expect(change.outcomes, `${at}:\n${end.stdout}${end.stderr}`).toContain(end.result.outcome)
    await expectAsDesired(fairway, cwd, end, at)
    expect(
      load.result.failures.filter(({ detail }) => change.isGapless || detail !== '503'),
      at,
    ).toEqual([])
    serving = await versionThatAnswers(fairway)
    if (await isRunning(killed)) break
    strikes += 1
  }
  const { sent, failures, statuses } = await load.stop()
  expect(strikes).toBeGreaterThan(change.stride === 1 || all ? 14 : 1)
  const ran = (await readFile(noteOf(fairway), 'utf8')).trim().split('\n')
  expect(new Set(ran).size, 'no job ran twice').toBe(ran.length)
  expect([...statuses.keys()].filter((status) => status !== 200 && (change.isGapless || status !== 503))).toEqual([])
  process.stdout.write(`${change.name}: killed ${strikes} times, ${sent} requests, ${failures.length} failed\n`)
})

test('an instance that died is replaced wherever the control plane is killed in replacing it', async () => {
  await using fairway = await TestFairway.create()
  const project = await ServiceProject.create(fairway, ['instances: 2', `probe: ${quickProbe}`])
  const cwd = project.folder
  await fairway.ok(['up'], { cwd })
  for (let place = 1; ; place += 1) {
    await fairway.killServer()
    await fairway.ok(['server', 'start'], { env: { FAIRWAY_TEST_CRASH_AT: String(place) } })
    const striking = (await fairway.serverPid()) ?? 0
    const [victim = 0] = await fairway.programs()
    process.kill(victim, 'SIGKILL')
    const isReplaced = async () => (await fairway.status(cwd))[0]?.condition === 'healthy'
    await until(async () => !(await isRunning(striking)) || (await isReplaced()), `place ${place} is passed`)
    const wasStruck = !(await isRunning(striking))
    if (wasStruck) await fairway.ok(['server', 'start'])
    await until(isReplaced, `it is replaced after place ${place}`)
    const pids = (await fairway.status(cwd))[0]?.list.flatMap(({ pid }) => pid ?? []) ?? []
    expect(await fairway.programs(), `place ${place}`).toEqual(pids.sort((a, b) => a - b))
    expect(pids).toHaveLength(2)
    expect(pids).not.toContain(victim)
    if (!wasStruck) return expect(place).toBe(10) // start, await-healthy, admit: three places each
  }
})

/** What was said is what is: in the history, in the status, in the process table, at the gateway. */
async function expectAsDesired(fairway: TestFairway, cwd: string, { result }: CommandEnd, at: string): Promise<void> {
  const [status] = await fairway.status(cwd)
  expect(status, at).toMatchObject({
    condition: 'healthy',
    lastRollout: { phase: 'ended', outcome: result.outcome },
    release: result.services?.[0]?.release,
  })
  expect(status?.list.length, at).toBe(status?.instances)
  expect(
    status?.list.every(({ release, up }) => up && release === status.release),
    at,
  ).toBe(true)
  const pids = status?.list.flatMap(({ pid }) => pid ?? []) ?? []
  expect(await fairway.programs(), at).toEqual(pids.sort((a, b) => a - b))
}

async function versionThatAnswers(fairway: TestFairway): Promise<string> {
  const answer = await askRaw(await fairway.gateway(), { path: '/', host: 'web.localhost' })
  return answer.kind === 'answer' ? (answer.headers.get('x-served-by') ?? '') : answer.kind
}

/** The same numbers for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
