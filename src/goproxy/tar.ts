import type { FileHandle } from 'node:fs/promises'

const blockBytes = 512

/** A plain file in a tar, and where its content lies. */
export interface TarEntry {
  readonly name: string
  readonly bytes: number
  readonly offset: number
}

/** A tar of plain files, without times, owners and modes: the same files give the same bytes. @see POSIX.1-2017, pax */
export class TarWriter {
  readonly #file: FileHandle

  constructor(file: FileHandle) {
    this.#file = file
  }

  async add(name: string, bytes: number, content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    if (Buffer.byteLength(name) > 100) {
      const record = paxRecord('path', name)
      await this.#write(header('pax', 'x', record.length))
      await this.#write(padded(record))
    }
    await this.#write(header(Buffer.byteLength(name) > 100 ? 'long' : name, '0', bytes))
    let written = 0
    for await (const chunk of content) {
      await this.#write(chunk)
      written += chunk.length
    }
    if (written !== bytes) throw new Error(`${name} has ${written} bytes, not ${bytes}: it changed meanwhile`)
    await this.#write(Buffer.alloc(-bytes & (blockBytes - 1)))
  }

  async end(): Promise<void> {
    await this.#write(Buffer.alloc(2 * blockBytes))
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;)
      done += (await this.#file.write(bytes, done, bytes.length - done)).bytesWritten // from where it stands: it may be a pipe
  }
}

function header(name: string, type: string, bytes: number): Buffer {
  const block = Buffer.alloc(blockBytes)
  block.write(name, 0, 100)
  for (const [at, text] of [
    [100, '0000644'],
    [108, '0000000'],
    [116, '0000000'],
    [136, '00000000000'],
  ] as const)
    block.write(text, at, 'latin1')
  block.write(bytes.toString(8).padStart(11, '0'), 124, 'latin1')
  block.write(`        ${type}`, 148, 'latin1')
  block.write('ustar\u000000', 257, 'latin1')
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\u0000 `, 148, 'latin1')
  return block
}

/** '30 path=…\n': the number counts itself. */
function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`)
  let length = rest + 1
  while (String(length).length + rest !== length) length = String(length).length + rest
  return Buffer.from(`${length} ${key}=${value}\n`)
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & (blockBytes - 1))])
}

const mostPaxBytes = 64 * 1024

/**
 * The plain files of a tar. Folders are passed over.
 * @throws Error for what is no tar, is cut off, or holds links, devices or anything else
 */
export async function* readTar(file: FileHandle): AsyncGenerator<TarEntry> {
  const { size } = await file.stat()
  let longName: string | undefined
  for (let at = 0; ;) {
    const block = await readAt(file, at, blockBytes)
    if (block.length === blockBytes && block.every((byte) => byte === 0)) return
    if (block.length < blockBytes) throw new Error('it ends in the middle')
    const bytes = octal(block, 124, 12)
    const claimed = octal(block, 148, 8)
    const sum = block.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 32 : byte), 0)
    if (claimed !== sum || bytes === undefined) throw new Error(`it is no tar: nothing begins at byte ${at}`)
    const offset = at + blockBytes
    if (offset + bytes > size) throw new Error('it ends in the middle')
    const type = String.fromCharCode(block[156] ?? 0)
    if (type === 'x' && bytes <= mostPaxBytes)
      longName = /(?:^|\n)\d+ path=([^\n]*)\n/.exec((await readAt(file, offset, bytes)).toString('utf8'))?.[1]
    else {
      const prefix = text(block, 345, 155)
      const name = longName ?? (prefix === '' ? '' : `${prefix}/`) + text(block, 0, 100)
      longName = undefined
      if (type === '0' || type === '\0') yield { name: name.replace(/^\.\//, ''), bytes, offset }
      else if (type !== '5') throw new Error(`${JSON.stringify(name)} is no plain file`)
    }
    at = offset + bytes + (-bytes & (blockBytes - 1))
  }
}

function text(block: Buffer, at: number, length: number): string {
  const bytes = block.subarray(at, at + length)
  const end = bytes.indexOf(0)
  return bytes.subarray(0, end < 0 ? length : end).toString('utf8')
}

function octal(block: Buffer, at: number, length: number): number | undefined {
  const digits = text(block, at, length).trim()
  return /^[0-7]{1,11}$/.test(digits) ? Number.parseInt(digits, 8) : undefined
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  const { bytesRead } = await file.read(buffer, 0, length, position)
  return buffer.subarray(0, bytesRead)
}
