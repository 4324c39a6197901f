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
  /** The processor asked for, of an architecture with several: 'v7' of linux/arm/v7. */
  readonly variant?: string
  /** From the project's folder: './cmd/web'. Older records name the import path alone. */
  readonly package?: string
  /** What go was told of C by its environment: CC, CGO_CFLAGS, …; with cgo alone. */
  readonly environment?: Readonly<Record<string, string>>
  readonly compiler?: CompilerRecord
  /** go.sum as it was, where it has at most a million characters: what a rebuild has to fetch. */
  readonly goSum?: string
}

/** The C compiler of a build: another one gives another binary, and go's own records do not name it. */
export interface CompilerRecord {
  /** As go was told: 'gcc' */
  readonly name: string
  /** Its own words: 'gcc (Debian 12.2.0-14+deb12u1) 12.2.0' */
  readonly version: string
  /** sha256 of the program, in hex. */
  readonly digest: string
}
