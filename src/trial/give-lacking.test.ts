import fc from 'fast-check'
import { expect, test } from 'vitest'
import { giveLacking, variableOf } from './give-lacking.ts'
import type { Known } from './known.ts'
import type { Setup } from './setup.ts'

const known: Known = {
  service: 'shop',
  said: {},
  keys: [],
  hidden: [],
  folders: ['.'],
  files: [],
  source: { listenVariables: [], flags: [], variables: [], reads: [], paths: [] },
}
const bare: Setup = {
  args: [],
  env: {},
  given: {},
  place: { kind: 'artifact', workdir: '.', files: [] },
  missing: [],
  because: [],
}

test.for<[string, string | undefined]>([
  ['   --token value   the token [$SHOP_TOKEN]', 'SHOP_TOKEN'],
  ['   --token value   the token [$SHOP_TOKEN, $TOKEN]', 'SHOP_TOKEN'],
  ['  --token=STRING    The token ($SHOP_TOKEN).', 'SHOP_TOKEN'],
  ['  --token TOKEN    the token [env: SHOP_TOKEN]', 'SHOP_TOKEN'],
  ['  -token string  token (env: SHOP_TOKEN)', 'SHOP_TOKEN'],
  ['  -token string  token, or environment variable SHOP_TOKEN', 'SHOP_TOKEN'],
  ['  -token string  token (env SHOP_TOKEN)', 'SHOP_TOKEN'],
  ['  -token string  of the environment', undefined],
])('the variable that tells a flag: %s', ([about, expected]) => {
  expect(variableOf(about)).toBe(expected)
})

test.for<[string, readonly string[], string, Partial<Setup>]>([
  [
    'an address and a folder',
    ['-bind', '-data-dir'],
    '  -bind string\n  -data-dir string',
    { listen: { kind: 'arg', template: '-bind={{host}}:{{port}}' }, args: ['-data-dir={{data}}'], missing: [] },
  ],
  [
    'a port and the host beside it',
    ['--addr', '--port'],
    '  --addr string\n  --port int',
    { listen: { kind: 'arg', template: '--port={{port}}' }, args: ['--addr=127.0.0.1'] },
  ],
  [
    'the one that serves pages, not the side door',
    ['-grpc-listen', '-http-listen'],
    '',
    { listen: { kind: 'arg', template: '-http-listen={{host}}:{{port}}' }, args: ['-grpc-listen=127.0.0.1:9090'] },
  ],
  ['a variable', ['HTTP_ADDR'], '', { listen: { kind: 'env', name: 'HTTP_ADDR' }, missing: [] }],
])('what is lacking is given in one setup: %s', ([, names, help, expected]) => {
  expect(giveLacking(bare, names, help.split('\n'), known)[0]).toMatchObject(expected)
})

test('what fairway.yaml says of arguments is for its writer to change: what is lacking is said to be', () => {
  const said = { args: ['-name=x'], listen: { kind: 'env', name: 'PORT' } } as const
  const [first] = giveLacking({ ...bare, args: said.args }, ['-bind', '-data-dir'], [], { ...known, said })
  expect(first?.missing).toMatchObject([{ flag: '-bind' }, { flag: '-data-dir' }])
  expect(first?.args).toEqual(['-name=x', '-data-dir={{data}}'])
})

test('a value that a variable tells is never among the arguments of the way that is tried first', () => {
  const names = fc.uniqueArray(fc.constantFrom('token', 'password', 'region', 'tenant'), { minLength: 1 })
  fc.assert(
    fc.property(names, (flags) => {
      const help = flags.map((name) => `  --${name} value  what it is [$SHOP_${name.toUpperCase()}]`)
      const [first] = giveLacking(
        bare,
        flags.map((name) => `--${name}`),
        help,
        known,
      )
      expect(first?.args).toEqual([])
      expect(first?.missing.map((each) => each.kind === 'value' && each.name)).toEqual(
        flags.map((name) => `SHOP_${name.toUpperCase()}`),
      )
    }),
  )
})
