import type { GoSettings } from '../config/index.ts'

/** Whether C is compiled in; 'static': with the C library inside, so that nothing is asked of the machine it runs on. */
export type CgoMode = 'off' | 'on' | 'static'

/** What `{{tag}}` and `{{commit}}` of ldflags stand for. */
export interface Stamp {
  readonly tag: string
  readonly commit: string
}

/**
 * Symbols stay (vulnerability tools need them), DWARF goes (compressed, it ruins deltas between releases); no path of this
 * machine and no commit in the binary, so that the same input gives the same bytes.
 */
export function buildFlags({ tags = [], ldflags = [] }: GoSettings, mode: CgoMode, stamp?: Stamp): string[] {
  const stamped = ldflags.map((flag) =>
    flag.replaceAll(/\{\{(tag|commit)\}\}/g, (_, key: string) => (key === 'tag' ? stamp?.tag : stamp?.commit) ?? ''),
  )
  const linker = ['-w', ...stamped, ...(mode === 'static' ? ['-linkmode=external', '-extldflags=-static'] : [])]
  // The C library's own resolvers would look for shared libraries at run time.
  const all = [...new Set([...tags, ...(mode === 'static' ? ['netgo', 'osusergo'] : [])])]
  return [
    '-trimpath',
    ...(all.length === 0 ? [] : [`-tags=${all.join(',')}`]),
    `-ldflags=${linker.join(' ')}`,
    '-buildvcs=false',
  ]
}

export function isStamped({ ldflags = [] }: GoSettings): boolean {
  return ldflags.some((flag) => /\{\{(?:tag|commit)\}\}/.test(flag))
}
