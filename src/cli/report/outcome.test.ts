import { expect, test } from 'vitest'
import { palette } from './colour.ts'
import { outcomeText } from './outcome.ts'

const web = { service: 'web', outcome: 'unchanged', release: 3 } as const
const api = { service: 'api', outcome: 'unchanged', release: null } as const

test.for<[string, readonly (typeof web | typeof api)[], string]>([
  ['of what serves', [web], 'unchanged: it serves already'],
  ['of what is down', [api], 'unchanged: it is down already'],
  ['of both', [web, api], 'unchanged: it stands as it was asked for'],
  ['of nothing', [], 'unchanged: it stands as it was asked for'],
])('that nothing was to be done is said %s', ([, services, said]) => {
  const { out } = outcomeText({ kind: 'result', outcome: 'unchanged', services }, { rollouts: [], out: palette(false) })
  expect(out.trimEnd().split('\n').at(-1)).toBe(said)
})
