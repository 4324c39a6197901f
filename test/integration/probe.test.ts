import { createServer, type Server } from 'node:net'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { exec } from '../../src/base/exec.ts'
import type { Listen, ProbeSpecification, ProbeTarget } from '../../src/config/index.ts'
import { awaitHealthy, diagnose, type Diagnosis, type Health, type ProbeAnswer } from '../../src/health/index.ts'
import { type Address, formatAddress } from '../../src/host/index.ts'
import type { Incarnation, Runtime } from '../../src/runtime/index.ts'
import { makeProcessPlace, type ProcessPlace } from '../contract/process-place.ts'
import { buildProgram, freeAddress, type TestProgram } from '../contract/runtime-program.ts'

let program: TestProgram
let place: ProcessPlace
let runtime: Runtime
let ordinal = 0
beforeAll(async () => {
  program = await buildProgram()
  place = await makeProcessPlace()
  runtime = await place.open()
})
afterAll(async () => {
  await place[Symbol.asyncDispose]()
  await program[Symbol.asyncDispose]()
})

const probeOf = (target: ProbeTarget, more: Partial<ProbeSpecification> = {}): ProbeSpecification => ({
  target,
  everyMs: 50,
  timeoutMs: 200,
  healthyForMs: 100,
  deadlineMs: 2000,
  ...more,
})
const http = (more: Partial<ProbeSpecification> = {}) => probeOf({ kind: 'http', path: '/healthz' }, more)

interface Trial {
  readonly id: Incarnation
  readonly address: Address
  readonly health: Health
  readonly tookMs: number
}

/** Starts the program in one of its ways and waits for it; `{{address}}` in the arguments is its own. */
async function tryOut(
  args: readonly string[],
  probe: ProbeSpecification,
  { quick = false, env = {}, signal }: { quick?: boolean; env?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<Trial> {
  const address = await freeAddress()
  const words = args.map((word) =>
    word.replace('{{address}}', formatAddress(address)).replace('{{port}}', String(address.port)),
  )
  const id = {
    scope: { project: 'shop', environment: 'test', service: 'web' },
    release: 1,
    ordinal: ++ordinal,
    incarnation: 1,
  }
  const { folder } = program
  await runtime.start({ id, folder, argv: ['./program', ...words], env, secretFiles: {}, limits: {} })
  const begun = performance.now()
  const subject = {
    address,
    exited: (options: { signal?: AbortSignal | undefined }) => runtime.exited(id, options),
    listening: () => runtime.listening(id),
    exec: (...args: DropFirst<Parameters<Runtime['exec']>>) => runtime.exec(id, ...args),
  }
  const health = await awaitHealthy(subject, probe, { clock: systemClock, quick, signal })
  return { id, address, health, tookMs: performance.now() - begun }
}

type DropFirst<List extends readonly unknown[]> = List extends readonly [unknown, ...infer Rest] ? Rest : never
const neverEnds = { exited: () => new Promise<never>(() => {}), exec: () => Promise.reject(new Error('not asked for')) }
const kinds = (answers: readonly ProbeAnswer[]) => [...new Set(answers.map(({ kind }) => kind))]

describe('awaiting health', () => {
  test('a program that answers well for long enough is healthy, and not before', async () => {
    for (const target of [{ kind: 'http', path: '/healthz' }, { kind: 'tcp' }] as const) {
      const { health, tookMs } = await tryOut(['serve', '{{address}}'], probeOf(target, { healthyForMs: 200 }))
      expect(health.healthy).toBe(true)
      expect(tookMs).toBeGreaterThanOrEqual(199)
      expect(health.answers.at(-1)).toMatchObject({ kind: 'good' })
    }
  })

  test('one that is up at once is not waited for: no probe interval is lost', async () => {
    const slow = { everyMs: 5000, healthyForMs: 0 }
    const { health, tookMs } = await tryOut(['serve', '{{address}}'], http(slow))
    expect(health.healthy).toBe(true)
    expect(tookMs).toBeLessThan(2000)
  })

  test('where it was healthy before, one good answer is enough', async () => {
    const { health, tookMs } = await tryOut(['serve', '{{address}}'], http({ healthyForMs: 60_000 }), { quick: true })
    expect(health.healthy).toBe(true)
    expect(tookMs).toBeLessThan(2000)
  })

  test('bad answers begin the count anew', async () => {
    const { health, tookMs } = await tryOut(['serve-late', '{{address}}', '400'], http({ healthyForMs: 200 }))
    expect(health.healthy).toBe(true)
    expect(tookMs).toBeGreaterThan(350)
    expect(kinds(health.answers)).toEqual(expect.arrayContaining(['status', 'good']))
  })

  test('a program that ends is not waited for', async () => {
    const { health, tookMs } = await tryOut(['exit', '3'], http({ deadlineMs: 60_000, everyMs: 10_000 }))
    expect(health).toMatchObject({ healthy: false, exit: { kind: 'exit', code: 3 } })
    expect(tookMs).toBeLessThan(2000)
  })

  test('a worker is healthy while it lives', async () => {
    expect((await tryOut(['sleep'], probeOf({ kind: 'alive' }))).health.healthy).toBe(true)
    const { health } = await tryOut(
      ['exit', '0'],
      probeOf({ kind: 'alive' }, { healthyForMs: 60_000, deadlineMs: 90_000 }),
    )
    expect(health).toMatchObject({ healthy: false, exit: { kind: 'exit', code: 0 } })
  })

  test('a command is asked in the artifact’s folder, with the instance’s values', async () => {
    const good = probeOf({ kind: 'exec', command: ['/bin/sh', '-c', 'test -x ./program && test "$MODE" = fine'] })
    expect((await tryOut(['sleep'], good, { env: { MODE: 'fine' } })).health.healthy).toBe(true)
    const bad = probeOf({ kind: 'exec', command: ['/bin/sh', '-c', 'echo stuck; exit 3'] }, { deadlineMs: 1_000 })
    const { health } = await tryOut(['sleep'], bad)
    expect(health.answers).toMatchObject([{ kind: 'exec', exitCode: 3, output: 'stuck' }])
    const missing = probeOf({ kind: 'exec', command: ['./nothing-here'] }, { deadlineMs: 1_000 })
    expect((await tryOut(['sleep'], missing)).health.answers.at(-1)).toMatchObject({ kind: 'exec', exitCode: null })
    const endless = probeOf({ kind: 'exec', command: ['/bin/sh', '-c', 'yes'] }, { deadlineMs: 1_000 })
    expect((await tryOut(['sleep'], endless)).health.answers.at(-1)).toMatchObject({
      kind: 'exec',
      exitCode: null,
      output: '/bin/sh printed more than 65536 bytes and was ended',
    })
    const hangs = probeOf({ kind: 'exec', command: ['/bin/sleep', '60'] }, { deadlineMs: 1_000, timeoutMs: 100 })
    expect((await tryOut(['sleep'], hangs)).health.answers.at(-1)).toMatchObject({ kind: 'timeout' })
  })

  test('a stranger’s good answers are not taken for the instance’s', async () => {
    const { server, address } = await serveForeign('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
    const subject = {
      address,
      ...neverEnds,
      listening: async () => [{ host: address.host, port: address.port + 1 }],
    }
    const health = await awaitHealthy(subject, http({ deadlineMs: 1_000 }), { clock: systemClock })
    expect(health).toMatchObject({ healthy: false, answers: [{ kind: 'stranger' }] })
    server.close()
  })

  test('an answer whose body never ends is an answer by its head; what speaks no HTTP is none', async () => {
    const endless = await serveForeign('HTTP/1.1 200 OK\r\n\r\nforever')
    const subject = (address: Address) => ({ address, ...neverEnds, listening: async () => [address] })
    expect(await awaitHealthy(subject(endless.address), http(), { clock: systemClock })).toMatchObject({
      healthy: true,
    })
    const foreign = await serveForeign('SSH-2.0-OpenSSH\r\n')
    const { answers } = await awaitHealthy(subject(foreign.address), http({ deadlineMs: 1_000 }), {
      clock: systemClock,
    })
    expect(answers.at(-1)).toMatchObject({ kind: 'closed', detail: expect.stringMatching(/parse error/i) })
    endless.server.close()
    foreign.server.close()
  })

  test('aborted, it throws the reason', async () => {
    const signal = AbortSignal.timeout(150)
    await expect(tryOut(['sleep'], http({ deadlineMs: 60_000 }), { signal })).rejects.toThrow(/timeout/i)
  })

  test('the deadline counts from the start of the instance', async () => {
    const subject = {
      address: await freeAddress(),
      ...neverEnds,
      listening: async () => [],
    }
    const begun = performance.now()
    const health = await awaitHealthy(subject, http({ deadlineMs: 2000 }), { clock: systemClock, ageMs: 1800 })
    expect(performance.now() - begun).toBeLessThan(600)
    expect(health).toMatchObject({ healthy: false, answers: [{ kind: 'refused' }] })
  })
})

describe('real programs that fail, and what is said of them', () => {
  const failures: readonly [args: readonly string[], Diagnosis['cause'], words: RegExp][] = [
    [[], 'needs-arguments', /exited at once with status 2 after printing its usage[^]*args: \[serve\]/],
    [['exit', '3'], 'exited', /status 3 at once: leaving/],
    [['exit', '0'], 'exited', /job/],
    [['panic'], 'panic', /assignment to entry in nil map, in main.main \(main.go:\d+\)/],
    [['require', 'DATABASE_URL'], 'missing-value', /config: \{ DATABASE_URL: \{ required: true \} \}/],
    [['open', 'templates/index.html'], 'missing-file', /files: \['templates\/\*\*'\]/],
    [['flag', '--prot=1'], 'unknown-flag', /does not know -prot/],
    [['migrate'], 'unknown-flag', /does not know migrate/],
    [['signal', '11'], 'panic', /SIGSEGV/],
    [['signal', '9'], 'killed', /dmesg/],
    [['serve', '127.0.0.1:1'], 'permission', /below 1024/],
    [['serve-flag', '--http-addr=127.0.0.1:0'], 'wrong-port', /listens on 127.0.0.1:\d+, not on/],
    [['serve', '127.9.9.9:{{port}}'], 'wrong-address', /127.9.9.9/],
    [['sleep'], 'nothing-listens', /its last words: asleep/],
    [['serve', '{{address}}', '301', '/healthz/'], 'probe-redirect', /http: \/healthz\/ \}/],
    [['serve', '{{address}}', '401'], 'probe-unauthorized', /401/],
    [['serve', '{{address}}', '404'], 'probe-not-found', /404/],
    [['serve', '{{address}}', '503'], 'probe-error', /503: answer of \d+/],
    [['serve-slowly', '{{address}}', '1000'], 'probe-slow', /no answer within 200 ms/],
  ]
  const listen: Listen = { kind: 'env', name: 'PORT' }

  test.concurrent.each(failures)('%j is %s', async (args, cause, words) => {
    // As root every port may be had, so a port that is refused has to be played.
    const isRefused = args[1] === '127.0.0.1:1'
    const probe = http({ deadlineMs: 1_500 })
    const { id, address, health, tookMs } = await tryOut(isRefused ? ['exit', '1'] : args, probe)
    const lines = isRefused
      ? ['2026/01/02 03:04:05 cannot serve: listen tcp 127.0.0.1:1: bind: permission denied']
      : (await runtime.tail(id, { lines: 500 })).map(({ text }) => text)
    const evidence = {
      lines,
      answers: health.answers,
      listening: (await runtime.listening(id)).map(formatAddress),
      expected: formatAddress(address),
      ...(health.exit === undefined ? {} : { exit: health.exit }),
    }
    const diagnosis = diagnose(evidence, { service: 'web', listen, probe, knownKeys: [], livedMs: tookMs })
    expect(health.healthy).toBe(false)
    expect(diagnosis).toMatchObject({ cause })
    expect(`${diagnosis.what}\n${diagnosis.hint}`).toMatch(words)
  })

  test('a port that is taken by another', async () => {
    const { server, address } = await serveForeign('')
    const { stderr, exitCode } = await exec([`${program.folder}/program`, 'serve', formatAddress(address)])
    const evidence = {
      lines: stderr.split('\n'),
      exit: { kind: 'exit' as const, code: exitCode ?? 0 },
      answers: [],
      listening: [],
    }
    const context = { service: 'web', listen, probe: http(), knownKeys: [], livedMs: 10 }
    expect(diagnose(evidence, context)).toMatchObject({ cause: 'port-in-use' })
    server.close()
  })
})

/** Something that is not of ours and says the same to everybody. */
async function serveForeign(greeting: string): Promise<{ server: Server; address: Address }> {
  const address = await freeAddress()
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.write(greeting)
    socket.on('data', () => {})
    setTimeout(() => socket.destroy(), 2000).unref()
  })
  server.listen(address.port, address.host)
  await once(server, 'listening')
  return { server, address }
}
