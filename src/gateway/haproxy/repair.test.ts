import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { DesiredServer } from './desired.ts'
import type { ServerState } from './parse.ts'
import type { RepairOrder } from './repair.ts'
import { planMapEdits, planRepair } from './repair.ts'

const modes = fc.constantFrom('ready' as const, 'drain' as const, 'shut' as const)
const names = fc.constantFrom('1-1.1', '1-2.1', '2-1.1', '2-2.1', '3-1.1')
const ports = fc.constantFrom(20_001, 20_002, 20_003)
const desiredServers: fc.Arbitrary<DesiredServer[]> = fc.uniqueArray(
  fc.record({
    name: names,
    id: fc.integer({ min: 1, max: 9 }),
    address: ports.map((port) => ({ host: '127.0.0.1', port })),
    mode: modes,
  }),
  { selector: ({ name }) => name },
)
const observedServers: fc.Arbitrary<ServerState[]> = fc.uniqueArray(
  fc.record({
    backend: fc.constant('p.e.s'),
    name: names,
    id: fc.integer({ min: 1, max: 9 }),
    address: ports.map((port) => ({ host: '127.0.0.1', port })),
    mode: modes,
    running: fc.boolean(),
    checkEnabled: fc.boolean(),
    fields: fc.constant([]),
  }),
  { selector: ({ name }) => name },
)

/** HAProxy's rules as far as they matter: only what is shut can be deleted, a name is there once. */
function obey(observed: readonly ServerState[], orders: readonly RepairOrder[]): ServerState[] {
  const servers = new Map(observed.map((state) => [state.name, state]))
  for (const order of orders) {
    const state = servers.get(order.server)
    if (order.kind === 'introduce') {
      expect(state).toBeUndefined()
      const [address = '', , id] = order.words
      const [host = '', port] = address.split(':')
      servers.set(order.server, {
        backend: 'p.e.s',
        name: order.server,
        id: Number(id),
        address: { host, port: Number(port) },
        mode: order.mode,
        running: false,
        checkEnabled: true,
        fields: [],
      })
      continue
    }
    if (state === undefined) throw new Error(`${order.kind} of ${order.server}, which is not there`)
    if (order.kind === 'mode') servers.set(order.server, { ...state, mode: order.mode })
    if (order.kind === 'check') servers.set(order.server, { ...state, checkEnabled: true })
    if (order.kind === 'delete') {
      expect(state.mode).toBe('shut')
      servers.delete(order.server)
    }
  }
  return [...servers.values()]
}

test('a repair leads from anything to what is desired, and then there is nothing left to do', () => {
  fc.assert(
    fc.property(desiredServers, observedServers, (desired, observed) => {
      const repaired = obey(observed, planRepair(desired, observed, { kind: 'tcp' }))
      const view = ({ name, address, mode }: DesiredServer | ServerState) => `${name} ${address.port} ${mode}`
      expect(repaired.map(view).toSorted()).toEqual(desired.map(view).toSorted())
      expect(repaired.every(({ checkEnabled }) => checkEnabled)).toBe(true)
      expect(planRepair(desired, repaired, { kind: 'tcp' })).toEqual([])
    }),
  )
})

test('a server that is right is not touched, and none that is to serve at its address leaves `ready` on the way', () => {
  fc.assert(
    fc.property(desiredServers, observedServers, (desired, observed) => {
      const orders = planRepair(desired, observed, { kind: 'tcp' })
      for (const server of desired) {
        const state = observed.find(({ name }) => name === server.name)
        if (state?.address.port !== server.address.port) continue
        const given = orders.filter((order) => order.server === server.name)
        if (state.mode === server.mode && state.checkEnabled) expect(given).toEqual([])
        expect(given.some((order) => order.kind === 'delete' || order.kind === 'cut')).toBe(false)
        if (server.mode === 'ready') {
          expect(given.some((order) => order.kind === 'mode' && order.mode !== 'ready')).toBe(false)
        }
      }
    }),
  )
})

test('edits lead from any map to any other', () => {
  const maps = fc
    .dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.constantFrom('x', 'y'))
    .map((entries) => new Map<string, string>(Object.entries(entries)))
  fc.assert(
    fc.property(maps, maps, (desired, observed) => {
      const edited = new Map(observed)
      for (const edit of planMapEdits(desired, observed)) {
        expect(edited.has(edit.key)).toBe(edit.kind !== 'add')
        if (edit.kind === 'delete') edited.delete(edit.key)
        else edited.set(edit.key, edit.value)
      }
      expect(edited).toEqual(desired)
    }),
  )
})
