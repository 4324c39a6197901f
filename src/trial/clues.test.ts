import fc from 'fast-check'
import { expect, test } from 'vitest'
import { findMissingFile, findMissingValues } from '../health/index.ts'
import {
  type Candidate,
  findCommands,
  findConfigFiles,
  findConfigFlag,
  findDefault,
  findFlags,
  findPositional,
  findServeCommands,
  findVariables,
  findWants,
  rankCandidates,
  variableCandidate,
} from './clues.ts'
import { flagChoices, flagPlaceholder } from './placeholder.ts'

const shown = ({ name, value, fallbackPort }: Candidate) =>
  `${name} ${value}${fallbackPort === undefined ? '' : ` ${fallbackPort}`}`

test.for<[string, string, string[]]>([
  [
    'flag',
    '  -addr string\n    \tHTTP network address (default ":4000")\n  -dsn string\n    \tMySQL data source',
    ['-addr {{host}}:{{port}} 4000'],
  ],
  ['flag, a number', '  -port int\n    \tport to listen on (default 8080)', ['-port {{port}} 8080']],
  [
    'cobra',
    '  -p, --port int          the port (default 9898)\n      --log-level string   level',
    ['--port {{port}} 9898'],
  ],
  [
    'kingpin',
    '      --web.listen-address=":9115"\n                                 Address to listen on.\n      --log.level=info',
    ['--web.listen-address {{host}}:{{port}} 9115'],
  ],
  [
    'urfave',
    '   --http-addr value  where to serve (default: "127.0.0.1:3000") [$SHOP_HTTP_ADDR]',
    ['--http-addr {{host}}:{{port}} 3000'],
  ],
  ['a scheme', '  --listen string   (default "http://localhost:7000")', ['--listen http://{{host}}:{{port}} 7000']],
  [
    'an address of somebody else',
    '  --redis-addr string   (default "localhost:6379")\n  --db-port int   (default 5432)',
    [],
  ],
  ['a host alone', '  --host string   Host to bind service to', []],
  ['a letter', '  -p int\n    \tport', ['-p {{port}}']],
])('where to listen is read from a help text: %s', ([, text, expected]) => {
  expect(findFlags(text.split('\n')).map(shown)).toEqual(expected)
})

test('variables are read from a help text, but for those of others', () => {
  const lines = [
    '--port value  (default: 80) [$SHOP_PORT]',
    'REDIS_ADDR: where Redis is',
    'listening; set LISTEN_ADDR to change it',
  ]
  expect(findVariables(lines, 'its help').map(({ name }) => name)).toEqual(['SHOP_PORT', 'LISTEN_ADDR'])
})

test('a name that holds PORT anywhere is given a port alone', () => {
  const [written] = findVariables(['FAKE_GCS_PORT_HTTP: where to serve'], 'its help')
  expect(written).toMatchObject({ name: 'FAKE_GCS_PORT_HTTP', value: '{{port}}' })
  expect(variableCandidate('FAKE_GCS_PORT_HTTP', 'its source').value).toBe('{{port}}')
})

test.for([
  ['(default ":4000")', ':4000'],
  ['[default: 8080]', '8080'],
  ['  --web.listen-address=":9115"', ':9115'],
  ['defaults to 127.0.0.1:80', '127.0.0.1:80'],
  ['port to listen on', undefined],
])('the default in %s', ([text, expected]) => {
  expect(findDefault(text ?? '')).toBe(expected)
})

test('of candidates the one whose default was seen is tried first, side doors last', () => {
  const candidates = findFlags([
    '  --metrics-port int   (default 9090)',
    '  --http-port int   (default 8080)',
    '  --port int   (default 1234)',
  ])
  expect(rankCandidates(candidates, 8080).map(({ name }) => name)).toEqual(['--http-port', '--port', '--metrics-port'])
})

test('a flag whose default is the port that was seen is one, whatever it is called', () => {
  const help = [
    '  -http01 string',
    '    \tbind addresses for challenges (default ":5002")',
    '  -depth int   (default 3)',
  ]
  expect(findFlags(help)).toEqual([])
  expect(findFlags(help, 5002)).toMatchObject([{ name: '-http01', value: '{{host}}:{{port}}' }])
})

test.for<[string, string[]]>([
  ['Available Commands:\n  completion  x\n  help  y\n  migrate  z\n  serve  answers', ['serve']],
  ['COMMANDS:\n   server, s  run it\n   help, h  help', ['server']],
  ['usage: shop {start|stop|status}', ['start']],
  ['Commands:\n  launch   Runs the server\n  get    gets', ['launch']],
  ['Flags:\n  -x', []],
])('commands that make a server: %s', ([text, expected]) => {
  expect(findServeCommands(text.split('\n'), 'shop')).toEqual(expected)
})

test.for<[string, string[]]>([
  [
    'USAGE\n  oklog <mode> [flags]\n\nMODES\n  forward      Forwarding agent\n  store        Storage node\n\nVERSION\n  1.0 (go1.9)',
    ['forward', 'store'],
  ],
  [
    'Available Commands:\n  completion  x\n  garbage-collect  y\n  help  z\n\nFlags:\n  -h, --help',
    ['garbage-collect'],
  ],
  ['usage: shop KEY VALUE', []],
])('commands that are listed: %s', ([text, expected]) => {
  expect(findCommands(text.split('\n'))).toEqual(expected)
})

test.for<[string, string[]]>([
  ['dial tcp 127.0.0.1:5432: connect: connection refused', ['postgres at 127.0.0.1:5432']],
  ['lookup redis on 127.0.0.53:53: dial udp: connect: network is unreachable', ['redis at redis']],
  [
    'failed to connect to `host=localhost`: dial tcp [::1]:27017: connect: connection refused',
    ['mongodb at [::1]:27017'],
  ],
  ['dial tcp 10.0.0.1:443: connect: network is unreachable', ['10.0.0.1:443']],
  ['listening on 127.0.0.1:80', []],
])('what it wants of the network: %s', ([line, expected]) => {
  expect(findWants([line])).toEqual(expected)
})

test('a positional argument and a flag for a configuration are known by their names', () => {
  expect(findPositional(['Usage: shop [flags] <data-dir>'])).toBe('folder')
  expect(findPositional(['usage: shop CONFIG'])).toBe('file')
  expect(findPositional(['usage: shop KEY VALUE'])).toBe(undefined)
  // cobra, below a command
  const registry = ['`serve` stores and distributes', '', 'Usage:', '  registry serve <config> [flags]', '', 'Flags:']
  expect(findPositional(registry)).toBe('file')
  expect(findServeCommands(registry, 'registry')).toEqual(['serve'])
  expect(findConfigFlag(['  -config string', '    \tpath'])).toBe('-config')
  expect(findConfigFlag(['  --config.file="x.yml"'])).toBe('--config.file')
})

test('a configuration of the repository is preferred to samples, and what is for tools is none', () => {
  const files = [
    '.golangci.yml',
    'docker-compose.yml',
    'config.yaml',
    'examples/shop.yml',
    'deploy/values.yaml',
    'web/package.json',
  ]
  expect(findConfigFiles(files, 'shop')).toEqual(['config.yaml', 'examples/shop.yml'])
})

test('any text is read, and in a moment', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 300 }), { maxLength: 20 }), (lines) => {
      findFlags(lines)
      findVariables(lines, 'x')
      findServeCommands(lines, 'shop')
      findWants(lines)
      findPositional(lines)
      findConfigFlag(lines)
    }),
  )
  const begin = performance.now()
  const long = [
    `${'a'.repeat(60_000)} -`,
    ' '.repeat(60_000),
    `usage ${'[x|'.repeat(20_000)}`,
    `--${'a.'.repeat(30_000)}`,
  ]
  findFlags(long)
  findServeCommands(long, 'shop')
  findPositional(long)
  findConfigFlag(long)
  expect(performance.now() - begin).toBeLessThan(2_000)
})

test.for<[string, string[]]>([
  ['-backend string  Backend to use to store data (memory, bolt, directfs, fs)', ['memory', 'bolt', 'directfs', 'fs']],
  ['  --format FORMAT  [json|text] (default "json")', ['json', 'text']],
  ["  -scheme string\tusing one of 'http', 'https' or 'both'", ['http', 'https', 'both']],
  ['  -store string  the store (required)', []],
  ['  -store string  the store (default "x")', []],
])('what a flag may be, as its help lists it: %s', ([about, expected]) => {
  expect(flagChoices(about)).toEqual(expected)
})

test.for<[string, string | undefined]>([
  ['Failed to load private keyopen id_rsa: no such file or directory', 'id_rsa'],
  ['open config/shop one.yaml: no such file or directory', 'config/shop one.yaml'],
  ['panic: stat ./data: no such file or directory', './data'],
])('the file it did not find: %s', ([line, expected]) => {
  expect(findMissingFile([line])).toBe(expected)
})

test.for<[string, string | undefined]>([
  ["2026/11/23 03:20:00 'public-ip' is required", 'public-ip'],
  ['the flag -backend is required', '-backend'],
  ['public-ip is required', undefined],
])('the flag it lacks: %s', ([line, expected]) => {
  expect(findMissingValues([line], { keys: [] })[0]).toBe(expected)
})

test.for<[string, string | undefined, string]>([
  ['users', '-users string  List of users (e.g. "user=pass,other=pass")', 'user=pass,other=pass'],
  ['public-ip', '-public-ip string  where it is reached', '127.0.0.1'],
  ['name', undefined, 'shop'],
])('a value to try a flag with: %s', ([flag, about, expected]) => {
  expect(flagPlaceholder(flag, about, 'shop')).toBe(expected)
})
