import fc from 'fast-check'
import { parse } from 'yaml'
import { expect, test } from 'vitest'
import { isStartSaid, type ProjectService, type SaidKey } from '../../src/config/index.ts'
import { projectFileSchema } from '../../src/config/schema.ts'
import { specify } from '../../src/config/specify.ts'
import { applyFindings } from '../../src/trial/apply.ts'
import type { Findings } from '../../src/trial/findings.ts'
import { renderFindings } from '../../src/trial/render.ts'

/** A service as fairway.yaml says it. */
function serviceOf(yaml: string): ProjectService {
  const file = projectFileSchema.parse(parse(yaml))
  const { services, complaints } = specify(file, { project: 'shop', environment: 'dev', names: ['web'] })
  expect(complaints).toEqual([])
  const [service] = services
  if (service === undefined) throw new Error('no service')
  const { run, desired, needs, files, said, go, declarations } = service
  const values = [...declarations].flatMap(([key, { default: value, secret, asFile }]) =>
    value === undefined ? [] : [[key, { value, secret, asFile }] as const],
  )
  return {
    specification: { service: service.service, run, desired, needs, values: Object.fromEntries(values) },
    files,
    said,
    go,
  }
}

const findings: fc.Arbitrary<Findings> = fc
  .record({
    listen: fc.oneof(
      fc.constant({ kind: 'env', name: 'PORT' } as const),
      fc.constant({ kind: 'env', name: 'SHOP_LISTEN', template: '{{host}}:{{port}}' } as const),
      fc
        .constantFrom('--port={{port}}', '-p {{port}}', "--addr='{{host}}':{{port}}")
        .map((template) => ({ kind: 'arg', template }) as const),
      fc.integer({ min: 1, max: 65_535 }).map((port) => ({ kind: 'port', port }) as const),
    ),
    ports: fc.uniqueArray(fc.constantFrom<number>(7, 9, 11), { maxLength: 2 }),
    args: fc.array(fc.constantFrom('serve', '--config=a: b.yaml', '# x', 'true', '1', '{{x'), { maxLength: 3 }),
    place: fc.constantFrom<Pick<Findings, 'data' | 'values' | 'workdir' | 'files'>>(
      { data: false, values: {}, files: [] },
      { data: true, values: {}, workdir: '{{data}}', files: [] },
      { data: true, values: { SHOP_DATA: '.' }, workdir: '{{data}}', files: [] },
      { data: true, values: {}, files: ['x'] },
      { data: false, values: {}, workdir: 'cmd/web', files: ['cmd/web/templates/*.html', 'a, b'] },
    ),
    speaks: fc.constantFrom<Pick<Findings, 'protocol' | 'probe'>>(
      { protocol: 'http', probe: { kind: 'http', path: '/healthz' } },
      { protocol: 'http', probe: { kind: 'tcp' } },
      { protocol: 'grpc', probe: { kind: 'grpc' } },
      { protocol: 'grpc', probe: { kind: 'tcp' } },
      { protocol: 'tcp', probe: { kind: 'tcp' } },
    ),
  })
  .filter(({ listen, ports }) => listen.kind !== 'port' || !ports.includes(listen.port))
  .map(({ place, speaks, ...rest }) => ({
    verdict: 'serves',
    missing: [],
    wants: [],
    tls: false,
    loopbackOnly: false,
    evidence: [],
    tries: 1,
    ...rest,
    ...place,
    ...speaks,
  }))

test('the lines that are proposed come to what was found: written down, it is the same release', async () => {
  await fc.assert(
    fc.asyncProperty(findings, async (found) => {
      const applied = applyFindings(serviceOf('services: { web: {} }'), found)
      const written = serviceOf(await renderFindings({ web: found }))
      expect(written.specification).toEqual(applied.specification)
      expect(written.files).toEqual(applied.files)
    }),
  )
})

test('what fairway.yaml says stays as it says it', () => {
  const yaml = `
    services:
      web:
        listen: { env: WEB_PORT }
        args: [run]
        workdir: web
        files: [web]
        protocol: http
        data: false
        strategy: rolling
        ports: [5]
        probe: { http: /up }`
  const said = serviceOf(yaml)
  fc.assert(
    fc.property(findings, (found) => {
      expect(applyFindings(said, found)).toEqual(said)
    }),
  )
})

test.for<[SaidKey[], string, boolean]>([
  [[], '{}', false],
  [['listen'], '{ listen: { env: PORT } }', false],
  [['probe'], '{ probe: { http: /up } }', false],
  [['listen', 'probe'], '{ listen: { env: PORT }, probe: { tcp: true } }', true],
  [['listen'], '{ listen: none }', true],
])('with %j said its start is known, or is to be found out', ([, yaml, expected]) => {
  expect(isStartSaid(serviceOf(`services: { web: ${yaml} }`))).toBe(expected)
})
