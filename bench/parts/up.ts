import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TestFairway } from '../../test/harness/fairway.ts'
import { copyPodinfo, setPodinfoVersion } from '../../test/harness/podinfo.ts'
import { bareStart } from '../bare-start.ts'
import { commandCost } from '../command.ts'
import { type Figure, median, type Part } from '../figure.ts'

const rounds = 9
const launcher = new URL('../../fairway', import.meta.url).pathname

/**
 * What a release costs beyond what cannot be spared. `healthyFor: 0s`, so nothing need be taken off; `--level=debug` spares
 * the three seconds that podinfo sleeps when it is told to end.
 */
const fairwayYaml = (instances: number) => `
services:
  podinfo:
    build: ./cmd/podinfo
    listen: { arg: '--port={{port}}' }
    args: [--level=debug]
    instances: ${instances}
    strategy: { rolling: { batch: all } }
    probe: { http: /healthz, healthyFor: 0s }
`

export const part: Part = {
  name: 'up',
  what: `podinfo, one line changed: fairway up against go build and a start; ${rounds} rounds of each in turn`,
  async measure(say) {
    await using fairway = await TestFairway.create()
    const { env } = fairway
    const cwd = join(fairway.root, 'podinfo')
    await copyPodinfo(cwd, env)
    const binary = join(fairway.root, 'bare')
    const flags = ['-trimpath', '-ldflags=-w', '-buildvcs=false']
    let changes = 0
    const bare = async () => {
      await setPodinfoVersion(cwd, `8.0.${(changes += 1)}`)
      const argv = ['go', 'build', ...flags, '-o', binary, './cmd/podinfo']
      const { wallMs } = await commandCost(argv, { cwd, env: { ...env, CGO_ENABLED: '0' } })
      const args = (port: number) => [`--port=${port}`, '--level=debug']
      return { build: wallMs, start: await bareStart(binary, args, { path: '/healthz', env }) }
    }
    const up = async () => {
      await setPodinfoVersion(cwd, `8.0.${(changes += 1)}`)
      return (await commandCost([launcher, 'up'], { cwd, env })).wallMs
    }
    const figures: Figure[] = []
    for (const { instances, bar } of [
      { instances: 1, bar: 0.4 },
      { instances: 3, bar: 0.6 },
    ]) {
      await writeFile(join(cwd, 'fairway.yaml'), fairwayYaml(instances))
      await up()
      await bare()
      const over: number[] = []
      const ups: number[] = []
      const bares: { build: number; start: number }[] = []
      for (let round = 0; round < rounds; round += 1) {
        const least = await bare()
        const whole = await up()
        bares.push(least)
        ups.push(whole)
        over.push(whole - least.build - least.start)
        say(`${instances}: up ${whole.toFixed(0)}, build ${least.build.toFixed(0)}, start ${least.start.toFixed(0)} ms`)
      }
      const parts = [ups, bares.map(({ build }) => build), bares.map(({ start }) => start)]
      const value = median(over) / 1000
      figures.push({
        figure: `\`up\` − (\`go build\` + start), ${instances === 1 ? '1 instance' : `${instances} instances in one batch`}`,
        measured: `${value.toFixed(2)} s`,
        bar: `≤ ${bar} s`,
        holds: value <= bar,
        detail: `${parts.map((values) => (median(values) / 1000).toFixed(2)).join(' − ')} s, medians of ${rounds}`,
      })
    }
    return figures
  },
}
