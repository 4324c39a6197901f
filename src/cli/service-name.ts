import { FairwayError } from '../base/error.ts'
import { namePattern, nameRule } from '../config/scope.ts'

/** @throws FairwayError USAGE with the rule */
export function checkServiceName(word: string): void {
  if (namePattern.test(word)) return
  throw new FairwayError('USAGE', `Expected a service’s name, found ${JSON.stringify(word)}`, {
    hint: `${nameRule[0]?.toUpperCase()}${nameRule.slice(1)}. \`fairway status\` lists the services there are.`,
  })
}
