import type { Findings } from './findings.ts'
import type { Known } from './known.ts'
import type { Observation, TryPlan } from './observation.ts'
import { Search } from './search.ts'

/**
 * How a program wants to be started, found out by tries. Pure: it asks for a try, is told what was seen, and asks for the next;
 * the same answers always lead to the same findings. It ends after some two dozen tries at most.
 */
export function decide(known: Known): Generator<TryPlan, Findings, Observation> {
  return new Search(known).run()
}
