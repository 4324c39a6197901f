import { expect, test } from 'vitest'
import { findMachinePorts } from './machine-ports.ts'

test.for<[string, [number, boolean][]]>([
  ['postgres://shop:p%40ss@127.0.0.1:5433/shop?sslmode=disable', [[5433, true]]],
  ['postgres://localhost/shop', [[5432, true]]],
  ['redis://:secret@localhost', [[6379, true]]],
  ['http://127.0.0.1:30001', [[30_001, true]]],
  ['https://localhost/callback', [[443, true]]],
  ['shop:secret@tcp(127.0.0.1:3306)/shop', [[3306, true]]],
  ['host=localhost user=shop dbname=shop', [[5432, true]]],
  ["host='127.0.0.1' port=5434", [[5434, true]]],
  ['localhost:6379', [[6379, false]]],
  ['--grpc-addr=127.0.0.1:9090', [[9090, false]]],
  [
    'mongodb://localhost:27017,localhost:27018/shop',
    [
      [27_017, true],
      [27_018, false],
    ],
  ],
  ['http://10.1.2.3:8080 http://localhost.example.com:81 notlocalhost:82 localhost:70000', []],
  ['unix:///run/postgresql.sock', []],
  ['http://localhost-a:80', []],
])('%s', ([text, ports]) => {
  expect(findMachinePorts([text])).toEqual(ports.map(([port, certain]) => ({ port, certain })))
})

test('what one text leaves open another may settle', () => {
  expect(findMachinePorts(['localhost:5432', 'postgres://localhost:5432/shop', 'localhost:5432'])).toEqual([
    { port: 5432, certain: true },
  ])
})

test('a large value takes little time, and a list without end has one', () => {
  const begun = performance.now()
  const floods = [
    'a'.repeat(2 ** 20),
    'a://'.repeat(2 ** 18),
    'a://b@'.repeat(2 ** 17),
    'host=localhost '.repeat(2 ** 16),
  ]
  findMachinePorts(floods)
  expect(performance.now() - begun).toBeLessThan(2000)
  const all = Array.from({ length: 65_535 }, (_, port) => `http://localhost:${port + 1}/`).join(' ')
  expect(findMachinePorts([all])).toHaveLength(1000)
})
