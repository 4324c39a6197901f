import { findWants } from './clues.ts'
import type { FoundListen } from './findings.ts'
import type { Known } from './known.ts'
import type { Observation, TryPlan } from './observation.ts'
import { plainPort, type Setup, tell, trialPort } from './setup.ts'

export type Tries<Result> = Generator<TryPlan, Result, Observation>

export const maxTries = 24

/** It was tried in this setup, told this port in this way. */
export interface Served {
  readonly setup: Setup
  readonly listen: FoundListen
  readonly port: number
  readonly seen: Observation
}

export class OutOfTries extends Error {}

/** The course of one trial: what was tried and learnt so far. */
export class Course {
  readonly known: Known
  readonly evidence: string[] = []
  readonly #tried = new Map<string, { port: number; seen: Observation }>()
  tries = 0
  /** The furthest it got without serving. */
  failure: { setup: Setup; seen: Observation } | undefined
  /** Its own words, when it first said that it lacks something. */
  words: string | undefined
  readonly #help = new Map<string, readonly string[]>()

  constructor(known: Known) {
    this.known = known
  }

  /** How it is told its port until that is known better. */
  get base(): FoundListen {
    return this.known.said.listen ?? plainPort
  }

  say(sentence: string): void {
    if (!this.evidence.includes(sentence)) this.evidence.push(sentence)
  }

  *try(setup: Setup, listen: FoundListen, question: string, until: TryPlan['until'] = 'serve'): Tries<Served> {
    // A former way that failed is not tried again as the first of all ways.
    const key = JSON.stringify([setup.args, setup.env, setup.given, setup.place, listen, until])
    const known = this.#tried.get(key)
    if (known !== undefined) return { setup, listen, ...known }
    if (this.tries >= maxTries) throw new OutOfTries()
    const port = listen.kind === 'port' ? listen.port : trialPort(this.tries)
    this.tries += 1
    const { args, env } = tell(listen, port)
    const seen = yield {
      question,
      args: [...setup.args, ...args],
      env: { ...setup.env, ...setup.given, ...env },
      place: setup.place,
      told: [port],
      until,
    }
    this.#tried.set(key, { port, seen })
    return { setup, listen, port, seen }
  }

  /** What the help of its command says; undefined: it was not asked. */
  helpOf({ args }: Pick<Setup, 'args'>): readonly string[] | undefined {
    return this.#help.get(commandOf(args))
  }

  *askHelp(setup: Setup): Tries<readonly string[]> {
    let help: readonly string[] = []
    for (const flag of ['--help', '-h']) {
      const { seen } = yield* this.try(
        { ...setup, args: [...setup.args, flag] },
        { kind: 'none' },
        `what does ${flag} say?`,
        'help',
      )
      help = seen.lines
      if (seen.exit !== undefined && seen.lines.some((line) => /^\s*-/.test(line))) break
    }
    this.#help.set(commandOf(setup.args), help)
    return help
  }

  /** What it lacked by name says more than a bare end. */
  keepFurthest(setup: Setup, seen: Observation): void {
    const weight = (it: { setup: Setup; seen: Observation }) =>
      it.setup.missing.length * 10 +
      (setup.listen === undefined ? 0 : 10) +
      (findWants(it.seen.lines).length > 0 ? 5 : 0) +
      (it.seen.exit === undefined ? 2 : 0) +
      it.setup.because.length
    const one = { setup, seen }
    if (this.failure === undefined || weight(one) > weight(this.failure)) this.failure = one
  }
}

/** 'serve': flags change no help. */
function commandOf(args: readonly string[]): string {
  return args.filter((word) => !word.startsWith('-')).join(' ')
}
