import { expect, test } from 'vitest'
import type { BuildInfo } from '../go/index.ts'
import { containerRun, imageLabels, platformOf } from './container.ts'

const run = { args: ['serve'], probe: { target: { kind: 'tcp' as const }, everyMs: 1, timeoutMs: 1, healthyForMs: 1, deadlineMs: 1 }, limits: {}, data: false, beforeDeadlineMs: 1, graceMs: 1 } // prettier-ignore

test('a service that reads its port from a variable gets it, and the image says so', () => {
  expect(containerRun({ ...run, listen: { kind: 'env', name: 'PORT' } }, 8080)).toEqual({
    args: ['serve'],
    environment: { PORT: '8080' },
    ports: [8080],
    volumes: [],
    workingFolder: '/app',
  })
})

test('one that takes an argument gets it after its own, on every address of the container', () => {
  const listen = { kind: 'arg' as const, template: '--addr {{host}}:{{port}}' }
  expect(containerRun({ ...run, listen }, 9000)).toMatchObject({
    args: ['serve', '--addr', '0.0.0.0:9000'],
    ports: [9000],
  })
})

test('a fixed port and further ones are exposed as they are; a worker exposes none', () => {
  const fixed = containerRun({ ...run, listen: { kind: 'port', port: 9898 }, ports: [9797] }, 8080)
  expect(fixed).toMatchObject({ ports: [9898, 9797], environment: {} })
  expect(containerRun({ ...run, listen: { kind: 'none' } }, 8080).ports).toEqual([])
})

test('it starts where it starts on a host, and its variable holds what it holds there', () => {
  const listen = { kind: 'env' as const, name: 'SHOP_LISTEN', template: '{{host}}:{{port}}' }
  expect(containerRun({ ...run, listen, workdir: 'cmd/web' }, 8080)).toMatchObject({
    environment: { SHOP_LISTEN: '0.0.0.0:8080' },
    workingFolder: '/app/cmd/web',
  })
  expect(containerRun({ ...run, listen, workdir: '{{data}}', data: true }, 8080).workingFolder).toBe('/data')
})

test('arguments that name the data name the volume', () => {
  const data = containerRun(
    { ...run, args: ['serve', '--dir={{data}}/db'], data: true, listen: { kind: 'none' } },
    8080,
  )
  expect(data.args).toEqual(['serve', '--dir=/data/db'])
})

test('data lies in a volume, which the variable names', () => {
  const data = containerRun({ ...run, data: true, listen: { kind: 'none' } }, 8080)
  expect(data).toMatchObject({ environment: { STATE_DIRECTORY: '/data' }, volumes: ['/data'] })
})

test.for([
  [{ GOARCH: 'amd64', GOAMD64: 'v1' }, { architecture: 'amd64' }],
  [
    { GOARCH: 'amd64', GOAMD64: 'v3' },
    { architecture: 'amd64', variant: 'v3' },
  ],
  [
    { GOARCH: 'arm64', GOARM64: 'v8.0' },
    { architecture: 'arm64', variant: 'v8' },
  ],
  [{ GOARCH: 'arm64' }, { architecture: 'arm64', variant: 'v8' }],
  [
    { GOARCH: 'arm', GOARM: '7' },
    { architecture: 'arm', variant: 'v7' },
  ],
  [
    { GOARCH: 'arm', GOARM: '6,softfloat' },
    { architecture: 'arm', variant: 'v6' },
  ],
  [{ GOARCH: 's390x' }, { architecture: 's390x' }],
] as const)('of a binary with %j the platform is %j', ([settings, platform]) => {
  const info: BuildInfo = { goVersion: 'go1.26', path: '', dependencies: [], settings: new Map(Object.entries({ GOOS: 'linux', ...settings })) } // prettier-ignore
  expect(platformOf(info, { goos: 'linux', goarch: 'amd64' })).toEqual({ os: 'linux', ...platform })
})

test('labels name the source by the module’s path, and no commit that is not all of it', () => {
  const given = {
    project: 'shop',
    service: 'web',
    version: 'v2',
    module: 'example.com/acme/shop/v2',
    created: '1970-01-01T00:00:00Z',
  }
  expect(imageLabels({ ...given, commit: undefined })).toEqual({
    'org.opencontainers.image.created': '1970-01-01T00:00:00Z',
    'org.opencontainers.image.source': 'https://example.com/acme/shop',
    'org.opencontainers.image.title': 'shop/web',
    'org.opencontainers.image.version': 'v2',
  })
  expect(imageLabels({ ...given, module: 'shop', commit: 'abc' })).not.toHaveProperty('org.opencontainers.image.source')
})
