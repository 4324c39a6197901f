import { setTimeout as delay } from 'node:timers/promises'
import { Client } from '../../src/cli/client.ts'
import { TestFairway } from '../../test/harness/fairway.ts'
import { startCrowd } from '../crowd.ts'
import type { Figure, Part } from '../figure.ts'
import { type ProcessMemory, processMemory } from '../process-memory.ts'

const calls = 1_000
const restMs = 5_000

export const part: Part = {
  name: 'memory',
  what: `the control plane after ${calls} API calls, idle and with 100 instances`,
  async measure() {
    const figures: Figure[] = []
    for (const { instances, bar } of [
      { instances: 0, bar: 120 },
      { instances: 100, bar: 150 },
    ]) {
      const { pssMb, rssMb } = await memoryWith(instances)
      figures.push({
        figure: `PSS of the control plane after ${calls} API calls, ${instances === 0 ? 'idle' : `${instances} instances`}`,
        measured: `${pssMb.toFixed(0)} MB`,
        bar: `≤ ${bar} MB`,
        holds: pssMb <= bar,
        detail: `children included; RSS ${rssMb.toFixed(0)} MB`,
      })
    }
    return figures
  },
}

async function memoryWith(instances: number): Promise<ProcessMemory> {
  await using fairway = await TestFairway.create()
  if (instances > 0) await startCrowd(fairway, instances)
  else await fairway.ok(['server', 'start'])
  const { pid, addresses } = await fairway.version()
  const client = new Client({ kind: 'socket', path: addresses.socket }, 'bench@bench')
  for (let call = 0; call < calls; call += 1) {
    if (call % 4 === 3) await client.json('GET', '/v1/version')
    else await client.json('POST', '/v1/operations/status', { body: {} })
  }
  await delay(restMs)
  return processMemory(pid)
}
