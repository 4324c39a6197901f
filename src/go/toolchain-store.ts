import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { access, chmod, constants, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '../base/atomic-file.ts'
import type { Abortable } from '../base/bounds.ts'
import type { Clock } from '../base/clock.ts'
import { counted } from '../base/counted.ts'
import { errnoOf, explainWriteError, FairwayError } from '../base/error.ts'
import type { Report } from '../base/event.ts'
import { withFileLock } from '../base/file-lock.ts'
import { makeFolder } from '../base/make-folder.ts'
import { readText } from '../base/read-file.ts'
import {
  type ChecksumDatabase,
  type ModuleAccess,
  type ModuleSources,
  type ModuleVersion,
  parseSources,
  readModuleZip,
} from '../module/index.ts'
import {
  compareTrees,
  finishTree,
  hashTree,
  parseToolchainVersion,
  readTree,
  removeReadOnly,
  removeTree,
  toolchainModule,
} from './toolchain-tree.ts'
import { compareGoVersions, isGoRelease, languageLine, plainGoVersion } from './version.ts'

/** A toolchain below HOME/toolchains. */
export interface InstalledToolchain {
  /** '1.26.8' */
  readonly version: string
  /** Its GOROOT. */
  readonly folder: string
  /** ms since 1970. */
  readonly usedAt: number
}

export interface ToolchainStoreOptions {
  readonly home: string
  readonly clock: Pick<Clock, 'now' | 'sleep'>
  /** Asked when something must be fetched, and not before. */
  readonly access: () => Promise<ModuleAccess>
  readonly report: Report
}

/** As Go names this machine. */
export const thisMachine = {
  goos: process.platform === 'win32' ? 'windows' : process.platform,
  goarch: { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' }[process.arch as string] ?? process.arch,
} as const

const leftoverAgeMs = 86_400_000

/** Toolchains side by side, each whole or not there: fetched by the GOPROXY protocol, proven by the checksum database. */
export class ToolchainStore {
  readonly folder: string
  readonly #options: ToolchainStoreOptions

  constructor(options: ToolchainStoreOptions) {
    this.folder = join(options.home, 'toolchains')
    this.#options = options
  }

  /** The newest first. */
  async list(): Promise<InstalledToolchain[]> {
    const names = await readdir(this.folder).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return []
      throw error
    })
    const found: InstalledToolchain[] = []
    for (const name of names) {
      const version = /^go(\d.*)$/.exec(name)?.[1]
      const folder = join(this.folder, name)
      if (version === undefined || plainGoVersion(version) === undefined || !(await isWhole(folder))) continue
      found.push({ version, folder, usedAt: (await stat(this.#noteOf(version)).catch(() => stat(folder))).mtimeMs })
    }
    return found.toSorted((a, b) => compareGoVersions(b.version, a.version))
  }

  /** The one that `fairway toolchain use` named. */
  async preferred(): Promise<string | undefined> {
    const text = await readText(join(this.folder, 'default')).catch(() => '')
    return plainGoVersion(text.trim())
  }

  async prefer(version: string | undefined): Promise<void> {
    await makeFolder(this.folder, 0o755)
    if (version === undefined) await rm(join(this.folder, 'default'), { force: true })
    else await writeFileAtomic(join(this.folder, 'default'), `${version}\n`, { mode: 0o644 })
  }

  /** So that what is in use is not pruned. */
  async markUsed(version: string): Promise<void> {
    const now = new Date(this.#options.clock.now())
    await utimes(this.#noteOf(version), now, now).catch(() => undefined) // a home that is only read
  }

  /**
   * Releases that the source lists for this machine, the newest first. It need not list all that it has.
   * @throws FairwayError MODULE_UNKNOWN, MODULE_UNAVAILABLE
   */
  async listRemote(options: Abortable = {}): Promise<string[]> {
    const { sources } = await this.#connect()
    const { goos, goarch } = thisMachine
    const listed = (await sources.listVersions('golang.org/toolchain', options)).flatMap((text) => {
      const parsed = parseToolchainVersion(text)
      return parsed?.goos === goos && parsed.goarch === goarch && isGoRelease(parsed.version) ? [parsed.version] : []
    })
    const versions = [...new Set(listed)].toSorted((a, b) => compareGoVersions(b, a))
    await makeFolder(this.folder, 0o755)
    await writeFileAtomic(join(this.folder, 'known.json'), JSON.stringify(versions), { mode: 0o644, durable: false })
    return versions
  }

  /** What was listed when it was last asked; nothing where it never was. */
  async known(): Promise<string[]> {
    try {
      const parsed: unknown = JSON.parse(await readText(join(this.folder, 'known.json')))
      return Array.isArray(parsed) ? parsed.filter((each): each is string => typeof each === 'string') : []
    } catch {
      return []
    }
  }

  /**
   * The newest patch of a line that can be had.
   * @param line '1.26', or 'newest'
   * @param floor none older; '' is none
   * @throws FairwayError GO_MISSING when the source has no such line, MODULE_UNAVAILABLE
   */
  async installNewest(line: string, floor: string, why: string, options: Abortable = {}): Promise<InstalledToolchain> {
    const listed = await this.listRemote(options).catch((error: unknown) => {
      // What a source does not list it may still have.
      if (error instanceof FairwayError && error.code === 'MODULE_UNKNOWN' && isGoRelease(floor)) return []
      throw error
    })
    const isWanted = (version: string) =>
      (line === 'newest' || languageLine(version) === line) && (floor === '' || compareGoVersions(version, floor) >= 0)
    const candidates = listed.filter(isWanted).slice(0, mostTries)
    if (isGoRelease(floor) && !candidates.includes(floor)) candidates.push(floor)
    for (const version of candidates) {
      try {
        return await this.install(version, options)
      } catch (error) {
        if (!(error instanceof FairwayError && error.code === 'MODULE_UNKNOWN')) throw error // listed, and not to be had
      }
    }
    await this.#refuseOff(line === 'newest' ? 'A Go' : `Go ${line}`)
    const newest = listed[0] === undefined ? '' : `; the newest it lists is ${listed[0]}`
    throw new FairwayError(
      'GO_MISSING',
      `${why}, and the module source has no Go ${line === 'newest' ? 'at all' : `${floor === '' ? line : floor} or newer of that line`}${newest}`,
      {
        hint: '`fairway toolchain list --remote` shows what there is.',
      },
    )
  }

  /**
   * As `install`, of a version that somebody named.
   * @throws FairwayError GO_MISSING where there is none of that number, with the newest of its line; as `install`
   */
  async installExactly(version: string, options: Abortable = {}): Promise<InstalledToolchain> {
    try {
      return await this.install(version, options)
    } catch (error) {
      if (!(error instanceof FairwayError && error.code === 'MODULE_UNKNOWN')) throw error
      const listed = await this.listRemote(options).catch(() => this.known())
      const line = languageLine(version) ?? ''
      const ofLine = listed.filter((each) => languageLine(each) === line).slice(0, 3)
      const newest =
        ofLine.length > 0
          ? `the newest of ${line} ${ofLine.length === 1 ? 'is' : 'are'} ${ofLine.join(', ')}`
          : `the newest is ${listed[0] ?? ''}`
      throw new FairwayError('GO_MISSING', `There is no Go ${version}${listed.length === 0 ? '' : `; ${newest}`}`, {
        hint:
          ofLine.length > 0
            ? `fairway toolchain install ${line}`
            : 'fairway toolchain list --remote shows what there is',
        cause: error,
      })
    }
  }

  /**
   * Installing what is there is a success; of two at once the second waits and finds it.
   * @param version '1.26.8'
   * @throws FairwayError MODULE_UNKNOWN, MODULE_UNAVAILABLE, MODULE_UNVERIFIED, MODULE_INVALID, DISK_FULL
   */
  async install(version: string, { signal }: Abortable = {}): Promise<InstalledToolchain> {
    const { clock, report } = this.#options
    const folder = join(this.folder, `go${version}`)
    const installed = { version, folder, usedAt: clock.now() }
    if (await isWhole(folder)) return installed
    await makeFolder(join(this.folder, '.work'), 0o755)
    const onWait = () =>
      report({ kind: 'waiting', message: `go${version} is being installed by another process: waiting for it` })
    await withFileLock(join(this.folder, '.work', `go${version}.lock`), async () => {
      if (await isWhole(folder)) return
      const begin = clock.now()
      await this.#sweep()
      const { h1, bytes } = await this.#fetch(version, folder, signal)
      await writeFileAtomic(this.#noteOf(version), JSON.stringify({ version, h1 }), { mode: 0o644 })
      report({ kind: 'toolchain-installed', version, bytes, tookMs: clock.now() - begin })
    }, { signal, onWait }) // prettier-ignore
    return installed
  }

  /** Fetched, proven, and then seen: in this order. */
  async #fetch(
    version: string,
    folder: string,
    signal: AbortSignal | undefined,
  ): Promise<{ h1: string; bytes: number }> {
    const { clock, report } = this.#options
    const module = toolchainModule(version, thisMachine.goos, thisMachine.goarch)
    await this.#refuseOff(`Go ${version}`, module)
    const { sources, database } = await this.#connect()
    const zip = join(this.folder, '.work', `go${version}.zip`)
    const known = await database.lookup(module, { signal }) // who vouches for nothing need not send 70 MB
    report({ kind: 'toolchain-fetching', version, bytes: 0 })
    let saidAt = clock.now()
    const onProgress = (progress: { bytes: number; total?: number }) => {
      if (clock.now() - saidAt < progressMs) return
      saidAt = clock.now()
      report({ kind: 'toolchain-fetching', version, ...progress })
    }
    for (;;) {
      const { isResumed } = await sources.downloadZip(module, zip, { onProgress, signal })
      const work = join(this.folder, '.work', `tree-${randomUUID()}`)
      try {
        await makeFolder(work, 0o755)
        const read = await readModuleZip(zip, module, { unpackTo: work, mode: 0o444, signal })
        if (read.h1 !== known.zip) {
          if (isResumed) throw new ResumedWrong()
          await database.check(module, read.h1, { signal }) // says what is wrong
        }
        await finishTree(work, read.files.map(({ path }) => path)) // prettier-ignore
        await rename(work, folder)
        await chmod(folder, 0o555) // after it was moved: only its owner may move what he may write
        await rm(zip, { force: true })
        return { h1: read.h1, bytes: read.bytes }
      } catch (error) {
        await removeReadOnly(work)
        const isWrong =
          error instanceof FairwayError && (error.code === 'MODULE_INVALID' || error.code === 'MODULE_UNVERIFIED')
        if (isWrong || error instanceof ResumedWrong) await rm(zip, { force: true })
        // Parts of two files that were put together are nobody's lie yet: once more, from the start.
        if (error instanceof ResumedWrong || (isWrong && isResumed)) continue
        throw explainWriteError(error, folder)
      }
    }
  }

  /**
   * Holds a GOROOT, one of ours or any other, against the log.
   * @throws FairwayError MODULE_UNVERIFIED with the files that differ, MODULE_UNKNOWN, MODULE_UNAVAILABLE
   */
  async verify(version: string, folder: string, options: Abortable = {}): Promise<{ h1: string }> {
    const module = toolchainModule(version, thisMachine.goos, thisMachine.goarch)
    const { database } = await this.#connect()
    const { zip: recorded } = await database.lookup(module, options)
    const files = await readTree(folder)
    const h1 = hashTree(files, module)
    if (h1 === recorded) return { h1 }
    const differing = await this.#differing(files, version, folder, recorded, options)
    const isOurs = folder.startsWith(join(this.folder, 'go'))
    throw new FairwayError(
      'MODULE_UNVERIFIED',
      `${folder} is not Go ${version} as ${database.name} recorded it: ${differing.kind === 'known' ? `${counted(differing.files.length, 'file')} ${differing.files.length === 1 ? 'differs' : 'differ'}` : `which files differ is not known: ${differing.why}`}`,
      {
        details: differing.kind === 'known' ? shorten(differing.files) : [`here: ${h1}`, `recorded: ${recorded}`],
        hint: isOurs
          ? `Something changed it after it was fetched; to have it anew: rm -r ${folder} && fairway toolchain install ${version}`
          : `Something changed it after it was installed; to build with one that is as recorded: fairway toolchain use ${version}`,
      },
    )
  }

  /** Against another one that is as recorded: one of ours, else what the source sends. */
  async #differing(
    files: ReadonlyMap<string, string>,
    version: string,
    folder: string,
    recorded: string,
    { signal }: Abortable,
  ): Promise<{ kind: 'known'; files: string[] } | { kind: 'unknown'; why: string }> {
    const module = toolchainModule(version, thisMachine.goos, thisMachine.goarch)
    const own = join(this.folder, `go${version}`)
    if (own !== folder && (await isWhole(own))) {
      const other = await readTree(own)
      if (hashTree(other, module) === recorded) return { kind: 'known', files: compareTrees(files, other) }
    }
    this.#options.report({
      kind: 'waiting',
      message: `${folder} is not as recorded: fetching Go ${version}, to say which files differ`,
    })
    await makeFolder(join(this.folder, '.work'), 0o755)
    const zip = join(this.folder, '.work', `compared-${randomUUID()}.zip`)
    try {
      const { sources } = await this.#connect()
      await sources.downloadZip(module, zip, { signal })
      const read = await readModuleZip(zip, module, { signal })
      if (read.h1 !== recorded) return { kind: 'unknown', why: 'what the source sends is not as recorded either' }
      const others = new Map(read.files.map(({ path, sha256 }) => [path, sha256]))
      return { kind: 'known', files: compareTrees(files, others) }
    } catch (error) {
      signal?.throwIfAborted()
      if (!(error instanceof FairwayError)) throw error
      return { kind: 'unknown', why: error.message }
    } finally {
      await rm(zip, { force: true })
      await rm(`${zip}.note`, { force: true })
    }
  }

  /** What it takes up on the disk. */
  async bytes(version: string): Promise<number> {
    const folder = join(this.folder, `go${version}`)
    let bytes = 0
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
      if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size
    return bytes
  }

  async remove(version: string): Promise<void> {
    await makeFolder(join(this.folder, '.work'), 0o755)
    await withFileLock(join(this.folder, '.work', `go${version}.lock`), async () => {
      await removeTree(join(this.folder, `go${version}`), join(this.folder, '.work', `tree-${randomUUID()}`))
      await rm(this.#noteOf(version), { force: true })
    })
  }

  /** What a kill left half-way a day ago. Trees of those who are at work are younger. */
  async #sweep(): Promise<void> {
    const work = join(this.folder, '.work')
    const before = this.#options.clock.now() - leftoverAgeMs
    for (const name of await readdir(work)) {
      if (!/^tree-|\.zip(\.note)?$/.test(name)) continue
      const path = join(work, name)
      const entry = await stat(path).catch(() => undefined)
      if (entry !== undefined && entry.ctimeMs < before) await removeReadOnly(path)
    }
  }

  #noteOf(version: string): string {
    return join(this.folder, `go${version}.json`)
  }

  /** @throws FairwayError MODULE_UNVERIFIED where nothing vouches for a toolchain */
  /** @throws FairwayError MODULE_UNAVAILABLE where nobody may be asked, and the home's own modules lack it: not even the log is asked then */
  async #refuseOff(what: string, module?: ModuleVersion): Promise<void> {
    const { GOPROXY } = (await this.#options.access()).variables
    if (parseSources(GOPROXY)[0]?.kind !== 'off') return
    const kept = module === undefined ? undefined : join(this.#options.home, 'modules/download', module.path, '@v')
    if (kept !== undefined && existsSync(join(kept, `${module?.version}.zip`))) return
    throw new FairwayError('MODULE_UNAVAILABLE', `${what} cannot be fetched: GOPROXY=off lets no source be asked`, {
      hint: 'Unset GOPROXY, or name a source in it: GOPROXY=https://HOST',
    })
  }

  async #connect(): Promise<{ sources: ModuleSources; database: ChecksumDatabase }> {
    const { sources, database } = await this.#options.access()
    if (database !== undefined) return { sources, database }
    throw new FairwayError('MODULE_UNVERIFIED', 'GOSUMDB=off: a toolchain cannot be verified, and is not used then', {
      hint: 'Unset GOSUMDB for this: only the checksum database vouches for toolchains.',
    })
  }
}

/** Of a list that may name what cannot be had. */
const mostTries = 5
const progressMs = 500
const mostNamed = 20

function shorten(files: readonly string[]): string[] {
  const more = files.length - mostNamed
  return more <= 1 ? [...files] : [...files.slice(0, mostNamed), `and ${more} more`]
}

class ResumedWrong extends Error {}

async function isWhole(folder: string): Promise<boolean> {
  return access(join(folder, 'bin/go'), constants.X_OK).then(
    () => true,
    () => false,
  )
}
