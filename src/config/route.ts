import type { Route } from './specification.ts'

/** One spelling: the host in lower case without a final dot, the path without a final slash (`/` alone stays). */
export function canonicalRoute({ host, path }: Route): Route {
  const canonicalPath = path.replace(/\/+$/, '')
  return { host: host.toLowerCase().replace(/\.$/, ''), path: canonicalPath === '' ? '/' : canonicalPath }
}

/** However they are spelled. */
export function sameRoute(a: Route, b: Route): boolean {
  const [one, other] = [canonicalRoute(a), canonicalRoute(b)]
  return one.host === other.host && one.path === other.path
}
