import type { Abortable } from '../base/bounds.ts'
import type { Clock } from '../base/clock.ts'
import { FairwayError } from '../base/error.ts'
import { type Proxy, readAnswer, type SourceAnswer } from './answer.ts'
import type { ReadRemote } from './checksum-database.ts'
import { download, type DownloadProgress } from './download.ts'
import type { HttpClient } from './http.ts'
import { escapeText, findPathFault, findVersionFault, isQuery, type ModuleVersion } from './module-path.ts'
import { readRetractions } from './retractions.ts'
import { canonicalVersion, compareVersions, isCanonicalVersion, latestVersion, parseSemver } from './semver.ts'
import { type ChecksumSource, isPrivate, type ModuleSource, type ModuleVariables, parseSources } from './settings.ts'
import { zipLimits } from './zip-rules.ts'

/** What a source says of a version. */
export interface VersionInfo {
  /** Canonical. */
  readonly version: string
  /** RFC 3339. */
  readonly time?: string
  /** A newer one that its author took back, and why, in his words. */
  readonly retracted?: { readonly version: string; readonly why: string }
}

const mostBytes = {
  info: 1024 * 1024,
  list: 16 * 1024 * 1024,
  goMod: zipLimits.goModBytes,
  sumdb: 1024 * 1024,
} as const

interface Asked {
  readonly source: string
  readonly words: string
}

/**
 * The sources of GOPROXY, asked in order by the GOPROXY protocol. Nothing they say is proven.
 * @see https://go.dev/ref/mod#goproxy-protocol
 */
export class ModuleSources {
  readonly #http: HttpClient
  readonly #clock: Pick<Clock, 'sleep'>
  readonly #variables: ModuleVariables
  readonly #sources: readonly ModuleSource[]

  /** @throws FairwayError USAGE when GOPROXY cannot be read */
  constructor({
    http,
    clock,
    variables,
  }: {
    http: HttpClient
    clock: Pick<Clock, 'sleep'>
    variables: ModuleVariables
  }) {
    this.#http = http
    this.#clock = clock
    this.#variables = variables
    this.#sources = parseSources(variables.GOPROXY)
  }

  /** Versions that are tagged, in no order; a source may not name all it has. */
  async listVersions(path: string, options: Abortable = {}): Promise<string[]> {
    const text = await this.#read(path, '@v/list', mostBytes.list, `the versions of ${path}`, options)
    return text.toString('utf8').split('\n').flatMap((line) => {
      const [version = ''] = line.trim().split(/\s+/) // a time may follow
      return findVersionFault({ path, version }) === undefined ? [version] : []
    }) // prettier-ignore
  }

  /**
   * What is meant by `latest`, a version, the start of one (`v1`, `v1.8`), a branch, a tag or a commit.
   * @throws FairwayError MODULE_UNKNOWN with what each source said, MODULE_UNAVAILABLE, MODULE_INVALID for no path or query
   */
  async resolve(path: string, query: string, options: Abortable = {}): Promise<VersionInfo> {
    const fault = findPathFault(path) ?? (isQuery(query) ? undefined : `${JSON.stringify(query)} can be no version`)
    if (fault !== undefined) throw new FairwayError('MODULE_INVALID', `${path}@${query}: ${fault}`)
    if (query === 'latest') return this.#resolveLatest(path, options)
    const semver = parseSemver(query)
    if (semver !== undefined && !semver.isFull) {
      const start = `${query}.`
      const listed = await this.listVersions(path, options)
      const found = await this.#newestStanding(path, listed, (version) => version.startsWith(start), options)
      if (found === undefined) throw new FairwayError('MODULE_UNKNOWN', `${path} has no version ${query}`)
      return found
    }
    return this.readInfo(path, canonicalVersion(query) ?? query, options)
  }

  async #resolveLatest(path: string, options: Abortable): Promise<VersionInfo> {
    const listed = await this.listVersions(path, options).catch((error: unknown) => {
      if (error instanceof FairwayError && error.code === 'MODULE_UNKNOWN') return [] // it may still have commits
      throw error
    })
    const found = await this.#newestStanding(path, listed, () => true, options)
    if (found !== undefined) return found
    return this.#parseInfo(await this.#read(path, '@latest', mostBytes.info, `${path}@latest`, options), path, 'latest')
  }

  /**
   * The newest of those asked for that was not taken back; the newest of all says which were.
   * @throws FairwayError MODULE_UNKNOWN when all were
   * @see https://go.dev/ref/mod#version-queries
   */
  async #newestStanding(
    path: string,
    listed: readonly string[],
    isAsked: (version: string) => boolean,
    options: Abortable,
  ): Promise<VersionInfo | undefined> {
    const asked = listed.filter(isAsked)
    const newest = latestVersion(asked)
    const speaker = latestVersion(listed)
    if (newest === undefined || speaker === undefined) return undefined
    const why = readRetractions(await this.#readWords({ path, version: speaker }, options))
    const said = why(newest)
    if (said === undefined) return { version: newest }
    const version = latestVersion(asked.filter((each) => why(each) === undefined))
    if (version !== undefined) return { version, retracted: { version: newest, why: said } }
    throw new FairwayError('MODULE_UNKNOWN', `All versions of ${path} that are meant were taken back by its author`, {
      details: [`${newest}: ${said === '' ? 'no reason given' : said}`],
      hint: `To take one all the same, name it: ${path}@${newest}`,
    })
  }

  /** What cannot be had takes nothing back: whoever wants the module will be told. */
  async #readWords(module: ModuleVersion, options: Abortable): Promise<string> {
    try {
      return (await this.readGoMod(module, options)).toString('utf8')
    } catch (error) {
      if (error instanceof FairwayError) return ''
      throw error
    }
  }

  async readInfo(path: string, query: string, options: Abortable = {}): Promise<VersionInfo> {
    const what = `${path}@${query}`
    return this.#parseInfo(
      await this.#read(path, `@v/${escapeText(query)}.info`, mostBytes.info, what, options),
      path,
      query,
    )
  }

  #parseInfo(answer: Buffer, path: string, query: string): VersionInfo {
    const info = parseInfo(answer)
    const isAsked = info !== undefined && (!isCanonicalVersion(query) || info.version === query)
    if (isAsked && findVersionFault({ path, version: info.version }) === undefined) return info
    const words = answer.toString('utf8', 0, 80).replaceAll(/[^\x20-\x7e]+/g, ' ')
    throw new FairwayError(
      'MODULE_UNAVAILABLE',
      `The source of ${path}@${query} answered what names no such version: ${JSON.stringify(words)}`,
    )
  }

  /** The go.mod alone. */
  async readGoMod({ path, version }: ModuleVersion, options: Abortable = {}): Promise<Buffer> {
    return this.#read(
      path,
      `@v/${escapeText(version)}.mod`,
      mostBytes.goMod,
      `the go.mod of ${path}@${version}`,
      options,
    )
  }

  /**
   * Fetches a zip into a file that need not be new: what came of it before is not fetched again.
   * @returns `isResumed`: made of parts of several answers
   */
  async downloadZip(
    { path, version }: ModuleVersion,
    file: string,
    { onProgress, signal }: Abortable & { onProgress?: ((progress: DownloadProgress) => void) | undefined } = {},
  ): Promise<{ readonly bytes: number; readonly isResumed: boolean }> {
    const name = `${escapeText(path)}/@v/${escapeText(version)}.zip`
    return this.#ask(path, `the zip of ${path}@${version}`, (source) =>
      download(source, name, file, {
        http: this.#http,
        clock: this.#clock,
        mostBytes: zipLimits.zipBytes,
        signal,
        ...(onProgress === undefined ? {} : { onProgress }),
      }),
    )
  }

  /**
   * How the checksum database is reached: by the first proxy that says it passes it on, else at its own address.
   */
  checksumRemote({ key, url }: ChecksumSource): ReadRemote {
    let base: Promise<Proxy> | undefined
    return async (path, options) => {
      base ??=
        url === undefined
          ? this.#findChecksumBase(key.name, options)
          : Promise.resolve({ kind: 'proxy', url, fallsOn: 'absent' })
      base.catch(() => (base = undefined)) // asked again next time
      const answer = await readAnswer(this.#http, await base, path, { ...options, mostBytes: mostBytes.sumdb })
      if (answer.kind === 'found') return answer.found
      // Some proxies refuse what they do not have; not to have a proof is no proof.
      if (answer.kind !== 'failed') return undefined
      throw new FairwayError(
        'MODULE_UNAVAILABLE',
        `The checksum database ${key.name} does not answer: ${answer.words}`,
        {
          details: [`${(await base).url}: ${answer.words}`],
        },
      )
    }
  }

  async #findChecksumBase(name: string, options: Abortable): Promise<Proxy> {
    for (const source of this.#sources) {
      if (source.kind !== 'proxy') break
      const base = { ...source, url: `${source.url}/sumdb/${name}` }
      const answer = await readAnswer(this.#http, base, 'supported', { ...options, mostBytes: mostBytes.info })
      if (answer.kind === 'found') return base
      if (answer.kind === 'failed' && source.fallsOn !== 'anything')
        throw new FairwayError(
          'MODULE_UNAVAILABLE',
          `${source.url} does not say whether it passes ${name} on: ${answer.words}`,
        )
    }
    return { kind: 'proxy', url: `https://${name}`, fallsOn: 'absent' }
  }

  async #read(path: string, name: string, most: number, what: string, options: Abortable): Promise<Buffer> {
    return this.#ask(path, what, (source) =>
      readAnswer(this.#http, source, `${escapeText(path)}/${name}`, { ...options, mostBytes: most }),
    )
  }

  async #ask<Found>(path: string, what: string, ask: (source: Proxy) => Promise<SourceAnswer<Found>>): Promise<Found> {
    const asked: Asked[] = []
    let worst: 'absent' | 'failed' = 'absent'
    for (const source of isPrivate(this.#variables, path) ? [{ kind: 'direct' } as const] : this.#sources) {
      if (source.kind === 'off') {
        asked.push({ source: 'off', words: 'GOPROXY allows no further source' })
        break
      }
      if (source.kind === 'direct') {
        asked.push({ source: 'direct', words: 'Fairway itself asks proxies only, no repositories' })
        break
      }
      const answer = await ask(source)
      if (answer.kind === 'found') return answer.found
      asked.push({ source: source.url, words: answer.words })
      if (answer.kind === 'failed') worst = 'failed'
      if (answer.kind !== 'absent' && source.fallsOn !== 'anything') break
    }
    throw explain(what, worst, asked)
  }
}

function explain(what: string, worst: 'absent' | 'failed', asked: readonly Asked[]): FairwayError {
  const details = asked.map(({ source, words }) => `${source}: ${words}`)
  if (worst === 'absent') {
    return new FairwayError('MODULE_UNKNOWN', `No source has ${what}`, {
      details,
      hint: 'Look at its spelling; or name a source that has it in GOPROXY.',
    })
  }
  // A module's path stays as it is spelled.
  const begin = /^[^ ]*[./]/.test(what) ? what : `${what[0]?.toUpperCase()}${what.slice(1)}`
  return new FairwayError('MODULE_UNAVAILABLE', `${begin} cannot be fetched`, {
    details,
    hint: "Try again, or name a further source behind it: GOPROXY='https://FIRST|https://SECOND'.",
  })
}

/** `{"Version": …, "Time": …}`; what else stands there is no matter. */
export function parseInfo(answer: Buffer): VersionInfo | undefined {
  try {
    const parsed: unknown = JSON.parse(answer.toString('utf8'))
    if (typeof parsed !== 'object' || parsed === null || !('Version' in parsed) || typeof parsed.Version !== 'string')
      return undefined
    if (!isCanonicalVersion(parsed.Version)) return undefined
    const time = 'Time' in parsed && typeof parsed.Time === 'string' ? { time: parsed.Time } : {}
    return { version: parsed.Version, ...time }
  } catch {
    return undefined
  }
}

/** Newest first. */
export function newestFirst(versions: readonly string[]): string[] {
  return versions.toSorted((a, b) => compareVersions(b, a))
}
