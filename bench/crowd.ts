import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestFairway } from '../test/harness/fairway.ts'
import { example } from './projects.ts'

/** The example with many instances, all serving. */
export async function startCrowd(fairway: TestFairway, instances: number): Promise<string> {
  const cwd = await fairway.project(example)
  const file = join(cwd, 'fairway.yaml')
  const text = await readFile(file, 'utf8')
  const many = `instances: ${instances}\n    strategy: { rolling: { batch: 20 } }`
  await writeFile(
    file,
    text.replace('instances: 3', many).replace('deadline: 5s', 'deadline: 60s, every: 5s, healthyFor: 0s'),
  )
  await fairway.ok(['up'], { cwd })
  const [service] = await fairway.status(cwd)
  if (service?.healthy !== instances) throw new Error(`${service?.healthy} of ${instances} are healthy`)
  return cwd
}
