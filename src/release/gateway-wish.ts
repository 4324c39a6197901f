import type { Report } from '../base/event.ts'
import {
  type DesiredState,
  type Route,
  type RunSpecification,
  sameRoute,
  type ServiceScope,
  scopeKey,
} from '../config/index.ts'
import type { GatewayService } from '../gateway/index.ts'
import type { Address } from '../host/index.ts'
import { incarnationName } from '../runtime/index.ts'
import type { GatewayCheck, ServiceState } from './release.ts'
import { incarnationOf, type World } from './world.ts'

/** How the gateway itself checks a release's instances; null for a worker. */
export function checkOf({ listen, probe }: Pick<RunSpecification, 'listen' | 'probe'>): GatewayCheck | null {
  if (listen.kind === 'none') return null
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
  for (const state of states.toSorted((a, b) => (a.servingSince ?? Infinity) - (b.servingSince ?? Infinity))) {
    if (state.check === null) continue
    const service = await gatewayService(world, { ...state, check: state.check })
    // What was taken down has no route.
    if (state.serving !== null || service.servers.length > 0) known.push(withoutRival(service, known, world.report))
  }
  return known
}

/** A route that two wish for must not keep the whole home from serving: it stays with the one that has it longer. */
function withoutRival(service: GatewayService, known: readonly GatewayService[], report: Report): GatewayService {
  const { route, ...rest } = service
  const owner = known.find((one) => route !== undefined && one.route !== undefined && sameRoute(one.route, route))
  if (route === undefined || owner === undefined) return service
  const message = `${route.host}${route.path} belongs to ${scopeKey(owner.scope)}: ${service.scope.service} has no route now`
  const hint = 'Give it another host or path in fairway.yaml, and release it again.'
  report({ kind: 'warning', scope: scopeKey(service.scope), message, hint })
  return rest
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
