import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decide } from './decide.ts'
import type { Findings } from './findings.ts'
import type { Known } from './known.ts'
import type { Observation, PortAnswer, TryPlan } from './observation.ts'
import { tell } from './setup.ts'

/** A program as a trial sees it from outside. */
interface Program {
  /** Where it listens, told nothing. */
  readonly port: number
  readonly others: readonly number[]
  readonly movedBy?: { readonly kind: 'flag' | 'variable'; readonly name: string }
  /** Flags and variables that sound like it and do nothing. */
  readonly decoys: readonly string[]
  readonly command?: string
  readonly needs: readonly string[]
  readonly health: '/healthz' | 'any' | 'none'
  readonly wants?: string
  /** Without what moves it, it ends. */
  readonly isIdle?: true
}

const nothing: Known = {
  service: 'shop',
  said: {},
  keys: [],
  hidden: [],
  folders: ['.'],
  files: [],
  source: { listenVariables: [], flags: [], variables: [], paths: [] },
}

function answer(status: number, digest: string): NonNullable<PortAnswer['http']>['random'][0] {
  return { status, digest, type: 'text/plain', isMetrics: false }
}

function answers(port: number, health: Program['health']): PortAnswer {
  const stray = health === 'any' ? answer(200, 'same') : answer(404, 'none')
  const paths = health === '/healthz' ? { '/healthz': answer(200, 'ok'), '/': stray } : { '/': stray }
  return { address: { host: '0.0.0.0', port }, tls: false, http: { random: [stray, stray], paths } }
}

function helpOf({ decoys, movedBy, port, command }: Program): string[] {
  const flags = [...decoys.filter((name) => name.startsWith('-')), ...(movedBy?.kind === 'flag' ? [movedBy.name] : [])]
  return [
    'Usage: shop [command]',
    ...(command === undefined ? [] : [`  ${command}   answers requests`]),
    ...flags.map((flag) => `  ${flag} int   port to listen on (default ${port})`),
  ]
}

function rawTcp(port: number): PortAnswer {
  return { address: { host: '0.0.0.0', port }, tls: false }
}

/** Pure: what this program does when it is started like this. */
function start(program: Program, { args, env, until }: Pick<TryPlan, 'args' | 'env' | 'until'>): Observation {
  const seen = { lines: [] as string[], livedMs: 5, ports: [] as PortAnswer[], read: [] }
  const { command, needs, movedBy, health, wants, others } = program
  if (until === 'help') return { ...seen, lines: helpOf(program), exit: { kind: 'exit', code: 0 } }
  if (command !== undefined && !args.includes(command))
    return { ...seen, lines: helpOf(program), exit: { kind: 'exit', code: 0 } }
  const lacking = needs.find((name) => env[name] === undefined)
  if (lacking !== undefined) {
    return { ...seen, lines: [`fatal: ${lacking} is not set`], exit: { kind: 'exit', code: 1 } }
  }
  if (wants !== undefined) {
    return { ...seen, lines: [`dial tcp ${wants}: connect: connection refused`], exit: { kind: 'exit', code: 1 } }
  }
  const flagged = args.flatMap((word) =>
    movedBy?.kind === 'flag' && word.startsWith(`${movedBy.name}=`) ? [word] : [],
  )
  const told = movedBy?.kind === 'variable' ? env[movedBy.name] : flagged[0]
  if (program.isIdle === true && told === undefined)
    return { ...seen, lines: ['address not set'], exit: { kind: 'exit', code: 1 } }
  const port = Number(/(\d+)$/.exec(told ?? '')?.[1] ?? program.port)
  return { ...seen, ports: [answers(port, health), ...others.map(rawTcp)] }
}

function tryOut(program: Program, known: Known = nothing): { findings: Findings; plans: TryPlan[] } {
  const search = decide(known)
  const plans: TryPlan[] = []
  for (let step = search.next(); ; step = search.next(start(program, step.value))) {
    if (step.done === true) return { findings: step.value, plans }
    plans.push(step.value)
  }
}

function knownOf({ movedBy, decoys }: Program): Known {
  const variables = decoys.filter((name) => !name.startsWith('-'))
  const own = movedBy?.kind === 'variable' && movedBy.name !== 'PORT' ? [movedBy.name] : []
  return { ...nothing, source: { listenVariables: [...variables, ...own], flags: [], variables: [], paths: [] } }
}

const programs: fc.Arbitrary<Program> = fc
  .record({
    port: fc.integer({ min: 80, max: 20_000 }),
    others: fc.uniqueArray(fc.constantFrom<number>(9090, 2112, 50_051), { maxLength: 2 }),
    movedBy: fc.option(
      fc.oneof(
        fc.record({
          kind: fc.constant('flag' as const),
          name: fc.constantFrom('--port', '-addr', '--web.listen-address'),
        }),
        fc.record({ kind: fc.constant('variable' as const), name: fc.constantFrom('PORT', 'SHOP_PORT', 'HTTP_ADDR') }),
      ),
      { nil: undefined },
    ),
    decoys: fc.uniqueArray(fc.constantFrom('--metrics-port', '-listen', 'ADMIN_PORT', 'SHOP_LISTEN', 'GRPC_ADDR'), {
      maxLength: 3,
    }),
    command: fc.option(fc.constantFrom('serve', 'server', 'run', 'relay'), { nil: undefined }),
    needs: fc.uniqueArray(fc.constantFrom('API_KEY', 'DATABASE_URL', 'SESSION_SECRET'), { maxLength: 3 }),
    health: fc.constantFrom<Program['health']>('/healthz', 'any', 'none'),
  })
  .filter(({ port, others }) => !others.includes(port))
  .map(({ movedBy, command, ...rest }) => ({
    ...rest,
    ...(movedBy === undefined ? {} : { movedBy }),
    ...(command === undefined ? {} : { command }),
  }))

test('what is found makes the program serve, on any port it is given', () => {
  fc.assert(
    fc.property(programs, fc.integer({ min: 25_000, max: 29_999 }), (program, port) => {
      const { findings } = tryOut(program, knownOf(program))
      expect(findings.listen).toBeDefined()
      if (findings.listen === undefined) return
      const { args, env } = tell(findings.listen, port)
      const values = Object.fromEntries(
        findings.missing.flatMap((each) => (each.kind === 'value' ? [[each.name, 'x']] : [])),
      )
      const seen = start(program, { args: [...findings.args, ...args], env: { ...values, ...env }, until: 'serve' })
      const expected = findings.listen.kind === 'port' ? findings.listen.port : port
      expect(seen.ports.map(({ address }) => address.port)).toContain(expected)
      // A way that moves it is found where there is one; otherwise its port is its own.
      expect(findings.listen.kind === 'port').toBe(program.movedBy === undefined)
      expect(findings.ports).toEqual(program.others.toSorted((a, b) => a - b))
    }),
  )
})

test('all that it lacks is named, and nothing else', () => {
  fc.assert(
    fc.property(programs, (program) => {
      const { findings } = tryOut(program, knownOf(program))
      const named = findings.missing.flatMap((each) => (each.kind === 'value' ? [each.name] : [each.kind]))
      expect(named.toSorted()).toEqual([...program.needs].toSorted())
      expect(findings.verdict).toBe(program.needs.length === 0 ? 'serves' : 'needs')
    }),
  )
})

test('it ends, and the same answers lead to the same findings', () => {
  const words = fc.array(
    fc.oneof(
      fc.lorem(),
      fc.constantFrom(
        'usage: x [flags]',
        'API_KEY is not set',
        'open a.yaml: no such file or directory',
        '  serve  y',
        '  -port int (default 80)',
        'open x: permission denied',
      ),
    ),
    { maxLength: 4 },
  )
  const seen: fc.Arbitrary<Observation> = fc.record({
    lines: words,
    livedMs: fc.nat(6_000),
    ports: fc.array(
      fc.integer({ min: 1, max: 65_535 }).map((port) => answers(port, 'none')),
      { maxLength: 3 },
    ),
    read: fc.constant<string[]>([]),
    exit: fc.constant({ kind: 'exit', code: 1 } as const),
  })
  const known: Known = { ...nothing, files: ['a.yaml', 'web/a.yaml', 'config/app.yaml'], folders: ['.', 'web'] }
  fc.assert(
    fc.property(fc.array(seen, { minLength: 1, maxLength: 30 }), (script) => {
      const play = () => {
        const search = decide(known)
        let tries = 0
        for (let step = search.next(); ; step = search.next(script[tries++ % script.length] ?? fail())) {
          if (step.done === true) return { findings: step.value, tries }
        }
      }
      const first = play()
      expect(first.tries).toBeLessThanOrEqual(24)
      expect(play()).toEqual(first)
    }),
  )
})

function fail(): never {
  throw new Error('a script has a line')
}

test('one that obeys PORT is tried once', () => {
  const program: Program = {
    port: 80,
    others: [],
    movedBy: { kind: 'variable', name: 'PORT' },
    decoys: [],
    needs: [],
    health: '/healthz',
  }
  const { findings, plans } = tryOut(program)
  expect(plans).toHaveLength(1)
  expect(findings).toMatchObject({ listen: { kind: 'env', name: 'PORT' }, probe: { kind: 'http', path: '/healthz' } })
})

test('of a changed binary one try confirms the former findings; where it listens otherwise, all is found out again', () => {
  const program: Program = {
    port: 8080,
    others: [9090],
    movedBy: { kind: 'flag', name: '--port' },
    decoys: [],
    needs: [],
    health: '/healthz',
  }
  const { findings: former } = tryOut(program)
  const again = tryOut(program, { ...nothing, former })
  expect(again.plans).toHaveLength(1)
  expect({ ...again.findings, evidence: [], tries: 0 }).toEqual({ ...former, evidence: [], tries: 0 })
  const changed = tryOut({ ...program, movedBy: { kind: 'variable', name: 'PORT' } }, { ...nothing, former })
  expect(changed.findings.listen).toEqual({ kind: 'env', name: 'PORT' })
})

test('one that ends unless it is told where to listen is told', () => {
  const program: Program = {
    port: 0,
    others: [],
    movedBy: { kind: 'flag', name: '--http' },
    decoys: [],
    needs: [],
    health: '/healthz',
    isIdle: true,
  }
  const { findings } = tryOut(program)
  expect(findings).toMatchObject({
    verdict: 'serves',
    listen: { kind: 'arg', template: '--http={{port}}' },
    probe: { kind: 'http', path: '/healthz' },
  })
})

test('what fairway.yaml says is not looked for', () => {
  const program: Program = {
    port: 8080,
    others: [],
    movedBy: { kind: 'flag', name: '--port' },
    decoys: ['-listen'],
    needs: [],
    health: '/healthz',
  }
  const { findings, plans } = tryOut(program, {
    ...nothing,
    said: { listen: { kind: 'arg', template: '--port={{port}}' } },
  })
  expect(plans).toHaveLength(1)
  expect(findings).toMatchObject({ listen: { kind: 'arg', template: '--port={{port}}' }, probe: { path: '/healthz' } })
})

test('a database that is away is no fault of the program', () => {
  const program: Program = {
    port: 8080,
    others: [],
    decoys: ['SHOP_PORT'],
    needs: [],
    health: 'none',
    wants: '127.0.0.1:5432',
  }
  expect(tryOut(program, knownOf(program)).findings).toMatchObject({
    verdict: 'unsure',
    wants: ['postgres at 127.0.0.1:5432'],
    missing: [],
    listen: { kind: 'env', name: 'SHOP_PORT' },
  })
})
