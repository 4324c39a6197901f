import { systemClock } from '../../base/clock.ts'
import type { Report } from '../../base/event.ts'
import {
  composeReferrer,
  type HttpClient,
  type ImageReference,
  planPush,
  type PushOrder,
  type PushPlan,
  pushImage,
  readCredentials,
  RegistryClient,
} from '../../image/index.ts'
import { sbomFormats, type ServiceImage } from '../../pipeline/images.ts'
import type { CommandContext } from '../context.ts'
import type { ImageWish } from './wish.ts'

/** registry → digest → a repository of it that has that layer by now. */
export type Mountable = Map<string, Map<string, string>>

/** What became of it; with `--plan` what would. */
export interface Pushed {
  readonly isChanged: boolean
  readonly sentBytes: number
  readonly plan?: readonly (Omit<PushPlan, 'missing'> & { readonly repository: string })[]
}

/** To every repository that its names lead to. */
export async function push(
  one: ServiceImage,
  references: readonly ImageReference[],
  {
    wish,
    context,
    http,
    report,
    mountable,
    signal,
  }: {
    wish: ImageWish
    context: CommandContext
    http: HttpClient
    report: Report
    mountable: Mountable
    signal: AbortSignal
  },
): Promise<Pushed> {
  const { service, image } = one
  const repositories = Map.groupBy(references, ({ registry = '', repository }) => `${registry}/${repository}`)
  const plan = []
  let [isChanged, sentBytes] = [false, 0]
  for (const [name, [first, ...more]] of repositories) {
    if (first?.registry === undefined) continue
    const { registry, repository } = first
    const known = mountable.get(registry) ?? new Map<string, string>()
    mountable.set(registry, known)
    const client = new RegistryClient({
      http,
      registry,
      repository,
      isInsecure: wish.isInsecure,
      mayPush: !wish.plan,
      credentials: await readCredentials(registry, { environment: context.environment, signal }),
      clock: systemClock,
      report,
      mountSources: [...new Set(known.values())].filter((source) => source !== repository),
    })
    const order: PushOrder = {
      image,
      referrers: referrersOf(one),
      tags: [first, ...more].map(({ tag }) => tag),
      mountable: new Map([...known].filter(([, source]) => source !== repository)),
    }
    if (wish.plan) {
      const { missing: _, ...planned } = await planPush(client, order, { signal })
      plan.push({ repository: name, ...planned })
      continue
    }
    const begin = performance.now()
    const result = await pushImage(client, order, {
      signal,
      onProgress: onceASecond((bytes, totalBytes) =>
        report({ kind: 'push-progress', service, repository: name, bytes, totalBytes }),
      ),
    })
    for (const { layers } of image.platforms) for (const { digest } of layers) known.set(`sha256:${digest}`, repository)
    isChanged ||= result.isChanged
    sentBytes += result.sentBytes
    const { sentBytes: bytes, mountedBytes, heldBytes } = result
    report({
      kind: 'push-done',
      service,
      repository: name,
      digest: image.root.digest,
      bytes,
      mountedBytes,
      heldBytes,
      tookMs: performance.now() - begin,
    })
  }
  return { isChanged, sentBytes, ...(wish.plan ? { plan } : {}) }
}

function referrersOf({ service, image, sboms, createdAt }: ServiceImage): PushOrder['referrers'] {
  return image.platforms.flatMap((platform) => {
    const texts = sboms.get(platform)
    if (texts === undefined) return []
    return (['cyclonedx', 'spdx'] as const).map((format) => {
      const { mediaType, extension } = sbomFormats[format]
      const subject = platform.manifest.descriptor
      const title = `${service}.${extension}`
      return {
        subject,
        artifactType: mediaType,
        ...composeReferrer({ subject, artifactType: mediaType, content: Buffer.from(texts[format]), title, createdAt }),
      }
    })
  })
}

function onceASecond(report: (bytes: number, total: number) => void): (bytes: number, total: number) => void {
  let last = performance.now()
  return (bytes, total) => {
    if (performance.now() - last < 1000) return
    last = performance.now()
    report(bytes, total)
  }
}
