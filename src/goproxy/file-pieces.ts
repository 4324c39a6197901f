import { type FileHandle, open } from 'node:fs/promises'

/** One read, and one write to each client that is there. */
const pieceBytes = 256 * 1024
/** Held for whoever asks next: of 32 clients that fetch the same zip one reads, the others follow. 12 MB. */
const mostPieces = 48

interface OpenFile {
  readonly handle: Promise<FileHandle>
  readonly pieces: Map<number, Promise<Buffer>>
  readers: number
}

/**
 * Large files, read in pieces that all who read the same file share. What is served stays open, so that a file that is
 * removed meanwhile is served to its end.
 */
export class FilePieces {
  readonly #open = new Map<string, OpenFile>()
  /** Oldest first. */
  readonly #held = new Map<string, { readonly file: OpenFile; readonly index: number }>()

  /**
   * @param key of the content: a path may get another one
   * @param end exclusive
   * @throws what opening throws, before the first piece
   */
  async *read(path: string, key: string, begin: number, end: number): AsyncGenerator<Buffer> {
    const file = this.#enter(path, key)
    try {
      const handle = await file.handle
      for (let at = begin; at < end;) {
        const index = Math.floor(at / pieceBytes)
        const piece = await this.#piece(file, key, handle, index)
        const from = at - index * pieceBytes
        const part = piece.subarray(from, Math.min(piece.length, end - index * pieceBytes))
        if (part.length === 0) throw new Error(`${path} is shorter than it was`)
        yield part
        at += part.length
      }
    } finally {
      file.readers -= 1
      if (file.readers === 0) this.#leave(key, file)
    }
  }

  #enter(path: string, key: string): OpenFile {
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
    for (const index of file.pieces.keys()) this.#held.delete(`${key} ${index}`)
    file.pieces.clear()
    file.handle.then((handle) => handle.close()).catch(() => {})
  }

  #piece(file: OpenFile, key: string, handle: FileHandle, index: number): Promise<Buffer> {
    const known = file.pieces.get(index)
    if (known !== undefined) return known
    const reading = readPiece(handle, index)
    file.pieces.set(index, reading)
    this.#held.set(`${key} ${index}`, { file, index })
    if (this.#held.size > mostPieces) {
      const [oldest] = this.#held
      if (oldest !== undefined) {
        this.#held.delete(oldest[0])
        oldest[1].file.pieces.delete(oldest[1].index)
      }
    }
    return reading
  }
}

async function readPiece(handle: FileHandle, index: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(pieceBytes) // not of the pool: it is given back as soon as it is held no more
  let filled = 0
  while (filled < pieceBytes) {
    const { bytesRead } = await handle.read(buffer, filled, pieceBytes - filled, index * pieceBytes + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}
