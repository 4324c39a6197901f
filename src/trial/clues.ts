/** What help texts and last words say of how a program wants to be started. Each finds what is written; nothing is believed. */

/** Where a port can be told: by a flag, or a variable. */
export interface Candidate {
  readonly kind: 'flag' | 'variable'
  /** '--port', '-p', 'SHOP_ADDR' */
  readonly name: string
  /** `{{port}}` and `{{host}}`: what it takes. */
  readonly value: string
  /** The port that is its default, where that is said. */
  readonly fallbackPort?: number
  /** Where it was found, in words. */
  readonly from: string
}

const listenName =
  /(?:^|[-._])(?:port|addr|address|listen|bind)(?:$|[-._])|(?:port|addr|address|listen)$|(?:^|[-._])(?:http|server|web|host)$|^listen/i
const otherPurpose =
  /redis|postgres|mysql|mongo|database|\bdb\b|db[-._]|upstream|target|backend|remote|proxy|smtp|kafka|nats|amqp|etcd|consul|vault|otel|otlp|jaeger|zipkin|statsd|advertise|public|external|peer|cluster|gossip|timeout|max|allow|origin|header|log|level|path|prefix|secret|token|cert|tls[-._]?(?:key|cert)|file|dir|idle|limit|retry|registry|version|prober|source|route|cors/i
const sideDoor = /metric|debug|pprof|admin|health|probe|telemetry|internal|grpc|mgmt|management|unix|udp|tls|https|ssl/i

/** Flags of a help text that sound like where to listen, whatever their name those whose default is the port that was seen. */
export function findFlags(lines: readonly string[], mainPort?: number): Candidate[] {
  const found = new Map<string, Candidate>()
  for (const { name, short, line, about } of flagsOf(lines)) {
    const bare = name.replace(/^-+/, '')
    const sounds =
      listenName.test(bare) ||
      /listen|(?:http|tcp|server|web) (?:address|port)|port (?:to|on|for)|address to/i.test(about)
    const isLetter = bare.length === 1 && /\b(?:port|address|listen)\b/i.test(about)
    const fallback = findDefault(about)
    const port = portOf(fallback)
    if (port === undefined || port !== mainPort) {
      if ((!sounds && !isLetter) || otherPurpose.test(bare) || /\bunix\b.*only/i.test(about)) continue
      if (bare.length === 1 && !/port|addr|listen/i.test(about)) continue
      // A host alone is no port.
      if (/^(?:.*[-._])?(?:host|hostname|ip)$/i.test(bare) && !/:\d/.test(fallback ?? '')) continue
    }
    const spelled = bare.length === 1 && short === undefined ? `-${bare}` : name
    found.set(spelled, {
      kind: 'flag',
      name: spelled,
      value: valueFor(bare, fallback, about),
      ...(port === undefined ? {} : { fallbackPort: port }),
      from: `its help: ${line.trim().slice(0, 100)}`,
    })
  }
  return [...found.values()]
}

/** A flag of a help text, as it is spelled there. */
interface WrittenFlag {
  /** '--port', or '-p' where it has no other. */
  readonly name: string
  readonly short?: string
  readonly line: string
  /** With what stands on the next line, where Go's own flag package writes it. */
  readonly about: string
}

export function flagsOf(lines: readonly string[]): WrittenFlag[] {
  return lines.flatMap((line, at) => {
    const head =
      /^\s{0,12}(?:(-\w)(?:[,=\s]\S*)?,?\s+)?(--?[a-zA-Z][\w.-]*)/.exec(line) ?? /^\s{0,12}()(-\w)\b/.exec(line)
    if (head === null || !/^\s*-/.test(line)) return []
    const [, short, name = ''] = head
    const next = lines[at + 1] ?? ''
    const about = /^\s*-/.test(next) ? line : `${line} ${next}`
    return [{ name, ...(short === undefined ? {} : { short }), line, about }]
  })
}

/** Variables of a text that sound like where to listen. */
export function findVariables(lines: readonly string[], from: string): Candidate[] {
  const found = new Map<string, Candidate>()
  for (const line of lines) {
    for (const [, name = ''] of line
      .slice(0, 2_000)
      .matchAll(
        /(?<![A-Z0-9_])\$?([A-Z][A-Z0-9_]*(?:PORT|ADDR|ADDRESS|LISTEN|BIND)|[A-Z][A-Z0-9_]*_PORT_[A-Z0-9_]+)\b/g,
      )) {
      if (name === 'PORT' || otherPurpose.test(name) || found.has(name)) continue
      const fallback = findDefault(line)
      const port = portOf(fallback)
      found.set(name, {
        kind: 'variable',
        name,
        value: valueFor(name, fallback, ''),
        ...(port === undefined ? {} : { fallbackPort: port }),
        from: `${from}: ${line.trim().slice(0, 100)}`,
      })
    }
  }
  return [...found.values()]
}

/** By its name alone. */
export function variableCandidate(name: string, from: string): Candidate {
  return { kind: 'variable', name, value: valueFor(name, undefined, ''), from }
}

export function isListenName(name: string): boolean {
  return listenName.test(name) && !otherPurpose.test(name)
}

export function flagCandidate(name: string, fallback: string, from: string): Candidate {
  const port = portOf(fallback)
  return {
    kind: 'flag',
    name: name.length === 1 ? `-${name}` : `--${name}`,
    value: valueFor(name, fallback, ''),
    ...(port === undefined ? {} : { fallbackPort: port }),
    from,
  }
}

/** The likeliest first: its default is a port that was seen, then by its name. */
export function rankCandidates(candidates: readonly Candidate[], mainPort: number | undefined): Candidate[] {
  const score = ({ name, fallbackPort }: Candidate) =>
    (fallbackPort !== undefined && fallbackPort === mainPort ? 100 : 0) +
    (fallbackPort !== undefined && fallbackPort !== mainPort ? -10 : 0) +
    (sideDoor.test(name) ? -30 : 0) +
    (otherPurpose.test(name) ? -20 : 0) +
    (/^(?:-{1,2}|.*_)?(?:port|addr|address|listen|bind|http)$/i.test(name) ? 10 : 0) +
    (/http|web|server|listen/i.test(name) ? 5 : 0)
  const unique = new Map(candidates.toReversed().map((each) => [`${each.kind} ${each.name}`, each]))
  return [...unique.values()].toReversed().toSorted((a, b) => score(b) - score(a))
}

/** '(default ":8080")', '[default: 8080]', '(default 8080)', 'default=…', '="…"' */
export function findDefault(text: string): string | undefined {
  return (
    /\bdefaults?(?: is| to| value)?\s*[:=]?\s*\(?\s*["'`]?([^"'`)\],;\s]+)/i.exec(text)?.[1] ??
    /^\s*--?[\w.-]+=["']?([^"'\s]+)/.exec(text)?.[1] ?? // kingpin: --web.listen-address=:9115
    /\(["'`]?(:?\d{2,5}|[\w.]*:\d{2,5})["'`]?\)/.exec(text)?.[1]
  )
}

function portOf(fallback: string | undefined): number | undefined {
  const digits = /(?:^|:)(\d{1,5})\/?$/.exec(fallback ?? '')?.[1]
  const port = Number(digits)
  return digits !== undefined && port > 0 && port <= 65_535 ? port : undefined
}

function valueFor(name: string, fallback: string | undefined, about: string): string {
  if (fallback !== undefined && portOf(fallback) !== undefined) {
    if (/^\d+$/.test(fallback)) return '{{port}}'
    const scheme = /^[a-z]+:\/\//.exec(fallback)?.[0] ?? ''
    return `${scheme}{{host}}:{{port}}`
  }
  if (/(?:^|[_.-])port(?:[_.-]|$)|port$/i.test(name) || /\b(?:int|uint|uint16)\b/.test(about)) return '{{port}}'
  if (/addr|address|listen|bind|endpoint|http$|host/i.test(name)) return '{{host}}:{{port}}'
  return /address|host:port/i.test(about) ? '{{host}}:{{port}}' : '{{port}}'
}

const serveWords = [
  'serve',
  'server',
  'run',
  'start',
  'web',
  'daemon',
  'http',
  'httpd',
  'api',
  'relay',
  'agent',
  'listen',
  'up',
  'service',
  'standalone',
  'all',
  'gateway',
  'proxy',
]

/** What a usage text lists of commands, each with its line. */
function namedCommands(lines: readonly string[]): Map<string, string> {
  const named = new Map<string, string>()
  for (const line of lines) {
    // A list's own indentation: what a description is wrapped to lies deeper, and goes on after one space.
    const match = /^(?: {1,8}|\t|\s*[*-] )([a-z][a-z0-9-]*)(?:,.*|:.*|\s{2,}.*|\t.*)?$/.exec(line)
    const inline = /\{([a-z0-9-]+(?:[|,][a-z0-9-]+)+)\}|[<[(]([a-z0-9-]+(?:\|[a-z0-9-]+)+)[>\])]/.exec(line)
    if (match?.[1] !== undefined) named.set(match[1], line)
    for (const name of (inline?.[1] ?? inline?.[2] ?? '').split(/[|,]/)) if (name !== '') named.set(name, '')
    for (const [, name = ''] of line.matchAll(
      /(?:^usage:?\s+|^\s+)\S*?\b[\w.-]+ (serve|server|start|daemon|relay)\b/gi,
    ))
      named.set(name, '')
  }
  return named
}

/** Commands and modes below a heading that calls them so, as a person is told of them. */
export function findCommands(lines: readonly string[]): string[] {
  const headings = lines.flatMap((line, at) =>
    /^\s*(?:available |sub|the )?(?:commands?|modes?|subcommands?)(?: are)?:?\s*$/i.test(line) ? [at] : [],
  )
  const listed = headings.flatMap((at) => {
    const rest = lines.slice(at + 1)
    const first = rest.findIndex((line) => line.trim() !== '')
    const end = rest.findIndex((line, index) => index > first && line.trim() === '')
    return rest.slice(Math.max(first, 0), end < 0 ? undefined : end)
  })
  const names = [...namedCommands(listed).keys()]
  return names.filter((name) => !/^(?:help|completion|version)$/.test(name)).slice(0, 12)
}

/** Subcommands of a usage text that make a server of the program, the likeliest first. */
export function findServeCommands(lines: readonly string[], service: string): string[] {
  const named = namedCommands(lines)
  const byName = serveWords.filter((word) => named.has(word))
  const byMeaning = [...named].flatMap(([name, about]) =>
    !byName.includes(name) &&
    /\b(?:serves?|servers?|daemon|listens?)\b/i.test(about) &&
    !/^(?:help|completion|version|client)/.test(name)
      ? [name]
      : [],
  )
  const own = named.has(service) ? [service] : []
  return [...new Set([...byName, ...own, ...byMeaning])].slice(0, 5)
}

/** What it wanted of the network, which a sandbox has not: 'postgres at 127.0.0.1:5432'. */
export function findWants(lines: readonly string[]): string[] {
  const wants = new Set<string>()
  for (const line of lines) {
    const text = line.slice(0, 2_000)
    const failed =
      /connection refused|network is unreachable|no route to host|no such host|server misbehaving|i\/o timeout|dial (?:tcp|udp)|temporary failure in name resolution|cannot assign requested address/i
    if (!failed.test(text)) continue
    const dialled = /dial (?:tcp|udp)[46]? ([\w.[\]:-]+:\d+)/.exec(text)?.[1]
    const looked = /lookup ([\w.-]+)/.exec(text)?.[1]
    const spoken = /(?:^|[^\d.])((?:\d{1,3}\.){3}\d{1,3}:\d{2,5}|localhost:\d{2,5}|\[::1\]:\d{2,5})/.exec(text)?.[1]
    const address = looked ?? dialled ?? spoken
    if (address === undefined) continue
    const kind = kindOf(address, text)
    wants.add(kind === undefined ? address : `${kind} at ${address}`)
  }
  return [...wants].slice(0, 5)
}

const knownPorts: Readonly<Record<string, string>> = {
  5432: 'postgres',
  3306: 'mysql',
  6379: 'redis',
  27017: 'mongodb',
  9092: 'kafka',
  4222: 'nats',
  5672: 'rabbitmq',
  2379: 'etcd',
  8500: 'consul',
  9200: 'elasticsearch',
  11211: 'memcached',
  26257: 'cockroachdb',
  9042: 'cassandra',
  25: 'smtp',
  8200: 'vault',
}

function kindOf(address: string, text: string): string | undefined {
  const byPort = knownPorts[/:(\d+)$/.exec(address)?.[1] ?? '']
  if (byPort !== undefined) return byPort
  const word =
    /postgres|mysql|redis|mongo|kafka|nats|rabbitmq|etcd|consul|elasticsearch|memcached|cassandra|vault/i.exec(
      text,
    )?.[0]
  return word?.toLowerCase()
}

/** A positional argument that the usage line asks for; where its heading stands alone, the line below it. */
export function findPositional(lines: readonly string[]): 'folder' | 'file' | undefined {
  const at = lines.findIndex((line) => /^\s*usage\b/i.test(line))
  if (at < 0) return undefined
  const head = lines[at] ?? ''
  const usage = (
    /^\s*usage:?\s*$/i.test(head) ? (lines.slice(at + 1).find((line) => line.trim() !== '') ?? '') : head
  ).slice(0, 500)
  if (/[<[ ](?:data[-_ ]?)?(?:dir|directory|folder|root|path|datadir|data[-_]path)[>\]]?(?:\s|$|\.\.\.)/i.test(usage))
    return 'folder'
  return /[<[ ](?:config|conf|config[-_]file|configfile|file)[>\]]?(?:\s|$)/i.test(usage) ? 'file' : undefined
}

/** The flag of a help text that names a configuration file. */
export function findConfigFlag(lines: readonly string[]): string | undefined {
  const names = lines.flatMap((line) =>
    [...line.matchAll(/(?<![\w-])(--?[a-zA-Z][\w.-]*)/g)].map((match) => match[1] ?? ''),
  )
  return (
    names.find((name) => /^--?(?:config|conf|config[-._]?file|conf[-._]?file|configuration)$/i.test(name)) ??
    names.find((name) => /config[-._]?(?:file|path)|[-._]config$/i.test(name)) ??
    names.find((name) => /^-c$|^-f$/.test(name) && lines.some((line) => line.includes(name) && /config/i.test(line)))
  )
}

/** Files of a project that a program may be configured with, the likeliest first. */
export function findConfigFiles(files: readonly string[], service: string): string[] {
  const score = (path: string) => {
    const name = path.split('/').at(-1) ?? ''
    if (
      !/\.(?:ya?ml|toml|json|hcl|ini|conf|cfg)(?:\.(?:example|sample|dist))?$|\.(?:example|sample)\.(?:ya?ml|toml|json)$/.test(
        name,
      )
    )
      return 0
    if (
      /docker|compose|^\.|package(?:-lock)?\.json|tsconfig|golangci|goreleaser|mkdocs|chart|values|renovate|dependabot|openapi|swagger|buf\.|sqlc|fairway|codecov|kustomiz/i.test(
        path,
      )
    )
      return 0
    if (
      /(?:^|\/)(?:test|tests|testdata|\.github|k8s|kubernetes|deploy|charts|web|ui|frontend|docs?|fixtures|scripts|helm|grafana|node_modules)\//i.test(
        path,
      )
    )
      return 0
    const depth = path.split('/').length
    const isNamed =
      /^(?:config|conf|settings|configuration|app|default)[-._]/i.test(name) || name.startsWith(`${service}.`)
    const isSample = /example|sample|dist/i.test(path)
    const isPlaced = /(?:^|\/)(?:configs?|conf|etc|examples?)\//i.test(path)
    if (!isNamed && !isPlaced && depth > 1) return 0
    return 20 + (isNamed ? 20 : 0) + (isPlaced && !isSample ? 8 : 0) - (isSample ? 5 : 0) - depth
  }
  return files
    .map((path) => ({ path, score: score(path) }))
    .filter((each) => each.score > 0)
    .toSorted((a, b) => b.score - a.score || (a.path < b.path ? -1 : 1))
    .slice(0, 4)
    .map(({ path }) => path)
}
