import type { DesiredState, Route, RunSpecification, ServiceScope } from '../config/index.ts'
import type { GatewayService } from '../gateway/index.ts'
import type { Address } from '../host/index.ts'
import { incarnationName } from '../runtime/index.ts'
import type { GatewayCheck, ServiceState } from './release.ts'
import { incarnationOf, type World } from './world.ts'

/** How the gateway itself checks a release's instances; null for a worker. */
export function checkOf({
  listen,
  probe,
  protocol,
}: Pick<RunSpecification, 'listen' | 'probe' | 'protocol'>): GatewayCheck | null {
  if (listen.kind === 'none') return null
  if (protocol === 'tcp') return { kind: 'stream' }
  if (protocol === 'grpc') return { kind: 'grpc', health: probe.target.kind === 'grpc' }
  return probe.target.kind === 'http' ? probe.target : { kind: 'tcp' }
}

export function sameCheck(a: GatewayCheck, b: GatewayCheck): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

export function routeOf({ route }: DesiredState): { route?: Route } {
  return route === undefined ? {} : { route }
}

/** As last wished of the gateway: a control plane killed between the wish and the order finds the wish. */
export async function gatewayServices(world: World): Promise<GatewayService[]> {
  const known: GatewayService[] = []
  const states = await world.services.list()
  // Of two that wish for one route, it stays with the one that has it longer: the first to be told.
  for (const state of states.toSorted((a, b) => (a.servingSince ?? Infinity) - (b.servingSince ?? Infinity))) {
    if (state.check === null) continue
    const service = await gatewayService(world, { ...state, check: state.check })
    // What was taken down has no route.
    if (state.serving !== null || service.servers.length > 0) known.push(service)
  }
  return known
}

async function gatewayService(
  { incarnations }: World,
  { scope, desired, check }: Pick<ServiceState, 'scope' | 'desired'> & { readonly check: GatewayCheck },
): Promise<GatewayService> {
  const records = await incarnations.list(scope)
  return {
    scope,
    check,
    ...routeOf(desired),
    servers: records.flatMap(({ instance, incarnation, address, gateway }) =>
      address === null || gateway === 'none'
        ? []
        : [{ name: incarnationName(incarnationOf(scope, instance, incarnation)), address, mode: gateway }],
    ),
  }
}

/** The addresses a project's environment adds to the gateway's; none once nothing of it serves. */
export async function applyBinds(
  { gateway, services }: World,
  { project, environment }: Omit<ServiceScope, 'service'>,
  binds: readonly Address[],
): Promise<void> {
  const owner = `${project}/${environment}`
  await gateway.setExtraBinds([...(await services.binds(owner)), ...binds])
  await services.saveBinds(owner, binds)
}
