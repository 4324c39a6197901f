import { rm } from 'node:fs/promises'
import type { Abortable } from '../base/bounds.ts'
import type { Clock } from '../base/clock.ts'
import { FairwayError } from '../base/error.ts'
import {
  compareVersions,
  isCanonicalVersion,
  latestVersion,
  majorVersion,
  parsePseudoVersion,
  readRetractions,
  type Retractions,
  splitPathMajor,
} from '../module/index.ts'
import { answerTtlMs } from './cache.ts'
import { GitMirror, type GitRef } from './git-mirror.ts'
import { goLanguage, isMajor, modulePathOf, pseudoBase, pseudoVersion } from './git-versions.ts'
import { moduleZip } from './git-zip.ts'
import type { PrivateSource } from './private-source.ts'
import type { PrivatePlace } from './settings.ts'

/** Tags do not move: one that is here need not be asked for; one that is not may be new. */
const retryMs = 5_000

/** Where in a repository a module lies, at one commit. */
interface Place {
  readonly commit: string
  /** '' is the root. */
  readonly folder: string
  /** Absent: there is none, and none is needed. */
  readonly goMod?: string
}

export interface GitOptions {
  readonly cacheFolder: string
  /** Of the control plane: where git finds its user's credentials. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
}

/** Modules of private repositories, made as the go command makes them: the same files, hence the same h1. */
export class GitModules {
  readonly #options: GitOptions
  readonly #mirrors = new Map<string, GitMirror>()

  constructor(options: GitOptions) {
    this.#options = options
  }

  source(place: PrivatePlace): PrivateSource {
    const key = `${place.url} ${place.root}`
    const mirror = this.#mirrors.get(key) ?? new GitMirror({ ...this.#options, place })
    this.#mirrors.set(key, mirror)
    return {
      list: (path, options) => new GitModule(mirror, place, path).list(options),
      info: (path, query, options) => new GitModule(mirror, place, path).info(query, options),
      goMod: (module, options) => new GitModule(mirror, place, module.path).goMod(module.version, options),
      zip: (module, file, options) => new GitModule(mirror, place, module.path).zip(module.version, file, options),
    }
  }
}

/** One module of one repository. @see cmd/go/internal/modfetch: codeRepo */
class GitModule {
  readonly #mirror: GitMirror
  readonly #path: string
  readonly #root: string
  /** '', '/v2', '.v2' */
  readonly #major: string
  /** The module's, below the repository's root. */
  readonly #folder: string

  constructor(mirror: GitMirror, { root }: PrivatePlace, path: string) {
    const split = splitPathMajor(path)
    const prefix = path === root ? path : (split?.prefix ?? path)
    if (prefix !== root && !prefix.startsWith(`${root}/`))
      throw unknown(`${path} cannot be a module of the repository ${root}`)
    this.#mirror = mirror
    this.#path = path
    this.#root = root
    this.#major = split?.major ?? ''
    this.#folder = prefix.slice(root.length + 1)
  }

  async list(options: Abortable = {}): Promise<string[]> {
    await this.#mirror.refresh(answerTtlMs / 2, options)
    return this.#versions(options)
  }

  async #versions(options: Abortable): Promise<string[]> {
    const tags = await this.#mirror.tags(options)
    const own = tags.flatMap(({ name }) => {
      const version = name.startsWith(this.#tagPrefix) ? name.slice(this.#tagPrefix.length) : ''
      return isCanonicalVersion(version) && !version.includes('+') && parsePseudoVersion(version) === undefined
        ? [version]
        : []
    })
    const versions = own.filter((version) => this.#fits(version)).toSorted(compareVersions)
    if (this.#folder !== '' || this.#major !== '') return versions
    const later = own.filter((version) => !this.#fits(version)).toSorted(compareVersions)
    const newest = versions.at(-1)
    if (later.length === 0 || (newest !== undefined && (await this.#hasGoMod(newest, options)))) return versions
    // Who once began with go.mod has no +incompatible versions of that major version.
    for (const major of new Set(later.map(majorVersion))) {
      const ofIt = later.filter((version) => majorVersion(version) === major)
      if (await this.#hasGoMod(ofIt.at(-1) ?? '', options)) continue
      versions.push(...ofIt.map((version) => `${version}+incompatible`))
    }
    return versions
  }

  async info(query: string, options: Abortable = {}): Promise<Buffer> {
    const { version, commit } = isCanonicalVersion(query)
      ? { version: query, commit: (await this.#find(query, options)).commit }
      : await this.#resolve(query, options)
    const seconds = await this.#mirror.commitTime(commit, options)
    const time = new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
    return Buffer.from(JSON.stringify({ Version: version, Time: time }))
  }

  async goMod(version: string, options: Abortable = {}): Promise<Buffer> {
    const { goMod } = await this.#find(version, options)
    return Buffer.from(goMod ?? `module ${this.#path}\n`)
  }

  async zip(version: string, file: string, options: Abortable = {}): Promise<void> {
    const { commit, folder, goMod = '' } = await this.#find(version, options)
    const hasLicense = folder !== '' && (await this.#mirror.readFile(commit, 'LICENSE', options)) !== undefined
    const raw = `${file}.git`
    try {
      const paths = [...(folder === '' ? [] : [folder]), ...(hasLicense ? ['LICENSE'] : [])]
      await this.#mirror.archive(commit, paths, raw, options)
      await moduleZip(raw, file, {
        below: `m/${folder === '' ? '' : `${folder}/`}`,
        prefix: `${this.#path}@${version}/`,
        language: goLanguage(goMod),
      })
    } finally {
      await rm(raw, { force: true })
    }
  }

  get #tagPrefix(): string {
    return this.#folder === '' ? '' : `${this.#folder}/`
  }

  /** Whether a version is of the major version that the path says. */
  #fits(version: string): boolean {
    const major = majorVersion(version) ?? ''
    return this.#major === ''
      ? major === 'v0' || major === 'v1'
      : major === this.#major.slice(1).replace(/-unstable$/, '')
  }

  /** A canonical version: its tag, or the commit that it names, which must be as it says. */
  async #find(version: string, options: Abortable): Promise<Place> {
    const base = version.replace(/\+incompatible$/, '')
    const pseudo = parsePseudoVersion(base)
    const ref = pseudo === undefined ? `refs/tags/${this.#tagPrefix}${base}` : pseudo.revision
    if (pseudo !== undefined && !/^[0-9a-f]{12}$/.test(pseudo.revision)) throw unknown(`${version} names no commit`)
    let commit = await this.#mirror.commit(ref, options).catch(() => undefined) // not fetched yet
    if (commit === undefined) {
      await this.#mirror.refresh(retryMs, options)
      commit = await this.#mirror.commit(ref, options)
    }
    if (commit === undefined) throw unknown(`${this.#root} has no ${pseudo === undefined ? 'tag' : 'commit'} ${ref}`)
    const place = await this.#locate(commit, options)
    if (version !== base && place.goMod !== undefined)
      throw unknown(`${this.#path}@${version}: with a go.mod it cannot be +incompatible`)
    if (version === base && !this.#fits(base))
      throw unknown(`${this.#path}@${version}: its path says another major version`)
    if (pseudo !== undefined) await this.#checkPseudo(base, pseudo.time, commit, options)
    return place
  }

  /** One commit has one such version, not as many as people care to make up. */
  async #checkPseudo(version: string, time: string, commit: string, options: Abortable): Promise<void> {
    const seconds = await this.#mirror.commitTime(commit, options)
    const actual = new Date(seconds * 1000).toISOString().replaceAll(/[-:T]|\.000Z/g, '')
    if (time !== actual) throw unknown(`${this.#path}@${version}: the commit is of ${actual}`)
    const base = pseudoBase(version)
    if (base === undefined) return
    const tags = await this.#mirror.tags(options)
    const tag = tags.find(({ name }) => name === `${this.#tagPrefix}${base}`)
    if (tag === undefined)
      throw unknown(`${this.#path}@${version}: there is no tag ${this.#tagPrefix}${base} before it`)
    if (tag.commit === commit) throw unknown(`${this.#path}@${version}: that commit is ${base}`)
    if (!(await this.#mirror.descends(commit, tag.commit, options)))
      throw unknown(`${this.#path}@${version}: it does not come after ${base}`)
  }

  /** What 'latest', a branch, a tag or a commit stands for. */
  async #resolve(query: string, options: Abortable): Promise<{ version: string; commit: string }> {
    await this.#mirror.refresh(answerTtlMs / 2, options)
    if (query === 'latest') {
      const version = latestVersion(await this.#versions(options))
      if (version !== undefined) return { version, commit: (await this.#find(version, options)).commit }
    }
    const refs =
      query === 'latest'
        ? ['refs/fairway/head']
        : [
            `refs/tags/${this.#tagPrefix}${query}`,
            `refs/tags/${query}`,
            `refs/heads/${query}`,
            ...(/^[0-9a-f]{7,64}$/.test(query) ? [query] : []),
          ]
    for (const ref of refs) {
      const commit = await this.#mirror.commit(ref, options)
      if (commit !== undefined) return { version: await this.#versionOf(commit, options), commit }
    }
    throw unknown(`${this.#root} has no branch, tag or commit ${query}`)
  }

  /** The best tag on it; else a pseudo-version behind the best tag before it. */
  async #versionOf(commit: string, options: Abortable): Promise<string> {
    const { goMod } = await this.#locate(commit, options)
    const mayBeIncompatible = this.#folder === '' && this.#major === '' && goMod === undefined
    const whyRetracted = await this.#retractions(options)
    const best = (tags: readonly GitRef[]) =>
      tags
        .flatMap(({ name }) => {
          const version = name.startsWith(this.#tagPrefix) ? name.slice(this.#tagPrefix.length) : ''
          const isOne =
            isCanonicalVersion(version) && !version.includes('+') && parsePseudoVersion(version) === undefined
          return isOne && (this.#fits(version) || mayBeIncompatible) && whyRetracted(version) === undefined
            ? [version]
            : []
        })
        .toSorted(compareVersions)
        .at(-1)
    const complete = (version: string) => (this.#fits(version) ? version : `${version}+incompatible`)
    const onIt = best((await this.#mirror.tags(options)).filter((tag) => tag.commit === commit))
    if (onIt !== undefined) return complete(onIt)
    const before = best(await this.#mirror.tags({ ...options, mergedInto: commit }))
    const seconds = await this.#mirror.commitTime(commit, options)
    return complete(pseudoVersion(this.#major.slice(1), before, seconds, commit))
  }

  /** By the go.mod of the newest version: whoever retracts says so there. */
  async #retractions(options: Abortable): Promise<Retractions> {
    const versions = (await this.#versions(options)).filter((version) => !version.endsWith('+incompatible'))
    const newest = latestVersion(versions)
    if (newest === undefined) return () => undefined
    return readRetractions((await this.#find(newest, options)).goMod ?? '')
  }

  async #hasGoMod(version: string, options: Abortable): Promise<boolean> {
    return (await this.#mirror.readFile(`refs/tags/${version}`, 'go.mod', options)) !== undefined
  }

  /** In its folder, or in the one of its major version below; not in both. @see codeRepo.findDir */
  async #locate(commit: string, options: Abortable): Promise<Place> {
    const first = await this.#mirror.readFile(commit, `${this.#tagPrefix}go.mod`, options)
    const isFirst = first !== undefined && isMajor(modulePathOf(first), this.#major)
    if (this.#major.startsWith('/') && this.#path !== this.#root) {
      const folder = `${this.#tagPrefix}${this.#major.slice(1)}`
      const second = await this.#mirror.readFile(commit, `${folder}/go.mod`, options)
      const isSecond = second !== undefined && isMajor(modulePathOf(second), this.#major)
      if (isFirst && isSecond) throw unknown(`${this.#path}: both go.mod and ${folder}/go.mod say that they are it`)
      if (isSecond) return { commit, folder, goMod: second }
      if (second !== undefined) throw unknown(`${this.#path}: ${folder}/go.mod names another module`)
    }
    if (isFirst) return { commit, folder: this.#folder, goMod: first }
    if (first !== undefined)
      throw unknown(`${this.#path}: ${this.#tagPrefix}go.mod names ${modulePathOf(first) ?? 'no module'}`)
    if (this.#folder === '' && (this.#major === '' || this.#major.startsWith('.'))) return { commit, folder: '' }
    throw unknown(`${this.#path}: there is no ${this.#tagPrefix}go.mod in ${commit.slice(0, 12)}`)
  }
}

function unknown(words: string): FairwayError {
  return new FairwayError('MODULE_UNKNOWN', words)
}
