import { FairwayError } from '../base/error.ts'
import type { ServiceScope } from '../config/index.ts'
import type { ReleaseEngine } from './engine.ts'
import { inOrderOfNeeds } from './needs.ts'
import type { ServiceState } from './release.ts'

/** @throws FairwayError SERVICE_UNKNOWN */
export async function findServices(
  engine: ReleaseEngine,
  { project, environment, services }: { project: string; environment: string; services: readonly string[] },
): Promise<ServiceState[]> {
  const all = await engine.world.services.list({ project, environment })
  const unknown = services.filter((service) => !all.some(({ scope }) => scope.service === service))
  if (unknown.length > 0 || all.length === 0) {
    const names = all.map(({ scope }) => scope.service)
    throw new FairwayError(
      'SERVICE_UNKNOWN',
      unknown.length > 0
        ? `There is no service ${unknown.join(', ')} in ${project}/${environment}`
        : `Nothing was released in ${project}/${environment} yet`,
      { hint: names.length > 0 ? `Known: ${names.join(', ')}.` : 'fairway up releases the folder you stand in.' },
    )
  }
  const chosen = services.length === 0 ? all : all.filter(({ scope }) => services.includes(scope.service))
  return inOrderOfNeeds(chosen, ({ scope, needs }) => ({ name: scope.service, needs }))
}

export async function scopesOf(
  engine: ReleaseEngine,
  input: Parameters<typeof findServices>[1],
): Promise<ServiceScope[]> {
  return (await findServices(engine, input)).map(({ scope }) => scope)
}
