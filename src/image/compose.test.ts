import { expect, test } from 'vitest'
import { digestOf } from '../artifact/index.ts'
import { archiveFiles, imageContents } from './archive.ts'
import { composeImage, composeReferrer, type ImageConfig, joinPlatforms } from './compose.ts'
import type { Layer, Platform } from './image.ts'
import { parseReference } from './reference.ts'

const layer = (holds: string): Layer => ({ holds, digest: digestOf(holds), diffId: digestOf(`${holds}, plain`), size: holds.length, path: `/${holds}` }) // prettier-ignore
const config = (platform: Platform): ImageConfig => ({
  platform, entrypoint: ['/app/web'], args: ['serve'], workingFolder: '/app', environment: { PORT: '8080' }, ports: [8080], volumes: [], createdAt: 0,
  labels: { 'org.opencontainers.image.title': 'shop/web', 'org.opencontainers.image.version': 'v1' },
}) // prettier-ignore
const amd64 = { os: 'linux', architecture: 'amd64' }
const arm = { os: 'linux', architecture: 'arm', variant: 'v7' }
const parsed = (bytes: Buffer) => JSON.parse(bytes.toString('utf8')) as Record<string, unknown>

test('a configuration names the tars, a manifest the compressed layers, in the same order', () => {
  const { config: held, manifest } = composeImage(config(arm), [layer('base'), layer('binary')])
  expect(parsed(held.bytes)).toMatchObject({
    architecture: 'arm',
    os: 'linux',
    variant: 'v7',
    created: '1970-01-01T00:00:00Z',
    config: { User: '65532:65532', Entrypoint: ['/app/web'], Cmd: ['serve'], ExposedPorts: { '8080/tcp': {} } },
    rootfs: { type: 'layers', diff_ids: [`sha256:${digestOf('base, plain')}`, `sha256:${digestOf('binary, plain')}`] },
  })
  expect(parsed(manifest.bytes)).toMatchObject({
    schemaVersion: 2,
    config: { digest: `sha256:${digestOf(held.bytes)}`, size: held.bytes.length },
    layers: [{ digest: `sha256:${digestOf('base')}` }, { digest: `sha256:${digestOf('binary')}` }],
    annotations: { 'org.opencontainers.image.version': 'v1' },
  })
})

test('one platform is its own manifest; several get an index, the same in whatever order they come', () => {
  const one = composeImage(config(amd64), [layer('base')])
  const two = composeImage(config(arm), [layer('base')])
  expect(joinPlatforms([one]).root).toEqual(one.manifest.descriptor)
  const both = joinPlatforms([two, one])
  expect(both.root).toEqual(joinPlatforms([one, two]).root)
  expect(parsed(both.index?.bytes ?? Buffer.alloc(0))).toMatchObject({
    manifests: [{ platform: amd64 }, { platform: arm }],
  })
})

test('a layer that two platforms share stands once in what is pushed, and before what names it', () => {
  const image = joinPlatforms([
    composeImage(config(amd64), [layer('base')]),
    composeImage(config(arm), [layer('base')]),
  ])
  const kinds = imageContents(image).map(
    ({ descriptor }) => /(index|manifest|config|layer)/.exec(descriptor.mediaType)?.[1],
  )
  expect(kinds).toEqual(['layer', 'config', 'config', 'manifest', 'manifest', 'index'])
})

test('the archive is an OCI layout and Docker’s: each file once, the platform of this machine in Docker’s', () => {
  const image = joinPlatforms([
    composeImage(config(amd64), [layer('base')]),
    composeImage(config(arm), [layer('base')]),
  ])
  const files = archiveFiles(image, [parseReference('shop/web:v1'), parseReference('shop/web:v2')], 'linux/arm')
  const text = (path: string) => {
    const file = files.find((each) => each.path === path)
    return JSON.parse(Buffer.isBuffer(file?.content) ? file.content.toString('utf8') : 'null') as unknown
  }
  expect(new Set(files.map(({ path }) => path)).size).toBe(files.length)
  expect(text('oci-layout')).toEqual({ imageLayoutVersion: '1.0.0' })
  const armImage = image.platforms[1]
  expect(text('manifest.json')).toEqual([
    {
      Config: `blobs/${armImage?.config.descriptor.digest.replace(':', '/')}`,
      RepoTags: ['shop/web:v1', 'shop/web:v2'],
      Layers: [`blobs/sha256/${digestOf('base')}`],
    },
  ])
  expect(text('index.json')).toMatchObject({
    manifests: [
      { digest: image.root.digest, annotations: { 'org.opencontainers.image.ref.name': 'v1' } },
      { digest: image.root.digest, annotations: { 'org.opencontainers.image.ref.name': 'v2' } },
    ],
  })
})

test('what is said of an image names it as its subject', () => {
  const { manifest, blobs } = composeReferrer({
    subject: composeImage(config(amd64), [layer('base')]).manifest.descriptor,
    artifactType: 'application/spdx+json',
    content: Buffer.from('{"spdxVersion":"SPDX-2.3"}'),
    title: 'web.spdx.json',
    createdAt: 0,
  })
  expect(parsed(manifest.bytes)).toMatchObject({
    artifactType: 'application/spdx+json',
    config: { mediaType: 'application/vnd.oci.empty.v1+json', size: 2 },
    subject: { mediaType: 'application/vnd.oci.image.manifest.v1+json' },
  })
  expect(blobs.map(({ bytes }) => bytes.toString())).toEqual(['{}', '{"spdxVersion":"SPDX-2.3"}'])
})
