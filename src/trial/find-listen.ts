import { defaultListenTemplate } from '../config/index.ts'
import {
  type Candidate,
  findFlags,
  findVariables,
  findWants,
  flagCandidate,
  isListenName,
  rankCandidates,
  variableCandidate,
} from './clues.ts'
import type { Course, Served, Tries } from './course.ts'
import type { FoundListen } from './findings.ts'
import { rankPorts } from './judge-ports.ts'
import { isEphemeral } from './ephemeral-ports.ts'
import { type Setup, tell, trialPort } from './setup.ts'

/** Candidates that are tried one by one. */
const maxSingles = 6

export function* findListen(course: Course, served: Served): Tries<Served> {
  const { said } = course.known
  const { seen, port, setup } = served
  const numbers = seen.ports.map(({ address }) => address.port)
  if (numbers.includes(port)) {
    course.say(said.listen === undefined ? 'it listens on the port in PORT' : 'it listens where it was told')
    return served
  }
  const [main] = rankPorts(seen.ports)
  if (main === undefined) return served
  if (said.listen !== undefined) {
    course.say(`it listens on ${numbers.join(' and ')}, not where fairway.yaml tells it to`)
    return served
  }
  course.say(`it listens on ${numbers.join(' and ')} whatever PORT says`)
  const help = course.helpOf(setup) ?? (yield* course.askHelp(setup))
  const candidates = findCandidates(course, { help, lines: seen.lines }, main.port)
  const moved = yield* firstThatMoves(course, setup, candidates, main.port)
  if (moved !== undefined) return moved
  if (candidates.length > 0)
    course.say(
      `${candidates
        .slice(0, 4)
        .map(({ name }) => name)
        .join(', ')} did not move it`,
    )
  if (isEphemeral(main.port)) return served
  return { ...served, listen: { kind: 'port', port: main.port }, port: main.port }
}

/** It ends unless it is told where to listen: does it serve where one of its help's flags says, or a variable there? */
export function* serveTold(course: Course): Tries<Served | undefined> {
  const { failure } = course
  if (failure === undefined || course.known.said.listen !== undefined || findWants(failure.seen.lines).length > 0)
    return undefined
  const { setup, seen } = failure
  const texts = { help: course.helpOf(setup) ?? [], lines: seen.lines }
  const candidates = findCandidates(course, texts, 0).filter(({ from }) => from !== 'its source')
  for (const candidate of candidates.slice(0, 2)) {
    const told = yield* course.try(setup, toListen(candidate), `does it serve once ${candidate.name} is told?`)
    if (!told.seen.ports.some(({ address }) => address.port === told.port)) continue
    course.say(`it ends without ${candidate.name}, and listens where that says (${candidate.from})`)
    return told
  }
  return undefined
}

export function findCandidates(
  { known: { source } }: Course,
  { help, lines }: { readonly help: readonly string[]; readonly lines: readonly string[] },
  mainPort: number,
): Candidate[] {
  return rankCandidates(
    [
      ...findFlags(help, mainPort),
      ...findFlags(lines, mainPort),
      ...findVariables(help, 'its help'),
      ...findVariables(lines, 'it says'),
      ...source.listenVariables.filter(isListenName).map((name) => variableCandidate(name, 'its source')),
      ...source.flags
        .map(({ name, fallback }) => flagCandidate(name, fallback, 'its source'))
        .filter(({ name, fallbackPort }) => isListenName(name) || (mainPort > 0 && fallbackPort === mainPort)),
    ],
    mainPort,
  )
}

/** The likeliest alone; then all variables at once, each with a port of its own; then the rest one by one. */
function* firstThatMoves(
  course: Course,
  setup: Setup,
  candidates: readonly Candidate[],
  mainPort: number,
): Tries<Served | undefined> {
  const likely = candidates.filter((each, at) => each.fallbackPort === mainPort || at === 0).slice(0, 3)
  for (const candidate of likely) {
    const moved = yield* moves(course, setup, candidate, mainPort)
    if (moved !== undefined) return moved
  }
  const rest = candidates.filter((each) => !likely.includes(each))
  const variables = rest.filter(({ kind }) => kind === 'variable').slice(0, 40)
  let named: Candidate | undefined
  if (variables.length > 1) {
    named = yield* oneOf(course, setup, variables)
    const moved = named === undefined ? undefined : yield* moves(course, setup, named, mainPort)
    if (moved !== undefined) return moved
  }
  const singles = rest.filter(
    (each) => each !== named && (each.kind === 'flag' || variables.length <= 1 || named !== undefined),
  )
  for (const candidate of singles.slice(0, maxSingles)) {
    const moved = yield* moves(course, setup, candidate, mainPort)
    if (moved !== undefined) return moved
  }
  return undefined
}

/** Which of many variables has a say in where it listens. */
function* oneOf(course: Course, setup: Setup, variables: readonly Candidate[]): Tries<Candidate | undefined> {
  const ports = variables.map((_, at) => trialPort(100 + at))
  const told = variables.map((candidate, at) => tell(toListen(candidate), ports[at] ?? 0).env)
  const env = Object.assign({}, ...told) as Record<string, string>
  const { seen } = yield* course.try(
    { ...setup, env: { ...setup.env, ...env } },
    { kind: 'none' },
    'does one of the variables its source names move it?',
  )
  const [hit] = rankPorts(seen.ports.filter(({ address }) => ports.includes(address.port)))
  return hit === undefined ? undefined : variables[ports.indexOf(hit.port)]
}

/** Told another port by this one alone, it must listen there and no longer where it did. */
function* moves(course: Course, setup: Setup, candidate: Candidate, mainPort: number): Tries<Served | undefined> {
  for (const listen of spellings(candidate)) {
    const told = yield* course.try(setup, listen, `does ${candidate.name} move it?`)
    const numbers = told.seen.ports.map(({ address }) => address.port)
    if (numbers.includes(told.port) && !numbers.includes(mainPort)) {
      course.say(`${candidate.name} moves it (${candidate.from})`)
      return told
    }
  }
  return undefined
}

export function toListen({ kind, name, value }: Candidate): FoundListen {
  if (kind === 'flag') return { kind: 'arg', template: `${name}=${value}` }
  return { kind: 'env', name, ...(value === defaultListenTemplate(name) ? {} : { template: value }) }
}

/** As its kind of flag package may want it: an equals sign, or two words; an address, or a port alone. */
function spellings(candidate: Candidate): FoundListen[] {
  const { kind, name, value } = candidate
  const values = [...new Set([value, value === '{{port}}' ? '{{host}}:{{port}}' : ':{{port}}'])]
  if (kind === 'variable') return values.map((each) => toListen({ ...candidate, value: each }))
  const first = values.map((each) => toListen({ ...candidate, value: each }))
  return name.length === 2 ? [{ kind: 'arg', template: `${name} ${value}` }, ...first] : first
}
