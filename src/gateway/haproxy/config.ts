import { createHash } from 'node:crypto'
import { formatAddress } from '../../host/index.ts'
import type { GatewayCheck, ServerMode } from '../gateway.ts'
import type { DesiredGateway, DesiredServer, DesiredService } from './desired.ts'
import type { GatewayFiles } from './files.ts'
import { assertAddress, backendName, checkRoute, checkPath, serverName } from './names.ts'
import type { ServerState } from './parse.ts'
import { stateColumns } from './parse.ts'
import { checks, timeouts } from './timeouts.ts'

/** What the machine gives. */
export interface Capacity {
  readonly threads: number
  readonly maxconn: number
}

/**
 * Half of the cores: the other half belongs to the programs behind the gateway. One thread carries some 50,000 requests
 * a second.
 */
export function capacity({ cores, openFiles }: { cores: number; openFiles: number }): Capacity {
  return {
    threads: Math.min(8, Math.max(1, Math.floor(cores / 2))),
    // Each connection takes two descriptors; a tenth and a hundred are left for checks, listeners and sockets. HAProxy
    // refuses to start above the limit; and it sets memory aside for each, so a limit of a million is not used up.
    maxconn: Math.max(32, Math.min(20_000, Math.floor((openFiles * 0.9 - 100) / 2))),
  }
}

/** Of a text: equal digests, equal structure. */
export interface RenderedConfig {
  readonly text: string
  /** Of all that takes a reload to change; HAProxy itself says it again in `show info`, so nobody has to remember it. */
  readonly structure: string
}

const notFound =
  '404 Not found: no service is reached at this host and path. Is the host name spelled as in the route?\\n'
const unavailable = '503 Service unavailable: no instance can answer at the moment. Please try again shortly.\\n'

/** In seconds: a replacement with a gap or a restart takes about this long. */
const retryAfter = 2

/**
 * The whole haproxy.cfg. Few rules run per request, as each costs; in the order of the file:
 * - `public` takes the users' requests. Whatever a client says about forwarding is dropped and said again by us.
 * - `internal` has a port for each service, for the others of its environment. It changes nothing in a request.
 * - A service that speaks something else than HTTP has its port in a frontend of its own, which passes connections on.
 * - `confirm` lets Fairway ask one certain server, also one without traffic, and names the server that answered. It is a
 *   frontend of its own, so these requests are no traffic.
 * - `unrouted` answers 404. In a worker that was replaced by a reload it is the way on: such a worker goes on serving
 *   connections that clients keep open, and takes no more orders about servers; so its maps are emptied, and what still
 *   comes in goes over `relay` to the worker that knows what is true now.
 */
export function renderConfig(
  desired: DesiredGateway,
  files: GatewayFiles,
  { threads, maxconn }: Capacity,
): RenderedConfig {
  const services = byBackend(desired.services)
  const relayed = `{ str(relay),map_str(${files.role}) -m found }`
  const safeToRepeat =
    'http-request disable-l7-retry unless { method GET HEAD OPTIONS PUT DELETE TRACE } || { req.hdr(idempotency-key) -m found }'
  const before = [
    '# Written by Fairway from its own state: edits are lost. See docs/gateway.md.',
    'global',
    `  nbthread ${threads}`,
    `  maxconn ${maxconn}`,
    `  hard-stop-after ${timeouts.hardStopAfter}ms`,
    `  max-spread-checks ${checks.firstWithin}`,
    // Two HAProxys on one port would share its connections without a word.
    '  noreuseport',
    `  server-state-file ${files.serverState}`,
    `  stats socket unix@${files.adminSocket} mode 600 level admin`,
  ]
  const after = [
    '',
    'defaults',
    '  mode http',
    `  timeout connect ${timeouts.connect}ms`,
    `  timeout client ${timeouts.client}ms`,
    `  timeout server ${timeouts.server}ms`,
    `  timeout queue ${timeouts.queue}ms`,
    `  timeout tunnel ${timeouts.tunnel}ms`,
    `  timeout http-request ${timeouts.httpRequest}ms`,
    `  timeout http-keep-alive ${timeouts.httpKeepAlive}ms`,
    `  timeout check ${timeouts.check}ms`,
    '  load-server-state-from-file global',
    // A client's idle connection is not closed under its next request by a reload.
    '  option idle-close-on-response',
    // A program hears that its client has gone, as it would without a gateway.
    '  option abortonclose',
    // An event of a stream goes out when it comes in; without this the kernel keeps it for 200 ms, hoping for more.
    '  option http-no-delay',
    '  balance roundrobin',
    '  retries 3',
    '  option redispatch 1',
    '  retry-on conn-failure empty-response',
    `  http-error status 503 content-type text/plain string "${unavailable}" hdr Retry-After ${retryAfter}`,
    '',
    'frontend public',
    '  id 1',
    ...desired.binds.map((bind) => `  bind ${formatAddress(assertAddress(bind))}`),
    `  bind unix@${files.relaySocket} mode 600 accept-proxy`,
    // One pass drops Forwarded and every X-Forwarded-…; adding is then cheaper than setting.
    '  http-request del-header forwarded -m sub',
    '  http-request del-header x-real-ip',
    '  option forwardfor',
    '  http-request add-header X-Forwarded-Proto http',
    '  http-request add-header X-Forwarded-Host %[req.fhdr(host)]',
    '  http-request add-header X-Forwarded-Port %[dst_port]',
    `  ${safeToRepeat}`,
    ...routing(services, files),
    '  default_backend unrouted',
    '',
    'frontend internal',
    '  id 2',
    ...services.filter(({ check }) => check.kind !== 'stream').map(internalBind),
    `  bind unix@${files.relayInternalSocket} mode 600 accept-proxy`,
    `  ${safeToRepeat}`,
    `  use_backend %[dst_port,map_int(${files.internal})]`,
    '  default_backend unrouted-internal',
    '',
    'frontend confirm',
    '  id 3',
    `  bind unix@${files.confirmSocket} mode 600`,
    // A repeat would be counted like one of a user's request.
    '  http-request disable-l7-retry',
    '  use_backend %[req.hdr(x-fairway-backend)]',
    '  http-response set-header X-Fairway-Server %b/%s',
    '',
    'backend unrouted',
    '  id 4',
    '  http-reuse never',
    `  http-request return status 404 content-type text/plain string "${notFound}" unless ${relayed}`,
    `  server relay unix@${files.relaySocket} send-proxy-v2`,
    '',
    'backend unrouted-internal',
    '  id 5',
    '  http-reuse never',
    `  http-request return status 503 content-type text/plain string "${unavailable}" hdr Retry-After ${retryAfter} unless ${relayed}`,
    `  server relay unix@${files.relayInternalSocket} send-proxy-v2`,
  ]
  const structural = [...before, ...after, ...services.flatMap(backendLines)].join('\n')
  const structure = createHash('sha256').update(structural).digest('hex').slice(0, 16)
  const text = [
    ...before,
    `  description fairway-${structure}`,
    ...after,
    ...services.flatMap((service) => [
      ...backendLines(service),
      ...service.servers.map((server) => `  ${serverLine(server, service.check)}`),
    ]),
    '',
  ].join('\n')
  return { text, structure }
}

function byBackend(services: readonly DesiredService[]): DesiredService[] {
  return [...services].sort((a, b) => (backendName(a.scope) < backendName(b.scope) ? -1 : 1))
}

function backendLines({ scope, backendId, check, internalPort }: DesiredService): string[] {
  if (!Number.isInteger(backendId) || backendId < firstBackendId)
    throw new TypeError(`not a backend's number: ${backendId}`)
  const head = ['', `backend ${backendName(scope)}`, `  id ${backendId}`]
  // Evaluated once per request, and true in the `confirm` frontend only: a client's own header has no effect.
  const pick = '  use-server %[req.hdr(x-fairway-server)] if { fe_id 3 }'
  switch (check.kind) {
    case 'tcp':
      return [...head, pick]
    case 'grpc':
      return [...head, '  # HTTP/2 to its servers', pick]
    case 'stream':
      return [...streamLines({ scope, internalPort }), ...head, '  mode tcp', ...quietStream('server')]
    case 'http':
      return [
        ...head,
        pick,
        '  option httpchk',
        `  http-check send meth GET uri '${checkPath(check.path)}' ver HTTP/1.1 hdr Host localhost hdr User-Agent fairway-gateway hdr Connection close`,
        '  http-check expect status 200-299',
      ]
  }
}

/** Its way in: nothing is read of what goes through. */
function streamLines({ scope, internalPort }: Pick<DesiredService, 'scope' | 'internalPort'>): string[] {
  const name = backendName(scope)
  return [
    '',
    `frontend stream-${name}`, // a name of its own: the socket's orders find sections by their names
    '  mode tcp',
    internalBind({ internalPort }),
    ...quietStream('client'),
    `  default_backend ${name}`,
  ]
}

/** What is silent on such a connection is as a WebSocket is; and what is meant for HTTP alone is taken back. */
function quietStream(side: 'client' | 'server'): string[] {
  return [
    `  timeout ${side} ${timeouts.tunnel}ms`,
    '  no option http-no-delay',
    ...(side === 'client' ? ['  no option idle-close-on-response'] : ['  retry-on conn-failure']),
  ]
}

function internalBind({ internalPort }: Pick<DesiredService, 'internalPort'>): string {
  return `  bind ${formatAddress(assertAddress({ host: '127.0.0.1', port: internalPort }))}`
}

/** Below are our own sections. */
export const firstBackendId = 1001

/** The words after `server NAME`, and those of `add server BACKEND/NAME`: a dynamic server inherits no defaults. */
export function serverWords({ id, address }: DesiredServer, check: GatewayCheck): string[] {
  if (!Number.isInteger(id) || id < 1) throw new TypeError(`not a server's number: ${id}`)
  const { inter, fastinter, downinter, fall, rise } = checks
  // An error in the traffic hastens the check; it does not itself condemn a server. A dynamic server's pool is 0 unless said
  // otherwise: each request would open a connection of its own, at three times the price.
  const words = `id ${id} pool-max-conn -1 pool-purge-delay 5s check inter ${inter}ms fastinter ${fastinter}ms downinter ${downinter}ms rise ${rise} fall ${fall} observe layer4 error-limit 1 on-error fastinter`
  const protocol = check.kind === 'grpc' ? ['proto', 'h2'] : []
  return [formatAddress(assertAddress(address)), ...protocol, ...words.split(' ')]
}

function serverLine(server: DesiredServer, check: GatewayCheck): string {
  return ['server', serverName(server.name), ...serverWords(server, check)].join(' ')
}

/**
 * As long as every route is a whole host, the host alone is looked up: 1,500 instructions less per request. Otherwise host
 * and path are, the longest prefix wins, and the slash put after both sides keeps `/api` from matching `/apix`.
 */
function routing(services: readonly DesiredService[], files: GatewayFiles): string[] {
  const host = 'req.hdr(host),host_only,lower'
  if (wholeHosts(services)) return [`  use_backend %[${host},map_str(${files.routes})]`]
  return [
    '  http-request set-var(txn.path) path',
    `  use_backend %[${host},concat(,txn.path,/),map_beg(${files.routes})]`,
  ]
}

function wholeHosts(services: readonly DesiredService[]): boolean {
  return services.every(({ route }) => route === undefined || route.path === '/')
}

/** Key → backend, as it stands in routes.map and in HAProxy's memory. */
export function routeEntries(services: readonly DesiredService[]): ReadonlyMap<string, string> {
  const whole = wholeHosts(services)
  const pairs = byBackend(services).flatMap(({ scope, route }): [string, string][] => {
    if (route === undefined) return []
    const { host, path } = checkRoute(route)
    const key = whole ? host : `${host}${path === '/' ? '/' : `${path}/`}`
    return [[key, backendName(scope)]]
  })
  return new Map(pairs)
}

export function internalEntries(services: readonly DesiredService[]): ReadonlyMap<string, string> {
  const spoken = byBackend(services).filter(({ check }) => check.kind !== 'stream')
  return new Map(spoken.map(({ scope, internalPort }) => [String(internalPort), backendName(scope)]))
}

export function renderMap(entries: ReadonlyMap<string, string>): string {
  return [...entries].map(([key, value]) => `${key} ${value}\n`).join('')
}

const adminState: Readonly<Record<ServerMode, string>> = { ready: '0', shut: '1', drain: '8' }

/**
 * The server-state-file: modes as desired; whether a server is up as HAProxy knew last, else up, since what was admitted
 * was healthy and its check comes within milliseconds.
 */
export function renderServerState(desired: DesiredGateway, known: readonly ServerState[]): string {
  const knownBy = new Map(known.map((state) => [`${state.backend}/${state.name}`, state]))
  const lines = byBackend(desired.services).flatMap((service) =>
    service.servers.map((server) => {
      const backend = backendName(service.scope)
      const state = knownBy.get(`${backend}/${serverName(server.name)}`)
      // A server that was shut has no health to remember: HAProxy writes it down as stopped.
      const alive = state === undefined || state.mode === 'shut' || state.running
      const fields: Readonly<Record<(typeof stateColumns)[number], string>> = {
        be_id: String(service.backendId),
        be_name: backend,
        srv_id: String(server.id),
        srv_name: server.name,
        srv_addr: server.address.host,
        srv_op_state: alive ? '2' : '0',
        srv_admin_state: adminState[server.mode],
        srv_uweight: '1',
        srv_iweight: '1',
        srv_time_since_last_change: '0',
        srv_check_status: alive ? checkPassed : checkFailed,
        srv_check_result: alive ? '3' : '2',
        srv_check_health: alive ? String(checks.rise + checks.fall - 1) : '0',
        srv_check_state: '6',
        srv_agent_state: '0',
        bk_f_forced_id: '1',
        srv_f_forced_id: '1',
        srv_fqdn: '-',
        srv_port: String(server.address.port),
        srvrecord: '-',
        srv_use_ssl: '0',
        srv_check_port: '0',
        srv_check_addr: '-',
        srv_agent_addr: '-',
        srv_agent_port: '0',
      }
      return stateColumns.map((column) => fields[column]).join(' ')
    }),
  )
  return ['1', `# ${stateColumns.join(' ')}`, ...lines, ''].join('\n')
}

/** HAProxy's numbers for L7OK and L4CON; it writes them and reads them back. */
const checkPassed = '15'
const checkFailed = '9'
