import { type FileHandle, open, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '../../../base/atomic-file.ts'
import type { Abortable } from '../../../base/bounds.ts'
import { errnoOf } from '../../../base/error.ts'
import { type Argv, exec } from '../../../base/exec.ts'
import { LineSplitter, maxLineBytes, type RawLine } from './log-lines.ts'

const chunkBytes = 64 * 1024
const blockBytes = 4096

/** A tail never reads back further than this, whatever the lines' lengths. */
const maxTailBytes = 1024 * 1024

/** Beside a log whose front was given back: the offset of the first line that is still there. */
const cutFile = (path: string) => `${path}.cut`

async function readCut(path: string): Promise<number> {
  try {
    const cut = Number(await readFile(cutFile(path), 'utf8'))
    return Number.isSafeInteger(cut) && cut > 0 ? cut : 0
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 0
    throw error
  }
}

/** Reads a log that grows, and whose front may be given back, meanwhile. */
export class LogFileReader implements AsyncDisposable {
  readonly #path: string
  readonly #buffer = Buffer.allocUnsafe(chunkBytes)
  #file: FileHandle | undefined
  readonly #splitter: LineSplitter
  readonly #sizeAtOpen: number
  #pending: RawLine[] = []

  private constructor(path: string, file: FileHandle | undefined, splitter: LineSplitter, size: number) {
    this.#path = path
    this.#file = file
    this.#sizeAtOpen = size
    this.#splitter = splitter
  }

  /** @param lines begin that many before the end; undefined: at the first there is */
  static async open(path: string, lines?: number): Promise<LogFileReader> {
    const file = await openIfThere(path)
    const cut = await readCut(path)
    const tail = lines === undefined || file === undefined ? undefined : await findTail(file, cut, lines)
    // Where a tail ends its search before it has enough lines, it says how much it passed over.
    const from = tail?.isShort === true ? cut : (tail?.offset ?? 0)
    const first = Math.max(cut, tail?.offset ?? 0)
    const begins = { isMidLine: await isMidLine(file, first) }
    const splitter = new LineSplitter(from, begins)
    const reader = new LogFileReader(path, file, splitter, (await file?.stat())?.size ?? 0)
    if (from < first) reader.#pending.push(...splitter.jump(first, begins))
    return reader
  }

  /** The next lines, as many as one chunk holds; an empty list at the end of what there is. */
  async read(): Promise<RawLine[]> {
    for (;;) {
      if (this.#pending.length > 0) return this.#pending.splice(0)
      this.#file ??= await openIfThere(this.#path)
      const { bytesRead } = (await this.#file?.read(this.#buffer, 0, chunkBytes, this.#splitter.offset)) ?? {
        bytesRead: 0,
      }
      if (bytesRead === 0) return []
      const chunk = this.#buffer.subarray(0, bytesRead)
      // A hole reads as NUL: either the program writes such, or the front was given back under our feet.
      const cut = chunk.includes(0) ? await readCut(this.#path) : 0
      if (cut > this.#splitter.offset) {
        this.#pending.push(...this.#splitter.jump(cut, { isMidLine: await isMidLine(this.#file, cut) }))
      } else this.#pending.push(...this.#splitter.push(chunk))
    }
  }

  /** All that stood there when it was opened, but for a last line without an end. */
  async *untilNow(): AsyncGenerator<RawLine> {
    while (this.#splitter.offset < this.#sizeAtOpen || this.#pending.length > 0) {
      const lines = await this.read()
      yield* lines
      if (lines.length === 0) return
    }
  }

  /** The last line, when it has no end and never will. */
  end(): RawLine[] {
    return [...this.#splitter.end()]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.close()
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

async function isMidLine(file: FileHandle | undefined, offset: number): Promise<boolean> {
  if (file === undefined || offset === 0) return false
  const { buffer, bytesRead } = await file.read(Buffer.alloc(1), 0, 1, offset - 1)
  return bytesRead === 1 && buffer[0] !== 0x0a
}

/** Where the last lines begin: looked for backwards, no further than `maxTailBytes` or what was cut. */
async function findTail(file: FileHandle, cut: number, lines: number): Promise<{ offset: number; isShort: boolean }> {
  const { size } = await file.stat()
  const floor = Math.max(cut, size - maxTailBytes)
  const buffer = Buffer.allocUnsafe(chunkBytes)
  let missing = lines
  let earliest: number | undefined
  for (let end = size - 1; end > floor; end = Math.max(floor, end - chunkBytes)) {
    // the last byte ends a line, it begins none
    const start = Math.max(floor, end - chunkBytes)
    const { bytesRead } = await file.read(buffer, 0, end - start, start)
    const chunk = buffer.subarray(0, bytesRead)
    for (let at = chunk.lastIndexOf(0x0a); at !== -1; at = at === 0 ? -1 : chunk.lastIndexOf(0x0a, at - 1)) {
      earliest = start + at + 1
      missing -= 1
      if (missing === 0) return { offset: earliest, isShort: false }
    }
  }
  if (floor === cut) return { offset: floor, isShort: false }
  // of a line without end, the last part
  return { offset: earliest ?? Math.max(floor, size - maxLineBytes), isShort: true }
}

/** The last lines of a log, oldest first, bounded in count and bytes. */
export async function tailFile(path: string, lines: number): Promise<RawLine[]> {
  if (lines <= 0) return []
  await using reader = await LogFileReader.open(path, lines)
  const last: RawLine[] = []
  for await (const line of reader.untilNow()) {
    last.push(line)
    if (last.length > 2 * lines) last.splice(0, lines)
  }
  return [...last, ...reader.end()].slice(-lines)
}

/** Every log below the folder. */
export async function findLogs(logFolder: string): Promise<string[]> {
  const names = await readdir(logFolder, { recursive: true }).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  })
  return names.filter((name) => /\.(out|err)$/.test(name)).map((name) => join(logFolder, name))
}

const punchHole = (fallocate: string, path: string, bytes: number): Argv => [
  fallocate,
  '--punch-hole',
  '--offset',
  '0',
  '--length',
  String(bytes),
  path,
]

/**
 * Gives the blocks at the front of a log back once it holds more than the cap, down to half of it. The file is not
 * moved and offsets stay true, so neither writer nor readers notice.
 * @returns how many bytes are newly cut
 * @throws FairwayError COMMAND_FAILED where the file system cannot (NFS)
 */
export async function capLog(
  path: string,
  { capBytes, fallocate, signal }: Abortable & { capBytes: number; fallocate: string },
): Promise<number> {
  const found = await stat(path).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error
  })
  if (found === undefined || found.blocks * 512 <= capBytes) return 0
  const before = await readCut(path)
  const cut = await firstLineAfter(path, found.size - Math.floor(capBytes / 2))
  if (cut <= before) return 0
  // First said, then done: a reader that sees the hole finds the reason.
  await writeFileAtomic(cutFile(path), String(cut), { durable: false })
  const kept = cut - 1 // the end of the line before: it tells that a line begins here
  const punched = await exec(punchHole(fallocate, path, kept - (kept % blockBytes)), { signal, deadlineMs: 10_000 })
  if (punched.exitCode !== 0) throw new Error(punched.stderr.trim())
  return cut - before
}

/** A line's beginning at or after `offset`; where a line is too long to look for its end, the offset itself. */
async function firstLineAfter(path: string, offset: number): Promise<number> {
  await using file = await open(path, 'r')
  const buffer = Buffer.allocUnsafe(maxLineBytes)
  const { bytesRead } = await file.read(buffer, 0, maxLineBytes, offset)
  const end = buffer.subarray(0, bytesRead).indexOf(0x0a)
  return end === -1 ? offset : offset + end + 1
}
