import type { BindAddress } from './address.ts'
import type { AddressRange } from './address-range.ts'

/** What HOME/config.yaml says, laid under FAIRWAY_API and FAIRWAY_GATEWAY. */
export interface HomeConfig {
  readonly api: BindAddress
  readonly gateway: BindAddress
  /** For instances, both ends included. */
  readonly ports: { readonly first: number; readonly last: number }
  /** Where modules and toolchains come from, and who gets them. */
  readonly modules: ModuleSettings
  /** For instances with a network of their own; undefined: one that nothing here uses. */
  readonly network?: AddressRange
}

/** Modules that come from git, and from where. */
export interface PrivateModules {
  /** A glob for the start of paths, as in GOPRIVATE; as many elements as it has are the repository's. */
  readonly match: string
  /** With {root}, {host} and {path} of the repository: 'ssh://git@{host}/{path}.git'. */
  readonly repository: string
  /** A file that holds the password for HTTP(S), where git's own credentials do not do. */
  readonly tokenFile?: string | undefined
}

/** What the module proxy gives out, and where it gets it from. */
export interface ModuleSettings {
  /** A GOPROXY list; that of the environment wins. Absent: the one go is set to. */
  readonly proxy?: string | undefined
  readonly private: readonly PrivateModules[]
  /** Globs as in GOPRIVATE: nothing of these is given out… */
  readonly deny: readonly string[]
  /** …and, where there are any, of no others than these. */
  readonly allow: readonly string[]
  /** Bytes. What a kept release needs stays, whatever this says. */
  readonly quota: number
  /** No upstream is asked for anything. */
  readonly offline: boolean
}
