import { digestOf } from '../artifact/index.ts'
import { nonroot } from './base.ts'
import {
  type Content,
  type Descriptor,
  type Image,
  type Layer,
  layerContent,
  mediaTypes,
  type Platform,
  platformName,
  type PlatformImage,
} from './image.ts'

/** How the program of an image is started, and what is said about it. */
export interface ImageConfig {
  readonly platform: Platform
  readonly entrypoint: readonly string[]
  readonly args: readonly string[]
  /** Absolute. */
  readonly workingFolder: string
  readonly environment: Readonly<Record<string, string>>
  /** TCP. */
  readonly ports: readonly number[]
  /** Absolute folders that outlive a container. */
  readonly volumes: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  /** Seconds since 1970: the commit's, or 0. Never the time of the build, which would give each one another digest. */
  readonly createdAt: number
}

/** The same layers and configuration always give the same bytes. @see OCI Image Format Specification 1.1, "Image Configuration" */
export function composeImage(config: ImageConfig, layers: readonly Layer[]): PlatformImage {
  const { platform } = config
  const created = isoTime(config.createdAt)
  const held = jsonContent(mediaTypes.config, {
    created,
    architecture: platform.architecture,
    os: platform.os,
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
    config: {
      User: `${nonroot.uid}:${nonroot.gid}`,
      ...(config.ports.length === 0 ? {} : { ExposedPorts: keys(config.ports.map((port) => `${port}/tcp`)) }),
      Env: Object.entries(config.environment).map(([key, value]) => `${key}=${value}`),
      Entrypoint: config.entrypoint,
      ...(config.args.length === 0 ? {} : { Cmd: config.args }),
      ...(config.volumes.length === 0 ? {} : { Volumes: keys(config.volumes) }),
      WorkingDir: config.workingFolder,
      Labels: config.labels,
      StopSignal: 'SIGTERM',
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => `sha256:${diffId}`) },
    history: layers.map(({ holds }) => ({ created, created_by: `fairway image: ${holds}` })),
  })
  const manifest = jsonContent(mediaTypes.manifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: held.descriptor,
    layers: layers.map((layer) => layerContent(layer).descriptor),
    annotations: sourceAnnotations(config.labels),
  })
  return { platform, config: held, manifest, layers }
}

/** One platform alone is its own manifest; several get an index. Sorted, so that the order asked for does not matter. */
export function joinPlatforms(images: readonly PlatformImage[]): Image {
  const sorted = images.toSorted((a, b) => (platformName(a.platform) < platformName(b.platform) ? -1 : 1))
  const [first, ...rest] = sorted
  if (first === undefined) throw new TypeError('an image of no platform')
  if (rest.length === 0) return { root: first.manifest.descriptor, platforms: [first] }
  const index = jsonContent(mediaTypes.index, {
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: sorted.map(({ manifest, platform }) => ({ ...manifest.descriptor, platform })),
  })
  return { root: index.descriptor, index, platforms: [first, ...rest] }
}

/** Content that is said of an image: its subject. @see OCI Image Format Specification 1.1, "Guidelines for Artifact Usage" */
export function composeReferrer(options: {
  readonly subject: Descriptor
  readonly artifactType: string
  readonly content: Buffer
  /** The content's name as a file. */
  readonly title: string
  readonly createdAt: number
}): {
  readonly manifest: Content & { readonly bytes: Buffer }
  readonly blobs: readonly (Content & { readonly bytes: Buffer })[]
} {
  const { subject, artifactType, content, title, createdAt } = options
  const blob = bytesContent(artifactType, content)
  const empty = bytesContent(mediaTypes.empty, Buffer.from('{}'))
  const manifest = jsonContent(mediaTypes.manifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    artifactType,
    config: empty.descriptor,
    layers: [{ ...blob.descriptor, annotations: { 'org.opencontainers.image.title': title } }],
    subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.size },
    annotations: { 'org.opencontainers.image.created': isoTime(createdAt) },
  })
  return { manifest, blobs: [empty, blob] }
}

export function jsonContent(mediaType: string, value: object): Content & { readonly bytes: Buffer } {
  return bytesContent(mediaType, Buffer.from(JSON.stringify(value)))
}

function bytesContent(mediaType: string, bytes: Buffer): Content & { readonly bytes: Buffer } {
  return { descriptor: { mediaType, digest: `sha256:${digestOf(bytes)}`, size: bytes.length }, bytes }
}

/** '2026-11-22T14:03:07Z' */
export function isoTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}

/** What registries and scanners look for without reading the configuration. */
function sourceAnnotations(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(labels).filter(([key]) =>
      /^org\.opencontainers\.image\.(?:created|revision|source|version)$/.test(key),
    ),
  )
}

function keys(names: readonly (string | number)[]): Record<string, object> {
  return Object.fromEntries(names.map((name) => [name, {}]))
}
