import fc from 'fast-check'
import { expect, test } from 'vitest'
import { findPlaceSettings } from './find-place.ts'
import { plainWords } from './find-plain.ts'
import { findClues } from './sources.ts'

const nothing = { listenVariables: [], flags: [], variables: [], reads: [], paths: [] }

test.for<[string, string, string, string[]]>([
  [
    'Go’s own flags, an absolute folder',
    '/storage/',
    '  -filesystem-root string\n    \tfilesystem root (default "/storage")\n  -host string\n    \t(default "0.0.0.0")',
    ['-filesystem-root={{data}}'],
  ],
  [
    'cobra, a folder beside the binary',
    '/tmp/fairway-trial-x/bin/pb_data',
    '      --dir string             the data directory (default "pb_data")\n      --publicDir string       (default "pb_public")',
    ['--dir={{data}}'],
  ],
  [
    'kingpin, relative',
    'data',
    '      --storage.path="data/"     Base path for data storage.',
    ['--storage.path={{data}}'],
  ],
  ['a file', '/var/lib/shop', '  --db string   (default "/var/lib/shop/shop.db")', ['--db={{data}}/shop.db']],
  ['below the default', '/srv/shop/a/b', '  --root string   (default "/srv/shop")', ['--root={{data}}']],
  [
    'no default, but its name',
    '/srv/shop',
    '  --data-dir string   where things are\n  --name string',
    ['--data-dir={{data}}'],
  ],
  [
    'urfave, a variable too',
    '/srv',
    '   --root value  (default: "/srv") [$SHOP_ROOT]',
    ['--root={{data}}', 'SHOP_ROOT={{data}}'],
  ],
  ['nothing', '/srv/shop', '  --port int   (default 80)', []],
])('where it can be told another place: %s', ([, path, help, expected]) => {
  const settings = findPlaceSettings(path, { help: help.split('\n'), source: nothing })
  expect(settings.map(({ name, value }) => `${name}=${value}`)).toEqual(expected)
})

test('defaults are read from the source as well', () => {
  const text = `
    root := flag.String("root", "/srv/flag", "")
    a := getEnv("SHOP_A", "/srv/a")
    type Config struct { B string \`env:"SHOP_B" envDefault:"/srv/b"\` }
    c := os.Getenv("SHOP_C")
    if c == "" {
      c = "/srv/c"
    }`
  const source = findClues([{ file: 'main.go', text }])
  const found = (path: string) => findPlaceSettings(path, { help: [], source }).map(({ name }) => name)
  expect(['/srv/flag', '/srv/a', '/srv/b', '/srv/c'].map(found)).toEqual([
    ['--root'],
    ['SHOP_A'],
    ['SHOP_B'],
    ['SHOP_C'],
  ])
})

test.for<[string, string[]]>([
  ["  -scheme string\n    \tusing 'http' or 'https' or 'both' (default \"https\")", ['-scheme=http']],
  ['  -tls\n    \tlisten with TLS (default true)', ['-tls=false']],
  ['      --no-tls   plain', ['--no-tls=true']],
  ['      --tls-cert-file string   (default "a.pem")\n      --tls   with TLS', []],
])('how it listens without TLS: %s', ([help, expected]) => {
  expect(plainWords(help.split('\n'))).toEqual(expected)
})

test('any text is read, and in a moment', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 300 }), { maxLength: 20 }), fc.string(), (help, path) => {
      for (const { value } of findPlaceSettings(path, { help, source: nothing })) expect(value).toContain('{{data}}')
      plainWords(help)
    }),
  )
  const begin = performance.now()
  const help = [
    `  --${'a.'.repeat(30_000)} default`,
    `  --dir ${'(default '.repeat(8_000)}`,
    `  --x=${'/'.repeat(60_000)}`,
  ]
  findPlaceSettings('/srv/'.repeat(1_000), { help, source: nothing })
  findClues([{ file: 'a.go', text: `os.Getenv("A")${'== "" = '.repeat(8_000)}` }])
  expect(performance.now() - begin).toBeLessThan(2_000)
})
