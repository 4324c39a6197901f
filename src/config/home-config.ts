import type { BindAddress } from './address.ts'
import type { AddressRange } from './address-range.ts'

/** What HOME/config.yaml says, laid under FAIRWAY_API and FAIRWAY_GATEWAY. */
export interface HomeConfig {
  readonly api: BindAddress
  readonly gateway: BindAddress
  /** For instances, both ends included. */
  readonly ports: { readonly first: number; readonly last: number }
  /** Where modules and toolchains come from. */
  readonly modules?: {
    /** A GOPROXY list; that of the environment wins. */
    readonly proxy?: string
  }
  /** For instances with a network of their own; undefined: one that nothing here uses. */
  readonly network?: AddressRange
}
