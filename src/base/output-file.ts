import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { errnoOf, explainOutputError, FairwayError } from './error.ts'

/**
 * Writes a file that the user named as an output: it appears whole or not at all, in the place of what a symbolic link
 * leads to. What is there and is no file, a pipe or a device, is written into as it stands.
 * @param write leaves the handle open
 * @throws FairwayError USAGE for a path that cannot be written, DISK_FULL; else what `write` throws
 */
export async function writeOutput<T>(path: string, write: (file: FileHandle) => Promise<T>): Promise<T> {
  const target = await realpath(path).catch(() => resolve(path))
  const there = await stat(target).catch(() => undefined)
  try {
    if (there?.isDirectory() === true) throw new FairwayError('USAGE', `${path} is a folder`, { hint: 'Name a file.' })
    if (there !== undefined && !there.isFile()) {
      // Held until it is open for good: a reader whose last writer goes is at its end.
      await using first = there.isFIFO() ? await openIfRead(target) : undefined
      await using file = await open(target, constants.O_WRONLY)
      await first?.close()
      return await write(file)
    }
    return await replace(target, write)
  } catch (error) {
    throw error instanceof FairwayError ? error : explainOutputError(error, path)
  }
}

async function replace<T>(target: string, write: (file: FileHandle) => Promise<T>): Promise<T> {
  const temporary = join(dirname(target), `.${basename(target).slice(0, 200)}.${randomUUID().slice(0, 8)}.new`)
  try {
    let written: T
    {
      await using file = await open(temporary, 'wx', 0o644)
      written = await write(file)
    }
    await rename(temporary, target)
    return written
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

/** Opened as it is, a pipe that nobody reads would hold us for ever; so opened, it can be written into only until it is full. */
async function openIfRead(pipe: string): Promise<FileHandle> {
  try {
    return await open(pipe, constants.O_WRONLY | constants.O_NONBLOCK)
  } catch (error) {
    if (errnoOf(error) !== 'ENXIO') throw error
    throw new FairwayError('USAGE', `${pipe} is a pipe that nobody reads`, { hint: 'Start its reader first.' })
  }
}
