import { createHash, randomUUID } from 'node:crypto'
import { chmod, link, mkdir, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import type { Abortable } from '../base/bounds.ts'
import { errnoOf, explainWriteError } from '../base/error.ts'
import { type Artifact, type ArtifactFile, type Digest, digestPattern, type Recipe } from './artifact.ts'
import { allFolders, checkArtifact, corrupt, digestOf, manifestText, parseDigest } from './manifest.ts'
import { parseArtifact, parseRecipe } from './schema.ts'

/** One file's content; an executable and a plain file of the same content are two, since links share their mode. */
export type Blob = Pick<ArtifactFile, 'digest' | 'size' | 'executable'>

/** What is stored beside an artifact's files. */
export interface StoredArtifact {
  readonly artifact: Artifact
  readonly recipe: Recipe
}

const orphanAgeMs = 3_600_000

/**
 * Artifacts by digest under one folder, each written once and never changed:
 *
 *     DIGEST/files/…       laid out for the instances, 0444 and 0555, folders 0755
 *     DIGEST/artifact.json, DIGEST/recipe.json
 *     blobs/DIGEST[.x]     linked into the layouts, so that a file two artifacts share lies there once
 *     incoming/…           under way; what a kill leaves there is seen by nobody and swept after an hour
 *
 * Everything becomes visible by one rename, so a killed or a concurrent `assemble` ends in one whole artifact or none.
 */
export class ArtifactStore {
  readonly #root: string
  readonly #blobs: string
  readonly #incoming: string

  private constructor(root: string) {
    this.#root = root
    this.#blobs = join(root, 'blobs')
    this.#incoming = join(root, 'incoming')
  }

  /**
   * @param root HOME/artifacts; made traversable, since instances of other users start from it
   * @param now what was left half-way more than an hour before it is removed
   * @throws FairwayError HOME_UNUSABLE, DISK_FULL
   */
  static async open(root: string, { now }: { now: number }): Promise<ArtifactStore> {
    const store = new ArtifactStore(root)
    try {
      for (const folder of [root, store.#blobs, store.#incoming]) {
        await mkdir(folder, { recursive: true })
        await chmod(folder, 0o755) // whatever the umask
      }
    } catch (error) {
      throw explainWriteError(error, root)
    }
    await store.#sweep(store.#incoming, now, () => true)
    return store
  }

  /** Whether its content is here already and need not be sent; it stays at least an hour from now. */
  async has(blob: Blob): Promise<boolean> {
    try {
      const now = new Date()
      await utimes(this.#blobPath(blob), now, now)
      return true
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false
      throw error
    }
  }

  /**
   * Takes the content of one file, verified on the way in. Putting what is here is a success.
   * @throws FairwayError ARTIFACT_CORRUPT when they are not what the digest and size say, DISK_FULL; the signal's reason
   */
  async putBlob(blob: Blob, bytes: AsyncIterable<Uint8Array>, { signal }: Abortable = {}): Promise<void> {
    parseDigest(blob.digest)
    const path = this.#blobPath(blob)
    const temporary = join(this.#incoming, randomUUID())
    try {
      const hash = createHash('sha256')
      let size = 0
      {
        await using file = await open(temporary, 'wx', 0o600)
        for await (const chunks of together(bytes)) {
          signal?.throwIfAborted()
          size += chunks.reduce((sum, { length }) => sum + length, 0)
          if (size > blob.size)
            throw corrupt(`${blob.digest.slice(0, 12)} is longer than the ${blob.size} bytes announced`)
          const written = writeAll(file, chunks)
          written.catch(() => {}) // awaited below
          for (const chunk of chunks) hash.update(chunk)
          await written
        }
        await file.chmod(blob.executable ? 0o555 : 0o444)
        await file.sync()
      }
      const digest = hash.digest('hex')
      if (digest !== blob.digest || size !== blob.size) {
        throw corrupt(
          `What arrived is ${digest.slice(0, 12)} (${size} bytes), not ${blob.digest.slice(0, 12)} (${blob.size} bytes)`,
        )
      }
      await rename(temporary, path)
    } catch (error) {
      await rm(temporary, { force: true })
      throw explainWriteError(error, path)
    }
  }

  /**
   * Lays an artifact out of blobs that are here. Assembling what is here is a success, and leaves its first recipe.
   * @throws FairwayError ARTIFACT_CORRUPT when the manifest is not what its digest says or a blob is missing; DISK_FULL
   */
  async assemble(artifact: Artifact, recipe: Recipe): Promise<void> {
    const checked = checkArtifact(artifact)
    const path = this.#path(checked.digest)
    if (await exists(path)) return
    const temporary = join(this.#incoming, randomUUID())
    try {
      await this.#layOut(temporary, checked, recipe)
      await rename(temporary, path)
      await syncFolder(this.#root)
    } catch (error) {
      await rm(temporary, { recursive: true, force: true })
      const errno = errnoOf(error)
      if (errno === 'ENOTEMPTY' || errno === 'EEXIST') return // another one was faster, with the same
      throw explainWriteError(error, path)
    }
  }

  async #layOut(folder: string, artifact: Artifact, recipe: Recipe): Promise<void> {
    const files = join(folder, 'files')
    const folders = [folder, files, ...allFolders(artifact.files).map((name) => join(files, name))]
    for (const each of folders) {
      await mkdir(each)
      await chmod(each, 0o755)
    }
    for (const file of artifact.files) {
      try {
        await link(this.#blobPath(file), join(files, file.path))
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT') throw error
        throw corrupt(`${file.path}: its content ${file.digest.slice(0, 12)} was not sent`, 'Run the command again.')
      }
    }
    await writeSynced(join(folder, 'artifact.json'), `${JSON.stringify(artifact, null, 2)}\n`)
    await writeSynced(join(folder, 'recipe.json'), `${JSON.stringify(recipe, null, 2)}\n`)
    for (const each of folders) await syncFolder(each)
  }

  /** Where its files lie; whether they do is not asked. */
  folder(digest: Digest): string {
    return join(this.#path(digest), 'files')
  }

  /** @throws FairwayError ARTIFACT_CORRUPT when what is beside the files cannot be read */
  async find(digest: Digest): Promise<StoredArtifact | undefined> {
    const path = this.#path(digest)
    try {
      const artifact = parseArtifact(await readFile(join(path, 'artifact.json'), 'utf8'))
      const recipe = parseRecipe(await readFile(join(path, 'recipe.json'), 'utf8'))
      return { artifact: checkArtifact(artifact), recipe }
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' && !(await exists(path))) return undefined
      if (errnoOf(error) === 'ENOENT') throw corrupt(`${digest.slice(0, 12)}: its manifest is gone`, rebuildHint)
      throw error
    }
  }

  /** Sorted; what is under way or removed is none of them. */
  async list(): Promise<Digest[]> {
    const names = await readdir(this.#root)
    return names.filter((name): name is Digest => digestPattern.test(name)).sort()
  }

  /**
   * Reads every byte again.
   * @throws FairwayError ARTIFACT_CORRUPT naming each file that is not what the manifest says, or when there is none
   */
  async verify(digest: Digest, { signal }: Abortable = {}): Promise<StoredArtifact> {
    const stored = await this.find(digest)
    if (stored === undefined) throw corrupt(`${digest.slice(0, 12)} is not here`, rebuildHint)
    if (digestOf(manifestText(stored.artifact)) !== digest)
      throw corrupt(`${digest.slice(0, 12)}: its manifest was changed`, rebuildHint)
    const wrong: string[] = []
    for (const file of stored.artifact.files) {
      signal?.throwIfAborted()
      if ((await hashFile(join(this.folder(digest), file.path))) !== file.digest) wrong.push(file.path)
    }
    if (wrong.length > 0)
      throw corrupt(`${digest.slice(0, 12)}: changed or gone: ${wrong.slice(0, 5).join(', ')}`, rebuildHint)
    return stored
  }

  /**
   * Removing what is gone is a success. Blobs that no artifact holds any more go too, once nobody can be about to use them.
   * @param now an upload that began less than an hour before it keeps its blobs
   */
  async remove(digest: Digest, { now }: { now: number }): Promise<void> {
    const temporary = join(this.#incoming, randomUUID())
    try {
      await rename(this.#path(digest), temporary)
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return
      throw error
    }
    await rm(temporary, { recursive: true, force: true })
    await this.#sweep(this.#blobs, now, ({ nlink }) => nlink === 1)
  }

  /** Removes entries nobody touched for an hour. */
  async #sweep(folder: string, now: number, matches: (entry: { nlink: number }) => boolean): Promise<void> {
    for (const name of await readdir(folder)) {
      const path = join(folder, name)
      const entry = await stat(path).catch(() => undefined) // gone meanwhile: as well
      if (entry === undefined || now - entry.mtimeMs < orphanAgeMs || !matches(entry)) continue
      await rm(path, { recursive: true, force: true })
    }
  }

  #path(digest: Digest): string {
    return join(this.#root, parseDigest(digest))
  }

  #blobPath({ digest, executable }: Pick<Blob, 'digest' | 'executable'>): string {
    return join(this.#blobs, `${parseDigest(digest)}${executable ? '.x' : ''}`)
  }
}

const rebuildHint = 'Build it again: `fairway up` in the project’s folder puts it back.'

/** sha256 of a file's content; undefined when it is gone. The next piece is read while one is hashed. */
export async function hashFile(path: string): Promise<Digest | undefined> {
  const hash = createHash('sha256')
  try {
    await using file = await open(path, 'r')
    let [current, next] = [Buffer.allocUnsafe(1024 * 1024), Buffer.allocUnsafe(1024 * 1024)]
    for (let { bytesRead } = await file.read(current); bytesRead > 0;) {
      const reading = file.read(next)
      reading.catch(() => {}) // awaited below
      hash.update(current.subarray(0, bytesRead))
      ;({ bytesRead } = await reading)
      ;[current, next] = [next, current]
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
  return parseDigest(hash.digest('hex'))
}

/** A socket gives 64 KiB at a time: one write for many of them takes half the time. */
async function* together(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array[]> {
  let held: Uint8Array[] = []
  let size = 0
  for await (const chunk of bytes) {
    held.push(chunk)
    size += chunk.length
    if (size < 1024 * 1024) continue
    yield held
    held = []
    size = 0
  }
  if (held.length > 0) yield held
}

async function writeAll(
  file: { writev(buffers: readonly Uint8Array[]): Promise<{ bytesWritten: number }> },
  chunks: readonly Uint8Array[],
): Promise<void> {
  let rest = [...chunks]
  while (rest.length > 0) {
    let { bytesWritten } = await file.writev(rest)
    rest = rest.flatMap((chunk) => {
      const done = Math.min(bytesWritten, chunk.length)
      bytesWritten -= done
      return done === chunk.length ? [] : [chunk.subarray(done)]
    })
  }
}

async function writeSynced(path: string, content: string): Promise<void> {
  await using file = await open(path, 'wx', 0o644)
  await file.writeFile(content)
  await file.chmod(0o644)
  await file.sync()
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r')
  await folder.sync()
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw error
  }
}
