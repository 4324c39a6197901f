import { TestFairway } from '../../test/harness/fairway.ts'
import { type CommandCost, commandCost } from '../command.ts'
import { type Figure, median, type Part } from '../figure.ts'
import { example } from '../projects.ts'

const runs = 40
const launcher = new URL('../../fairway', import.meta.url).pathname

/** The price of looking: over a Node that does nothing. */
export const part: Part = {
  name: 'status',
  what: `fairway status, 3 instances, against node -e 0; ${runs} runs of each in turn`,
  async measure() {
    await using fairway = await TestFairway.create()
    const cwd = await fairway.project(example)
    await fairway.ok(['up'], { cwd })
    const options = { cwd, env: fairway.env }
    const ours: CommandCost[] = []
    const bare: CommandCost[] = []
    for (let run = 0; run < runs; run += 1) {
      ours.push(await commandCost([launcher, 'status'], options))
      bare.push(await commandCost([process.execPath, '-e', '0'], options))
    }
    const of = (costs: readonly CommandCost[], key: keyof CommandCost) => median(costs.map((cost) => cost[key]))
    const figure = (what: string, key: keyof CommandCost, bar: number): Figure => {
      const [mine, theirs] = [of(ours, key), of(bare, key)]
      return {
        figure: `\`fairway status\` − \`node -e 0\`, ${what}`,
        measured: `${(mine - theirs).toFixed(0)} ms`,
        bar: `≤ ${bar} ms`,
        holds: mine - theirs <= bar,
        detail: `${mine.toFixed(0)} − ${theirs.toFixed(0)} ms, medians of ${runs}`,
      }
    }
    return [figure('wall', 'wallMs', 60), figure('CPU', 'cpuMs', 40)]
  },
}
