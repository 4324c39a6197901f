import { chmod, chown, copyFile, link, mkdir, rm, stat, utimes } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Place } from './observation.ts'
import { binaryName, selectFiles } from './project-files.ts'
import { type SandboxUser, trialUser } from './sandbox/sandbox.ts'

/** A copy beyond these is no longer quick; what is left out is not found. */
const maxCopyFiles = 5_000
const maxCopyBytes = 128 * 1024 * 1024

/** Read before this they were not: every read since then shows (`relatime` writes an access time that is older than the change). */
const unread = new Date('2001-01-01T00:00:00Z')
const changed = new Date('2002-01-01T00:00:00Z')

interface Laid {
  readonly folder: string
  readonly binary: string
  /** Relative to the project. */
  readonly files: readonly string[]
}

interface Started {
  readonly cwd: string
  readonly program: string
  readonly home: string
  readonly temporary: string
  /** It may write there, and nothing else of it is kept. */
  readonly data: string
  readonly readSince: () => Promise<string[]>
}

/** What lies in the folder of one trial. */
export class WorkPlace {
  readonly #root: string
  readonly #project: string
  readonly #files: readonly string[]
  readonly #program: string
  readonly #user: SandboxUser
  readonly #laid = new Map<string, Promise<Laid>>()
  #starts = 0

  private constructor(root: string, options: WorkPlaceOptions) {
    this.#root = root
    this.#project = options.project
    this.#files = options.files
    this.#program = join(root, 'bin', options.service)
    this.#user = options.user
  }

  /** @param root an empty folder that the trial's user may pass */
  static async make(root: string, options: WorkPlaceOptions): Promise<WorkPlace> {
    const place = new WorkPlace(root, options)
    await mkdir(dirname(place.#program), { mode: 0o755 })
    await link(options.binary, place.#program).catch(() => copyFile(options.binary, place.#program)) // another file system
    if (((await stat(place.#program)).mode & 0o005) !== 0o005) {
      await rm(place.#program)
      await copyFile(options.binary, place.#program)
      await chmod(place.#program, 0o755)
    }
    return place
  }

  /** Folders for one start, and how the program is called from there. */
  async start(place: Place): Promise<Started> {
    const own = join(this.#root, `start-${(this.#starts += 1)}`)
    const [home, temporary, data] = [join(own, 'home'), join(own, 'tmp'), join(own, 'data')]
    await mkdir(own, { mode: 0o755 })
    for (const folder of [home, temporary, data]) {
      await mkdir(folder, { mode: 0o700 })
      if (this.#user.isRoot) await chown(folder, trialUser.uid, trialUser.gid)
    }
    if (place.kind === 'data')
      return { cwd: data, program: this.#program, home, temporary, data, readSince: async () => [] }
    const laid = await this.#lay(place)
    const cwd = join(laid.folder, place.workdir)
    await mkdir(cwd, { recursive: true }).catch(() => {}) // without a file below it there is nothing to find there
    await markUnread(laid)
    const isPlain = place.kind === 'artifact' && place.workdir === '.'
    return {
      cwd,
      program: isPlain ? `./${laid.binary}` : this.#program,
      home,
      temporary,
      data,
      readSince: () => readSince(laid),
    }
  }

  #lay(place: Exclude<Place, { kind: 'data' }>): Promise<Laid> {
    const files = place.kind === 'copy' ? this.#files : selectFiles(this.#files, place.files)
    const key = place.kind === 'copy' ? 'copy' : JSON.stringify(place)
    const known = this.#laid.get(key) ?? this.#copy(join(this.#root, `files-${this.#laid.size}`), files)
    this.#laid.set(key, known)
    return known
  }

  async #copy(folder: string, files: readonly string[]): Promise<Laid> {
    await mkdir(folder, { mode: 0o755 })
    const service = this.#program.split('/').at(-1) ?? ''
    const binary = binaryName(service, files)
    await link(this.#program, join(folder, binary))
    const folders = new Set<string>()
    const copied: string[] = []
    let bytes = 0
    for (const file of files) {
      const source = join(this.#project, file)
      const { size } = await stat(source).catch(() => ({ size: Infinity })) // gone meanwhile
      if (bytes + size > maxCopyBytes || copied.length >= maxCopyFiles) continue
      bytes += size
      const target = join(folder, file)
      await mkdir(dirname(target), { recursive: true, mode: 0o755 })
      await copyFile(source, target)
      await chmod(target, 0o444)
      copied.push(file)
      for (let at = dirname(file); at !== '.'; at = dirname(at)) folders.add(at)
    }
    // Read-only, as an artifact is to its program.
    for (const each of folders) await chmod(join(folder, each), 0o555)
    await chmod(folder, this.#user.isRoot ? 0o755 : 0o555)
    return { folder, binary, files: [...copied, ...folders] }
  }
}

interface WorkPlaceOptions {
  /** Its folder. */
  readonly project: string
  /** The project's files that are no Go source. */
  readonly files: readonly string[]
  readonly service: string
  readonly binary: string
  readonly user: SandboxUser
}

async function markUnread({ folder, files }: Laid): Promise<void> {
  for (const file of files) await utimes(join(folder, file), unread, changed).catch(() => {}) // removed by the program
}

async function readSince({ folder, files }: Laid): Promise<string[]> {
  const seen = await Promise.all(
    files.map(async (file) => {
      const { atime } = await stat(join(folder, file)).catch(() => ({ atime: unread }))
      return atime > changed ? [file] : []
    }),
  )
  return seen.flat().toSorted()
}
