/** sha256 in lower-case hex, 64 digits. */
export type Digest = string & { readonly __digest: true }

export const digestPattern = /^[0-9a-f]{64}$/

/** One file of an artifact; the path is relative, with `/`, without `.` or `..` parts. */
export interface ArtifactFile {
  readonly path: string
  readonly digest: Digest
  readonly size: number
  readonly executable: boolean
}

/** What a build yields. Its digest is that of `manifestText`: the files alone, not how they came to be. */
export interface Artifact {
  readonly digest: Digest
  /** Sorted by path; the binary is named like the service. */
  readonly files: readonly ArtifactFile[]
  readonly binary: string
}

/** How it came to be: kept beside the artifact, shown, never part of the digest. */
export interface Recipe {
  readonly goVersion: string
  readonly goos: string
  readonly goarch: string
  readonly mainPackage: string
  readonly module: string
  readonly modules: readonly { readonly path: string; readonly version: string; readonly sum?: string }[]
  readonly flags: readonly string[]
  readonly commit?: string
  /** true when the work tree differed from the commit. */
  readonly dirty?: boolean
  readonly cgo: boolean
  readonly builtAt: number
}
