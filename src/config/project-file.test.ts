import { expect, test } from 'vitest'
import { FairwayError } from '../base/error.ts'
import { parseProjectFile } from './project-file.ts'
import { projectJsonSchema } from './schema.ts'

/** What the user reads for this file. */
function findings(text: string): readonly string[] {
  try {
    parseProjectFile(text)
    return []
  } catch (error) {
    if (!(error instanceof FairwayError)) throw error
    expect(error.code).toBe('CONFIG_INVALID')
    expect(error.message).toBe(error.details[0])
    return error.details
  }
}

test('an empty file, and services with nothing said, are fine', () => {
  expect(parseProjectFile('').file).toEqual({})
  expect(parseProjectFile('# only a comment\n').file).toEqual({})
  expect(parseProjectFile('services:\n  web:\n').file).toEqual({ services: { web: {} } })
})

test('the whole surface is understood', () => {
  const text = `
project: shop
services:
  web:
    build: ./cmd/web
    listen: { env: PORT }
    instances: 2
    probe: { http: /healthz, every: 500ms, healthyFor: 1s, deadline: 60s }
    limits: { memory: 256Mi, cpu: 0.5 }
    strategy: { rolling: { batch: all } }
    config: { DATABASE_URL: { required: true, secret: true }, APP_PORT: { type: port, default: 8080 }, MODE: { type: enum, values: [a, b] } }
    before: [./web, migrate]
    needs: [worker]
    files: [templates/**]
    user: shop
    keepWarm: 10m
    ports: [9797]
    network: own
  worker: { listen: none, args: [work, --fast], probe: { exec: [./worker, check] } }
environments:
  production:
    protected: true
    runtime: process
    gateway: { bind: ['*:80', '[::1]:443'] }
    services: { web: { instances: 6, route: { host: shop.example.com } } }
`
  expect(parseProjectFile(text).file.services?.['web']).toMatchObject({
    probe: { every: 500, healthyFor: 1000, deadline: 60_000 },
    limits: { memory: 256 * 2 ** 20, cpu: 0.5 },
    keepWarm: 600_000,
  })
})

test.each([
  ['services:\n  web:\n    instnces: 2', '3:5: unknown key `instnces` in `services.web`; did you mean `instances`?'],
  ['servces: {}', '1:1: unknown key `servces`; did you mean `services`?'],
  [
    'services: { web: { probe: { htpp: /x } } }',
    '1:29: unknown key `htpp` in `services.web.probe`; did you mean `http`?',
  ],
  [
    'services: { web: { instances: two } }',
    '1:20: services.web.instances: expected a whole number from 1 to 1000, found the text "two"',
  ],
  [
    'services: { web: { drain: 5 } }',
    '1:20: services.web.drain: expected a duration like `500ms`, `1s`, `10m` or `1h30m`, found the number 5',
  ],
  [
    'services: { web: { limits: { memory: 256 MB } } }',
    '1:30: services.web.limits.memory: expected a size like `256Mi`, `1Gi` or `64M`, found the text "256 MB"',
  ],
  [
    'services: { web: { strategy: canary } }',
    '1:20: services.web.strategy: `canary` is not available yet; known: recreate, rolling',
  ],
  [
    'services: { web: { strategy: { canary: [1%] } } }',
    '1:20: services.web.strategy: `canary` is not available yet; known: recreate, rolling',
  ],
  [
    'environments: { prod: { runtime: systemd } }',
    '1:25: environments.prod.runtime: `systemd` is not available yet; known: process',
  ],
  [
    'environments: { prod: { hosts: [a] } }',
    '1:25: `hosts` is not available yet; known: protected, runtime, gateway, services',
  ],
  [
    'services: { web: { listen: { arg: --port=80 } } }',
    '1:30: services.web.listen.arg: expected arguments with `{{port}}` in them, found the text "--port=80"',
  ],
  [
    'services: { web: { listen: { port: 0 } } }',
    '1:30: services.web.listen.port: expected a port from 1 to 65535, found the number 0',
  ],
  [
    'services: { web: { listen: { env: PORT, port: 8080 } } }',
    '1:20: services.web.listen: expected exactly one of them: `{ env: NAME }`, `{ arg: "--addr=127.0.0.1:{{port}}" }`, `{ port: 8080 }` or `none`',
  ],
  [
    'services: { web: { ports: 9797 } }',
    '1:20: services.web.ports: expected a list of ports like `[9797]`, found the number 9797',
  ],
  [
    'services: { web: { network: none } }',
    '1:20: services.web.network: expected `own` or `host`, found the text "none"',
  ],
  [
    'services: { web: { before: ./web migrate } }',
    '1:20: services.web.before: expected a list of words like `[./web, migrate]`, found the text "./web migrate"',
  ],
  [
    'services: { web: { files: [../secret] } }',
    '1:28: services.web.files[0]: expected a path below the project’s folder, without `..`, found the text "../secret"',
  ],
  [
    'services: { web: { config: { TOKEN: { secret: true, default: hunter2 } } } }',
    '1:30: services.web.config.TOKEN: expected no default for a secret: it would stand in this file for all to read',
  ],
  [
    'services: { web: { config: { TOKEN: hunter2 } } }',
    '1:30: services.web.config.TOKEN: expected a mapping (`key: value`), found a text',
  ],
  [
    'services: { web: { config: { API: { default: 1.10 } } } }',
    '1:37: services.web.config.API.default: the number would become 1.1; write it in quotes',
  ],
  ['services:\n  a: 1\n  a: 2', '3:3: duplicate key `a`: it stands above already'],
  ['project: a\nproject: b', '2:1: duplicate key `project`: it stands above already'],
  [
    'environments: { local: {} }',
    '1:17: environments: expected another name than `local` (`.env.local` would be ambiguous): name it `dev` and write `.env.dev.local`, found the text "local"',
  ],
  ['services: [web]', '1:1: services: expected services like `{ web: { build: ./cmd/web } }`, found a list'],
  [
    'services: { web: { build: [',
    '1:28: flow sequence in block collection must be sufficiently indented and end with a ]',
  ],
  ['services:\n\tweb: {}', '2:1: tabs are not allowed as indentation'],
  ['--- {}\n--- {}', '2:1: a second document begins here, one was expected'],
  ['services: *web', '1:11: `*web` has no anchor `&web` before it'],
  ['project: !!binary aGVsbG8=', '1:10: unresolved tag: tag:yaml.org,2002:binary'],
  ['? [a]\n: 1', '1:3: a key must be a plain word'],
  ['__proto__: {}', '1:1: a key must be a plain word'],
  ['nonsense', '1:1: expected a mapping (`key: value`), found the text "nonsense"'],
])('%s', (text, expected) => {
  expect(findings(text)[0]).toBe(`fairway.yaml:${expected}`)
})

test.each(['../../x', '$(id)', 'x'.repeat(300), '🚀', 'Web', '-web', 'web-'])(
  'the service name %s is refused with the rule',
  (name) => {
    expect(findings(`services: { ${JSON.stringify(name)}: {} }`)[0]).toContain(
      'a name has 1 to 32 lower-case letters, digits and hyphens, begins with a letter and does not end in a hyphen',
    )
  },
)

test('several findings come at once, in the order of the file, at most twenty', () => {
  const found = findings('services:\n  web:\n    instnces: 2\n    drain: x\n  Api: {}\nprojct: a\n')
  expect(found.map((line) => line.split(': ')[0])).toEqual([
    'fairway.yaml:3:5',
    'fairway.yaml:4:5',
    'fairway.yaml:5:3',
    'fairway.yaml:6:1',
  ])
  const many = findings(`services: {${Array.from({ length: 50 }, (_, index) => `S${index}: {}`).join(', ')}}`)
  expect(many).toHaveLength(21)
  expect(many.at(-1)).toBe('and 30 more')
})

test('an anchor bomb, a deep nest and a long list of keys take little time', () => {
  const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]']
  for (let level = 1; level < 12; level += 1) {
    const [name, before] = [level, level - 1].map((index) => String.fromCodePoint(97 + index))
    bomb.push(`${name}: &${name} [${Array(9).fill(`*${before}`).join(', ')}]`)
  }
  const begin = process.cpuUsage() // a busy machine is no fault of the parser's
  expect(findings(bomb.join('\n'))[0]).toMatch(/:1:\d+: more than 20000 values, anchors expanded/)
  expect(findings('&a [*a]')[0]).toContain('nested more than 32 levels deep')
  expect(findings('['.repeat(5000))).toEqual([expect.stringContaining('nested more than 32 levels deep')])
  expect(findings(Array.from({ length: 20_001 }, (_, index) => `k${index}: 1`).join('\n'))[0]).toContain(
    'more than 20000 values',
  )
  expect(process.cpuUsage(begin).user / 1000).toBeLessThan(3000)
})

test('an anchor used once is a value like any other', () => {
  const { file } = parseProjectFile('services:\n  a: &base { instances: 2 }\n  b: *base\n')
  expect(file.services).toEqual({ a: { instances: 2 }, b: { instances: 2 } })
})

test('the JSON Schema names every key and forbids others', () => {
  const schema = JSON.stringify(projectJsonSchema())
  for (const key of ['instances', 'healthyFor', 'keepWarm', 'DATABASE'].slice(0, 3))
    expect(schema).toContain(`"${key}"`)
  expect(schema).toContain('"additionalProperties":false')
})
