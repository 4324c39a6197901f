import { dataWorkdir, namesData } from '../config/index.ts'
import { findMissingFile, findPermission, findUsage } from '../health/index.ts'
import { findCommands, findPositional, findWants } from './clues.ts'
import type { Course, Served } from './course.ts'
import { findCandidates, toListen } from './find-listen.ts'
import { type Findings, type FoundListen, lackedFiles, type Missing } from './findings.ts'
import type { Known } from './known.ts'
import { judgePort } from './judge-ports.ts'
import { endsByItself } from './ends-by-itself.ts'
import type { Observation } from './observation.ts'
import { below, isThere, likeliestPlace, shownPath } from './project-files.ts'
import { isEphemeral } from './ephemeral-ports.ts'
import type { Setup } from './setup.ts'

/** Of what it printed; a panic's message may lie far back. */
const keptLines = 500

export function conclude(course: Course, { setup, listen, port, seen }: Served): Findings {
  const main = seen.ports.find(({ address }) => address.port === port) ?? seen.ports[0]
  const judged = main === undefined ? undefined : judgePort(main)
  const others = seen.ports.filter((each) => each !== main)
  const { said, source } = course.known
  for (const each of setup.because) course.say(each)
  const { place } = setup
  for (const { path, where } of place.kind === 'artifact' && said.files === undefined ? source.paths : [])
    if (place.kind === 'artifact' && place.files.includes(below(place.workdir, path)))
      course.say(`its source opens ${path} (${where})`)
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
    tls: main?.tls === true,
    loopbackOnly,
    evidence: course.evidence,
    tries: course.tries,
  }
}

function startOf({ args, given, place }: Setup): Pick<Findings, 'args' | 'values' | 'workdir' | 'data' | 'files'> {
  const start = { args, values: given, data: place.kind === 'data' || namesData(args) }
  if (place.kind === 'data') return { ...start, workdir: dataWorkdir, files: [] }
  const files = place.kind === 'artifact' ? place.files : []
  return { ...start, ...(place.workdir === '.' ? {} : { workdir: place.workdir }), files }
}

/**
 * It never listened. What it lacks by name is said; what only the sandbox lacks, or nobody can name, leaves the matter to the
 * real start, which has its evidence.
 * @param isSearched every way that is known was tried
 */
export function failed(course: Course, { isSearched }: { readonly isSearched: boolean }): Findings {
  const { known } = course
  const { setup: furthest, seen } = course.failure ?? {
    setup: { args: [], env: {}, given: {}, place: likeliestPlace(known), missing: [], because: [] },
    seen: { lines: [], livedMs: 0, ports: [], read: [] },
  }
  // Nothing was gained by another folder.
  const setup: Setup =
    furthest.place.kind === 'copy' ? { ...furthest, place: likeliestPlace(known), because: [] } : furthest
  const wants = findWants(seen.lines)
  for (const each of setup.because) course.say(each)
  for (const want of wants) course.say(`it wants ${want}, which the sandbox has not`)
  const isNamed = setup.missing.length > 0 || wants.length > 0
  const missing = isNamed ? setup.missing : whatIsMissing(seen, { known, setup })
  const doubt = wants.length > 0 ? `it wants ${wants.join(' and ')}, which the sandbox has not` : describeEnd(seen)
  const { evidence, tries } = course
  const { former } = known
  const { exit, livedMs } = seen
  const end =
    isSearched && missing.length === 0 && wants.length === 0 && exit !== undefined && endsByItself(seen, known)
      ? { exit, livedMs, lines: seen.lines.slice(-keptLines) }
      : undefined
  if (end === undefined && former?.verdict === 'serves' && setup.missing.length === 0) {
    course.say('the one before served, so it is started like that one')
    return { ...former, verdict: 'unsure', doubt, wants, evidence, tries }
  }
  const listen = known.said.listen ?? guessListen(course, { help: course.helpOf(setup) ?? [], lines: seen.lines })
  return {
    verdict: missing.length > 0 ? 'needs' : end === undefined ? 'unsure' : 'ends',
    ...(end === undefined ? {} : { end }),
    ...(listen === undefined ? {} : { listen }),
    ports: [],
    // A file is to come with the artifact: a folder to write to was no help.
    ...startOf(lackedFiles(missing).length > 0 ? { ...setup, place: likeliestPlace(known) } : setup),
    protocol: known.said.protocol ?? 'http',
    probe: { kind: 'tcp' },
    missing,
    doubt,
    wants,
    tls: false,
    loopbackOnly: false,
    evidence,
    tries,
  }
}

/** What its help or its source names first; it was never seen to move it. */
function guessListen(course: Course, texts: Parameters<typeof findCandidates>[1]): FoundListen | undefined {
  const [guess] = findCandidates(course, texts, 0).filter(
    ({ kind, from }) => kind === 'variable' || from.startsWith('its help'),
  )
  if (guess === undefined) return undefined
  course.say(`${guess.name} is a guess (${guess.from})`)
  return toListen(guess)
}

function whatIsMissing(
  { exit, lines }: Observation,
  { known: { files, said }, setup: { args } }: { readonly known: Known; readonly setup: Setup },
): Missing[] {
  if (exit === undefined) return [{ kind: 'listener' }]
  const refused = findPermission(lines)
  // Another user may be allowed what the one of the trial is not.
  if (refused?.kind === 'file' && said.user === undefined && !/^\/(?:etc|proc|sys|dev|run)\//.test(refused.what))
    return [{ kind: 'write', path: shownPath(refused.what) }]
  const path = findMissingFile(lines)
  if (path !== undefined) return [{ kind: isThere(files, '.', path) ? 'place' : 'file', path }]
  return findUsage(lines) ? [describeUsage(lines, args)] : []
}

function describeEnd({ exit, lines, livedMs }: Observation): string {
  const last = lines
    .findLast((line) => line.trim() !== '')
    ?.trim()
    .slice(0, 200)
  return `it ${howItEnded(exit)} after ${livedMs} ms${last === undefined ? ' without a word' : `: ${last}`}`
}

function howItEnded(exit: Observation['exit']): string {
  switch (exit?.kind) {
    case 'exit':
      return `exited with status ${exit.code}`
    case 'signal':
      return `was ended by ${exit.signal}`
    case 'out-of-memory':
      return 'had taken more memory than it may'
    case 'unknown':
      return 'could not be started'
    default:
      return 'listened on nothing'
  }
}

/** What its usage asks for, and, where that is a file, the arguments with one. */
function describeUsage(lines: readonly string[], args: readonly string[]): Missing {
  const commands = findCommands(lines)
  const file = 'config.yml'
  return {
    kind: 'arguments',
    usage: usageLine(lines),
    ...(commands.length === 0 ? {} : { commands }),
    ...(commands.length === 0 && findPositional(lines) === 'file'
      ? { suggested: { args: [...args.filter((word) => !word.includes('/')), file], file } }
      : {}),
  }
}

/** 'Usage: shop [command]': where its heading stands alone, with what follows. */
function usageLine(lines: readonly string[]): string {
  const at = lines.findIndex((line) => /^\s*usage\b/i.test(line))
  const head = lines[at]?.trim() ?? 'its usage says which'
  const next = lines.slice(at + 1).find((line) => line.trim() !== '')
  return (/^usage:?$/i.test(head) && next !== undefined ? `${head} ${next.trim()}` : head).slice(0, 200)
}
