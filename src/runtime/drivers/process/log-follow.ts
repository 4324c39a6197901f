import type { Abortable } from '../../../base/bounds.ts'
import { ChangeWatch } from './change-watch.ts'
import { LogFileReader } from './log-file.ts'
import { mergeTails, type RawLine, type StreamLine, timeOf } from './log-lines.ts'

/** One wake for all that a busy program writes meanwhile. */
const gatherMs = 20
/** Should a watch miss something. */
const pollMs = 250

interface LogSource extends Abortable {
  readonly out: string
  readonly err: string
  /** Begin with so many of both; undefined: with all there is. */
  readonly lines?: number | undefined
  /** Asked before each look while following: once it is true, what is then read is all there will be. undefined: no following. */
  readonly hasEnded?: (() => Promise<boolean>) | undefined
  readonly sleep: (ms: number) => Promise<void>
}

/** Both streams of an instance, in the order `mergeTails` explains; from then on as they come. */
export async function* followLogs(source: LogSource): AsyncGenerator<StreamLine> {
  const { lines, hasEnded, signal } = source
  await using out = await LogFileReader.open(source.out, lines)
  await using err = await LogFileReader.open(source.err, lines)
  if (lines === undefined) yield* mergeAll(out.untilNow(), err.untilNow())
  else yield* mergeTails(await collect(out.untilNow()), await collect(err.untilNow()), lines)
  const aborted = () => signal?.aborted === true
  if (hasEnded !== undefined) {
    while (!aborted()) {
      using watch = new ChangeWatch([source.out, source.err])
      const ended = await hasEnded()
      const fresh = [...label('out', await out.read()), ...label('err', await err.read())]
      yield* fresh
      if (fresh.length > 0) continue
      if (ended) break
      await watch.wait(pollMs, { signal })
      if (!aborted()) await source.sleep(gatherMs)
    }
    if (aborted()) return
  }
  yield* label('out', out.end())
  yield* label('err', err.end())
}

async function collect(lines: AsyncIterable<RawLine>): Promise<RawLine[]> {
  const all: RawLine[] = []
  for await (const line of lines) all.push(line)
  return all
}

function label(stream: 'out' | 'err', lines: readonly RawLine[]): StreamLine[] {
  return lines.map((line) => ({ ...line, stream }))
}

/** By the lines' own times, holding one line of each. */
async function* mergeAll(out: AsyncIterator<RawLine>, err: AsyncIterator<RawLine>): AsyncGenerator<StreamLine> {
  const a = { stream: 'out' as const, lines: out, time: Number.NEGATIVE_INFINITY, next: await out.next() }
  const b = { stream: 'err' as const, lines: err, time: Number.NEGATIVE_INFINITY, next: await err.next() }
  for (;;) {
    for (const side of [a, b]) {
      if (side.next.done !== true) side.time = Math.max(side.time, timeOf(side.next.value.text) ?? side.time)
    }
    const side = b.next.done === true || (a.next.done !== true && a.time <= b.time) ? a : b
    if (side.next.done === true) return
    yield { ...side.next.value, stream: side.stream }
    side.next = await side.lines.next()
  }
}
