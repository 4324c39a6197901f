import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ExitStatus } from '../runtime/index.ts'
import { diagnose } from './diagnose.ts'
import type { DiagnosisContext } from './diagnosis-words.ts'
import type { Diagnosis, Evidence, ProbeAnswer } from './health.ts'

const context: DiagnosisContext = {
  service: 'web',
  listen: { kind: 'env', name: 'PORT' },
  probe: {
    target: { kind: 'http', path: '/healthz' },
    everyMs: 500,
    timeoutMs: 1000,
    healthyForMs: 1000,
    deadlineMs: 60_000,
  },
  knownKeys: ['TOKEN', 'DATABASE_URL'],
  livedMs: 60_000,
}
const expected = '127.0.0.1:20001'
const ended = (exit: number | ExitStatus, ...lines: string[]): Evidence => ({
  lines: lines.flatMap((line) => line.split('\n')),
  exit: typeof exit === 'number' ? { kind: 'exit', code: exit } : exit,
  answers: [],
  listening: [],
  expected,
})
const alive = (more: Partial<Evidence> = {}): Evidence => ({ lines: [], answers: [], listening: [], expected, ...more })
const answered = (answer: ProbeAnswer): Evidence => alive({ listening: [expected], answers: [answer] })

const panicTrace = `panic: assignment to entry in nil map

goroutine 1 [running]:
main.(*orders).add(0x0, {0x4b2a10, 0x5})
\t/src/shop/cmd/web/orders.go:31 +0x2d
main.main()
\t/src/shop/cmd/web/main.go:97 +0x2117
exit status 2`

const nilTrace = `panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x48f0e2]

goroutine 18 [running]:
runtime.throw({0x1, 0x2})
\t/usr/local/go/src/runtime/panic.go:1101 +0x48
example.com/shop/internal/cart.(*Store).Load(...)
\t/src/shop/internal/cart/store.go:12
created by main.main in goroutine 1
\t/src/shop/main.go:20 +0x3d`

/** What programs really print: Go's own packages, cobra, kingpin, urfave/cli, viper, envconfig, caarlos0/env, go-flags. */
const endings: readonly [what: string, Evidence, Diagnosis['cause'], expected: RegExp][] = [
  ['flag’s usage', ended(2, 'Usage of ./web:\n  -addr string\n    \taddress'), 'needs-arguments', /printing its usage/],
  [
    'a usage and success',
    ended(
      0,
      'NAME:\n   relay - a relay\n\nUSAGE:\n   relay [command]\n\nCOMMANDS:\n   serve, s  Serve\n   help, h  Help',
    ),
    'needs-arguments',
    /args: \[serve\]/,
  ],
  [
    'cobra’s usage',
    ended(
      0,
      'Usage:\n  tool [command]\n\nAvailable Commands:\n  completion  x\n  server      Start the server\n\nFlags:\n  -h, --help',
    ),
    'needs-arguments',
    /args: \[server\]/,
  ],
  ['usage: in small letters', ended(1, 'usage: web <config file>'), 'needs-arguments', /status 1/],
  ['the kernel’s kill', ended({ kind: 'out-of-memory' }), 'out-of-memory', /limits: \{ memory/],
  [
    'the run-time’s own',
    ended(2, 'fatal error: runtime: out of memory\n\ngoroutine 1 [running]:'),
    'out-of-memory',
    /no more memory/,
  ],
  [
    'a panic',
    ended(2, panicTrace),
    'panic',
    /nil map, in main.\(\*orders\).add \(orders.go:31\) ← main.main \(main.go:97\)/,
  ],
  ['a nil pointer', ended(2, nilTrace), 'panic', /cart.\(\*Store\).Load \(store.go:12\)/],
  [
    'a deadlock',
    ended(
      2,
      'fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [select (no cases)]:\nmain.main()\n\t/x/main.go:9 +0x1',
    ),
    'panic',
    /deadlock!, in main.main \(main.go:9\)/,
  ],
  [
    'a trace whose beginning is lost',
    ended(2, 'goroutine 7 [running]:\nmain.work()\n\t/x/main.go:9 +0x1'),
    'panic',
    /main.work/,
  ],
  [
    'a foreign architecture',
    ended(126, 'fairway: ./web: exec format error: it is built for arm64, this machine is amd64'),
    'not-executable',
    /built for arm64/,
  ],
  ['no permission to execute', ended(126, 'sh: 3: exec: ./web: Permission denied'), 'not-executable', /GOARCH/],
  ['a missing program', ended(127, 'sh: 3: exec: ./migrate: not found'), 'not-executable', /\.\/web/],
  [
    'a missing library',
    ended(
      127,
      './web: error while loading shared libraries: libsqlite3.so.0: cannot open shared object file: No such file or directory',
    ),
    'not-executable',
    /cgo/,
  ],
  [
    'a taken port of its own',
    ended(1, '2026/01/02 03:04:05 listen tcp :8080: bind: address already in use'),
    'port-in-use',
    /:8080, which is in use, and not on 127.0.0.1:20001/,
  ],
  [
    'the given port, taken',
    ended(1, 'listen tcp 127.0.0.1:20001: bind: address already in use'),
    'port-in-use',
    /the port is in use/,
  ],
  [
    'flag: unknown',
    ended(2, 'flag provided but not defined: -port\nUsage of ./web:\n  -http-addr string'),
    'unknown-flag',
    /does not know -port/,
  ],
  ['pflag: unknown', ended(1, 'Error: unknown flag: --port\nUsage:\n  web [flags]'), 'unknown-flag', /--port/],
  ['pflag: unknown shorthand', ended(1, "Error: unknown shorthand flag: 'p' in -port"), 'unknown-flag', /-port/],
  ['kingpin: unknown', ended(1, "web: error: unknown long flag '--port', try --help"), 'unknown-flag', /--port/],
  ['an unknown command', ended(1, 'Error: unknown command "serv" for "web"'), 'unknown-flag', /serv/],
  [
    'envconfig: missing',
    ended(1, '2026/01/02 03:04:05 required key DATABASE_URL missing value'),
    'missing-value',
    /config: \{ DATABASE_URL: \{ required: true \} \}/,
  ],
  [
    'caarlos0/env: missing',
    ended(1, 'env: required environment variable "API_KEY" is not set'),
    'missing-value',
    /API_KEY/,
  ],
  [
    'a sentence',
    ended(1, 'level=error msg="STRIPE_SECRET_KEY must be set"'),
    'missing-value',
    /secret set STRIPE_SECRET_KEY/,
  ],
  ['another', ended(1, '{"level":"fatal","error":"missing required env REDIS_URL"}'), 'missing-value', /REDIS_URL/],
  ['a known key of one word', ended(1, 'TOKEN is required'), 'missing-value', /needs TOKEN/],
  ['cobra: required', ended(1, 'Error: required flag(s) "config" not set'), 'missing-value', /args: \['--config=…'\]/],
  [
    'kingpin: required',
    ended(1, 'web: error: required flag --storage.path not provided, try --help'),
    'missing-value',
    /--storage.path/,
  ],
  ['go-flags: required', ended(1, "the required flag `-c, --config' was not specified"), 'missing-value', /-c/],
  [
    'a missing file',
    ended(1, '2026/01/02 03:04:05 open config.yaml: no such file or directory'),
    'missing-file',
    /files: \['config.yaml'\]/,
  ],
  [
    'a missing folder',
    ended(2, 'panic-free: stat ./web/static: no such file or directory'),
    'missing-file',
    /files: \['web\/\*\*'\]/,
  ],
  [
    'an absolute path',
    ended(1, 'open /etc/web/config.yaml: no such file or directory'),
    'missing-file',
    /did not find \/etc\/web/,
  ],
  ['templates', ended(2, 'html/template: pattern matches no files: `templates/*.html`'), 'missing-file', /templates/],
  ['viper’s config', ended(1, 'Config File "config" Not Found in "[/ /etc]"'), 'missing-file', /config/],
  ['a missing tool', ended(1, 'exec: "ffmpeg": executable file not found in $PATH'), 'missing-file', /ffmpeg/],
  ['a privileged port', ended(1, 'listen tcp :80: bind: permission denied'), 'permission', /below 1024/],
  ['a folder it may not write', ended(1, 'mkdir /var/lib/web: permission denied'), 'permission', /data: true/],
  ['a read-only folder', ended(1, 'open ./data.db: read-only file system'), 'permission', /STATE_DIRECTORY/],
  ['a kill from outside', ended({ kind: 'signal', signal: 'SIGKILL' }), 'killed', /dmesg/],
  ['a crash', ended({ kind: 'signal', signal: 'SIGILL' }), 'killed', /GOAMD64/],
  ['an end without a word', ended(1), 'exited', /status 1 at once without a word/],
  [
    'an end with words',
    ended(1, 'dial tcp 127.0.0.1:5432: connect: connection refused'),
    'exited',
    /connection refused/,
  ],
  ['work done', ended(0, 'migrated 3 tables'), 'exited', /job/],
  ['an end nobody saw', ended({ kind: 'unknown' }), 'exited', /nobody saw/],
]

const lives: readonly [what: string, Evidence, Diagnosis['cause'], expected: RegExp][] = [
  [
    'a port of its own',
    alive({ listening: ['[::]:8080'], lines: ['listening on :8080'] }),
    'wrong-port',
    /listens on \[::\]:8080, not on 127.0.0.1:20001/,
  ],
  [
    'a flag in its log',
    alive({ listening: ['[::]:9090'], lines: ['level=info msg="using --web.listen-address=:9090"'] }),
    'wrong-port',
    /listen: \{ arg: '--web.listen-address=\{\{host\}\}:\{\{port\}\}' \}/,
  ],
  [
    'a port flag',
    alive({ listening: ['[::]:9898'], lines: ['      --port int   HTTP port to bind (default 9898)'] }),
    'wrong-port',
    /listen: \{ arg: '--port=\{\{port\}\}' \}/,
  ],
  [
    'a variable of its own',
    alive({ listening: ['127.0.0.1:5000'], lines: ['APP_PORT not given, using 5000'] }),
    'wrong-port',
    /listen: \{ env: APP_PORT \}/,
  ],
  [
    'another address',
    alive({ listening: ['127.0.0.2:20001'] }),
    'wrong-address',
    /let it listen there or on every address/,
  ],
  ['nothing listens', alive({ lines: ['connecting to database…'] }), 'nothing-listens', /connecting to database/],
  [
    'nothing listens, and it says what it lacks',
    alive({ lines: ['waiting: DATABASE_URL is not set'] }),
    'missing-value',
    /DATABASE_URL/,
  ],
  [
    'a stranger answers',
    alive({ answers: [{ kind: 'stranger', detail: '', tookMs: 1 }] }),
    'port-in-use',
    /another program answers/,
  ],
  [
    'a redirect',
    answered({ kind: 'status', status: 301, location: '/health/', body: '', tookMs: 1 }),
    'probe-redirect',
    /probe: \{ http: \/health\/ \}/,
  ],
  [
    'credentials',
    answered({ kind: 'status', status: 401, body: 'Unauthorized', tookMs: 1 }),
    'probe-unauthorized',
    /401/,
  ],
  [
    'no such path',
    answered({ kind: 'status', status: 404, body: '404 page not found', tookMs: 1 }),
    'probe-not-found',
    /GET \/healthz with 404/,
  ],
  [
    'an error',
    answered({ kind: 'status', status: 503, body: 'database: connection refused', tookMs: 1 }),
    'probe-error',
    /503: database: connection refused/,
  ],
  [
    'another protocol',
    answered({ kind: 'closed', detail: 'Parse Error: Expected HTTP/, RTSP/ or ICE/', tookMs: 1 }),
    'probe-error',
    /tcp: true/,
  ],
  [
    'a slow answer',
    answered({ kind: 'timeout', detail: 'no answer within 1000 ms', tookMs: 1000 }),
    'probe-slow',
    /timeout: 5s/,
  ],
  ['a late one', answered({ kind: 'good', status: 200, tookMs: 1 }), 'probe-slow', /deadline: 120s/],
  [
    'a command',
    answered({ kind: 'exec', exitCode: 3, output: 'queue is stuck', tookMs: 1 }),
    'probe-error',
    /exits with 3: queue is stuck/,
  ],
  ['no evidence at all', { lines: [], answers: [], listening: [] }, 'unknown', /fairway logs web/],
]

describe('a diagnosis names the cause and the way out', () => {
  test.each(endings)('of an end: %s', (_, evidence, cause, words) => {
    const diagnosis = diagnose(evidence, { ...context, livedMs: 20 })
    expect(diagnosis.cause).toBe(cause)
    expect(`${diagnosis.what}\n${diagnosis.hint}`).toMatch(words)
  })

  test.each(lives)('of one that lives: %s', (_, evidence, cause, words) => {
    const diagnosis = diagnose(evidence, context)
    expect(diagnosis.cause).toBe(cause)
    expect(`${diagnosis.what}\n${diagnosis.hint}`).toMatch(words)
  })
})

test('a flag that came from listen is corrected there', () => {
  const evidence = ended(2, 'flag provided but not defined: -port', 'Usage of ./web:', '  -http-addr string')
  const { hint } = diagnose(evidence, { ...context, listen: { kind: 'arg', template: '-port={{port}}' } })
  expect(hint).toContain("listen: { arg: '-http-addr={{host}}:{{port}}' }")
})

test('a program that serves and logs a trouble in passing is judged by its answers', () => {
  const evidence = {
    ...answered({ kind: 'status', status: 500, body: '', tookMs: 1 }),
    lines: ['open cache.db: no such file or directory'],
  }
  expect(diagnose(evidence, context).cause).toBe('probe-error')
})

test('any evidence has a diagnosis with words in it', () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.constantFrom(...[...endings, ...lives].flatMap(([, { lines }]) => lines), '(((', 'a'.repeat(5000)),
  )
  const tookMs = fc.nat()
  const answer: fc.Arbitrary<ProbeAnswer> = fc.oneof(
    fc.record({ kind: fc.constant('good' as const), tookMs }),
    fc.record({ kind: fc.constant('status' as const), status: fc.nat(999), location: text, body: text, tookMs }),
    fc.record({
      kind: fc.constantFrom('refused' as const, 'timeout' as const, 'closed' as const, 'stranger' as const),
      detail: text,
      tookMs,
    }),
    fc.record({ kind: fc.constant('exec' as const), exitCode: fc.option(fc.nat(255)), output: text, tookMs }),
  )
  const exit: fc.Arbitrary<ExitStatus> = fc.oneof(
    fc.record({ kind: fc.constant('exit' as const), code: fc.nat(255) }),
    fc.record({ kind: fc.constant('signal' as const), signal: fc.constantFrom('SIGKILL', 'SIGTERM', 'SIGSEGV') }),
    fc.constant({ kind: 'out-of-memory' as const }),
    fc.constant({ kind: 'unknown' as const }),
  )
  const evidence: fc.Arbitrary<Evidence> = fc.record(
    { lines: fc.array(text), answers: fc.array(answer), listening: fc.array(text), exit, expected: text },
    { requiredKeys: ['lines', 'answers', 'listening'] },
  )
  const listen = fc.oneof(
    fc.constant({ kind: 'none' as const }),
    fc.record({ kind: fc.constant('env' as const), name: text }),
    fc.record({ kind: fc.constant('arg' as const), template: text }),
  )
  fc.assert(
    fc.property(evidence, listen, fc.array(text), fc.nat(), (found, listen, knownKeys, livedMs) => {
      const { what, hint } = diagnose(found, { ...context, listen, knownKeys, livedMs })
      expect(what.trim()).not.toBe('')
      expect(hint.trim()).not.toBe('')
    }),
  )
})

test('of a flood of text only the heads of the lines are searched', () => {
  const flood = 'A_'.repeat(32_000)
  const { cause } = diagnose(ended(1, ...Array.from({ length: 500 }, () => `${flood} panic: not a head`)), context)
  expect(cause).toBe('exited')
})

test('a fixed port that is another one is named as it is to be written', () => {
  const fixed: DiagnosisContext = { ...context, listen: { kind: 'port', port: 8080 }, ports: [9797], network: 'own' }
  const evidence = alive({ listening: ['[::]:9797', '[::]:8081'], expected: '127.0.0.1:8080' })
  expect(diagnose(evidence, fixed)).toMatchObject({
    cause: 'wrong-port',
    hint: expect.stringContaining(`services: { ${context.service}: { listen: { port: 8081 }, ports: [9797] } }`),
  })
  expect(diagnose(alive({ listening: ['[::]:8081'] }), context).hint).toContain('listen: { port: 8081 }')
})

test('a second fixed port that is taken may stand beside the one it is told', () => {
  const { hint } = diagnose(ended(1, 'listen tcp :9797: bind: address already in use'), context)
  expect(hint).toContain(`services: { ${context.service}: { ports: [9797] } }`)
})

test.each([
  'dial tcp 127.0.0.1:5432: connect: connection refused',
  'failed to connect to `user=shop database=shop`: [::1]:5432 (localhost): dial error: dial tcp [::1]:5432: connect: connection refused',
  'panic: redis: dial tcp 127.0.0.1:6379: connect: connection refused',
])('from a network of its own: %s', (line) => {
  const diagnosis = diagnose(ended(1, line), { ...context, network: 'own' })
  expect(diagnosis).toMatchObject({ cause: 'loopback', hint: expect.stringContaining('network: host') })
  expect(diagnose(ended(1, line), context).cause).not.toBe('loopback')
})
