import type { ExitStatus } from '../../runtime/index.ts'
import type { PortAnswer } from '../observation.ts'

/** To the process within the sandbox, a line of JSON each. */
export interface SandboxOrder {
  readonly argv: readonly [string, ...string[]]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  readonly until: 'serve' | 'help'
  readonly told: readonly number[]
  /** How long it may take to listen, or to print its help. */
  readonly withinMs: number
  /** All its processes together; above it they are ended. */
  readonly maxMemoryBytes: number
}

/** And back: first `ready` or `ready apart`, then one for each order. */
export interface SandboxAnswer {
  readonly output: string
  readonly exit?: ExitStatus
  readonly livedMs: number
  readonly ports: readonly PortAnswer[]
}
