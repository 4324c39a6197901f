import { expect, test } from 'vitest'
import { endsByItself } from './ends-by-itself.ts'
import type { Observation } from './observation.ts'

const known = { hidden: [] }

function ended(code: number, lines: readonly string[], livedMs = 10): Observation {
  return { lines, livedMs, ports: [], read: [], exit: { kind: 'exit', code } }
}

const nilMap = [
  'panic: assignment to entry in nil map',
  '',
  'goroutine 1 [running]:',
  'net/http.(*conn).serve(0x1)',
  '\t/usr/local/go/src/net/http/server.go:2122 +0x1c',
]

test.for([
  ['did its work and left', ended(0, ['hello, nothing to do'])],
  ['left without a word', ended(0, [])],
  ['panicked, whatever its trace names', ended(2, nilMap)],
  ['panicked after a while', ended(2, nilMap, 5_000)],
  ['gave up at once over its own configuration', ended(1, ['config: unknown field "prot" in line 3'])],
  [
    'crashed below Go',
    { lines: [], livedMs: 9, ports: [], read: [], exit: { kind: 'signal', signal: 'SIGSEGV' } } satisfies Observation,
  ],
] as const)('one that %s ends everywhere', ([, seen]) => {
  expect(endsByItself(seen, known)).toBe(true)
})

test.for([
  ['gave up after a while', ended(1, ['cannot open the ledger: it is sealed'], 2_100)],
  ['speaks of a daemon', ended(1, ['Cannot connect to the Docker daemon at unix:///var/run/docker.sock'])],
  ['speaks of an address', ended(1, ['failed to load https://login.example.com/.well-known'])],
  ['speaks of rights', ended(1, ['raising the limit of open files: operation not permitted'])],
  ['panicked over the network', ended(2, ['panic: failed to connect to database', '', 'goroutine 1 [running]:'])],
  ['was killed', { ...ended(0, []), exit: { kind: 'signal', signal: 'SIGKILL' } } satisfies Observation],
  ['took too much memory', { ...ended(0, []), exit: { kind: 'out-of-memory' } } satisfies Observation],
  ['could not be started', { ...ended(0, []), exit: { kind: 'unknown' } } satisfies Observation],
  ['still runs', { lines: [], livedMs: 6_000, ports: [], read: [] } satisfies Observation],
] as const)('one that %s is for the real start to judge', ([, seen]) => {
  expect(endsByItself(seen, known)).toBe(false)
})

test('one that was given a placeholder for a secret may have refused it', () => {
  const hidden = { hidden: ['LICENCE_KEY'] }
  expect(endsByItself(ended(1, ['the licence is malformed']), hidden)).toBe(false)
  expect(endsByItself(ended(2, ['panic: illegal base64 data']), hidden)).toBe(false)
  expect(endsByItself(ended(0, ['bye']), hidden)).toBe(true)
})
