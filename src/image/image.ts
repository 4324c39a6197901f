import type { Digest } from '../artifact/index.ts'

/** Media types of the Open Container Initiative. @see OCI Image Format Specification 1.1 */
export const mediaTypes = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  empty: 'application/vnd.oci.empty.v1+json',
} as const

/** What a binary runs on, as images say it. */
export interface Platform {
  readonly os: string
  readonly architecture: string
  /** 'v7' of arm, 'v8' of arm64, 'v3' of amd64 */
  readonly variant?: string
}

/** What names content: its kind, digest ('sha256:…') and size in bytes. */
export interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
  readonly artifactType?: string
  readonly platform?: Platform
  readonly annotations?: Readonly<Record<string, string>>
}

/** A layer that lies in a file, compressed. */
export interface Layer {
  /** Of the compressed bytes. */
  readonly digest: Digest
  readonly size: number
  /** Of the tar inside. */
  readonly diffId: Digest
  /** What it holds, for people: 'base', 'files', 'binary' */
  readonly holds: string
  readonly path: string
}

/** Content by digest: in a file, or so small that it is held in memory. */
export type Content = { readonly descriptor: Descriptor } & ({ readonly path: string } | { readonly bytes: Buffer })

/** One platform's image: its manifest and all that the manifest names. */
export interface PlatformImage {
  readonly platform: Platform
  readonly manifest: Content & { readonly bytes: Buffer }
  readonly config: Content & { readonly bytes: Buffer }
  readonly layers: readonly Layer[]
}

/** What a name stands for: one platform's manifest, or an index of several. */
export interface Image {
  readonly root: Descriptor
  /** Of several platforms. */
  readonly index?: Content & { readonly bytes: Buffer }
  /** One at least. */
  readonly platforms: readonly [PlatformImage, ...PlatformImage[]]
}

/** 'linux/arm/v7' */
export function platformName({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/')
}

export function layerContent({ digest, size, path }: Layer): Content & { readonly path: string } {
  return { descriptor: { mediaType: mediaTypes.layer, digest: `sha256:${digest}`, size }, path }
}
