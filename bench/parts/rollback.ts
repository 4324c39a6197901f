import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { TestFairway } from '../../test/harness/fairway.ts'
import { startLoad } from '../../test/load/raw-client.ts'
import { bareStart } from '../bare-start.ts'
import { type Figure, median, type Part } from '../figure.ts'
import { example, setExampleVersion } from '../projects.ts'

const rounds = 11
const perSecond = 500

/** From the exec of the command to the last request that the newer release was still given. */
export const part: Part = {
  name: 'rollback',
  what: `fairway rollback, 3 instances, ${perSecond} requests/s at the gateway; ${rounds} cold, ${rounds} kept warm`,
  async measure(say) {
    const figures: Figure[] = []
    for (const { kept, bar } of [
      { kept: false, bar: 0.5 },
      { kept: true, bar: 0.2 },
    ]) {
      const { times, starts, ends } = await measureOne(kept)
      const start = kept ? 0 : median(starts)
      const value = (median(times) - start) / 1000
      say(`${kept ? 'warm' : 'cold'}: ${times.map((time) => time.toFixed(0)).join(', ')} ms`)
      figures.push({
        figure: kept ? 'rollback to a release kept warm' : 'rollback, cold − the program’s own start',
        measured: `${value.toFixed(2)} s`,
        bar: `≤ ${bar} s`,
        holds: value <= bar,
        detail:
          `${median(times).toFixed(0)}${kept ? '' : ` − ${start.toFixed(0)}`} ms, medians of ${rounds}, ` +
          `longest ${Math.max(...times).toFixed(0)}; the command ended after ${median(ends).toFixed(0)} ms`,
      })
    }
    return figures
  },
}

async function measureOne(kept: boolean): Promise<{ times: number[]; starts: number[]; ends: number[] }> {
  await using fairway = await TestFairway.create()
  const cwd = await fairway.project(example)
  const file = join(cwd, 'fairway.yaml')
  const text = await readFile(file, 'utf8')
  await writeFile(file, text.replace('instances: 3', `instances: 3\n    keepWarm: ${kept ? '10m' : '0s'}`))
  await fairway.ok(['up'], { cwd })
  await setExampleVersion(cwd, '2')
  await fairway.ok(['up'], { cwd })
  // Both releases have served; each round goes to the other one.
  const times: number[] = []
  const starts: number[] = []
  const ends: number[] = []
  const binary = await releaseBinary(fairway)
  let serving = 2
  for (let round = 0; round < rounds; round += 1) {
    starts.push(await bareStart(binary, () => [], { path: '/healthz', env: fairway.env }))
    const lastSentAt = new Map<string, number>()
    const load = startLoad({
      address: await fairway.gateway(),
      connections: 'keep-alive',
      perSecond,
      request: { path: '/', host: 'hello.localhost' },
      onAnswer: ({ headers, sentAt }) => lastSentAt.set(headers.get('x-version') ?? '', sentAt),
    })
    await delay(300)
    const to = serving === 2 ? 1 : 2
    const begin = performance.now()
    await fairway.ok(['rollback', '--to', String(to)], { cwd })
    ends.push(performance.now() - begin)
    await delay(300)
    const { failures } = await load.stop()
    if (failures.length > 0) throw new Error(`${failures.length} requests failed: ${JSON.stringify(failures[0])}`)
    times.push((lastSentAt.get(String(serving)) ?? Number.NaN) - begin)
    serving = to
  }
  return { times, starts, ends }
}

/** What an instance of the release runs, from /proc. */
async function releaseBinary(fairway: TestFairway): Promise<string> {
  const [service] = await fairway.status(join(fairway.root, 'project'))
  const pid = service?.list[0]?.pid
  if (pid === undefined || pid === null) throw new Error('no instance runs')
  const copy = join(fairway.root, 'bare')
  await writeFile(copy, await readFile(`/proc/${pid}/exe`), { mode: 0o755 })
  return copy
}
