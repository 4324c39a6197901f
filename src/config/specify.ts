import type { GoSettings } from './go-settings.ts'
import { namesData } from './listen.ts'
import { canonicalRoute } from './route.ts'
import type { DeclarationFile, EnvironmentFile, ProjectFile, ServiceFile } from './schema.ts'
import { formatDuration } from './measure.ts'
import {
  dataWorkdir,
  type DesiredState,
  type Limits,
  type Listen,
  type ProbeSpecification,
  type ProbeTarget,
  type Protocol,
  type RunSpecification,
  type Strategy,
} from './specification.ts'
import { checkValue, type Declaration } from './value-type.ts'
import type { Path } from './yaml-source.ts'

/** A service of one environment: laid over, with every default, before the values of its keys are known. */
export interface SpecifiedService {
  readonly service: string
  /** As written: './cmd/web'; undefined is detected. */
  readonly build?: string
  readonly go: GoSettings
  readonly files: readonly string[]
  readonly run: RunSpecification
  readonly desired: DesiredState
  readonly needs: readonly string[]
  readonly declarations: ReadonlyMap<string, Declaration>
  readonly said: ReadonlySet<SaidKey>
}

/** What the file says itself of how the program starts: what it leaves unsaid may be found out. */
export type SaidKey = (typeof saidKeys)[number]
const saidKeys = ['listen', 'args', 'workdir', 'files', 'protocol', 'data', 'probe', 'route', 'strategy'] as const

/** Something that only the whole tells: two paths, since the place may be the environment's or the service's own. */
interface Complaint {
  readonly paths: readonly Path[]
  readonly message: string
}

export interface Specified {
  readonly services: readonly SpecifiedService[]
  readonly complaints: readonly Complaint[]
  readonly warnings: readonly string[]
}

/**
 * fairway.yaml for one environment. Pure: the same file always comes to the same specification.
 * @param names the services, where the file names none: what was detected
 */
export function specify(
  file: ProjectFile,
  { project, environment, names }: { project: string; environment: string; names: readonly string[] },
): Specified {
  const complaints: Complaint[] = []
  const warnings: string[] = []
  const overlay: EnvironmentFile = file.environments?.[environment] ?? {}
  const base: Readonly<Record<string, Partial<ServiceFile>>> =
    file.services === undefined || Object.keys(file.services).length === 0
      ? Object.fromEntries(names.map((name) => [name, {}]))
      : file.services
  const known = Object.keys(base)
  for (const service of Object.keys(overlay.services ?? {})) {
    if (!known.includes(service)) {
      const message = `\`${service}\` is no service of this project; known: ${known.join(', ')}`
      complaints.push({ paths: [['environments', environment, 'services', service]], message })
    }
  }
  const services = known.map((service) => {
    const own = { ...base[service], go: { ...file.go, ...base[service]?.go } }
    const laid = layOver(own, overlay.services?.[service] ?? {})
    const complain = (key: string, message: string, more: Path = []) =>
      complaints.push({
        paths: [
          ['environments', environment, 'services', service, key, ...more],
          ['services', service, key, ...more],
        ],
        message: `services.${[service, key, ...more].join('.')}: ${message}`,
      })
    const warn = (message: string) => warnings.push(`${service}: ${message}`)
    return specifyService(laid, { service, project, environment, known, complain, warn })
  })
  const routes = new Map<string, string>()
  for (const { service, desired } of services) {
    if (desired.route === undefined) continue
    const address = `${desired.route.host}${desired.route.path}`
    const owner = routes.get(address)
    if (owner === undefined) routes.set(address, service)
    else {
      const paths = [
        ['environments', environment, 'services', service, 'route'],
        ['services', service, 'route'],
      ]
      complaints.push({ paths, message: `services.${service}.route: ${address} belongs to \`${owner}\` already` })
    }
  }
  const cycle = findCycle(new Map(services.map(({ service, needs }) => [service, needs])))
  if (cycle !== undefined) {
    const [first = ''] = cycle
    const message = `services.${first}.needs: ${cycle.join(' needs ')}: no order fulfils that`
    complaints.push({ paths: [['services', first, 'needs']], message })
  }
  return { services, complaints, warnings }
}

/**
 * Key by key: a mapping is merged, anything else replaced. `listen`, `strategy` and a probe's target are one choice
 * each, so another choice replaces them whole; `route: none` ends a route.
 */
function layOver(base: Partial<ServiceFile>, overlay: Partial<ServiceFile>): Partial<ServiceFile> {
  const { probe, limits, config, route, go, ...rest } = overlay
  const merged: Partial<ServiceFile> = { ...base, ...rest }
  if (go !== undefined) merged.go = { ...base.go, ...go }
  if (probe !== undefined) {
    const { http: _http, tcp: _tcp, grpc: _grpc, exec: _exec, ...timing } = base.probe ?? {}
    const chosen = probe.http ?? probe.tcp ?? probe.grpc ?? probe.exec
    merged.probe = chosen === undefined ? { ...base.probe, ...probe } : { ...timing, ...probe }
  }
  if (limits !== undefined) merged.limits = { ...base.limits, ...limits }
  if (route !== undefined) {
    merged.route = typeof route === 'object' && typeof base.route === 'object' ? { ...base.route, ...route } : route
  }
  if (config !== undefined) {
    merged.config = { ...base.config }
    for (const [key, declaration] of Object.entries(config))
      merged.config[key] = { ...base.config?.[key], ...declaration }
  }
  return merged
}

interface Context {
  readonly service: string
  readonly project: string
  readonly environment: string
  readonly known: readonly string[]
  readonly complain: (key: string, message: string, more?: Path) => void
  readonly warn: (message: string) => void
}

function specifyService(file: Partial<ServiceFile>, context: Context): SpecifiedService {
  const { service, known, complain, warn } = context
  const listen = specifyListen(file)
  const probe = specifyProbe(file, listen)
  if (listen.kind === 'none' && probe.target.kind !== 'exec' && probe.target.kind !== 'alive') {
    complain(
      'probe',
      `\`${probe.target.kind}\` asks a port, and \`listen: none\` has none; use \`exec\`, or leave it out`,
    )
  }
  const protocol = file.protocol ?? (probe.target.kind === 'grpc' ? 'grpc' : 'http')
  if (probe.target.kind === 'grpc' && protocol !== 'grpc') {
    complain('probe', `\`grpc: true\` asks a program that speaks gRPC, and \`protocol\` says ${protocol}`)
  }
  if (probe.target.kind === 'http' && protocol !== 'http') {
    complain('probe', `\`http\` asks by HTTP/1.1, and \`protocol\` says ${protocol}; use \`tcp: true\``)
  }
  if (protocol === 'tcp') {
    if (typeof file.route === 'object')
      complain('route', '`protocol: tcp` is nothing the gateway could route by a host')
  }
  if (file.workdir === dataWorkdir && file.data !== true) {
    complain('workdir', '`{{data}}` is the folder kept over releases: write `data: true` too')
  }
  if (namesData(file.args ?? []) && file.data !== true) {
    complain('args', '`{{data}}` is the folder kept over releases: write `data: true` too')
  }
  for (const [at, port] of (file.ports ?? []).entries()) {
    const again = file.ports?.indexOf(port) !== at || (listen.kind === 'port' && listen.port === port)
    if (again) complain('ports', `${port} is named already`, [at])
  }
  if (listen.kind === 'none' && typeof file.route === 'object') complain('route', '`listen: none` answers no requests')
  for (const needed of file.needs ?? []) {
    if (!known.includes(needed))
      complain('needs', `\`${needed}\` is no service of this project; known: ${known.join(', ')}`)
  }
  if (probe.deadlineMs <= probe.healthyForMs) {
    complain(
      'probe',
      `\`deadline\` (${formatDuration(probe.deadlineMs)}) ends before \`healthyFor\` (${formatDuration(probe.healthyForMs)}) can be over`,
    )
  }
  const data = file.data ?? false
  const instances = file.instances ?? 1
  const strategy = specifyStrategy(file, data)
  if (data && (instances > 1 || strategy.kind !== 'recreate')) {
    warn('`data: true` with several instances or `rolling`: two of them will write to one folder at once')
  }
  const { memory, cpu } = file.limits ?? {}
  const limits: Limits = {
    ...(memory === undefined ? {} : { memoryBytes: memory }),
    ...(cpu === undefined ? {} : { cpu }),
  }
  const run: RunSpecification = {
    args: file.args ?? [],
    listen,
    ...(file.workdir === undefined ? {} : { workdir: tidyWorkdir(file.workdir) }),
    ...(protocol === 'http' ? {} : { protocol }),
    ...(file.ports === undefined || file.ports.length === 0 ? {} : { ports: file.ports }),
    ...(file.network === undefined ? {} : { network: file.network }),
    probe,
    limits,
    ...(file.user === undefined ? {} : { user: file.user }),
    data,
    ...(file.before === undefined ? {} : { before: file.before }),
    beforeDeadlineMs: file.beforeDeadline ?? 600_000,
    graceMs: file.grace ?? 10_000,
  }
  const desired: DesiredState = {
    instances,
    ...specifyRoute(file, listen, protocol, context),
    strategy,
    keepWarmMs: file.keepWarm ?? 0,
    drainMs: file.drain ?? 30_000,
  }
  return {
    service,
    ...(file.build === undefined ? {} : { build: file.build }),
    go: specifyGo(file),
    files: file.files ?? [],
    run,
    desired,
    needs: file.needs ?? [],
    declarations: specifyDeclarations(file, listen, complain),
    said: new Set(saidKeys.filter((key) => (key === 'probe' ? saysTarget(file) : file[key] !== undefined))),
  }
}

/** Its timing alone leaves open what is asked. */
function saysTarget({ probe = {} }: Partial<ServiceFile>): boolean {
  return [probe.http, probe.tcp, probe.grpc, probe.exec].some((target) => target !== undefined)
}

/** './cmd/web/' and 'cmd/web' are one place: the same release. */
function tidyWorkdir(workdir: string): string {
  const tidy = workdir.replace(/^(\.\/+)+/, '').replace(/\/+$/, '')
  return tidy === '' ? '.' : tidy
}

/** Only what is said: exactly the keys that are there. */
function specifyGo({ go: { tags, ldflags, cgo, generate } = {} }: Partial<ServiceFile>): GoSettings {
  return {
    ...(tags === undefined ? {} : { tags }),
    ...(ldflags === undefined ? {} : { ldflags }),
    ...(cgo === undefined ? {} : { cgo }),
    ...(generate === undefined ? {} : { generate }),
  }
}

function specifyListen({ listen }: Partial<ServiceFile>): Listen {
  if (listen === 'none') return { kind: 'none' }
  if (listen?.port !== undefined) return { kind: 'port', port: listen.port }
  if (listen?.arg !== undefined) return { kind: 'arg', template: listen.arg }
  const name = listen?.env ?? 'PORT'
  return { kind: 'env', name, ...(listen?.value === undefined ? {} : { template: listen.value }) }
}

function specifyProbe({ probe = {} }: Partial<ServiceFile>, listen: Listen): ProbeSpecification {
  const { http, tcp, grpc, exec } = probe
  const byDefault: ProbeTarget = listen.kind === 'none' ? { kind: 'alive' } : { kind: 'tcp' }
  const target: ProbeTarget =
    http !== undefined
      ? { kind: 'http', path: http }
      : exec !== undefined
        ? { kind: 'exec', command: exec }
        : grpc !== undefined
          ? { kind: 'grpc' }
          : tcp === undefined
            ? byDefault
            : { kind: 'tcp' }
  return {
    target,
    everyMs: Math.max(probe.every ?? 500, 10),
    timeoutMs: probe.timeout ?? 1000,
    healthyForMs: probe.healthyFor ?? 1000,
    deadlineMs: probe.deadline ?? 60_000,
  }
}

function specifyStrategy({ strategy }: Partial<ServiceFile>, data: boolean): Strategy {
  if (strategy === undefined) return data ? { kind: 'recreate' } : { kind: 'rolling', batch: 1 }
  if (strategy === 'recreate') return { kind: 'recreate' }
  return { kind: 'rolling', batch: strategy === 'rolling' ? 1 : (strategy.rolling.batch ?? 1) }
}

function specifyRoute(
  { route }: Partial<ServiceFile>,
  listen: Listen,
  protocol: Protocol,
  { service, project, environment, complain }: Context,
): Pick<DesiredState, 'route' | 'routeFallback'> {
  if (route === 'none' || listen.kind === 'none' || protocol === 'tcp') return {}
  const path = route?.path ?? '/'
  if (route?.host !== undefined) return { route: canonicalRoute({ host: route.host, path }) }
  if (environment === 'dev') {
    return {
      route: canonicalRoute({ host: `${service}.localhost`, path }),
      routeFallback: canonicalRoute({ host: `${service}.${project}.localhost`, path }),
    }
  }
  if (route !== undefined) complain('route', `expected a \`host\`: only in dev it is SERVICE.localhost by itself`)
  return {}
}

function specifyDeclarations(
  { config = {} }: Partial<ServiceFile>,
  listen: Listen,
  complain: Context['complain'],
): ReadonlyMap<string, Declaration> {
  const declarations = new Map<string, Declaration>()
  for (const [key, file] of Object.entries(config)) {
    const declaration = declare(file)
    if (declaration.secret && declaration.default !== undefined) {
      complain('config', 'no default for a secret: it would stand in this file for all to read', [key, 'default'])
    }
    if (listen.kind === 'env' && key === listen.name) {
      complain('config', `Fairway itself gives the program \`${key}\`, the port of each instance`, [key])
    }
    const expected = declaration.default === undefined ? undefined : checkValue(declaration.default, declaration)
    if (expected !== undefined) complain('config', `its default is not ${expected}`, [key, 'default'])
    declarations.set(key, declaration)
  }
  for (const [key, { asFile }] of declarations) {
    if (asFile && declarations.has(`${key}_FILE`)) {
      complain('config', `\`as: file\` gives the program ${key}_FILE, which is declared too`, [key])
    }
  }
  return declarations
}

function declare(file: DeclarationFile): Declaration {
  return {
    type: file.type ?? 'string',
    ...(file.values === undefined ? {} : { values: file.values }),
    ...(file.default === undefined ? {} : { default: String(file.default) }),
    required: file.required ?? false,
    secret: file.secret ?? false,
    asFile: file.as === 'file',
    ...(file.describe === undefined ? {} : { describe: file.describe }),
  }
}

/** ['web', 'db', 'web'] */
export function findCycle(needs: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>()
  const visit = (name: string, trail: readonly string[]): string[] | undefined => {
    if (trail.includes(name)) return [...trail.slice(trail.indexOf(name)), name]
    if (done.has(name)) return undefined
    for (const needed of needs.get(name) ?? []) {
      const cycle = visit(needed, [...trail, name])
      if (cycle !== undefined) return cycle
    }
    done.add(name)
    return undefined
  }
  for (const name of needs.keys()) {
    const cycle = visit(name, [])
    if (cycle !== undefined) return cycle
  }
  return undefined
}
