import { join } from 'node:path'
import { TestFairway } from '../../test/harness/fairway.ts'
import { copyPodinfo } from '../../test/harness/podinfo.ts'
import { commandCost } from '../command.ts'
import { type Figure, median, type Part } from '../figure.ts'
import { example } from '../projects.ts'

const rounds = 15

/** Nothing changed: what is asked twice is only whether anything did. */
export const part: Part = {
  name: 'build',
  what: `${rounds} × \`fairway build\` and \`go build\` of what is up to date`,
  async measure(say) {
    await using fairway = await TestFairway.create()
    const hello = await fairway.project(example)
    const podinfo = join(fairway.root, 'podinfo')
    await copyPodinfo(podinfo, fairway.env)
    const figures: Figure[] = []
    for (const [name, folder, main] of [
      ['the example', hello, '.'],
      ['podinfo, its main package detected', podinfo, './cmd/podinfo'],
    ] as const) {
      say(name)
      figures.push(await measure(fairway, name, folder, main))
    }
    return figures
  },
}

async function measure(fairway: TestFairway, name: string, cwd: string, main: string): Promise<Figure> {
  const env = { ...fairway.env, GOFLAGS: '', GOENV: 'off', GOTOOLCHAIN: 'local', CGO_ENABLED: '0' }
  const flags = ['-trimpath', '-ldflags=-w', '-buildvcs=false']
  const go = ['go', 'build', ...flags, '-o', join(fairway.root, 'bare'), main]
  const ours = [new URL('../../fairway', import.meta.url).pathname, 'build']
  for (const argv of [go, ours, go, ours]) await commandCost(argv, { cwd, env })
  const times: { go: number[]; ours: number[] } = { go: [], ours: [] }
  for (let round = 0; round < rounds; round += 1) {
    times.go.push((await commandCost(go, { cwd, env })).wallMs)
    times.ours.push((await commandCost(ours, { cwd, env })).wallMs)
  }
  const [bare, whole] = [median(times.go) / 1000, median(times.ours) / 1000]
  return {
    figure: `no-change \`fairway build\` − no-change \`go build\`, ${name}`,
    measured: `${(whole - bare).toFixed(2)} s`,
    bar: '≤ 0.3 s',
    holds: whole - bare <= 0.3,
    detail: `${whole.toFixed(2)} − ${bare.toFixed(2)} s, medians of ${rounds}`,
  }
}
