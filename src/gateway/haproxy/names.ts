import { isIP } from 'node:net'
import { FairwayError } from '../../base/error.ts'
import type { Route, ServiceScope } from '../../config/index.ts'
import { canonicalRoute, namePattern, scopeKey } from '../../config/index.ts'
import type { Address } from '../../host/index.ts'

/**
 * Everything that gets into HAProxy's files and orders passes here: a name that could turn into a directive, a second
 * word or a second order never gets further. Names of ours are asserted (a bad one is a bug), what a user wrote is
 * refused with a hint.
 */

/** 'shop.production.web': names hold no dot, so two scopes never share one; our own sections have none, so neither. */
export function backendName(scope: ServiceScope): string {
  const words = [scope.project, scope.environment, scope.service]
  for (const word of words) {
    if (!namePattern.test(word)) throw new TypeError(`not a name: ${JSON.stringify(word)} in ${scopeKey(scope)}`)
  }
  return words.join('.')
}

/** '12-3.1' */
export function serverName(name: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name)) throw new TypeError(`not a server name: ${JSON.stringify(name)}`)
  return name
}

/** An IP address, never a name: HAProxy would look it up once and keep what it found. */
export function assertAddress(address: Address): Address {
  const { host, port } = address
  if (isIP(host) === 0 || host.includes('%')) throw new TypeError(`not an IP address: ${JSON.stringify(host)}`)
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new TypeError(`not a port: ${port}`)
  return address
}

const hostPattern = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/
/** RFC 3986 path characters but `;` and `'`, which HAProxy's command line and file give a meaning. */
const pathPattern = /^\/[A-Za-z0-9._~!$&()*+,=:@%/-]*$/

/**
 * The canonical spelling, of a route that HAProxy can match.
 * @throws FairwayError CONFIG_INVALID
 */
export function checkRoute(route: Route): Route {
  const canonical = canonicalRoute(route)
  if (!hostPattern.test(canonical.host)) {
    throw new FairwayError('CONFIG_INVALID', `route: ${JSON.stringify(route.host)} is not a host name`, {
      hint: 'Write it as in `shop.example.com`: letters, digits, hyphens and dots, without a port.',
    })
  }
  if (!pathPattern.test(route.path)) {
    throw new FairwayError(
      'CONFIG_INVALID',
      `route: ${JSON.stringify(route.path)} is not a path the gateway can match`,
      {
        hint: 'It begins with `/` and holds letters, digits and any of . _ ~ ! $ & ( ) * + , = : @ % - /',
      },
    )
  }
  return canonical
}

/**
 * A check's path with its query as HAProxy sends it. A quote is spelled `%27`, the same to every server.
 * @throws FairwayError CONFIG_INVALID
 */
export function checkPath(path: string): string {
  if (!/^\/[\x21-\x7e]*$/.test(path)) {
    throw new FairwayError('CONFIG_INVALID', `probe: ${JSON.stringify(path)} is not a path`, {
      hint: 'It begins with `/` and has no spaces; write other characters as %XX.',
    })
  }
  return path.replaceAll("'", '%27')
}
