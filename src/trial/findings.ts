import type { Listen, ProbeTarget, Protocol } from '../config/index.ts'
import type { ExitStatus } from '../runtime/index.ts'

/** How the program learns its port, or that it does not: `port` is its own, whatever it is told. */
export type FoundListen = Listen | { readonly kind: 'port'; readonly port: number }

/** Something without which it does not serve. */
export type Missing =
  | { readonly kind: 'value'; readonly name: string; readonly secret: boolean }
  | {
      readonly kind: 'flag'
      readonly flag: string
      readonly value?: string
      /** What its help lists: 'memory', 'bolt'. */
      readonly choices?: readonly string[]
    }
  | { readonly kind: 'file'; readonly path: string }
  /** It writes to its working directory and reads this from it: no folder is both kept and an artifact's. */
  | { readonly kind: 'place'; readonly path: string }
  /** It may not write there, and nothing was found that tells it another place. */
  | { readonly kind: 'write'; readonly path: string }
  | {
      readonly kind: 'arguments'
      readonly usage: string
      /** Those its usage lists, one of which it wants. */
      readonly commands?: readonly string[]
      /** Arguments that would do, and the file among them that the project has not: ['serve', 'config.yml'], 'config.yml'. */
      readonly suggested?: { readonly args: readonly string[]; readonly file: string }
    }
  /** It runs and listens on nothing. */
  | { readonly kind: 'listener' }

/** What a trial came to. They fill what fairway.yaml leaves unsaid. */
export interface Findings {
  /**
   * `serves`: it was seen to; `needs`: not without what is missing; `ends`: it ends by itself, and the sandbox is not why;
   * `unsure`: only where it really runs one will know.
   */
  readonly verdict: 'serves' | 'needs' | 'ends' | 'unsure'
  /** undefined: not found out. */
  readonly listen?: FoundListen
  /** Further ones it listens on, whatever it is told. */
  readonly ports: readonly number[]
  /** `{{data}}` in them is the folder that is kept. */
  readonly args: readonly string[]
  /** Variables by which it is told another place for what it writes: SHOP_DATA=. */
  readonly values: Readonly<Record<string, string>>
  /** `{{data}}`: it writes to its working directory. */
  readonly workdir?: string
  /** It keeps something. */
  readonly data: boolean
  /** Patterns below the project's folder. */
  readonly files: readonly string[]
  readonly protocol: Protocol
  readonly probe: Extract<ProbeTarget, { kind: 'http' | 'tcp' | 'grpc' }>
  readonly missing: readonly Missing[]
  /** Why it is unsure, in words: 'it exited with status 1: …'. */
  readonly doubt?: string
  /** Of one that ends by itself; its last lines. */
  readonly end?: { readonly exit: ExitStatus; readonly livedMs: number; readonly lines: readonly string[] }
  /** What it wanted of the network, which the sandbox has not: 'postgres at 127.0.0.1:5432'. */
  readonly wants: readonly string[]
  /** What it listens on wants TLS: the gateway routes to programs without it. */
  readonly tls: boolean
  /** It listens on the loopback address alone. */
  readonly loopbackOnly: boolean
  /** Why each of them is so: a sentence each. */
  readonly evidence: readonly string[]
  readonly tries: number
}

/** Those that could lie in the project. */
export function lackedFiles(missing: readonly Missing[]): string[] {
  return missing.flatMap((each) => (each.kind === 'file' && !each.path.startsWith('/') ? [each.path] : []))
}
