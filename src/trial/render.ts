import { dataWorkdir } from '../config/index.ts'
import { type Findings, lackedFiles, type Missing } from './findings.ts'

/** As it stands in fairway.yaml under a service. */
export type ServiceLines = Readonly<Record<string, unknown>>

/** What was found, in the words of fairway.yaml; what has its default anyway is left out. */
export function serviceLines(findings: Findings): ServiceLines {
  const { listen, ports, args, values: given, workdir, data, files, protocol, probe, missing } = findings
  const values = missing.flatMap((each) => (each.kind === 'value' ? [each] : []))
  const lines: Record<string, unknown> = {}
  if (missing.some(({ kind }) => kind === 'listener')) lines['listen'] = 'none'
  else if (listen?.kind === 'arg') lines['listen'] = { arg: listen.template }
  else if (listen?.kind === 'port') lines['listen'] = { port: listen.port }
  else if (listen?.kind === 'env' && (listen.name !== 'PORT' || listen.template !== undefined)) {
    lines['listen'] = { env: listen.name, ...(listen.template === undefined ? {} : { value: listen.template }) }
  }
  if (ports.length > 0) lines['ports'] = ports
  const suggested = missing.find((each) => each.kind === 'arguments')?.suggested
  if (suggested !== undefined) Object.assign(lines, { args: suggested.args, files: [...files, suggested.file] })
  else if (args.length > 0) lines['args'] = args
  if (data) lines['data'] = true
  if (workdir !== undefined) lines['workdir'] = workdir
  const whole = [...files, ...lackedFiles(missing)]
  if (whole.length > 0 && suggested === undefined) lines['files'] = whole
  if (protocol !== 'http' && probe.kind !== 'grpc') lines['protocol'] = protocol
  if (probe.kind === 'http') lines['probe'] = { http: probe.path }
  if (probe.kind === 'grpc') lines['probe'] = { grpc: true }
  const config = [
    ...Object.entries(given).map(([name, value]) => [name, { default: value }] as const),
    ...values.map(({ name, secret }) => [name, { required: true, ...(secret ? { secret: true } : {}) }] as const),
  ]
  if (config.length > 0) lines['config'] = Object.fromEntries(config)
  return lines
}

/** The lines of fairway.yaml to write, as text that can be pasted. */
export async function renderFindings(services: Readonly<Record<string, Findings>>): Promise<string> {
  const { Document, isCollection, isMap, visit } = await import('yaml')
  const lines = Object.fromEntries(
    Object.entries(services).map(([service, findings]) => [service, serviceLines(findings)]),
  )
  const document = new Document({ services: lines })
  // A service's own lines each on one line, as people write them; what it declares one below the other.
  visit(document, {
    Pair(_, { key, value }, path) {
      const depth = path.filter((node) => isMap(node)).length
      if (isCollection(value) && depth >= 3 && String(key) !== 'config') value.flow = true
    },
  })
  return document.toString({ lineWidth: 0, singleQuote: true, flowCollectionPadding: true }).trimEnd()
}

/** One thing that is missing, and what to do about it. */
export function describeMissing(
  missing: Missing,
  { service, environment }: { service: string; environment: string },
): string {
  switch (missing.kind) {
    case 'value': {
      const give = missing.secret
        ? `\`fairway secret set ${missing.name} --env ${environment}\``
        : `${missing.name}=… in .env.${environment}`
      return `${service} needs ${missing.name}, which has no value: ${give}`
    }
    case 'flag':
      return `${service} needs ${missing.flag}: ${describeFlag(missing)}`
    case 'file':
      return `${service} needs the file ${missing.path}, which the project has not`
    case 'place':
      return `${service} writes to its working directory and reads ${missing.path} from it, and an artifact is read-only: give it another place for one of them by a flag or a variable (\`data: true\` gives it $STATE_DIRECTORY)`
    case 'write':
      return `${service} may not write to ${missing.path}, where it keeps something by default: find the flag for another place, and write \`args: ['--its-flag={{data}}']\` with \`data: true\``
    case 'arguments':
      return `${service} needs arguments: ${missing.usage}${describeChoice(missing)}`
    case 'listener':
      return `${service} runs and listens on nothing: a worker is \`listen: none\``
  }
}

function describeFlag({ flag, value, choices = [] }: Extract<Missing, { kind: 'flag' }>): string {
  if (value === undefined) return 'its value is yours to say'
  const which =
    choices.length === 0 ? 'put the value it is to have' : `put the one it is to have of ${choices.join(', ')}`
  return `tried with \`${flag}=${value}\`, ${which}`
}

function describeChoice({ commands = [], suggested }: Extract<Missing, { kind: 'arguments' }>): string {
  if (suggested !== undefined)
    return `: put the configuration file it asks for into the project (${suggested.file}), and name it in \`args\` and \`files\``
  return commands.length === 0 ? '' : `: say which in \`args\`, one of ${commands.join(', ')}`
}

/** For a program that serves by TLS alone: what that means, and what to do. */
export function describeTls(
  { listen, tls }: Findings,
  service: string,
): { readonly message: string; readonly hint: string } | undefined {
  if (!tls) return undefined
  const where = listen?.kind === 'port' ? ` on ${listen.port}` : ''
  return {
    message: `${service} wants TLS${where}, and the gateway speaks to programs without it: it gets no host, its connections are passed on as they are, at the address that \`fairway status\` shows`,
    hint: `To have it routed by its host, let it listen without TLS behind the gateway: by the flag, the variable or the file of its own that says so, in \`args\` or \`config\`.`,
  }
}

/** 'listens on 8080 whatever PORT says, GET /healthz is its health': one line for what was found. */
export function summarize(findings: Findings): string {
  if (findings.listen === undefined && findings.verdict !== 'serves') return 'it did not serve'
  const { listen, ports, args, workdir, data, values, probe, protocol, tls } = findings
  const parts = [
    ...(args.length > 0 ? [`with ${args.join(' ')}`] : []),
    describeFoundListen(listen),
    ...(ports.length > 0 ? [`and on ${ports.join(' and ')} besides`] : []),
    ...(tls ? ['wants TLS, so its connections are passed on as they are'] : []),
    ...(protocol === 'http' || tls
      ? []
      : [
          protocol === 'grpc'
            ? 'speaks gRPC'
            : 'speaks neither HTTP nor gRPC, so its connections are passed on as they are',
        ]),
    ...Object.keys(values).map((name) => `keeps its data where ${name} says`),
    ...(workdir === dataWorkdir && Object.keys(values).length === 0 ? ['writes to its working directory'] : []),
    ...(data && workdir !== dataWorkdir ? ['keeps its data'] : []),
    ...(workdir === undefined || workdir === dataWorkdir ? [] : [`starts in ${workdir}`]),
    probe.kind === 'http' ? `health at ${probe.path}` : probe.kind === 'grpc' ? 'health by gRPC' : 'no health path',
  ]
  return parts.join(', ')
}

function describeFoundListen(listen: Findings['listen']): string {
  switch (listen?.kind) {
    case 'env':
      return `listens on the port in ${listen.name}`
    case 'arg':
      return `listens where ${listen.template.replace(/[= ].*/, '')} says`
    case 'port':
      return `listens on ${listen.port} whatever it is told`
    default:
      return 'where it listens was not found out'
  }
}
