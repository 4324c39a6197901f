import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'vitest'
import { isRunning, TestFairway } from '../harness/fairway.ts'
import { copyPodinfo, setPodinfoVersion } from '../harness/podinfo.ts'
import { askRaw, startLoad } from '../load/raw-client.ts'

/** `--level=debug` spares the three seconds that podinfo sleeps when it is told to end. */
const fairwayYaml = `
services:
  podinfo:
    build: ./cmd/podinfo
    listen: { arg: '--port={{port}}' }
    args: [--level=debug]
    instances: 3
    probe: { http: /healthz, healthyFor: 100ms }
`
const host = 'podinfo.localhost'
const replacements = 20

test.concurrent('podinfo goes up, is replaced 20 times under load without a lost request, goes back and comes down', async ({
  expect,
}) => {
  await using fairway = await TestFairway.create()
  const cwd = join(fairway.root, 'podinfo')
  await copyPodinfo(cwd, fairway.env)
  await writeFile(join(cwd, 'fairway.yaml'), fairwayYaml)

  const first = await fairway.ok(['up'], { cwd })
  expect(first.result.services).toMatchObject([{ service: 'podinfo', outcome: 'done', release: 1 }])
  expect((await fairway.status(cwd))[0]).toMatchObject({ condition: 'healthy', healthy: 3, instances: 3 })
  const address = await fairway.gateway()
  const version = async () => {
    const outcome = await askRaw(address, { path: '/version', host })
    return outcome.kind === 'answer' ? outcome.body : outcome.kind
  }

  const loads = [
    startLoad({ address, connections: 'keep-alive', perSecond: 100, request: { path: '/version', host } }),
    startLoad({ address, connections: 'new', perSecond: 50, request: { path: '/version', host } }),
    startLoad({ address, connections: 'keep-alive', perSecond: 5, request: { path: '/delay/1', host } }),
    startLoad({
      address,
      connections: 'keep-alive',
      perSecond: 10,
      request: { path: '/echo', host, method: 'POST', bodyBytes: 40_000 },
    }),
  ]
  for (let replaced = 1; replaced <= replacements; replaced += 1) {
    await setPodinfoVersion(cwd, `7.0.${replaced}`)
    const { result } = await fairway.ok(['up'], { cwd })
    expect(result.services).toMatchObject([{ outcome: 'done', release: replaced + 1 }])
    expect(await version()).toContain(`7.0.${replaced}`)
  }
  const back = await fairway.ok(['rollback'], { cwd })
  expect(back.result.services).toMatchObject([{ outcome: 'done', release: replacements }])
  expect(await version()).toContain(`7.0.${replacements - 1}`)

  const results = await Promise.all(loads.map((load) => load.stop()))
  expect(results.flatMap(({ failures }) => failures)).toEqual([])
  expect(results.map(({ sent, answered }) => sent - answered)).toEqual([0, 0, 0, 0])
  expect(results[0]?.sent).toBeGreaterThan(1_000)
  expect(await fairway.gatewayCounters(cwd)).toEqual({ retries: 0, redispatches: 0 })

  const { list } = (await fairway.status(cwd))[0] ?? { list: [] }
  const pids = list.flatMap(({ pid }) => pid ?? [])
  expect(pids).toHaveLength(3)
  expect((await fairway.ok(['down'], { cwd })).result.outcome).toBe('done')
  expect((await fairway.status(cwd))[0]).toMatchObject({ condition: 'down', list: [] })
  for (const pid of pids) expect(await isRunning(pid)).toBe(false)
  await fairway.ok(['server', 'stop'], { cwd })
  expect(await askRaw(address, { path: '/', host })).toMatchObject({ kind: 'refused' })
})

test.concurrent('told by a variable it does not obey, podinfo is taken back, with the very line that makes it work', async ({
  expect,
}) => {
  await using fairway = await TestFairway.create()
  const cwd = join(fairway.root, 'podinfo')
  await copyPodinfo(cwd, fairway.env)

  const told = 'services: { podinfo: { listen: { env: PORT }, probe: { tcp: true } } }\n'
  await writeFile(join(cwd, 'fairway.yaml'), told)
  const failed = await fairway.run(['up'], { cwd })
  expect(failed.exit).toBe(1)
  expect(failed.result.outcome).toBe('reverted')
  const said = failed.events.find((event) => event.kind === 'waiting') // seconds after its start, not at the deadline
  expect(said).toMatchObject({ message: expect.stringMatching(/is not healthy yet: listens on \S+:9898, not on /) })
  const { failure } = failed.events.find((event) => event.kind === 'rollout-failed') as {
    failure: { cause: string; what: string; hint: string }
  }
  expect(failure).toMatchObject({ cause: 'wrong-port', what: expect.stringMatching(/listens on \S+:9898, not on /) })

  const line = /`(services: [^`]*)`/.exec(failure.hint)?.[1] ?? ''
  await writeFile(join(cwd, 'fairway.yaml'), line)
  expect((await fairway.ok(['up'], { cwd })).result.services).toMatchObject([{ outcome: 'done' }])
})
