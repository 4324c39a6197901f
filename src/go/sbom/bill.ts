import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { Artifact, Digest } from '../../artifact/index.ts'
import type { Abortable } from '../../base/bounds.ts'
import type { BuildInfo } from '../build-info.ts'

/** What a built service consists of, before it is said in one of the formats. */
export interface Bill {
  readonly service: string
  /** Of the service: what the caller calls it; a commit, where there is one. */
  readonly version: string
  readonly artifact: Digest
  /** '1.26.8', the standard library's version too. */
  readonly goVersion: string
  readonly main: BilledModule
  readonly modules: readonly BilledModule[]
  /** Shared libraries the binary names, with the digest of the one that goes along, where one does. */
  readonly libraries: readonly { readonly name: string; readonly digest?: Digest }[]
  /** All files of the artifact, the binary among them. */
  readonly files: readonly BilledFile[]
  readonly binary: string
  /** Seconds since 1970: the commit's, or 0. */
  readonly createdAt: number
  /** Fairway's own. */
  readonly toolVersion: string
}

export interface BilledModule {
  readonly path: string
  /** Empty for one that is replaced by a folder. */
  readonly version: string
  /** 'h1:…': of the names and hashes of the module's files; the digest of no file. */
  readonly sum?: string
  /** SPDX identifiers; empty where none was recognised. */
  readonly licences: readonly string[]
}

export interface BilledFile {
  readonly path: string
  readonly sha256: Digest
  readonly sha1: string
}

export interface BillOrder {
  readonly artifact: Artifact
  readonly sources: ReadonlyMap<string, string>
  readonly info: BuildInfo
  readonly libraries: Bill['libraries']
  readonly service: string
  readonly version: string
  readonly createdAt: number
  readonly toolVersion: string
  /** By 'path@version'. */
  readonly licences: ReadonlyMap<string, readonly string[]>
}

/** @throws the signal's reason when aborted */
export async function makeBill(order: BillOrder, { signal }: Abortable = {}): Promise<Bill> {
  const { artifact, sources, info, licences, ...said } = order
  const licensed = (module: { path: string; version: string; sum?: string }): BilledModule => ({
    ...module,
    licences: licences.get(moduleName(module)) ?? [],
  })
  const files: BilledFile[] = []
  for (const { path, digest } of artifact.files) {
    const source = sources.get(path)
    if (source === undefined) throw new TypeError(`nobody said where ${path} lies`)
    files.push({ path, sha256: digest, sha1: await sha1Of(source, { signal }) })
  }
  return {
    ...said,
    artifact: artifact.digest,
    binary: artifact.binary,
    goVersion: info.goVersion.replace(/^go/, '').split(' ')[0] ?? info.goVersion,
    main: licensed(info.main ?? { path: info.path, version: '' }),
    modules: info.dependencies.map(licensed).toSorted((a, b) => (moduleName(a) < moduleName(b) ? -1 : 1)),
    files,
  }
}

export function moduleName({ path, version }: Pick<BilledModule, 'path' | 'version'>): string {
  return `${path}@${version}`
}

/** SPDX 2.3 asks for it of every file. */
async function sha1Of(path: string, { signal }: Abortable): Promise<string> {
  const hash = createHash('sha1')
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024, signal })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

/**
 * How the parts of other ecosystems are named. A module's path is written in lower case, as the specification of the type
 * asks; its own spelling stands in the name beside it.
 * @returns undefined for a folder, which nobody else can name
 * @see github.com/package-url/purl-spec, type golang
 */
export function packageUrl({ path, version }: Pick<BilledModule, 'path' | 'version'>): string | undefined {
  if (/^[./]/.test(path) || path === '') return undefined
  const known = version === '' || version === '(devel)' ? '' : `@${encodeURIComponent(version)}`
  return `pkg:golang/${path.toLowerCase().split('/').map(encodeURIComponent).join('/')}${known}`
}

/** A UUID that follows from the text: the same document is the same document, wherever it is made. @see RFC 9562, version 8 */
export function uuidOf(text: string): string {
  const bytes = createHash('sha256').update(text).digest().subarray(0, 16)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
