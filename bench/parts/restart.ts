import { TestFairway } from '../../test/harness/fairway.ts'
import { startCrowd } from '../crowd.ts'
import { median, type Part } from '../figure.ts'

const instances = 100
const rounds = 9
const bar = 0.7

export const part: Part = {
  name: 'restart',
  what: `a control plane killed and started again over ${instances} instances; ${rounds} times`,
  async measure(say) {
    await using fairway = await TestFairway.create()
    const cwd = await startCrowd(fairway, instances)
    await fairway.ok(['server', 'stop'])
    await fairway.ok(['server', 'start']) // the compile cache is warm from here on
    const times: number[] = []
    for (let round = 0; round < rounds; round += 1) {
      await fairway.killServer()
      const begin = performance.now()
      await fairway.ok(['server', 'start'])
      times.push(performance.now() - begin)
      const adopted = await lastAdopted(fairway)
      if (adopted !== instances) throw new Error(`adopted ${adopted} of ${instances}`)
      say(`${times.at(-1)?.toFixed(0)} ms, adopted ${adopted}`)
    }
    const [service] = await fairway.status(cwd)
    if (service?.healthy !== instances) throw new Error(`${service?.healthy} of ${instances} are healthy`)
    const value = median(times) / 1000
    return [
      {
        figure: `restart of the control plane to "adopted all of ${instances} instances"`,
        measured: `${value.toFixed(2)} s`,
        bar: `≤ ${bar} s`,
        holds: value <= bar,
        detail: `from the exec of \`fairway server start\` after kill -9; median of ${rounds}, longest ${(Math.max(...times) / 1000).toFixed(2)} s`,
      },
    ]
  },
}

async function lastAdopted(fairway: TestFairway): Promise<number | undefined> {
  const { events } = await fairway.ok(['events'])
  const started = events.findLast((event) => event.kind === 'server-started')
  return started !== undefined && 'adopted' in started ? started.adopted : undefined
}
