import { countedCutMark, cutMark } from '../../../base/cut-mark.ts'

/** A longer line is shown up to here; the rest of it is counted and skipped, so that no line can fill the memory. */
export const maxLineBytes = 64 * 1024

export interface RawLine {
  readonly text: string
  readonly offset: number
  readonly cutBytes?: number
}

const newline = 0x0a

/** Makes lines of chunks as they come; holds at most one line's first `maxLineBytes`. What is no UTF-8 shows as �. */
export class LineSplitter {
  #parts: Buffer[] = []
  #held = 0
  #skipped = 0
  #lineOffset: number
  #offset: number
  #isMidLine: boolean

  /** @param isMidLine what stands before `offset` belongs to the same line: what is left of it says so */
  constructor(offset: number, { isMidLine = false } = {}) {
    this.#offset = offset
    this.#lineOffset = offset
    this.#isMidLine = isMidLine
  }

  /** Where the next chunk begins. */
  get offset(): number {
    return this.#offset
  }

  *push(chunk: Buffer): Generator<RawLine> {
    let from = 0
    while (from < chunk.length) {
      const end = chunk.indexOf(newline, from)
      const piece = chunk.subarray(from, end === -1 ? chunk.length : end)
      this.#keep(piece)
      from += piece.length
      this.#offset += piece.length
      if (end === -1) return
      from += 1
      this.#offset += 1
      yield this.#take()
    }
  }

  /** The last line, when it has no end. */
  *end(): Generator<RawLine> {
    if (this.#held + this.#skipped > 0) yield this.#take()
  }

  /** Begins anew elsewhere: what lay between is no longer there. */
  *jump(offset: number, { isMidLine = false } = {}): Generator<RawLine> {
    const cutBytes = offset - this.#lineOffset
    const marker = { text: countedCutMark(cutBytes), offset: this.#lineOffset, cutBytes }
    this.#parts = []
    this.#held = 0
    this.#skipped = 0
    this.#offset = offset
    this.#lineOffset = offset
    this.#isMidLine = isMidLine
    yield marker
  }

  #keep(piece: Buffer): void {
    const room = maxLineBytes - this.#held
    const kept = piece.subarray(0, room)
    // A copy, so that a short line does not hold on to a large chunk.
    if (kept.length > 0) this.#parts.push(Buffer.from(kept))
    this.#held += kept.length
    this.#skipped += piece.length - kept.length
  }

  #take(): RawLine {
    const whole = Buffer.concat(this.#parts).toString('utf8').replace(/\r$/, '')
    // A character that the cut went through is left out.
    const text = this.#isMidLine ? `${cutMark}${whole.replace(/^\ufffd{1,3}/, '')}` : whole
    const offset = this.#lineOffset
    const cutBytes = this.#skipped
    this.#parts = []
    this.#held = 0
    this.#skipped = 0
    this.#lineOffset = this.#offset
    this.#isMidLine = false
    if (cutBytes === 0) return { text, offset }
    return { text: `${text.replace(/\ufffd$/, '')} ${countedCutMark(cutBytes)}`, offset, cutBytes }
  }
}

/** When a line says it was written: RFC 3339 anywhere near its beginning, or as Go's `log` writes it. ms, or undefined. */
export function timeOf(line: string): number | undefined {
  const head = line.slice(0, 200)
  const [, date, time, zone] =
    /(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:[.,]\d{1,9})?)(Z|[+-]\d\d:?\d\d)?/.exec(head) ?? []
  if (date !== undefined && time !== undefined) return parseTime(date, time, zone)
  const [, goDate, goTime] = /^\S{0,32}\s?(\d{4}\/\d\d\/\d\d) (\d\d:\d\d:\d\d(?:\.\d{1,9})?)/.exec(head) ?? []
  return goDate === undefined || goTime === undefined ? undefined : parseTime(goDate.replaceAll('/', '-'), goTime)
}

function parseTime(date: string, time: string, zone = ''): number | undefined {
  const ms = Date.parse(`${date}T${time.replace(',', '.')}${zone}`)
  return Number.isNaN(ms) ? undefined : ms
}

export interface StreamLine extends RawLine {
  readonly stream: 'out' | 'err'
}

/**
 * The last `count` of both streams, oldest first. Two files do not tell which line came before which: the lines' own
 * times do, a line without one belonging to the line before it. Where they have none, `err` comes last (a panic is the
 * end of the story) and neither stream pushes the other out of the picture.
 */
export function mergeTails(out: readonly RawLine[], err: readonly RawLine[], count: number): StreamLine[] {
  const half = Math.floor(count / 2)
  const dated = [out, err].every((lines) => lines.length === 0 || lines.some(({ text }) => timeOf(text) !== undefined))
  const room = dated ? count : Math.max(count - out.length, half)
  const keptErr = lastOf(err, room)
  const keptOut = dated ? lastOf(out, count) : lastOf(out, count - keptErr.length)
  return lastOf([...mergeByTime(keptOut, keptErr)], count)
}

function* mergeByTime(out: readonly RawLine[], err: readonly RawLine[]): Generator<StreamLine> {
  const [a, b] = [withTimes(out, 'out'), withTimes(err, 'err')]
  let [i, j] = [0, 0]
  for (;;) {
    const [first, second] = [a[i], b[j]]
    if (first !== undefined && (second === undefined || first.time <= second.time)) {
      yield first.line
      i += 1
    } else if (second !== undefined) {
      yield second.line
      j += 1
    } else return
  }
}

function withTimes(lines: readonly RawLine[], stream: 'out' | 'err'): { line: StreamLine; time: number }[] {
  let time = Number.NEGATIVE_INFINITY
  return lines.map((line) => {
    time = Math.max(time, timeOf(line.text) ?? time)
    return { line: { ...line, stream }, time }
  })
}

function lastOf<Line>(lines: readonly Line[], count: number): Line[] {
  return count <= 0 ? [] : lines.slice(-count)
}
