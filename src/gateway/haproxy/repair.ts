import type { GatewayCheck, ServerMode } from '../gateway.ts'
import { serverWords } from './config.ts'
import type { DesiredServer } from './desired.ts'
import type { ServerState } from './parse.ts'

/** An order that brings HAProxy nearer to what is desired. */
export type RepairOrder =
  | {
      readonly kind: 'introduce'
      readonly server: string
      readonly words: readonly string[]
      readonly mode: ServerMode
    }
  | { readonly kind: 'mode'; readonly server: string; readonly mode: ServerMode }
  | { readonly kind: 'check'; readonly server: string }
  | { readonly kind: 'cut' | 'delete'; readonly server: string }

/**
 * What to do with one backend's servers. Empty when all is right: a server that is right is not touched. Nothing that is
 * to serve is ever shut on the way, unless its address is another one.
 */
export function planRepair(
  desired: readonly DesiredServer[],
  observed: readonly ServerState[],
  check: GatewayCheck,
): RepairOrder[] {
  const observedBy = new Map(observed.map((state) => [state.name, state]))
  const wanted = new Set(desired.map(({ name }) => name))
  const ready = desired.flatMap((server): RepairOrder[] => {
    const state = observedBy.get(server.name)
    if (state === undefined) return [introduce(server, check)]
    if (state.address.host !== server.address.host || state.address.port !== server.address.port) {
      return [...dismiss(server.name, state.mode, { cut: true }), introduce(server, check)]
    }
    const orders: RepairOrder[] = []
    if (state.mode !== server.mode) orders.push({ kind: 'mode', server: server.name, mode: server.mode })
    if (!state.checkEnabled) orders.push({ kind: 'check', server: server.name })
    return orders
  })
  const strays = observed.filter(({ name }) => !wanted.has(name))
  return [...ready, ...strays.flatMap(({ name, mode }) => dismiss(name, mode, { cut: false }))]
}

function introduce(server: DesiredServer, check: GatewayCheck): RepairOrder {
  return { kind: 'introduce', server: server.name, words: serverWords(server, check), mode: server.mode }
}

function dismiss(server: string, mode: ServerMode, { cut }: { cut: boolean }): RepairOrder[] {
  return [
    ...(mode === 'shut' ? [] : [{ kind: 'mode', server, mode: 'shut' } as const]),
    ...(cut ? [{ kind: 'cut', server } as const] : []),
    { kind: 'delete', server },
  ]
}

export type MapEdit =
  | { readonly kind: 'add' | 'set'; readonly key: string; readonly value: string }
  | { readonly kind: 'delete'; readonly key: string }

/** Additions come first: while a route moves, both ways are better than none. */
export function planMapEdits(desired: ReadonlyMap<string, string>, observed: ReadonlyMap<string, string>): MapEdit[] {
  const put = [...desired].flatMap(([key, value]): MapEdit[] => {
    const present = observed.get(key)
    if (present === value) return []
    return [{ kind: present === undefined ? 'add' : 'set', key, value }]
  })
  const gone = [...observed.keys()].filter((key) => !desired.has(key))
  return [...put, ...gone.map((key): MapEdit => ({ kind: 'delete', key }))]
}
