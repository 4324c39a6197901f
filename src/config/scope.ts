import { FairwayError } from '../base/error.ts'

/** What every noun, table, interface and path carries. */
export interface ServiceScope {
  readonly project: string
  readonly environment: string
  readonly service: string
}

/** A name that is safe in a path, a host name, an HAProxy server name and an argument: checked where it enters. */
export const namePattern = /^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$/
export const nameRule =
  'a name has 1 to 32 lower-case letters, digits and hyphens, begins with a letter and does not end in a hyphen'

/** 'shop/production/web' */
export function scopeKey({ project, environment, service }: ServiceScope): string {
  return `${project}/${environment}/${service}`
}

/** @throws FairwayError SERVICE_UNKNOWN unless it is PROJECT/ENVIRONMENT/SERVICE */
export function parseScopeKey(key: string): ServiceScope {
  const [project, environment, service, ...rest] = key.split('/')
  const words = [project, environment, service]
  if (rest.length > 0 || !words.every((word): word is string => word !== undefined && namePattern.test(word))) {
    throw new FairwayError('SERVICE_UNKNOWN', `${JSON.stringify(key)} is not PROJECT/ENVIRONMENT/SERVICE`, {
      hint: `In each part ${nameRule}.`,
    })
  }
  return { project: project ?? '', environment: environment ?? '', service: service ?? '' }
}

/** The last element that names something: 'example.com/shop/v2' → 'shop'. */
export function moduleName(module: string): string {
  const elements = module.split('/').filter((element, index) => index === 0 || !/^v[0-9]+$/.test(element))
  return elements.at(-1) ?? module
}

/** 'My_Shop.go' → 'my-shop-go'; undefined when nothing is left of it. */
export function validName(text: string): string | undefined {
  const name = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+/, '')
    .slice(0, 32)
    .replace(/-+$/, '')
  return namePattern.test(name) ? name : undefined
}
