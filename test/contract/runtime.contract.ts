import { readdir, readFile } from 'node:fs/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { readProcessStat } from '../../src/base/process-identity.ts'
import { Secret } from '../../src/base/secret.ts'
import { type Address, formatAddress } from '../../src/host/index.ts'
import {
  type Incarnation,
  type InstanceSpec,
  type LogLine,
  type OwnNetwork,
  reaches,
  type Runtime,
} from '../../src/runtime/index.ts'

/** What a driver's test brings along. */
export interface RuntimeHarness extends AsyncDisposable {
  /** Another runtime object over the same place: what a control plane has that was started again. */
  open(): Promise<Runtime>
  /** Where test/fixtures/runtime-program lies built, as the driver wants it. */
  readonly folder: string
  freeAddress(): Promise<Address>
  /** An address for a network of an instance's own; undefined where the driver can make none. */
  readonly freeNetwork?: (taken: ReadonlySet<string>) => Promise<string>
  /** What the driver's networks have left on the machine, in words. */
  networkRemains(): Promise<string[]>
  /** false where the machine does not let the driver limit memory. */
  readonly limitsMemory: boolean
  /** false where the driver loses sight of what left the session of a program that then ended by itself. */
  readonly holdsTogether: boolean
}

const scope = { project: 'shop', environment: 'test', service: 'web' }

/** What every driver promises. */
export function runtimeContract(name: string, makeHarness: () => Promise<RuntimeHarness>): void {
  describe(`runtime ${name}`, () => {
    let harness: RuntimeHarness
    let runtime: Runtime
    let ordinal = 0

    beforeAll(async () => {
      harness = await makeHarness()
      runtime = await harness.open()
    })
    afterEach(async () => {
      for (const { id } of await runtime.list()) {
        await runtime.stop(id, { graceMs: 0 })
        await runtime.forget(id)
      }
    })
    afterAll(() => harness[Symbol.asyncDispose]())

    const nextId = (service = 'web'): Incarnation => ({
      scope: { ...scope, service },
      release: 7,
      ordinal: ++ordinal,
      incarnation: 1,
    })
    const specOf = (args: readonly string[], more: Partial<InstanceSpec> = {}): InstanceSpec => ({
      id: nextId(),
      folder: harness.folder,
      argv: ['./program', ...args],
      env: {},
      secretFiles: {},
      limits: {},
      ...more,
    })
    const start = async (args: readonly string[], more: Partial<InstanceSpec> = {}): Promise<Incarnation> =>
      (await runtime.start(specOf(args, more))).id
    const runToEnd = async (args: readonly string[], more: Partial<InstanceSpec> = {}) => {
      const id = await start(args, more)
      return { id, status: await runtime.exited(id), lines: await read(runtime, id) }
    }
    const says = (id: Incarnation, text: string) =>
      expect
        .poll(async () => (await runtime.tail(id, { lines: 100 })).map((line) => line.text), { timeout: 5000 })
        .toContainEqual(expect.stringContaining(text))

    describe('starting', () => {
      test('what already runs is a success, and runs once', async () => {
        const spec = specOf(['sleep'])
        const [first, second] = await Promise.all([runtime.start(spec), runtime.start(spec)])
        const third = await (await harness.open()).start(spec)
        expect(first.state.kind).toBe('running')
        expect([second.state, third.state]).toEqual([first.state, first.state])
        expect(await runtime.list(scope)).toHaveLength(1)
      })

      test('what has ended under this incarnation is not run twice, but returned', async () => {
        const spec = specOf(['exit', '3'])
        await runtime.start(spec)
        await runtime.exited(spec.id)
        expect((await runtime.start(spec)).state).toMatchObject({ kind: 'exited', status: { kind: 'exit', code: 3 } })
        expect((await read(runtime, spec.id)).filter(({ text }) => text === 'leaving')).toHaveLength(1)
      })

      test('the program gets the environment it was given and nothing else', async () => {
        const env = {
          PORT: '20001',
          EMPTY: '',
          SPACED: ' a "b" $HOME `id` \n c ',
          lower_case: 'ü→😀',
          TOKEN: new Secret('hunter22'),
        }
        const { lines } = await runToEnd(['env'], { env })
        const seen = JSON.parse(lines[0]?.text ?? '') as string[]
        expect(seen.toSorted()).toEqual(
          ['PORT=20001', 'EMPTY=', `SPACED=${env.SPACED}`, 'lower_case=ü→😀', 'TOKEN=hunter22'].toSorted(),
        )
      })

      test('a value that cannot reach the program is refused by name, before anything is started', async () => {
        const hostile = { 'A B': 'x', '1A': 'x', 'a.b': 'x', '': 'x', 'A=B': 'x' }
        for (const [key, value] of Object.entries(hostile)) {
          await expect(start(['env'], { env: { [key]: value } })).rejects.toMatchObject({ code: 'VALUES_INVALID' })
        }
        await expect(start(['env'], { env: { NUL: 'a\0b' } })).rejects.toMatchObject({ code: 'VALUES_INVALID' })
        expect(await runtime.list()).toEqual([])
      })

      test('no secret stands in any process’s command line', async () => {
        const secret = new Secret('very-secret-0123456789')
        const id = await start(['sleep'], { env: { TOKEN: secret }, secretFiles: { TLS_KEY: secret } })
        await says(id, 'asleep')
        for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
          expect(await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).not.toContain(secret.reveal())
        }
      })

      test('a secret file is readable by the program, named by KEY_FILE, and gone once forgotten', async () => {
        const { id, lines } = await runToEnd(['inspect'], { secretFiles: { TLS_KEY: new Secret('line 1\nline 2\n') } })
        expect(JSON.parse(lines[0]?.text ?? '')).toMatchObject({ file: 'line 1\nline 2\n' })
        await runtime.forget(id)
      })

      test('it runs in the artifact’s folder, with no descriptor and no ignored signal of ours', async () => {
        const { lines } = await runToEnd(['inspect'])
        expect(JSON.parse(lines[0]?.text ?? '')).toMatchObject({
          open: await inherited(),
          ignored: await ignoredFromOutside(),
        })
        expect(JSON.parse(lines[0]?.text ?? '')).toHaveProperty('folder', expect.stringContaining('/'))
      })

      test('words are words: arguments arrive as they are', async () => {
        const { lines } = await runToEnd(['open', '$(id); `id` > x\n*'])
        expect(lines.map(({ text }) => text).join('\n')).toContain('open $(id); `id` > x\n*: no such file')
      })

      test('a program that is missing, or is none, ends with the status a shell has for it and says so', async () => {
        const missing = await runToEnd([], { argv: ['./nothing-here'] })
        expect(missing.status).toEqual({ kind: 'exit', code: 127 })
        expect(missing.lines.at(-1)?.text).toContain('nothing-here')
      })

      test('an address that is taken is refused before anything is started', async () => {
        const address = await harness.freeAddress()
        const first = await start(['serve', formatAddress(address)], { address })
        await says(first, 'listening on')
        await expect(start(['serve', formatAddress(address)], { address })).rejects.toMatchObject({
          code: 'PORT_TAKEN',
        })
        expect(await runtime.list()).toHaveLength(1)
      })

      test('an id that is no name is refused', async () => {
        const names = ['../../x', '$(id)', 'a/b', 'A', '', '.', '..', 'x'.repeat(300), '😀', 'a b', 'a\0']
        for (const service of names) {
          const id = { ...nextId(), scope: { ...scope, service } }
          await expect(runtime.start(specOf(['sleep'], { id }))).rejects.toThrow(TypeError)
          await expect(runtime.stop(id, { graceMs: 0 })).rejects.toThrow(TypeError)
          await expect(runtime.tail(id, { lines: 1 })).rejects.toThrow(TypeError)
          await expect(runtime.removeLogs(id.scope, 7)).rejects.toThrow(TypeError)
        }
        const broken = [
          { release: -1 },
          { release: 1.5 },
          { ordinal: Number.NaN },
          { incarnation: Number.POSITIVE_INFINITY },
        ]
        for (const part of broken) {
          await expect(runtime.start(specOf(['sleep'], { id: { ...nextId(), ...part } }))).rejects.toThrow(TypeError)
        }
      })
    })

    describe('ending', () => {
      test('the exit status is true', async () => {
        expect((await runToEnd(['exit', '0'])).status).toEqual({ kind: 'exit', code: 0 })
        expect((await runToEnd(['exit', '3'])).status).toEqual({ kind: 'exit', code: 3 })
        expect((await runToEnd(['signal', '9'])).status).toEqual({ kind: 'signal', signal: 'SIGKILL' })
        expect((await runToEnd(['panic'])).status).toEqual({ kind: 'exit', code: 2 })
      })

      test('stop asks first, and a program that leaves in its own way is waited for', async () => {
        const id = await start(['graceful', '100', '7'])
        await says(id, 'ready')
        expect(await runtime.stop(id, { graceMs: 5000 })).toEqual({ kind: 'exit', code: 7 })
        expect((await read(runtime, id)).map(({ text }) => text)).toEqual(['ready', 'bye'])
      })

      test('a program that never heard of it dies of SIGTERM', async () => {
        const id = await start(['sleep'])
        await says(id, 'asleep')
        expect(await runtime.stop(id, { graceMs: 5000 })).toEqual({ kind: 'signal', signal: 'SIGTERM' })
      })

      test('after the grace it is killed', async () => {
        const id = await start(['stubborn'])
        await says(id, 'ready')
        const begun = performance.now()
        expect(await runtime.stop(id, { graceMs: 200 })).toEqual({ kind: 'signal', signal: 'SIGKILL' })
        expect(performance.now() - begun).toBeGreaterThanOrEqual(190)
      })

      test('stopping what has ended, or never was, is a success', async () => {
        const { id } = await runToEnd(['exit', '3'])
        expect(await runtime.stop(id, { graceMs: 1000 })).toEqual({ kind: 'exit', code: 3 })
        expect(await runtime.stop(nextId(), { graceMs: 1000 })).toEqual({ kind: 'unknown' })
      })

      test('nothing it started outlives it, in its group or out of it', async () => {
        for (const [args, graceMs] of [
          [['family'], 300],
          [['family', '0'], 0],
        ] as const) {
          if (args.length > 1 && !harness.holdsTogether) continue
          const id = await start(args)
          await says(id, 'family')
          const [, ...pids] =
            (await read(runtime, id)).find(({ text }) => text.startsWith('family'))?.text.split(' ') ?? []
          await runtime.stop(id, { graceMs })
          expect(pids).toHaveLength(2)
          // SIGKILL was sent when stop returned; a busy machine takes a moment to carry it out.
          for (const pid of pids) {
            await expect
              .poll(async () => (await readProcessStat(Number(pid)))?.state ?? 'Z', { timeout: 2000 })
              .toBe('Z')
          }
        }
      })

      test('exited resolves for whoever waits, soon after the end', async () => {
        const id = await start(['sleep'])
        const waiting = Promise.all([runtime.exited(id), (await harness.open()).exited(id)])
        await runtime.stop(id, { graceMs: 1000 })
        expect(await waiting).toEqual([
          { kind: 'signal', signal: 'SIGTERM' },
          { kind: 'signal', signal: 'SIGTERM' },
        ])
        expect(await runtime.exited(nextId())).toEqual({ kind: 'unknown' })
      })

      test('aborted, stop and exited leave off waiting, and the instance is where it was', async () => {
        const id = await start(['stubborn'])
        await says(id, 'ready')
        const signal = AbortSignal.timeout(100)
        await expect(runtime.exited(id, { signal })).rejects.toThrow()
        await expect(runtime.stop(id, { graceMs: 60_000, signal: AbortSignal.timeout(100) })).rejects.toThrow()
        expect(await runtime.list()).toMatchObject([{ state: { kind: 'running' } }])
      })

      test('a program over its memory limit is known to have been killed for it', async () => {
        const { status } = await runToEnd(harness.limitsMemory ? ['memory'] : ['exit', '3'], {
          limits: { memoryBytes: 32 * 1024 * 1024, cpu: 1 },
        })
        expect(status).toEqual(harness.limitsMemory ? { kind: 'out-of-memory' } : { kind: 'exit', code: 3 })
      })
    })

    describe('what is there', () => {
      test('is listed by scope or all, exited ones until they are forgotten', async () => {
        const running = await start(['sleep'])
        const other = await start(['sleep'], { id: nextId('api') })
        const { id: ended } = await runToEnd(['exit', '3'])
        const ordinals = (await runtime.list(scope)).map(({ id }) => id.ordinal)
        expect(new Set(ordinals)).toEqual(new Set([running.ordinal, ended.ordinal]))
        expect(await runtime.list({ ...scope, service: 'api' })).toMatchObject([{ id: other }])
        expect(await runtime.list()).toHaveLength(3)
        const exited = (await runtime.list()).find(({ state }) => state.kind === 'exited')
        expect(exited).toMatchObject({ id: ended, state: { status: { kind: 'exit', code: 3 } } })
        await runtime.forget(ended)
        await runtime.forget(ended)
        expect(await runtime.list()).toHaveLength(2)
        expect((await read(runtime, ended)).map(({ text }) => text)).toEqual(['leaving'])
      })

      test('what runs is not forgotten', async () => {
        const id = await start(['sleep'])
        await expect(runtime.forget(id)).rejects.toThrow('stop it first')
        expect(await runtime.list()).toHaveLength(1)
      })

      test('another control plane adopts it: same pid, same address, same start; and can end it', async () => {
        const address = await harness.freeAddress()
        const started = await runtime.start(specOf(['serve', formatAddress(address)], { address }))
        const adopter = await harness.open()
        expect(await adopter.list(scope)).toEqual([started])
        expect(started.address).toEqual(address)
        expect(await adopter.stop(started.id, { graceMs: 1000 })).toEqual({ kind: 'signal', signal: 'SIGTERM' })
        expect(await runtime.exited(started.id)).toEqual({ kind: 'signal', signal: 'SIGTERM' })
      })

      test('what it listens on is seen, also when a child of its does it', async () => {
        for (const command of ['serve', 'child-serves']) {
          const address = await harness.freeAddress()
          const id = await start([command, formatAddress(address)])
          await says(id, 'listening on')
          expect(reaches(await runtime.listening(id), address)).toBe(true)
        }
        const silent = await start(['sleep'])
        expect(await runtime.listening(silent)).toEqual([])
        expect(await runtime.listening(nextId())).toEqual([])
      })
    })

    describe('a command beside an instance', () => {
      test('has its folder, its values and its user, and nothing else', async () => {
        const id = await start(['sleep'], {
          env: { MODE: 'fine', EMPTY: '' },
          secretFiles: { TLS_KEY: new Secret('key') },
        })
        const { stdout } = await runtime.exec(id, [
          '/bin/sh',
          '-c',
          'test -x ./program && cat "$TLS_KEY_FILE" && id -u && exec env',
        ])
        const [first, ...rest] = stdout.trimEnd().split('\n')
        expect(first).toMatch(/^key\d+$/)
        expect(rest.filter((line) => !/^(PWD|TLS_KEY_FILE)=/.test(line)).toSorted()).toEqual(['EMPTY=', 'MODE=fine'])
      })

      test('has a deadline, and needs an instance that runs', async () => {
        const id = await start(['sleep'])
        await expect(runtime.exec(id, ['/bin/sleep', '60'], { deadlineMs: 100 })).rejects.toMatchObject({
          code: 'COMMAND_TIMEOUT',
        })
        await runtime.stop(id, { graceMs: 1000 })
        await expect(runtime.exec(id, ['/bin/true'])).rejects.toMatchObject({ code: 'COMMAND_FAILED' })
      })
    })

    describe('a network of its own', () => {
      const taken = new Set<string>()
      const network = async (more: Partial<OwnNetwork> = {}): Promise<OwnNetwork> => {
        const host = (await harness.freeNetwork?.(taken)) ?? ''
        taken.add(host)
        return { host, ports: [8080], machinePorts: [], ...more }
      }
      const ask = async (address: string) => (await fetch(`http://${address}/`)).text()
      const askBeside = async (id: Incarnation, url: string) =>
        (await runtime.exec(id, ['./program', 'get', url], { deadlineMs: 5000 })).stdout.trim()

      test('lets several listen on one fixed port, on all addresses or on 127.0.0.1 alone', async (context) => {
        if (harness.freeNetwork === undefined) return context.skip()
        const started = []
        for (const address of ['127.0.0.1:8080', ':8080', '127.0.0.1:8080']) {
          const own = await network()
          const id = await start(['serve', address], { network: own, address: { host: own.host, port: 8080 } })
          await says(id, 'listening on')
          started.push({ id, own })
        }
        const answers = await Promise.all(started.map(({ own }) => ask(`${own.host}:8080`)))
        expect(new Set(answers).size).toBe(3)
        for (const { id } of started) {
          expect(reaches(await runtime.listening(id), { host: '127.0.0.1', port: 8080 })).toBe(true)
        }
      })

      test('has 127.0.0.1 for itself, but for the ports that are the machine’s', async (context) => {
        if (harness.freeNetwork === undefined) return context.skip()
        const [named, unnamed] = [await harness.freeAddress(), await harness.freeAddress()]
        for (const { port } of [named, unnamed]) {
          await says(await start(['serve', `127.0.0.1:${port}`]), 'listening on')
        }
        const quiet = await harness.freeAddress()
        const machinePorts = [
          { port: named.port, certain: true },
          { port: 8080, certain: true }, // its own: nobody takes that away from it
          { port: quiet.port, certain: false }, // nothing of the machine listens there
        ]
        const own = await network({ machinePorts })
        const id = await start(['serve', '127.0.0.1:8080'], { network: own })
        await says(id, 'listening on')
        expect(await askBeside(id, `http://127.0.0.1:${named.port}/`)).toMatch(/^answer of/)
        expect(await askBeside(id, `http://localhost:${named.port}/`)).toMatch(/^answer of/)
        expect(await askBeside(id, 'http://127.0.0.1:8080/')).toBe((await ask(`${own.host}:8080`)).trim())
        expect(await askBeside(id, `http://127.0.0.1:${unnamed.port}/`)).toMatch(/connection refused/)
        expect(await askBeside(id, `http://127.0.0.1:${quiet.port}/`)).toMatch(/connection refused/)
      })

      test('lets a program without rights listen on port 80, and a command beside it reach that', async (context) => {
        if (harness.freeNetwork === undefined) return context.skip()
        const own = await network({ ports: [80] })
        const id = await start(['serve', ':80'], { network: own, user: { uid: 70_321, gid: 70_321 } })
        await says(id, 'listening on')
        expect(await ask(`${own.host}:80`)).toMatch(/^answer of/)
        expect(await askBeside(id, 'http://127.0.0.1/')).toMatch(/^answer of/)
        const { stdout } = await runtime.exec(id, ['/usr/bin/id', '-u'])
        expect(stdout.trim()).toBe('70321')
      })

      test('stays with the instance when its control plane is gone, and is gone with the instance', async (context) => {
        if (harness.freeNetwork === undefined) return context.skip()
        const own = await network()
        const id = await start(['serve', ':8080'], { network: own, address: { host: own.host, port: 8080 } })
        await says(id, 'listening on')
        const other = await start(['serve', ':8080'], { network: await network() })
        const adopter = await harness.open()
        await adopter.tend()
        expect(await adopter.find(id)).toMatchObject({ address: { host: own.host, port: 8080 } })
        expect(await ask(`${own.host}:8080`)).toMatch(/^answer of/)
        await adopter.stop(id, { graceMs: 1000 })
        await adopter.forget(id)
        await expect(ask(`${own.host}:8080`)).rejects.toThrow()
        expect(await harness.networkRemains()).not.toEqual([])
        await adopter.stop(other, { graceMs: 1000 })
        await adopter.forget(other)
        expect(await harness.networkRemains()).toEqual([])
      })

      test('is free for the next at once', async (context) => {
        if (harness.freeNetwork === undefined) return context.skip()
        const own = await network()
        for (let round = 0; round < 3; round++) {
          const id = await start(['serve', ':8080'], { network: own })
          await says(id, 'listening on')
          expect(await ask(`${own.host}:8080`)).toMatch(/^answer of/)
          await runtime.stop(id, { graceMs: 1000 })
          await runtime.forget(id)
        }
      })
    })

    describe('logs', () => {
      test('are complete and in order per stream', async () => {
        const { id } = await runToEnd(['lines', '3000'])
        const lines = await read(runtime, id)
        for (const stream of ['out', 'err'] as const) {
          const texts = lines.filter((line) => line.stream === stream).map(({ text }) => text)
          expect(texts).toEqual(Array.from({ length: 3000 }, (_, i) => `${stream} ${i}`))
        }
      })

      test('followed, they end with the instance', async () => {
        const id = await start(['chatter', '2000', '4000'])
        const lines = await read(runtime, id, { follow: true })
        expect(lines.map(({ text }) => text.split(' ')[1])).toEqual(Array.from({ length: 2000 }, (_, i) => String(i)))
      })

      test('followed from the last lines, they begin there and miss none', async () => {
        const id = await start(['chatter', '2000', '4000'])
        await expect.poll(() => runtime.tail(id, { lines: 1 }).then((tail) => tail.length)).toBe(1)
        const numbers = (await read(runtime, id, { follow: true, lines: 10 })).map(({ text }) =>
          Number(text.split(' ')[1]),
        )
        expect(numbers.at(-1)).toBe(1999)
        expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, i) => 2000 - numbers.length + i))
        expect(numbers.length).toBeLessThan(1990)
      })

      test('following ends when aborted', async () => {
        const id = await start(['sleep'])
        const lines = await read(runtime, id, { follow: true, signal: AbortSignal.timeout(300) })
        expect(lines.map(({ text }) => text)).toEqual(['asleep'])
      })

      test('where lines tell their time, it orders the streams', async () => {
        const { id, lines } = await runToEnd(['dated'])
        const expected = Array.from({ length: 6 }, (_, i) => expect.stringContaining(`line ${i}`))
        expect(lines.map(({ text }) => text)).toEqual(expected)
        expect((await runtime.tail(id, { lines: 4 })).map(({ text }) => text)).toEqual(expected.slice(2))
      })

      test('a tail has the last lines of both streams', async () => {
        const { id } = await runToEnd(['lines', '500'])
        const tail = (await runtime.tail(id, { lines: 4 })).map(({ text }) => text)
        expect(tail).toEqual(['out 498', 'out 499', 'err 498', 'err 499'])
        expect(await runtime.tail(id, { lines: 0 })).toEqual([])
        expect(await runtime.tail(nextId(), { lines: 10 })).toEqual([])
      })

      test('a line of 100 MB is cut, what was cut is counted, and the next one is whole', async () => {
        const { id, lines } = await runToEnd(['long', '100000000'])
        expect(lines).toHaveLength(2)
        expect(lines[0]?.text.length).toBeLessThan(70_000)
        expect(lines[0]?.cutBytes).toBe(100_000_000 - 64 * 1024)
        expect(lines[0]?.text).toMatch(/… \d+ bytes cut …$/)
        expect(lines[1]?.text).toBe('end')
        expect((await runtime.tail(id, { lines: 1 })).map(({ text }) => text)).toEqual(['end'])
        expect((await runtime.tail(id, { lines: 5 })).at(-1)?.text).toBe('end')
      })

      test('binary output is shown as text', async () => {
        const { lines } = await runToEnd(['binary'])
        expect(lines.at(-1)?.text).toBe('end')
        expect(lines.map(({ text }) => text).join('')).toContain('\ufffd')
      })

      test('a whole release’s are removed at once', async () => {
        const { id } = await runToEnd(['lines', '3'])
        const { id: other } = await runToEnd(['lines', '3'], { id: { ...nextId(), release: 8 } })
        await runtime.removeLogs(scope, 7)
        await runtime.removeLogs(scope, 7)
        expect(await read(runtime, id)).toEqual([])
        expect(await read(runtime, other)).toHaveLength(6)
      })
    })
  })
}

/** The descriptors whoever started this test lets every process inherit; Node's own are closed on exec. */
async function inherited(): Promise<string[]> {
  const closeOnExec = 0o2000000
  const open = ['0', '1', '2']
  for (const fd of await readdir('/proc/self/fdinfo')) {
    const flags = /^flags:\s*([0-7]+)$/m.exec(await readFile(`/proc/self/fdinfo/${fd}`, 'utf8').catch(() => ''))?.[1]
    if (flags !== undefined && Number(fd) > 2 && (Number.parseInt(flags, 8) & closeOnExec) === 0) open.push(fd)
  }
  return open
}

/** Signals ignored by whatever started the tests stay so: a shell cannot take them back. Node’s own are taken back. */
async function ignoredFromOutside(): Promise<string> {
  const ignored = /^SigIgn:\s*([0-9a-f]+)$/m.exec(await readFile('/proc/self/status', 'utf8'))?.[1] ?? '0'
  const nodesOwn = (1n << 12n) | (1n << 24n) // SIGPIPE, SIGXFSZ
  return (BigInt(`0x${ignored}`) & ~nodesOwn).toString(16).padStart(16, '0')
}

async function read(
  runtime: Runtime,
  id: Incarnation,
  options: Parameters<Runtime['logs']>[1] = {},
): Promise<LogLine[]> {
  const lines: LogLine[] = []
  for await (const line of runtime.logs(id, options)) lines.push(line)
  return lines
}
