import { constants, type FileHandle, open } from 'node:fs/promises'
import { errnoOf, type ErrorCode, FairwayError } from '../base/error.ts'

const maxBytes = 1024 * 1024

/**
 * A file a person wrote, read with the suspicion it deserves: a regular file of at most 1 MiB, UTF-8, without NUL.
 * @param code what to throw otherwise
 * @param name how messages call it
 * @returns undefined when there is none
 */
export async function readInputFile(
  path: string,
  { code, name }: { code: ErrorCode; name: string },
): Promise<{ text: string; mode: number } | undefined> {
  const refuse = (what: string, hint?: string) => new FairwayError(code, `${name}: ${what}`, { hint })
  let file: FileHandle
  try {
    // Without O_NONBLOCK a FIFO would keep us waiting for a writer.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined
    if (errno === 'ELOOP') throw refuse('is a symbolic link that leads to itself')
    if (errno === 'EACCES') {
      throw refuse('cannot be read (permission denied)', `Give this user the right to read it: chmod u+r ${name}`)
    }
    throw error
  }
  await using opened = file
  const stat = await opened.stat()
  if (!stat.isFile())
    throw refuse(
      `is ${stat.isDirectory() ? 'a folder' : 'a special file'}, a text file was expected`,
      `Is ${name} the right file?`,
    )
  if (stat.size > maxBytes) {
    throw refuse(
      `is ${(stat.size / maxBytes).toFixed(1)} MiB long, at most 1 MiB was expected`,
      `Is ${name} the right file?`,
    )
  }
  const bytes = await opened.readFile()
  const nul = bytes.indexOf(0)
  if (nul >= 0) throw refuse(`${placeOfByte(bytes, nul)}: a NUL byte, text was expected`)
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), mode: stat.mode & 0o777 }
  } catch {
    throw refuse(`${placeOfByte(bytes, firstInvalid(bytes))}: not UTF-8`, 'Save the file as UTF-8 in your editor.')
  }
}

function placeOfByte(bytes: Buffer, offset: number): string {
  const before = bytes.subarray(0, offset)
  const lines = before.toString('latin1').split('\n')
  return `line ${lines.length}, byte ${(lines.at(-1)?.length ?? 0) + 1}`
}

/** By halves: the longest prefix that decodes, when it may end within a character. */
function firstInvalid(bytes: Buffer): number {
  let [good, bad] = [0, bytes.length]
  while (bad - good > 1) {
    const middle = (good + bad) >> 1
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, middle), { stream: true })
      good = middle
    } catch {
      bad = middle
    }
  }
  return good
}
