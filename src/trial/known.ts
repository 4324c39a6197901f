import type { Listen, ProbeTarget, Protocol } from '../config/index.ts'
import type { Findings } from './findings.ts'
import type { SourceClues } from './sources.ts'

/** What is known of a program before it was ever started. */
export interface Known {
  readonly service: string
  /** By fairway.yaml; what it says is not looked for. */
  readonly said: {
    readonly listen?: Listen
    readonly args?: readonly string[]
    readonly workdir?: string
    readonly files?: readonly string[]
    readonly protocol?: Protocol
    readonly probe?: ProbeTarget
    readonly data?: boolean
    readonly user?: string
  }
  /** Keys it gets values for. */
  readonly keys: readonly string[]
  /** Of those, secrets that only the control plane holds: a placeholder stands for them. */
  readonly hidden: readonly string[]
  /** Where its files may lie, relative to the project, '.' for its root; the most likely first. */
  readonly folders: readonly string[]
  /** The project's files that are no Go source. */
  readonly files: readonly string[]
  readonly source: SourceClues
  /** Of the binary before this one. */
  readonly former?: Findings
}
