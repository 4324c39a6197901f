import { Document, isMap, parseDocument } from 'yaml'
import { FairwayError } from '../base/error.ts'
import type { Ground, NewService, ScaffoldFile, ScaffoldOrder } from './scaffold.ts'

/** The template's own words, which each project replaces by its own. */
const templateModule = 'example.com/shop'

/**
 * The files of a new project, or of services added to one.
 * @param template the text of each of the template's files, by path: a whole Go module with a service of either kind
 * @throws FairwayError CONFIG_INVALID when fairway.yaml cannot take the services, USAGE for one that it has already
 */
export function planScaffold(
  order: ScaffoldOrder,
  ground: Ground,
  template: ReadonlyMap<string, string>,
): ScaffoldFile[] {
  const files: ScaffoldFile[] = []
  const hasWeb = order.services.some(({ kind }) => kind === 'web')
  if (!ground.hasModule) {
    const goMod = textOf(template, 'go.mod').replace(`module ${templateModule}\n`, `module ${order.module}\n`)
    // What a worker imports is all in the standard library.
    files.push({ path: 'go.mod', text: hasWeb ? goMod : goMod.replace(/\n+require [\s\S]*$/, '\n') })
    if (hasWeb) files.push({ path: 'go.sum', text: textOf(template, 'go.sum') })
  }
  if (hasWeb && !ground.hasHttpServer) {
    files.push(...below(template, 'internal/httpserver/', (text) => inModule(text, order.module)))
  }
  for (const service of order.services) {
    const rename = (text: string) => renameService(inModule(text, order.module), service)
    for (const folder of [`cmd/${service.kind}/`, `internal/${service.kind}/`]) {
      for (const { path, text } of below(template, folder, rename)) {
        files.push({ path: renamePath(path, service), text })
      }
    }
  }
  files.push(projectFile(order, ground))
  if (!ground.hasGitignore) files.push({ path: '.gitignore', text: gitignore })
  if (!ground.hasReadme) files.push({ path: 'README.md', text: readme(order) })
  return files
}

/** Modules that the template's services import, at the versions they are tested with. */
export function requiredModules(
  services: readonly NewService[],
  template: ReadonlyMap<string, string>,
): { path: string; version: string }[] {
  if (!services.some(({ kind }) => kind === 'web')) return [] // what a worker imports is all in the standard library
  return [...textOf(template, 'go.mod').matchAll(/^require (\S+) (v\S+)$/gm)].map(([, path = '', version = '']) => ({
    path,
    version,
  }))
}

/** The names of the services that fairway.yaml has. */
export function servicesIn(projectFile: string | undefined): string[] {
  const services: unknown = parseDocument(projectFile ?? '').get('services')
  return isMap(services) ? services.items.map(({ key }) => String(key)) : []
}

/** 'order-api' → 'orderapi': a package's name has no dashes, and is no other package's or the language's own. */
export function packageName({ name }: Pick<NewService, 'name'>): string {
  const short = name.replaceAll('-', '')
  return taken.has(short) ? `${short}service` : short
}

const taken = new Set([
  // Go's keywords, and the names that main.go and the package itself already have.
  'break', 'case', 'chan', 'const', 'continue', 'default', 'defer', 'else', 'fallthrough', 'for', 'func', 'go', 'goto', 'if',
  'import', 'interface', 'map', 'package', 'range', 'return', 'select', 'struct', 'switch', 'type', 'var',
  'main', 'run', 'ctx', 'stop', 'err', 'level', 'log', 'config', 'listener', 'interval', 'getenv', 'out', 'string', 'error',
  'cmp', 'context', 'fmt', 'io', 'slog', 'net', 'os', 'signal', 'syscall', 'time', 'json', 'http', 'httptest', 'strings',
  'testing', 'synctest', 'prometheus', 'collectors', 'promhttp', 'httpserver', 'byte', 'nil', 'handler', 'test', 'metrics', 'mux',
  // Folders that go passes by.
  'vendor', 'testdata', 'internal',
]) // prettier-ignore

function textOf(template: ReadonlyMap<string, string>, path: string): string {
  const text = template.get(path)
  if (text === undefined) throw new Error(`the template has no ${path}`)
  return text
}

function below(
  template: ReadonlyMap<string, string>,
  folder: string,
  change: (text: string) => string,
): ScaffoldFile[] {
  return [...template]
    .filter(([path]) => path.startsWith(folder))
    .map(([path, text]) => ({ path, text: change(text) }))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
}

function inModule(text: string, module: string): string {
  return text.replaceAll(`"${templateModule}/`, `"${module}/`)
}

/** Only where the template names the service: its package, its import, its command. */
function renameService(text: string, service: NewService): string {
  const { kind, name } = service
  const own = packageName(service)
  const renamed = text
    .replaceAll(`Package ${kind} `, `Package ${own} `)
    .replaceAll(`Command ${kind} `, `Command ${name} `)
    .replaceAll(new RegExp(`^package ${kind}(_test)?$`, 'gm'), `package ${own}$1`)
    .replaceAll(`/internal/${kind}"`, `/internal/${own}"`)
    .replaceAll(new RegExp(`\\b${kind}\\.(?=[A-Z])`, 'g'), `${own}.`)
  return sortImports(renamed)
}

/** gofmt wants each group of imports in order, and a renamed one may stand elsewhere. */
function sortImports(text: string): string {
  return text.replaceAll(/(?:^\t"[^"\n]+"\n)+/gm, (group) =>
    group
      .split('\n')
      .filter((line) => line !== '')
      .sort((a, b) => (a < b ? -1 : 1))
      .map((line) => `${line}\n`)
      .join(''),
  )
}

function renamePath(path: string, service: NewService): string {
  const { kind, name } = service
  const own = packageName(service)
  return path
    .replace(`cmd/${kind}/`, `cmd/${name}/`)
    .replace(`internal/${kind}/${kind}`, `internal/${own}/${own}`)
    .replace(`internal/${kind}/`, `internal/${own}/`)
}

function projectFile({ project, services, former = [] }: ScaffoldOrder, { projectFile: text }: Ground): ScaffoldFile {
  const same = former.find(({ name }) => services.some((service) => service.name === name))
  if (same !== undefined) {
    throw new FairwayError('USAGE', `${same.name} is what the program in ${same.build} is called already`, {
      hint: 'Give the new one another name: fairway init --service NAME',
    })
  }
  const blocks: (readonly [string, object])[] = [
    ...former.map(({ name, build }) => [name, { build }] as const),
    ...services.map((service) => [service.name, block(service)] as const),
  ]
  if (text === undefined || text.trim() === '') {
    const fresh = new Document({ project, services: {} })
    for (const [name, value] of blocks) fresh.setIn(['services', name], blockNode(fresh, value))
    return { path: 'fairway.yaml', text: `${heading}${fresh.toString({ lineWidth: 120 })}` }
  }
  const document = parseDocument(text)
  const [error] = document.errors
  const place = document.get('services', true)
  if (
    error !== undefined ||
    (document.contents !== null && !isMap(document.contents)) ||
    (place !== undefined && !isMap(place))
  ) {
    throw new FairwayError(
      'CONFIG_INVALID',
      `fairway.yaml cannot take new services: ${error?.message ?? 'it is no map'}`,
      {
        hint: 'Mend it first: fairway config check',
      },
    )
  }
  for (const [name, value] of blocks) {
    if (document.hasIn(['services', name])) {
      throw new FairwayError('USAGE', `fairway.yaml has a service ${name} already`, {
        hint: 'Give the new one another name: fairway init --service NAME',
      })
    }
    document.setIn(['services', name], blockNode(document, value))
  }
  return { path: 'fairway.yaml', text: document.toString({ lineWidth: 120 }), isChange: true }
}

function block({ name, kind }: NewService): object {
  const level = { type: 'enum', values: ['debug', 'info', 'warn', 'error'], default: 'info' }
  if (kind === 'worker') {
    return {
      build: `./cmd/${name}`,
      listen: 'none',
      config: { LOG_LEVEL: level, INTERVAL: { type: 'duration', default: '10s' } },
    }
  }
  return { build: `./cmd/${name}`, probe: { http: '/healthz' }, config: { LOG_LEVEL: level } }
}

/** A key a line, its value on the same line: `probe: { http: /healthz }`. */
function blockNode(document: Document, value: object): unknown {
  const node = document.createNode(value)
  const inLine = (part: unknown) => {
    if (isMap(part)) part.flow = true
  }
  if (!isMap(node)) return node
  inLine(node.get('probe', true))
  const config: unknown = node.get('config', true)
  if (isMap(config)) for (const { value: declaration } of config.items) inLine(declaration)
  return node
}

const heading = '# What Fairway needs to know of this project; `fairway schema` prints all that may stand here.\n'

const gitignore = `# Values of this machine alone, secrets among them.
.env*.local
`

function readme({ project, services }: ScaffoldOrder): string {
  const lines = services.map(
    ({ name, kind }) => `- \`cmd/${name}\`: ${kind === 'web' ? 'answers HTTP' : 'works in the background'}`,
  )
  return `# ${project}

${lines.join('\n')}

    fairway up      build it, release it, have it serve
    go test ./...   test it
`
}
