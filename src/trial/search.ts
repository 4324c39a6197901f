import { amend } from './amend.ts'
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
import type { Findings, FoundListen, Missing } from './findings.ts'
import { judgePort, rankPorts } from './judge-ports.ts'
import type { Known } from './known.ts'
import type { Observation, Place, TryPlan } from './observation.ts'
import { isThere, likeliestPlace, patternsFor, tidyFiles } from './project-files.ts'
import { defaultTemplate, isEphemeral, plainPort, type Setup, tell, trialPort } from './setup.ts'
import { findMissingFile, findUsage } from '../health/index.ts'

type Tries<Result> = Generator<TryPlan, Result, Observation>

const maxTries = 24
/** Candidates that are tried one by one. */
const maxSingles = 6

/** It served, in this setup, told its port like this. */
interface Served {
  readonly setup: Setup
  readonly listen: FoundListen
  readonly port: number
  readonly seen: Observation
}

class OutOfTries extends Error {}

/** The course of one trial: what was tried so far, and why. */
export class Search {
  readonly #known: Known
  readonly #evidence: string[] = []
  #tries = 0
  /** The furthest it got without serving. */
  #failure: { setup: Setup; seen: Observation } | undefined
  #help: readonly string[] | undefined

  constructor(known: Known) {
    this.#known = known
  }

  *run(): Tries<Findings> {
    try {
      const { former } = this.#known
      if (former?.verdict === 'serves' && (yield* this.#isAsBefore(former))) {
        return {
          ...former,
          evidence: [...former.evidence.filter((each) => !each.startsWith(asBefore)), `${asBefore}: one try showed it`],
          tries: this.#tries,
        }
      }
      const served = yield* this.#serve()
      if (served === undefined) return this.#failed()
      const told = yield* this.#findListen(served)
      return this.#conclude(yield* this.#narrow(told))
    } catch (error) {
      if (!(error instanceof OutOfTries)) throw error
      this.#say(`after ${maxTries} tries it was given up`)
      return this.#failed()
    }
  }

  #say(sentence: string): void {
    if (!this.#evidence.includes(sentence)) this.#evidence.push(sentence)
  }

  *#try(setup: Setup, listen: FoundListen, question: string, until: TryPlan['until'] = 'serve'): Tries<Served> {
    if (this.#tries >= maxTries) throw new OutOfTries()
    const port = trialPort(this.#tries)
    this.#tries += 1
    const { args, env } = tell(listen, port)
    const seen = yield {
      question,
      args: [...setup.args, ...args],
      env: { ...setup.env, ...env },
      place: setup.place,
      told: [port],
      until,
    }
    return { setup, listen, port, seen }
  }

  /** A changed binary of the same service: does it still listen the same way? */
  *#isAsBefore(former: Findings): Tries<boolean> {
    const { listen, args, data, workdir = '.', files } = former
    if (listen === undefined) return false
    const place: Place = data ? { kind: 'data' } : { kind: 'artifact', workdir, files }
    const setup: Setup = { args, env: {}, place, missing: [], because: [] }
    const { port, seen } = yield* this.#try(setup, listen, 'does it listen as it did before?')
    const main = listen.kind === 'port' ? listen.port : port
    const answer = seen.ports.find(({ address }) => address.port === main)
    if (answer === undefined) return false
    const { protocol, probe } = judgePort(answer)
    const others = seen.ports.map(({ address }) => address.port).filter((each) => each !== main && !isEphemeral(each))
    return (
      protocol === former.protocol &&
      JSON.stringify(probe) === JSON.stringify(former.probe) &&
      others.toSorted((a, b) => a - b).join() === former.ports.join()
    )
  }

  /** How it is told its port until that is known better. */
  get #base(): FoundListen {
    return this.#known.said.listen ?? plainPort
  }

  /** Until it listens on something. */
  *#serve(): Tries<Served | undefined> {
    const { said } = this.#known
    const first: Setup = {
      args: said.args ?? [],
      env: {},
      place: likeliestPlace(this.#known),
      missing: [],
      because: [],
    }
    const open = [first]
    const known = new Set([JSON.stringify({ ...first, because: [] })])
    for (let setup = open.shift(); setup !== undefined; setup = open.shift()) {
      const tried = yield* this.#try(setup, this.#base, describeSetup(setup))
      const { seen } = tried
      if (seen.ports.length > 0) return yield* this.#withItsFiles(tried)
      this.#keepFurthest(setup, seen)
      const next = amend(setup, seen, this.#known, this.#help)
      if (next === 'help') {
        yield* this.#askHelp(setup)
        const better = amend(setup, seen, this.#known, this.#help ?? [])
        open.unshift(...fresh(better === 'help' ? [] : better, known))
      } else open.unshift(...fresh(next, known))
    }
    return undefined
  }

  /** What it lacked by name says more than a bare end. */
  #keepFurthest(setup: Setup, seen: Observation): void {
    const weight = (it: { setup: Setup; seen: Observation }) =>
      it.setup.missing.length * 10 +
      (findWants(it.seen.lines).length > 0 ? 5 : 0) +
      (it.seen.exit === undefined ? 2 : 0)
    const one = { setup, seen }
    if (this.#failure === undefined || weight(one) > weight(this.#failure)) this.#failure = one
  }

  *#askHelp(setup: Setup): Tries<void> {
    for (const flag of ['--help', '-h']) {
      const { seen } = yield* this.#try(
        { ...setup, args: [...setup.args, flag] },
        { kind: 'none' },
        `what does ${flag} say?`,
        'help',
      )
      this.#help = seen.lines
      if (seen.exit !== undefined && seen.lines.some((line) => /^\s*-/.test(line))) return
    }
  }

  /** It serves; would it serve better among its files? */
  *#withItsFiles(tried: Served): Tries<Served> {
    const { setup, seen } = tried
    const { said, folders, files } = this.#known
    if (setup.place.kind !== 'artifact' || said.workdir !== undefined || said.files !== undefined) return tried
    const missed = findMissingFile(seen.lines)
    const isBroken = seen.ports.some(({ http }) => (http?.paths['/']?.status ?? 0) >= 500)
    const named = missed === undefined ? [] : folders.filter((folder) => isThere(files, folder, missed))
    const places = named.length > 0 ? named : isBroken && files.length > 0 ? folders : []
    for (const workdir of places) {
      const because =
        missed === undefined ? 'GET / answered with an error without its files' : `it did not find ${missed}`
      const again = yield* this.#try(
        {
          ...setup,
          place: { kind: 'copy', workdir },
          because: [...setup.because, `${because}, which lies in ${shown(workdir)}`],
        },
        this.#base,
        `does it find its files in ${shown(workdir)}?`,
      )
      const stillMissed = findMissingFile(again.seen.lines)
      const stillBroken = again.seen.ports.some(({ http }) => (http?.paths['/']?.status ?? 0) >= 500)
      if (again.seen.ports.length > 0 && stillMissed !== missed && (!isBroken || !stillBroken)) return again
      if (again.seen.ports.length > 0 && isBroken && !stillBroken) return again
    }
    return tried
  }

  /** Of a copy of the whole project: what of it is needed? */
  *#narrow(served: Served): Tries<Served> {
    const { setup, seen, listen } = served
    if (setup.place.kind !== 'copy') return served
    const { files, source } = this.#known
    const { workdir } = setup.place
    const named = source.paths.flatMap(({ path }) => (isThere(files, workdir, path) ? [path] : []))
    const namedWhole = named.map((path) => (workdir === '.' ? path : `${workdir}/${path}`))
    const read = patternsFor(seen.read, files)
    const all = files.filter((file) => workdir === '.' || file.startsWith(`${workdir}/`))
    for (const wanted of [tidyFiles([...read, ...namedWhole]), workdir === '.' ? topOf(all) : [workdir]]) {
      if (wanted.length === 0) continue
      const again = yield* this.#try(
        { ...setup, place: { kind: 'artifact', workdir, files: wanted } },
        listen,
        `are ${wanted.join(', ')} enough?`,
      )
      if (again.seen.ports.length === seen.ports.length && rootStatus(again.seen) === rootStatus(seen)) {
        this.#say(`it read ${wanted.join(', ')}`)
        return again
      }
    }
    return served
  }

  *#findListen(served: Served): Tries<Served> {
    const { said } = this.#known
    const { seen, port, setup, listen } = served
    const numbers = seen.ports.map(({ address }) => address.port)
    if (numbers.includes(port)) {
      this.#say(said.listen === undefined ? 'it listens on the port in PORT' : 'it listens where it was told')
      return served
    }
    const [main] = rankPorts(seen.ports)
    if (main === undefined) return served
    if (said.listen !== undefined) {
      this.#say(`it listens on ${numbers.join(' and ')}, not where fairway.yaml tells it to`)
      return served
    }
    this.#say(`it listens on ${numbers.join(' and ')} whatever PORT says`)
    if (this.#help === undefined) yield* this.#askHelp(setup)
    const candidates = this.#candidates(seen.lines, main.port)
    const moved = yield* this.#firstThatMoves(setup, candidates, main.port)
    if (moved !== undefined) return moved
    if (candidates.length > 0)
      this.#say(
        `${candidates
          .slice(0, 4)
          .map(({ name }) => name)
          .join(', ')} did not move it`,
      )
    if (isEphemeral(main.port)) return served
    return {
      ...served,
      setup,
      listen: { kind: 'port', port: main.port },
      port: main.port,
      ...(listen.kind === 'env' ? {} : {}),
    }
  }

  #candidates(lines: readonly string[], mainPort: number): Candidate[] {
    const { source } = this.#known
    const help = this.#help ?? []
    return rankCandidates(
      [
        ...findFlags(help),
        ...findFlags(lines),
        ...findVariables(help, 'its help'),
        ...findVariables(lines, 'it says'),
        ...source.listenVariables.filter(isListenName).map((name) => variableCandidate(name, 'its source')),
        ...source.flags
          .filter(({ name }) => isListenName(name))
          .map(({ name, fallback }) => flagCandidate(name, fallback, 'its source')),
      ],
      mainPort,
    )
  }

  /** The likeliest alone; then all variables at once, each with a port of its own; then the rest one by one. */
  *#firstThatMoves(setup: Setup, candidates: readonly Candidate[], mainPort: number): Tries<Served | undefined> {
    const likely = candidates.filter((each, at) => each.fallbackPort === mainPort || at === 0).slice(0, 3)
    for (const candidate of likely) {
      const moved = yield* this.#moves(setup, candidate, mainPort)
      if (moved !== undefined) return moved
    }
    const rest = candidates.filter((each) => !likely.includes(each))
    const variables = rest.filter(({ kind }) => kind === 'variable').slice(0, 40)
    let named: Candidate | undefined
    if (variables.length > 1) {
      named = yield* this.#oneOf(setup, variables)
      const moved = named === undefined ? undefined : yield* this.#moves(setup, named, mainPort)
      if (moved !== undefined) return moved
    }
    const singles = rest.filter(
      (each) => each !== named && (each.kind === 'flag' || variables.length <= 1 || named !== undefined),
    )
    for (const candidate of singles.slice(0, maxSingles)) {
      const moved = yield* this.#moves(setup, candidate, mainPort)
      if (moved !== undefined) return moved
    }
    return undefined
  }

  /** Which of many variables has a say in where it listens. */
  *#oneOf(setup: Setup, variables: readonly Candidate[]): Tries<Candidate | undefined> {
    const ports = variables.map((_, at) => trialPort(100 + at))
    const told = variables.map((candidate, at) => tell(toListen(candidate), ports[at] ?? 0).env)
    const env = Object.assign({}, ...told) as Record<string, string>
    const { seen } = yield* this.#try(
      { ...setup, env: { ...setup.env, ...env } },
      { kind: 'none' },
      'does one of the variables its source names move it?',
    )
    const [hit] = rankPorts(seen.ports.filter(({ address }) => ports.includes(address.port)))
    return hit === undefined ? undefined : variables[ports.indexOf(hit.port)]
  }

  /** Told another port by this one alone, it must listen there and no longer where it did. */
  *#moves(setup: Setup, candidate: Candidate, mainPort: number): Tries<Served | undefined> {
    for (const listen of spellings(candidate)) {
      const told = yield* this.#try(setup, listen, `does ${candidate.name} move it?`)
      const numbers = told.seen.ports.map(({ address }) => address.port)
      if (numbers.includes(told.port) && !numbers.includes(mainPort)) {
        this.#say(`${candidate.name} moves it (${candidate.from})`)
        return told
      }
    }
    return undefined
  }

  #conclude({ setup, listen, port, seen }: Served): Findings {
    const main = seen.ports.find(({ address }) => address.port === port) ?? seen.ports[0]
    const judged = main === undefined ? undefined : judgePort(main)
    const others = seen.ports.filter((each) => each !== main)
    const { said } = this.#known
    for (const each of setup.because) this.#say(each)
    if (judged !== undefined) this.#say(listen.kind === 'port' ? judged.why : judged.why.replace(/^\d+/, 'there it'))
    for (const other of others) this.#say(`beside it: ${judgePort(other).why}`)
    if (judged?.probe.kind === 'http')
      this.#say(`${judged.probe.path} answers 2xx, and a random path does not answer so`)
    else if (judged?.protocol === 'http')
      this.#say('no path answers otherwise than a random one: a connection is its probe')
    const host = main?.address.host ?? ''
    const loopbackOnly = (host.startsWith('127.') || host === '::1') && listen.kind === 'port'
    if (loopbackOnly) this.#say('it listens on the loopback address alone')
    return {
      verdict: setup.missing.length > 0 ? 'needs' : 'serves',
      listen: said.listen ?? listen,
      ports: others
        .map(({ address }) => address.port)
        .filter((each) => !isEphemeral(each))
        .toSorted((a, b) => a - b),
      ...this.#startOf(setup),
      protocol: said.protocol ?? judged?.protocol ?? 'http',
      probe: judged?.probe ?? { kind: 'tcp' },
      missing: setup.missing,
      wants: findWants(seen.lines),
      loopbackOnly,
      evidence: this.#evidence,
      tries: this.#tries,
    }
  }

  #startOf({ args, place }: Setup): Pick<Findings, 'args' | 'workdir' | 'data' | 'files'> {
    if (place.kind === 'data') return { args, data: true, files: [] }
    const files = place.kind === 'artifact' ? place.files : []
    return { args, ...(place.workdir === '.' ? {} : { workdir: place.workdir }), data: false, files }
  }

  /** It never listened. What it lacks is said; what only the sandbox lacks leaves the matter to the real start. */
  #failed(): Findings {
    const { setup, seen } = this.#failure ?? {
      setup: { args: [], env: {}, place: likeliestPlace(this.#known), missing: [], because: [] },
      seen: { lines: [], livedMs: 0, ports: [], read: [] },
    }
    const wants = findWants(seen.lines)
    for (const each of setup.because) this.#say(each)
    for (const want of wants) this.#say(`it wants ${want}, which the sandbox has not`)
    const missing: Missing[] = [...setup.missing]
    if (missing.length === 0 && wants.length === 0) missing.push(whatIsWrong(seen))
    const [guess] = this.#candidates(seen.lines, 0)
    const listen =
      this.#known.said.listen ?? (guess === undefined || guess.kind === 'flag' ? undefined : toListen(guess))
    if (listen !== undefined && guess !== undefined) this.#say(`${guess.name} is a guess (${guess.from})`)
    return {
      verdict: missing.length > 0 ? 'needs' : 'unsure',
      ...(listen === undefined ? {} : { listen }),
      ports: [],
      ...this.#startOf(setup),
      protocol: this.#known.said.protocol ?? 'http',
      probe: { kind: 'tcp' },
      missing,
      wants,
      loopbackOnly: false,
      evidence: this.#evidence,
      tries: this.#tries,
    }
  }
}

const asBefore = 'it listens as the one before'

function fresh(setups: readonly Setup[], known: Set<string>): Setup[] {
  return setups.filter((setup) => {
    const key = JSON.stringify({ ...setup, because: [] })
    if (known.has(key)) return false
    known.add(key)
    return true
  })
}

function whatIsWrong({ exit, lines, livedMs }: Observation): Missing {
  if (exit === undefined) return { kind: 'listener' }
  if (findUsage(lines)) return { kind: 'arguments', usage: usageLine(lines) }
  const last = lines
    .findLast((line) => line.trim() !== '')
    ?.trim()
    .slice(0, 200)
  const how =
    exit.kind === 'exit'
      ? `exited with status ${exit.code}`
      : exit.kind === 'signal'
        ? `was ended by ${exit.signal}`
        : 'could not be started'
  return { kind: 'other', what: `it ${how} after ${livedMs} ms${last === undefined ? ' without a word' : `: ${last}`}` }
}

/** 'Usage: shop [command]': where its heading stands alone, with what follows. */
function usageLine(lines: readonly string[]): string {
  const at = lines.findIndex((line) => /^\s*usage\b/i.test(line))
  const head = lines[at]?.trim() ?? 'its usage says which'
  const next = lines.slice(at + 1).find((line) => line.trim() !== '')
  return (/^usage:?$/i.test(head) && next !== undefined ? `${head} ${next.trim()}` : head).slice(0, 200)
}

function toListen({ kind, name, value }: Candidate): FoundListen {
  if (kind === 'flag') return { kind: 'arg', template: `${name}=${value}` }
  return { kind: 'env', name, ...(value === defaultTemplate(name) ? {} : { template: value }) }
}

/** As its kind of flag package may want it: an equals sign, or two words; an address, or a port alone. */
function spellings(candidate: Candidate): FoundListen[] {
  const { kind, name, value } = candidate
  const values = [...new Set([value, value === '{{port}}' ? '{{host}}:{{port}}' : ':{{port}}'])]
  if (kind === 'variable') return values.map((each) => toListen({ ...candidate, value: each }))
  const first = values.map((each) => toListen({ ...candidate, value: each }))
  return name.length === 2 ? [{ kind: 'arg', template: `${name} ${value}` }, ...first] : first
}

function rootStatus({ ports }: Observation): string {
  return ports.map(({ http }) => String(http?.paths['/']?.status)).join()
}

function topOf(files: readonly string[]): string[] {
  return [...new Set(files.map((file) => file.split('/')[0] ?? file))]
}

export function shown(folder: string): string {
  return folder === '.' ? 'the project’s folder' : folder
}

function describeSetup({ args, missing, place }: Setup): string {
  const words = args.length === 0 ? 'as it is' : `with ${args.join(' ')}`
  const lacked = missing.length === 0 ? '' : `, with placeholders for ${missing.length} of its values`
  const where =
    place.kind === 'copy'
      ? `, in ${shown(place.workdir)}`
      : place.kind === 'data'
        ? ', in a folder it may write to'
        : ''
  return `does it serve ${words}${lacked}${where}?`
}
