import { constants, type FileHandle, open } from 'node:fs/promises'
import { FairwayError } from './error.ts'

/** A file that is really one; its handle is to be closed. @throws FairwayError SOURCE_NOT_GO for a pipe, a socket or a device; else as `open` does */
async function openRegular(path: string): Promise<FileHandle> {
  // Without O_NONBLOCK a FIFO would keep us waiting for a writer.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const stat = await file.stat()
  if (stat.isFile() || stat.isDirectory()) return file // of a folder the reading says so: EISDIR
  await file.close()
  throw specialFile(path)
}

export function specialFile(path: string): FairwayError {
  return new FairwayError('SOURCE_NOT_GO', `${path} is a special file (a pipe or a device), a text file was expected`, {
    hint: 'Put the file in its place, or remove it.',
  })
}

/** As `readFile` of the whole, but a pipe or a device with that name is refused: somebody else made the folder it lies in. */
export async function readText(path: string): Promise<string> {
  await using file = await openRegular(path)
  return await file.readFile('utf8')
}
