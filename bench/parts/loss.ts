import { setTimeout as delay } from 'node:timers/promises'
import { TestFairway } from '../../test/harness/fairway.ts'
import { quickProbe, ServiceProject } from '../../test/harness/service-project.ts'
import { type Failure, type LoadOptions, type LoadResult, startLoad } from '../../test/load/raw-client.ts'
import type { Figure, Part } from '../figure.ts'

const changes = 200
const controls = 10
const host = 'web.localhost'

/** More than 500 requests per second, of which some take two seconds and some carry 40 kB that cannot be sent again. */
const mix: readonly Omit<LoadOptions, 'address'>[] = [
  { connections: 'keep-alive', perSecond: 350, request: { path: '/', host } },
  { connections: 'new', perSecond: 120, request: { path: '/', host } },
  { connections: 'keep-alive', perSecond: 25, request: { path: '/', host, method: 'POST', bodyBytes: 40_000 } },
  { connections: 'new', perSecond: 10, request: { path: '/', host, method: 'POST', bodyBytes: 40_000 } },
  { connections: 'keep-alive', perSecond: 10, request: { path: '/?wait=2s', host } },
]

/** The program dies at once of SIGTERM, so that whoever is told to end too early takes requests with it. */
export const part: Part = {
  name: 'loss',
  what: `${changes} rollouts and rollbacks under ${sum(mix.map(({ perSecond }) => perSecond))} requests/s, then ${controls} in the wrong order`,
  async measure(say) {
    await using fairway = await TestFairway.create()
    const project = await ServiceProject.create(fairway, [
      'instances: 2',
      'strategy: { rolling: { batch: all } }',
      `probe: ${quickProbe}`,
    ])
    const cwd = project.folder
    await project.values({ VERSION: '0' })
    await fairway.ok(['up'], { cwd })

    const right = await underLoad(fairway, cwd, async () => {
      for (let change = 1; change <= changes; change += 1) {
        const isRollback = change % 2 === 0
        if (!isRollback) await project.values({ VERSION: String(change) })
        await fairway.ok([isRollback ? 'rollback' : 'up'], { cwd })
        if (change % 20 === 0) say(`${change} of ${changes}`)
      }
    })
    // The wrong order on purpose: the programs are told to end while the gateway still sends to them.
    const wrong = await underLoad(fairway, cwd, async () => {
      for (let control = 0; control < controls; control += 1) {
        const [service] = await fairway.status(cwd)
        const pid = service?.list.find(({ state }) => state === 'running')?.pid
        if (pid !== undefined && pid !== null) process.kill(pid, 'SIGTERM')
        await delay(1_000)
      }
    })
    const isControlled = wrong.failures.length > 0
    const figures: Figure[] = [
      {
        figure: `failed requests over ${changes} rollouts and rollbacks`,
        measured: `${right.failures.length}`,
        bar: '0',
        holds: right.failures.length === 0 && right.rate >= 500,
        detail: `of ${right.sent} sent, ${right.rate.toFixed(0)}/s, a tenth of them of 2 s or 40 kB${kindsOf(right.failures)}`,
      },
      {
        figure: 'HAProxy’s retries + redispatches in them',
        measured: `${right.repeated}`,
        bar: '0',
        holds: right.repeated === 0,
        detail: 'summed over its services',
      },
      {
        figure: 'negative control: told to end before they are drained',
        measured: `${wrong.failures.length} failed`,
        bar: '> 0',
        holds: isControlled,
        detail: `${controls} instances, of ${wrong.sent} sent; ${wrong.repeated} repeated by HAProxy${kindsOf(wrong.failures)}`,
      },
    ]
    return figures
  },
}

interface Loss {
  readonly sent: number
  readonly failures: readonly Failure[]
  /** Retries and redispatches. */
  readonly repeated: number
  /** Requests per second. */
  readonly rate: number
}

async function underLoad(fairway: TestFairway, cwd: string, work: () => Promise<void>): Promise<Loss> {
  const address = await fairway.gateway()
  const before = await repeated(fairway, cwd)
  const begin = performance.now()
  const loads = mix.map((options) => startLoad({ ...options, address }))
  await delay(500)
  let results: LoadResult[] = []
  let tookMs = 0
  try {
    await work()
  } finally {
    tookMs = performance.now() - begin
    results = await Promise.all(loads.map((load) => load.stop()))
  }
  const sent = sum(results.map((result) => result.sent))
  const failures = results.flatMap((result) => result.failures)
  return { sent, failures, repeated: (await repeated(fairway, cwd)) - before, rate: sent / (tookMs / 1000) }
}

async function repeated(fairway: TestFairway, cwd: string): Promise<number> {
  const { retries, redispatches } = await fairway.gatewayCounters(cwd)
  if (retries === null || redispatches === null) throw new Error('the gateway does not say what it counted')
  return retries + redispatches
}

function kindsOf(failures: readonly Failure[]): string {
  const counts = new Map<string, number>()
  for (const { kind, detail } of failures) {
    const what = kind === 'status' ? detail : kind
    counts.set(what, (counts.get(what) ?? 0) + 1)
  }
  return counts.size === 0 ? '' : `: ${[...counts].map(([what, count]) => `${count} × ${what}`).join(', ')}`
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
