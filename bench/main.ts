import { cpus, release, totalmem } from 'node:os'
import { type Figure, formatTable, type Part } from './figure.ts'

/** `make bench`, or one part of it: `make bench BENCH=status`. Each figure stands against the bare thing of the same run. */
const parts: readonly (() => Promise<{ part: Part }>)[] = [
  () => import('./parts/loss.ts'),
  () => import('./parts/up.ts'),
  () => import('./parts/trial.ts'),
  () => import('./parts/rollback.ts'),
  () => import('./parts/proxy.ts'),
  () => import('./parts/modules.ts'),
  () => import('./parts/memory.ts'),
  () => import('./parts/status.ts'),
  () => import('./parts/restart.ts'),
  () => import('./parts/toolchain.ts'),
  () => import('./parts/build.ts'),
  () => import('./parts/image.ts'),
]

const loaded = (await Promise.all(parts.map((load) => load()))).map(({ part }) => part)
const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !loaded.some((part) => part.name === name))
if (unknown.length > 0) {
  process.stderr.write(`no part ${unknown.join(', ')}; there are ${loaded.map(({ name }) => name).join(', ')}\n`)
  process.exit(64)
}

const figures: Figure[] = []
for (const part of loaded) {
  if (wanted.length > 0 && !wanted.includes(part.name)) continue
  process.stderr.write(`${part.name}: ${part.what}\n`)
  const say = (text: string) => void process.stderr.write(`  ${text}\n`)
  figures.push(...(await part.measure(say)))
}
const [cpu] = cpus()
const machine = `${cpus().length} × ${cpu?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version}`
process.stdout.write(`${new Date().toISOString().slice(0, 10)}, ${machine}\n\n${formatTable(figures)}\n`)
process.exitCode = figures.every(({ holds }) => holds) ? 0 : 1
