import { z } from 'zod'
import { parseBind } from './address.ts'
import { goSchema, projectGoSchema } from './go-schema.ts'
import { durationPattern, durationRule, parseDuration, parseSize, sizePattern, sizeRule } from './measure.ts'
import { namePattern, nameRule } from './scope.ts'
import { keyPattern, keyRule, valueTypes } from './value-type.ts'
import { isWorkdir } from './workdir.ts'

/**
 * fairway.yaml, once: validation, the JSON Schema editors complete from, and the types. Nothing has its default here:
 * an environment is laid over a service key by key first (specify.ts).
 * Each leaf says in its `error` what was expected; describe.ts adds what was found, and where.
 */

const words = (rule: string) => ({ error: `expected ${rule}` })

const name = z.string(words('a name')).regex(namePattern, words(`a name: ${nameRule}`))

const duration = z
  .string(words(durationRule))
  .regex(durationPattern, words(durationRule))
  .transform((text) => parseDuration(text) ?? 0)

const shortestRule = `${durationRule}, at least \`10ms\``
const span = duration.refine((ms) => ms >= 10, words(shortestRule))

const size = z
  .string(words(sizeRule))
  .regex(sizePattern, words(sizeRule))
  .transform((text) => parseSize(text) ?? 0)
  .refine((bytes) => bytes >= 1024 * 1024, words('at least `1Mi`'))

const count = (rule: string, max: number) => z.int(words(rule)).min(1, words(rule)).max(max, words(rule))

/** `web:` with nothing behind it means that everything has its default. */
const orEmpty = <Schema extends z.ZodType>(schema: Schema) =>
  schema.nullable().transform((value): Partial<z.output<Schema>> => value ?? {})
const orNone = <Value extends z.ZodType>(schema: z.ZodRecord<z.ZodString, Value>) =>
  schema.nullable().transform((value): Record<string, z.output<Value>> => value ?? {})

const command = z
  .array(
    z.string(words('a word')).min(1, words('a word that is not empty')),
    words('a list of words like `[./web, migrate]`'),
  )
  .min(1, words('a list of words like `[./web, migrate]`'))

const keyName = z.string(words('a key')).regex(keyPattern, words(keyRule))

const absolutePath = (rule: string) => z.string(words(rule)).regex(/^\/[\x21-\x7e]*$/, words(rule))

const placeholderRule = words('no other placeholders than `{{port}}` and `{{host}}`')
const hasOnlyPlaceholders = (text: string) => !/\{\{(?!(port|host)\}\})/.test(text)

const portRule = 'a port from 1 to 65535'
const port = z.int(words(portRule)).min(1, words(portRule)).max(65_535, words(portRule))

const listenRule = '`{ env: NAME }`, `{ arg: "--addr=127.0.0.1:{{port}}" }`, `{ port: 8080 }` or `none`'
const listen = z
  .union(
    [
      z.literal('none'),
      z
        .strictObject({
          env: keyName.describe('The environment variable that gives the program its port.').optional(),
          value: z
            .string(words('text with `{{port}}` in it'))
            .regex(/\{\{port\}\}/, words('text with `{{port}}` in it'))
            .refine(hasOnlyPlaceholders, placeholderRule)
            .describe('What that variable holds: `{{host}}:{{port}}`. By default the port, in …ADDR host and port.')
            .optional(),
          arg: z
            .string(words('arguments with `{{port}}` in them'))
            .regex(/\{\{port\}\}/, words('arguments with `{{port}}` in them'))
            .refine(hasOnlyPlaceholders, placeholderRule)
            .describe(
              'Arguments that give the program its port; {{port}} and {{host}} are replaced, spaces part arguments.',
            )
            .optional(),
          port: port.describe('The program listens there whatever it is told.').optional(),
        })
        .refine(
          ({ env, arg, port }) => [env, arg, port].filter((way) => way !== undefined).length === 1,
          words(`exactly one of them: ${listenRule}`),
        )
        .refine(({ env, value }) => value === undefined || env !== undefined, words('`value` together with `env`')),
    ],
    words(listenRule),
  )
  .describe('How the program learns its port; none for a worker. Default: { env: PORT }.')

const probe = z
  .strictObject({
    http: absolutePath('a path like `/healthz`').describe('Healthy: a GET of this path answers 2xx.').optional(),
    tcp: z.literal(true, words('`true`')).describe('Healthy: a connection is accepted. The default.').optional(),
    grpc: z.literal(true, words('`true`')).describe('Healthy: grpc.health.v1 answers SERVING.').optional(),
    exec: command.describe('Healthy: this command, run in the artifact’s folder, exits with 0.').optional(),
    every: span.describe('Between two probes. Default 500ms.').optional(),
    timeout: span.describe('One answer may take this long. Default 1s.').optional(),
    healthyFor: duration.describe('Good answers for this long are healthy. Default 1s.').optional(),
    deadline: span.describe('From the start to healthy at most. Default 60s.').optional(),
  })
  .refine(
    ({ http, tcp, grpc, exec }) => [http, tcp, grpc, exec].filter((target) => target !== undefined).length <= 1,
    words('only one of `http`, `tcp`, `grpc` and `exec`'),
  )

const cpuRule = 'a number of cores like `0.5` or `2`'
const limits = z.strictObject({
  memory: size.describe('The instance is ended above it; GOMEMLIMIT follows at 90 %.').optional(),
  cpu: z.number(words(cpuRule)).min(0.01, words(cpuRule)).max(1024, words(cpuRule)).describe('In cores.').optional(),
})

const strategyRule = '`recreate`, `rolling` or `{ rolling: { batch: 1 } }`'
const batchRule = 'a whole number from 1, or `all`'
const strategy = z
  .union(
    [
      z.enum(['recreate', 'rolling']),
      z.strictObject({
        rolling: z.strictObject({
          batch: z
            .union([count(batchRule, 1000), z.literal('all')], words(batchRule))
            .describe('Instances at a time. Default 1.')
            .optional(),
        }),
      }),
    ],
    words(strategyRule),
  )
  .describe('How a release takes the place of the one before. Default rolling; recreate where data is kept.')

const declarationValue = z.union([z.string(), z.number(), z.boolean()], words('text, a number, true or false'))
const declaration = z
  .strictObject({
    type: z
      .enum(valueTypes, words(`one of ${valueTypes.join(', ')}`))
      .describe('Default string.')
      .optional(),
    values: z
      .array(z.string(words('text')), words('a list like `[debug, info]`'))
      .min(1, words('a list like `[debug, info]`'))
      .describe('What an enum allows.')
      .optional(),
    default: declarationValue.optional(),
    required: z.boolean(words('true or false')).describe('Nothing starts without it.').optional(),
    secret: z
      .boolean(words('true or false'))
      .describe('Masked everywhere; never in a file that git tracks.')
      .optional(),
    as: z
      .literal('file', words('`file`'))
      .describe('file: reaches the program as a file whose path stands in KEY_FILE.')
      .optional(),
    describe: z.string(words('text')).optional(),
  })
  .refine(
    ({ type, values }) => (type === 'enum') === (values !== undefined),
    words('`type: enum` together with `values: [a, b]`'),
  )
  .refine(
    (it) => it.secret !== true || it.default === undefined,
    words('no default for a secret: it would stand in this file for all to read'),
  )
  .refine((it) => it.required !== true || it.default === undefined, words('either `required` or a `default`'))

const hostPattern = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/
const routeRule = '`{ host: shop.example.com }` or `none`'
const route = z
  .union(
    [
      z.literal('none'),
      z.strictObject({
        host: z
          .string(words('a host name in lower case, like `shop.example.com`'))
          .regex(hostPattern, words('a host name in lower case, like `shop.example.com`'))
          .describe('In dev SERVICE.localhost by default.')
          .optional(),
        path: absolutePath('a path like `/` or `/api`').describe('A prefix. Default /.').optional(),
      }),
    ],
    words(routeRule),
  )
  .describe('Which requests reach the service; a host and path belong to one service.')

const relativeRule = 'a path below the project’s folder, without `..`'
const relativePath = z
  .string(words(relativeRule))
  .min(1, words(relativeRule))
  .refine((path) => !path.startsWith('/') && !path.split('/').includes('..'), words(relativeRule))

const workdirRule = 'a folder below the project’s, without `..`, or `{{data}}`'

const service = z.strictObject({
  build: relativePath.describe('The main package: ./cmd/web. Detected where it is left out.').optional(),
  go: goSchema.describe('How Go builds this service; laid over the project’s `go` key by key.').optional(),
  listen: listen.optional(),
  ports: z
    .array(port, words('a list of ports like `[9797]`'))
    .max(64, words('at most 64 ports'))
    .describe('Further ports the program listens on by itself.')
    .optional(),
  network: z
    .enum(['own', 'host'], words('`own` or `host`'))
    .describe('own: a network of each instance’s own. Default own where a port is fixed and the machine allows it.')
    .optional(),
  args: z
    .array(z.string(words('text')), words('a list of words like `[serve, --verbose]`'))
    .describe('Arguments of the program; {{data}} in them is the folder of `data: true`.')
    .optional(),
  workdir: z
    .string(words(workdirRule))
    .refine(isWorkdir, words(workdirRule))
    .describe('Where the program is started: below the artifact’s folder, or {{data}}. Default: the artifact’s folder.')
    .optional(),
  protocol: z
    .enum(['http', 'grpc', 'tcp'], words('`http`, `grpc` or `tcp`'))
    .describe('What the program speaks. Default http; the gateway routes http and grpc.')
    .optional(),
  instances: count('a whole number from 1 to 1000', 1000).describe('Default 1.').optional(),
  probe: probe.describe('The health check.').optional(),
  limits: limits.optional(),
  strategy: strategy.optional(),
  config: z
    .record(keyName, orEmpty(declaration), words('declarations like `{ DATABASE_URL: { required: true } }`'))
    .describe('The keys the program reads: type, default, required, secret, as: file.')
    .optional(),
  before: command.describe('Run once per release before its first instance: a migration.').optional(),
  beforeDeadline: duration.describe('Default 10m.').optional(),
  needs: z
    .array(name, words('a list of services like `[db]`'))
    .describe('Services that are released before this one.')
    .optional(),
  files: z
    .array(relativePath, words('a list of paths like `[templates/**]`'))
    .describe('Files the program reads, kept in the artifact beside the binary.')
    .optional(),
  data: z
    .boolean(words('true or false'))
    .describe('A folder kept over releases: STATE_DIRECTORY. Then recreate is the default strategy.')
    .optional(),
  user: z
    .string(words('a user like `shop` or `1000:1000`'))
    .regex(/^([a-z_][a-z0-9_-]{0,31}|[0-9]{1,9}(:[0-9]{1,9})?)$/, words('a user like `shop` or `1000:1000`'))
    .describe('By default an unprivileged uid of the service’s own, where Fairway is root.')
    .optional(),
  keepWarm: duration.describe('How long the release before stays running, without traffic. Default 0s.').optional(),
  drain: duration.describe('How long open requests may take to end. Default 30s.').optional(),
  grace: duration.describe('From SIGTERM to SIGKILL. Default 10s.').optional(),
  route: route.optional(),
})

const services = orNone(z.record(name, orEmpty(service), words('services like `{ web: { build: ./cmd/web } }`')))

const bindRule = 'an address like `*:80` or `127.0.0.1:8080`'
const environment = z.strictObject({
  protected: z.boolean(words('true or false')).describe('Changes show the plan and ask.').optional(),
  runtime: z.enum(['process'], words('`process`')).describe('Where instances live.').optional(),
  gateway: z
    .strictObject({
      bind: z
        .array(
          z.string(words(bindRule)).refine((text) => parseBind(text) !== undefined, words(bindRule)),
          words("a list of addresses like `['*:80']`"),
        )
        .describe('Addresses the gateway listens on, beside the home’s own.')
        .optional(),
    })
    .optional(),
  services: services.describe('Laid over services key by key.').optional(),
})

const percentRule = 'a percentage from 0 to 100'
const retriesRule = 'a whole number from 0 to 10'
const dateRule = 'a day like `2026-12-31`'
const waiver = z.strictObject({
  id: z
    .string(words('an id like `GO-2026-1234`'))
    .regex(/^(GO|CVE|GHSA)-[A-Za-z0-9-]{4,40}$/, words('an id like `GO-2026-1234`, `CVE-…` or `GHSA-…`'))
    .describe('Of the vulnerability, or one of its aliases.'),
  reason: z.string(words('why it is no danger here')).min(1, words('why it is no danger here')),
  until: z
    .string(words(dateRule))
    .regex(/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/, words(dateRule))
    .refine((text) => isDay(text), words(dateRule))
    .describe('The last day it holds; after it the vulnerability blocks.'),
})

function isDay(text: string): boolean {
  const at = Date.parse(`${text}T00:00:00Z`)
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(text)
}

const check = z
  .strictObject({
    coverageMin: z
      .number(words(percentRule))
      .min(0, words(percentRule))
      .max(100, words(percentRule))
      .describe('Of all statements, in percent; less fails the check.')
      .optional(),
    race: z.boolean(words('true or false')).describe('With the race detector. Default false.').optional(),
    retries: z
      .int(words(retriesRule))
      .min(0, words(retriesRule))
      .max(10, words(retriesRule))
      .describe('How often a failed test is tried again; one that passes then is flaky. Default 1.')
      .optional(),
    timeout: span.describe('For the tests of one package. Default 10m.').optional(),
    vulnerabilities: z
      .enum(['required', 'wanted', 'off'], words('`required`, `wanted` or `off`'))
      .describe('required: no database is a failure. wanted: it is only said. Default wanted.')
      .optional(),
    vulnerabilityDatabase: z
      .string(words('a URL like `file:///srv/vulndb`'))
      .regex(/^(https?|file):\/\/[^\s]+$/, words('a URL like `file:///srv/vulndb`'))
      .describe('Where the Go vulnerability database is. Default: GOVULNDB, else the public one.')
      .optional(),
    waivers: z
      .array(waiver, words('a list like `[{ id: GO-2026-1234, reason: not reachable, until: 2026-12-31 }]`'))
      .describe('Vulnerabilities that do not block, with reason and last day.')
      .optional(),
  })
  .describe('What `fairway check` asks for.')

export const projectFileSchema = orEmpty(
  z.strictObject({
    project: name.describe('By default the last part of the module’s path.').optional(),
    go: projectGoSchema.optional(),
    services: services.describe('What runs, by name. Detected where it is left out.').optional(),
    check: check.optional(),
    environments: orNone(
      z.record(
        name.refine(
          (text) => text !== 'local',
          words(
            'another name than `local` (`.env.local` would be ambiguous): name it `dev` and write `.env.dev.local`',
          ),
        ),
        orEmpty(environment),
        words('environments like `{ production: { protected: true } }`'),
      ),
    )
      .describe('Where, how many, with which values. dev is always there.')
      .optional(),
  }),
)

export type ProjectFile = z.output<typeof projectFileSchema>
export type ServiceFile = z.output<typeof service>
export type EnvironmentFile = Partial<z.output<typeof environment>>
export type CheckFile = z.output<typeof check>
export type DeclarationFile = Partial<z.output<typeof declaration>>

/** What `fairway schema` prints: editors complete fairway.yaml from it. */
export function projectJsonSchema(): Record<string, unknown> {
  return {
    ...z.toJSONSchema(projectFileSchema, { io: 'input' }),
    title: 'fairway.yaml',
    description: 'A Go project that Fairway builds, releases and keeps healthy.',
  }
}
