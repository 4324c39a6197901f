import { findComplaint, findMissingFile, findMissingValues } from '../health/index.ts'
import { amend } from './amend.ts'
import type { Course, Served, Tries } from './course.ts'
import { isThere, likeliestPlace, patternsFor, tidyFiles } from './project-files.ts'
import type { Observation } from './observation.ts'
import { type Setup, shown } from './setup.ts'

/** Until it listens on something. */
export function* serve(course: Course): Tries<Served | undefined> {
  const { said } = course.known
  const first: Setup = {
    args: said.args ?? [],
    env: {},
    given: {},
    place: likeliestPlace(course.known),
    missing: [],
    because: [],
  }
  const open = [first]
  const known = new Set([JSON.stringify({ ...first, because: [] })])
  for (let setup = open.shift(); setup !== undefined; setup = open.shift()) {
    const tried = yield* course.try(setup, setup.listen ?? course.base, describeSetup(setup))
    const { seen, port } = tried
    const isElsewhere = setup.listen !== undefined && seen.ports.every(({ address }) => address.port !== port)
    if (seen.ports.length > 0 && !isElsewhere) return yield* withItsFiles(course, tried)
    course.keepFurthest(setup, seen)
    const next = amend(setup, seen, course.known, course.helpOf(setup))
    if (seen.ports.length > 0) continue // what it was told is not where it listens
    if (findMissingValues(seen.lines, { keys: [] }).length > 0) course.words ??= findComplaint(seen.lines)
    if (next === 'help') {
      const better = amend(setup, seen, course.known, yield* course.askHelp(setup))
      open.unshift(...fresh(better === 'help' ? [] : better, known))
    } else open.unshift(...fresh(next, known))
  }
  return undefined
}

/** It serves; would it serve better among its files? */
function* withItsFiles(course: Course, tried: Served): Tries<Served> {
  const { setup, seen } = tried
  const { said, folders, files } = course.known
  if (setup.place.kind !== 'artifact' || said.workdir !== undefined || said.files !== undefined) return tried
  const missed = findMissingFile(seen.lines)
  const isBroken = seen.ports.some(({ http }) => (http?.paths['/']?.status ?? 0) >= 500)
  const named = missed === undefined ? [] : folders.filter((folder) => isThere(files, folder, missed))
  const places = named.length > 0 ? named : isBroken && files.length > 0 ? folders : []
  for (const workdir of places) {
    const because =
      missed === undefined ? 'GET / answered with an error without its files' : `it did not find ${missed}`
    const again = yield* course.try(
      {
        ...setup,
        place: { kind: 'copy', workdir },
        because: [...setup.because, `${because}, which lies in ${shown(workdir)}`],
      },
      tried.listen,
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
export function* narrow(course: Course, served: Served): Tries<Served> {
  const { setup, seen, listen } = served
  if (setup.place.kind !== 'copy') return served
  const { files, source } = course.known
  const { workdir } = setup.place
  const named = source.paths.flatMap(({ path }) => (isThere(files, workdir, path) ? [path] : []))
  const namedWhole = named.map((path) => (workdir === '.' ? path : `${workdir}/${path}`))
  const read = patternsFor(seen.read, files)
  const all = files.filter((file) => workdir === '.' || file.startsWith(`${workdir}/`))
  for (const wanted of [tidyFiles([...read, ...namedWhole]), workdir === '.' ? topOf(all) : [workdir]]) {
    if (wanted.length === 0) continue
    const again = yield* course.try(
      { ...setup, place: { kind: 'artifact', workdir, files: wanted } },
      listen,
      `are ${wanted.join(', ')} enough?`,
    )
    if (again.seen.ports.length === seen.ports.length && rootStatus(again.seen) === rootStatus(seen)) {
      course.say(`it read ${wanted.join(', ')}`)
      return again
    }
  }
  return served
}

function fresh(setups: readonly Setup[], known: Set<string>): Setup[] {
  return setups.filter((setup) => {
    const key = JSON.stringify({ ...setup, because: [] })
    if (known.has(key)) return false
    known.add(key)
    return true
  })
}

function rootStatus({ ports }: Observation): string {
  return ports.map(({ http }) => String(http?.paths['/']?.status)).join()
}

function topOf(files: readonly string[]): string[] {
  return [...new Set(files.map((file) => file.split('/')[0] ?? file))]
}

function describeSetup({ args, missing, place, given }: Setup): string {
  const words = args.length === 0 ? 'as it is' : `with ${args.join(' ')}`
  const lacked = missing.length === 0 ? '' : `, with placeholders for ${missing.length} of its values`
  const told = Object.entries(given).map(([name, value]) => `, with ${name}=${value}`)
  const where =
    place.kind === 'copy'
      ? `, in ${shown(place.workdir)}`
      : place.kind === 'data'
        ? ', in a folder it may write to'
        : ''
  return `does it serve ${words}${lacked}${told.join('')}${where}?`
}
