import { findUsage } from '../health/index.ts'
import { findWants } from './clues.ts'
import type { Course, Served } from './course.ts'
import { findCandidates, toListen } from './find-listen.ts'
import type { Findings, Missing } from './findings.ts'
import { judgePort } from './judge-ports.ts'
import type { Observation } from './observation.ts'
import { likeliestPlace } from './project-files.ts'
import { isEphemeral, type Setup } from './setup.ts'

export function conclude(course: Course, { setup, listen, port, seen }: Served): Findings {
  const main = seen.ports.find(({ address }) => address.port === port) ?? seen.ports[0]
  const judged = main === undefined ? undefined : judgePort(main)
  const others = seen.ports.filter((each) => each !== main)
  const { said } = course.known
  for (const each of setup.because) course.say(each)
  if (judged !== undefined) course.say(listen.kind === 'port' ? judged.why : judged.why.replace(/^\d+/, 'there it'))
  for (const other of others) course.say(`beside it: ${judgePort(other).why}`)
  if (judged?.probe.kind === 'http')
    course.say(`${judged.probe.path} answers 2xx, and a random path does not answer so`)
  else if (judged?.protocol === 'http')
    course.say('no path answers otherwise than a random one: a connection is its probe')
  const host = main?.address.host ?? ''
  const loopbackOnly = (host.startsWith('127.') || host === '::1') && listen.kind === 'port'
  if (loopbackOnly) course.say('it listens on the loopback address alone')
  return {
    verdict: setup.missing.length > 0 ? 'needs' : 'serves',
    listen: said.listen ?? listen,
    ports: others
      .map(({ address }) => address.port)
      .filter((each) => !isEphemeral(each))
      .toSorted((a, b) => a - b),
    ...startOf(setup),
    protocol: said.protocol ?? judged?.protocol ?? 'http',
    probe: judged?.probe ?? { kind: 'tcp' },
    missing: setup.missing,
    wants: findWants(seen.lines),
    loopbackOnly,
    evidence: course.evidence,
    tries: course.tries,
  }
}

function startOf({ args, place }: Setup): Pick<Findings, 'args' | 'workdir' | 'data' | 'files'> {
  if (place.kind === 'data') return { args, data: true, files: [] }
  const files = place.kind === 'artifact' ? place.files : []
  return { args, ...(place.workdir === '.' ? {} : { workdir: place.workdir }), data: false, files }
}

/** It never listened. What it lacks is said; what only the sandbox lacks leaves the matter to the real start. */
export function failed(course: Course): Findings {
  const { setup, seen } = course.failure ?? {
    setup: { args: [], env: {}, place: likeliestPlace(course.known), missing: [], because: [] },
    seen: { lines: [], livedMs: 0, ports: [], read: [] },
  }
  const wants = findWants(seen.lines)
  for (const each of setup.because) course.say(each)
  for (const want of wants) course.say(`it wants ${want}, which the sandbox has not`)
  const missing: Missing[] = [...setup.missing]
  if (missing.length === 0 && wants.length === 0) missing.push(whatIsWrong(seen))
  const [guess] = findCandidates(course, seen.lines, 0)
  const listen =
    course.known.said.listen ?? (guess === undefined || guess.kind === 'flag' ? undefined : toListen(guess))
  if (listen !== undefined && guess !== undefined) course.say(`${guess.name} is a guess (${guess.from})`)
  return {
    verdict: missing.length > 0 ? 'needs' : 'unsure',
    ...(listen === undefined ? {} : { listen }),
    ports: [],
    ...startOf(setup),
    protocol: course.known.said.protocol ?? 'http',
    probe: { kind: 'tcp' },
    missing,
    wants,
    loopbackOnly: false,
    evidence: course.evidence,
    tries: course.tries,
  }
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
