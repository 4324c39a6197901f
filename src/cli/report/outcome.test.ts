import { expect, test } from 'vitest'
import { palette } from './colour.ts'
import { curlLine, outcomeText } from './outcome.ts'

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

test('the next command has the options of this one', () => {
  const begun = {
    kind: 'rollout-begun',
    scope: 'shop/production/web',
    rollout: 1,
    verb: 'up',
    stages: 5,
    who: 'ada',
  } as const
  const style = { out: palette(false), sameOptions: ' --env production' }
  const last = (from: number | null, to: number | null, outcome: 'done' | 'reverted') =>
    outcomeText({ kind: 'result', outcome }, { ...style, rollouts: [{ ...begun, from, to }] }).out.trimEnd()
  expect(last(1, 2, 'done')).toBe('done; back: fairway rollback web --to 1 --env production')
  expect(last(1, null, 'done')).toBe('done; back: fairway up --env production')
  expect(last(1, 2, 'reverted')).toMatch(/fairway rollout show --env production$/)
})

test('a host that is yet to get its name is reached here all the same', () => {
  expect(curlLine('http://shop.example.com:8480/')).toBe("curl -H 'Host: shop.example.com' http://127.0.0.1:8480/")
  expect(curlLine('http://shop.example.com/', { isElsewhere: true })).toBe('curl http://shop.example.com/')
})

test('what speaks gRPC is not asked by curl, what is passed on as it is by nothing of ours', () => {
  const said = (more: { url: string; protocol?: 'grpc' }) =>
    outcomeText(
      { kind: 'result', outcome: 'done', services: [{ service: 'shop', outcome: 'done', release: 1, ...more }] },
      { rollouts: [], out: palette(false) },
    ).out.split('\n')
  expect(said({ url: 'http://shop.localhost:8480/', protocol: 'grpc' })[1]).toBe(
    '  grpcurl -plaintext -authority shop.localhost 127.0.0.1:8480 list',
  )
  expect(said({ url: 'tcp://127.0.0.1:31000' }).slice(0, 2)).toEqual([
    '✓ shop  done  release 1 serves  tcp://127.0.0.1:31000',
    'done',
  ])
})
