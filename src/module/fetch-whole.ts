import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import type { Abortable } from '../base/bounds.ts'
import { explainWriteError, FairwayError } from '../base/error.ts'
import { isPage } from './answer.ts'
import { takeBody } from './body.ts'
import type { HttpClient, HttpRequest } from './http.ts'

/**
 * A large file that comes whole in one go, as it mostly does, and then needs no notes of how far it came. Of whatever else
 * happens nothing stays: it is left to `download`, which asks again.
 * @returns its bytes; undefined where it did not come so
 * @throws FairwayError DISK_FULL, HOME_UNUSABLE
 */
export async function fetchWhole(
  http: HttpClient,
  address: string,
  path: string,
  {
    user,
    mostBytes,
    signal,
    onProgress,
  }: Abortable & {
    user?: HttpRequest['user']
    mostBytes: number
    onProgress?: (bytes: number) => void
  },
): Promise<number | undefined> {
  try {
    const answer = await http.get(address, { user, signal })
    const body = takeBody(answer)
    const announced = Number(answer.headers['content-length'] ?? Infinity)
    if (answer.statusCode !== 200 || announced > mostBytes || isPage(answer)) {
      answer.destroy()
      return undefined
    }
    let bytes = 0
    const file = openSync(path, 'w', 0o600)
    try {
      for await (const chunk of body) {
        for (let done = 0; done < chunk.length;) done += writeSync(file, chunk, done)
        bytes += chunk.length
        onProgress?.(bytes)
      }
    } finally {
      closeSync(file)
    }
    if (bytes === announced) return bytes
  } catch (error) {
    const explained = explainWriteError(error, path)
    if (explained instanceof FairwayError) throw explained
  }
  rmSync(path, { force: true })
  return undefined
}
