import { FairwayError } from '../base/error.ts'
import type { Report } from '../base/event.ts'
import { type DesiredState, type Listen, type RunSpecification, type ServiceScope, scopeKey } from '../config/index.ts'
import { type Address, formatAddress } from '../host/index.ts'
import type { InstancePlan, TakenPlaces } from './store/incarnation-store.ts'
import type { World } from './world.ts'

type NetworkNeeds = Pick<RunSpecification, 'listen' | 'ports' | 'network'>

/** For a program that is told its port and has further ones of its own: within its network any is free. */
const toldPort = 8080

/** It listens somewhere whatever it is told: on one network there can be one of it. */
function hasFixedPorts({ listen, ports = [] }: NetworkNeeds): boolean {
  return listen.kind === 'port' || ports.length > 0
}

function wantsOwn(run: NetworkNeeds): boolean {
  return run.network === 'own' || (run.network === undefined && hasFixedPorts(run))
}

/** Whose network an instance of this release gets here and now. */
async function networkOf(world: World, run: NetworkNeeds): Promise<'own' | 'host'> {
  return wantsOwn(run) && (await world.networks.ability()).kind === 'able' ? 'own' : 'host'
}

/** Gives an instance its place: an address of its own network, or of the machine's. */
export async function choosePlace(
  world: World,
  run: NetworkNeeds,
): Promise<(taken: TakenPlaces) => Promise<InstancePlan>> {
  const { listen } = run
  if ((await networkOf(world, run)) === 'own') {
    return async ({ networks }) => {
      const network = await world.networks.choose(networks)
      return { network, address: listen.kind === 'none' ? null : { host: network, port: portWithin(run) } }
    }
  }
  switch (listen.kind) {
    case 'none':
      return async () => ({ network: null, address: null })
    case 'port':
      return async ({ addresses }) => ({ network: null, address: refuseTaken(listen, addresses) })
    case 'env':
    case 'arg':
      return async ({ addresses }) => ({ network: null, address: await world.choosePort(addresses) })
  }
}

function portWithin({ listen, ports = [] }: NetworkNeeds): number {
  if (listen.kind === 'port') return listen.port
  let port = toldPort
  while (ports.includes(port)) port += 1
  return port
}

function refuseTaken({ port }: Extract<Listen, { kind: 'port' }>, addresses: ReadonlySet<string>): Address {
  const address = { host: '127.0.0.1', port }
  if (!addresses.has(formatAddress(address))) return address
  throw new FairwayError('PORT_TAKEN', `Another instance of this home has port ${port} of the machine`, {
    hint: 'With networks of their own both could have it: `fairway doctor` says what is missing for that.',
  })
}

/** Where the program itself is to listen: within its own network it is 127.0.0.1, as on the machine. */
export function listenAddress({ address, network }: InstancePlan): Address | null {
  return address === null || network === null ? address : { host: '127.0.0.1', port: address.port }
}

/** Every port that leads to an instance with a network of its own. */
export function portsWithin(run: NetworkNeeds, { address }: InstancePlan): number[] {
  return [...new Set([...(address === null ? [] : [address.port]), ...(run.ports ?? [])])]
}

/** Why this release has one instance at a time here; undefined where it may have any number. */
export async function whyOne(world: World, run: NetworkNeeds): Promise<{ why: string; hint: string } | undefined> {
  if (!hasFixedPorts(run)) return undefined
  const ports = [...(run.listen.kind === 'port' ? [run.listen.port] : []), ...(run.ports ?? [])]
  const fixed = `${ports.length === 1 ? 'port' : 'ports'} ${ports.join(', ')} ${ports.length === 1 ? 'is' : 'are'} fixed`
  if (run.network === 'host') {
    const hint = 'Leave `network: host` out: each instance then has a network of its own where the machine allows it.'
    return { why: `${fixed} and it shares the machine’s network`, hint }
  }
  const ability = await world.networks.ability()
  if (ability.kind === 'able') return undefined
  return { why: `${fixed} and no instance can have a network of its own here: ${ability.why}`, hint: ability.hint }
}

/** The wish as far as it can be fulfilled: two of a kind on one network would fight for the port. */
export async function holdToMachine(world: World, run: NetworkNeeds, desired: DesiredState): Promise<DesiredState> {
  const strategy = { kind: 'recreate' } as const
  if ((await whyOne(world, run)) === undefined) return desired
  return { ...desired, instances: Math.min(desired.instances, 1), strategy }
}

/** Said with every `up`: the file wishes for something else. */
export async function warnOfOne(
  world: World,
  { scope, run, desired }: { scope: ServiceScope; run: NetworkNeeds; desired: DesiredState },
  report: Report,
): Promise<void> {
  const one = await whyOne(world, run)
  if (one !== undefined) {
    if (desired.instances <= 1 && desired.strategy.kind === 'recreate') return
    const message = `one instance, replaced with a gap (recreate): ${one.why}`
    report({ kind: 'warning', scope: scopeKey(scope), message, hint: one.hint })
    return
  }
  if (run.network !== 'own') return
  const ability = await world.networks.ability()
  if (ability.kind === 'able') return
  const message = `\`network: own\` is not followed, it shares the machine’s: ${ability.why}`
  report({ kind: 'warning', scope: scopeKey(scope), message, hint: ability.hint })
}
