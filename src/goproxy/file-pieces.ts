import { type FileHandle, open } from 'node:fs/promises'

/** One read, and one write to each client that is there. */
const pieceBytes = 1024 * 1024
/** Held for whoever asks next: of 32 clients that fetch the same zip one reads, the others follow. */
const mostPieces = 24
/** So long after the last reader their memory is kept for the next. */
const restMs = 5_000

interface Piece {
  readonly room: Buffer
  readonly content: Promise<Buffer>
  /** Who sends it just now, or went away while he did. */
  uses: number
}

interface OpenFile {
  readonly handle: Promise<FileHandle>
  readonly pieces: Map<number, Piece>
  readers: number
}

/**
 * Large files, read in pieces that all who read the same file share. What is served stays open, so that a file that is
 * removed meanwhile is served to its end.
 */
export class FilePieces {
  readonly #open = new Map<string, OpenFile>()
  /** Oldest first. */
  readonly #held = new Map<string, { readonly file: OpenFile; readonly index: number; readonly piece: Piece }>()
  /** Used again: memory that is given back by the collector is given back late. */
  readonly #free: Buffer[] = []
  #rest: NodeJS.Timeout | undefined

  /**
   * @param key of the content: a path may get another one
   * @param end exclusive
   * @returns pieces that are whoever asks' until he asks for the next: by then the one before must be on its way
   * @throws what opening throws, before the first piece
   */
  async *read(path: string, key: string, begin: number, end: number): AsyncGenerator<Buffer> {
    const file = this.#enter(path, key)
    try {
      const handle = await file.handle
      for (let at = begin; at < end;) {
        const index = Math.floor(at / pieceBytes)
        const piece = this.#piece(file, key, handle, index)
        piece.uses += 1
        const content = await piece.content
        const from = at - index * pieceBytes
        const part = content.subarray(from, Math.min(content.length, end - index * pieceBytes))
        if (part.length === 0) throw new Error(`${path} is shorter than it was`)
        yield part
        at += part.length
        if (at < end) piece.uses -= 1 // the last one may wait in the socket for long
      }
    } finally {
      file.readers -= 1
      if (file.readers === 0) this.#leave(key, file)
    }
  }

  #enter(path: string, key: string): OpenFile {
    clearTimeout(this.#rest)
    const known = this.#open.get(key)
    if (known !== undefined) {
      known.readers += 1
      return known
    }
    const file: OpenFile = { handle: open(path, 'r'), pieces: new Map(), readers: 1 }
    this.#open.set(key, file)
    file.handle.catch(() => this.#open.delete(key))
    return file
  }

  /** A file that nobody reads any more is closed, and its pieces go: the next one opens it again. */
  #leave(key: string, file: OpenFile): void {
    if (this.#open.get(key) === file) this.#open.delete(key)
    for (const index of file.pieces.keys()) this.#drop(`${key} ${index}`)
    file.handle.then((handle) => handle.close()).catch(() => {})
    if (this.#open.size === 0) this.#rest = setTimeout(() => (this.#free.length = 0), restMs).unref()
  }

  #piece(file: OpenFile, key: string, handle: FileHandle, index: number): Piece {
    const known = file.pieces.get(index)
    if (known !== undefined) return known
    const [oldest] = this.#held.size >= mostPieces ? this.#held.keys() : []
    if (oldest !== undefined) this.#drop(oldest)
    const room = this.#free.pop() ?? Buffer.allocUnsafeSlow(pieceBytes)
    const piece = { room, content: readPiece(handle, index, room), uses: 0 }
    file.pieces.set(index, piece)
    this.#held.set(`${key} ${index}`, { file, index, piece })
    return piece
  }

  #drop(key: string): void {
    const held = this.#held.get(key)
    if (held === undefined) return
    this.#held.delete(key)
    held.file.pieces.delete(held.index)
    if (held.piece.uses === 0 && this.#free.length < mostPieces / 2) this.#free.push(held.piece.room)
  }
}

async function readPiece(handle: FileHandle, index: number, buffer: Buffer): Promise<Buffer> {
  let filled = 0
  while (filled < pieceBytes) {
    const { bytesRead } = await handle.read(buffer, filled, pieceBytes - filled, index * pieceBytes + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}
