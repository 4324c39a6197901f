import { type Listen, listenArguments, listenVariables } from '../config/index.ts'
import type { FoundListen, Missing } from './findings.ts'
import type { Place } from './observation.ts'

/** All of a start but where it is told to listen. */
export interface Setup {
  /** `{{data}}` in them is a folder it may write to. */
  readonly args: readonly string[]
  /** Placeholders for values it lacks. */
  readonly env: Readonly<Record<string, string>>
  /** Variables that are its own way to be told something, and stay: SHOP_DATA=. */
  readonly given: Readonly<Record<string, string>>
  readonly place: Place
  /** How it is told where to listen, where it names that itself among what it lacks. */
  readonly listen?: FoundListen
  readonly missing: readonly Missing[]
  /** Why it was set up so, a sentence each. */
  readonly because: readonly string[]
}

/** A tried port, within a sandbox where every port is free: each another, and below those the kernel gives out. */
export function trialPort(index: number): number {
  return 21_871 + 2 * index
}

/** The words and variables by which a program is told a port. */
export function tell(
  listen: FoundListen,
  port: number,
): { args: readonly string[]; env: Readonly<Record<string, string>> } {
  const place = { host: '127.0.0.1', port }
  return { args: listenArguments(listen, place), env: listenVariables(listen, place) }
}

export const plainPort: Listen = { kind: 'env', name: 'PORT' }

export function shown(folder: string): string {
  return folder === '.' ? 'the project’s folder' : folder
}
