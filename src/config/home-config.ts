import type { BindAddress } from './address.ts'
import type { AddressRange } from './address-range.ts'

/** What HOME/config.yaml says, laid under FAIRWAY_API and FAIRWAY_GATEWAY. */
export interface HomeConfig {
  readonly api: BindAddress
  readonly gateway: BindAddress
  /** For instances, both ends included. */
  readonly ports: { readonly first: number; readonly last: number }
  /** For instances with a network of their own; undefined: one that nothing here uses. */
  readonly network?: AddressRange
}
