import { dataWorkdir } from '../config/index.ts'
import { conclude, failed } from './conclude.ts'
import { findWants } from './clues.ts'
import { Course, maxTries, OutOfTries, type Tries } from './course.ts'
import { findListen, serveTold } from './find-listen.ts'
import { findPlain } from './find-plain.ts'
import type { Findings } from './findings.ts'
import { judgePort } from './judge-ports.ts'
import type { Known } from './known.ts'
import type { Place } from './observation.ts'
import { likeliestPlace } from './project-files.ts'
import { narrow, serve } from './serve.ts'
import { isEphemeral } from './ephemeral-ports.ts'
import type { Setup } from './setup.ts'

const asBefore = 'it listens as the one before'

/**
 * How a program wants to be started, found out by tries. Pure: it asks for a try, is told what was seen, and asks for the next;
 * the same answers always lead to the same findings. It ends after some two dozen tries at most.
 */
export function* decide(known: Known): Tries<Findings> {
  const course = new Course(known)
  try {
    const { former } = known
    if (former?.verdict === 'serves' && (yield* isAsBefore(course, former))) {
      const evidence = [
        ...former.evidence.filter((each) => !each.startsWith(asBefore)),
        `${asBefore}: one try showed it`,
      ]
      return { ...former, evidence, tries: course.tries }
    }
    const served = yield* serve(course)
    if (served === undefined) {
      // Its help still says where it would listen.
      const { failure } = course
      if (
        failure !== undefined &&
        course.helpOf(failure.setup) === undefined &&
        findWants(failure.seen.lines).length > 0
      )
        yield* course.askHelp(failure.setup)
      const told = yield* serveTold(course)
      return told === undefined ? failed(course, { isSearched: true }) : conclude(course, yield* narrow(course, told))
    }
    return conclude(course, yield* narrow(course, yield* findListen(course, yield* findPlain(course, served))))
  } catch (error) {
    if (!(error instanceof OutOfTries)) throw error
    course.say(`after ${maxTries} tries it was given up`)
    return failed(course, { isSearched: false })
  }
}

/** A changed binary of the same service: does it still listen the same way? */
function* isAsBefore(course: Course, former: Findings): Tries<boolean> {
  const { listen, args, values, workdir = '.', files } = former
  if (listen === undefined) return false
  const now = likeliestPlace(course.known)
  if (workdir !== dataWorkdir && now.kind === 'artifact' && now.files.some((file) => !files.includes(file)))
    return false // it names more files
  const place: Place = workdir === dataWorkdir ? { kind: 'data' } : { kind: 'artifact', workdir, files }
  const setup: Setup = { args, env: {}, given: values, place, missing: [], because: [] }
  const { port, seen } = yield* course.try(setup, listen, 'does it listen as it did before?')
  const answer = seen.ports.find(({ address }) => address.port === port)
  if (answer === undefined) return false
  const { protocol, probe } = judgePort(answer)
  const others = seen.ports.map(({ address }) => address.port).filter((each) => each !== port && !isEphemeral(each))
  return (
    protocol === former.protocol &&
    JSON.stringify(probe) === JSON.stringify(former.probe) &&
    others.toSorted((a, b) => a - b).join() === former.ports.join()
  )
}
