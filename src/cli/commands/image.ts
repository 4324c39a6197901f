import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { systemClock } from '../../base/clock.ts'
import { FairwayError } from '../../base/error.ts'
import type { Report } from '../../base/event.ts'
import type { Target } from '../../artifact/index.ts'
import {
  archiveFiles,
  composeReferrer,
  HttpClient,
  type Image,
  type ImageReference,
  parseReference,
  platformName,
  planPush,
  type PushOrder,
  pushImage,
  readCredentials,
  referenceText,
  RegistryClient,
  streamArchive,
  writeArchive,
} from '../../image/index.ts'
import {
  buildServices,
  locateServices,
  makeImages,
  type OpenedSource,
  openSource,
  sbomFormats,
  type ServiceImage,
} from '../../pipeline/index.ts'
import { version } from '../../server/api.ts'
import type { CommandModule } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { parseTargets } from './build.ts'
import { interruptible } from '../interrupt.ts'
import { formatBytes } from '../report/describe.ts'
import { openReporter } from '../report/open-reporter.ts'
import type { Reporter } from '../report/reporter.ts'

type Options = Readonly<Record<string, string | boolean | undefined>>

/** What was asked for, checked before anything is built. */
interface ImageWish {
  readonly services: readonly string[]
  readonly targets: readonly Target[] | undefined
  readonly tags: readonly string[]
  readonly output: string | undefined
  readonly push: boolean
  readonly plan: boolean
  readonly port: number
  readonly isInsecure: boolean
  readonly withSbom: boolean
}

/** Builds services and puts them into images: a file, the standard output, or a registry. */
export const run: CommandModule['run'] = async ({ positionals, options }, context) => {
  const wish = readWish(positionals, options)
  const reporter = await openReporter(context)
  return interruptible(reporter, 'aborted before the image was whole', async (signal) => {
    const results = await makeAndDeliver(wish, context, reporter, signal)
    print(results, wish, context, reporter)
    return 0
  })
}

async function makeAndDeliver(
  wish: ImageWish,
  context: CommandContext,
  reporter: Reporter,
  signal: AbortSignal,
): Promise<ImageResult[]> {
  const { environment, folder } = context
  const opened = await openSource({
    folder,
    environment: context.options.env,
    processEnvironment: environment,
    areValuesNeeded: false,
    signal,
  })
  const located = await chooseServices(opened, wish)
  const names = located.map(({ specification }) => specification.service)
  // Every name is known to be right before the first minute of work.
  const references = new Map(names.map((service) => [service, referencesOf(service, names, opened, wish)]))
  const files = wish.push && wish.output === undefined ? undefined : nameFiles(names, wish, context)
  const shared = {
    cacheFolder: `${context.home}/cache`,
    processEnvironment: environment,
    report: reporter.event,
    now: Date.now,
    signal,
  }
  const processors = availableParallelism()
  const built = await buildServices(opened, located, { ...shared, targets: wish.targets, processors })
  try {
    const withSboms = wish.push && wish.withSbom
    const images = await makeImages(opened, located, built, {
      ...shared,
      toolVersion: version,
      port: wish.port,
      withSboms,
    })
    const host = `${opened.toolchain.goos}/${opened.toolchain.goarch}`
    using http = new HttpClient({ environment })
    const mountable: Mountable = new Map()
    const results: ImageResult[] = []
    for (const one of images) {
      const wanted = references.get(one.service) ?? []
      const file = files?.get(one.service)
      if (file !== undefined) await write(one, wanted, file, { host, context, reporter, signal })
      const pushed = wish.push
        ? await push(one, wanted, { wish, context, http, report: reporter.event, mountable, signal })
        : undefined
      results.push(describe(one, wanted, file, pushed))
    }
    return results
  } finally {
    for (const one of built) await one[Symbol.asyncDispose]()
  }
}

function readWish(services: readonly string[], options: Options): ImageWish {
  const text = (name: string) => (typeof options[name] === 'string' ? options[name] : undefined)
  const list = (name: string) =>
    text(name)
      ?.split(',')
      .map((word) => word.trim())
      .filter((word) => word !== '')
  const [output, tags, push] = [text('output'), list('tag') ?? [], options['push'] === true]
  if (push && tags.length === 0) {
    throw new FairwayError('USAGE', '--push: it was not said to where', {
      hint: 'fairway image --push --tag registry.example.com/shop/web:v1   (of several services: …/shop/{{service}}:v1)',
    })
  }
  if (options['plan'] === true && !push)
    throw new FairwayError('USAGE', '--plan: only --push changes anything', {
      hint: 'fairway image --push --plan --tag …',
    })
  const port = Number(text('port') ?? 8080)
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new FairwayError(
      'USAGE',
      `--port: a number from 1 to 65535 was expected, found ${JSON.stringify(text('port'))}`,
    )
  const targets = parseTargets(options['target'])
  const other = targets?.find(({ os }) => os !== 'linux')
  if (other !== undefined) {
    throw new FairwayError('IMAGE_IMPOSSIBLE', `--target: there are no images of ${other.os}: their base is Linux’s`, {
      hint: 'For example --target linux/amd64,linux/arm64',
    })
  }
  return {
    services, output, tags, push, port,
    targets,
    plan: options['plan'] === true,
    isInsecure: options['insecureRegistry'] === true,
    withSbom: options['sbom'] !== false,
  } // prettier-ignore
}

async function chooseServices(opened: OpenedSource, { services }: ImageWish) {
  if (services.length === 0) return locateServices(opened, undefined)
  return (await Promise.all(services.map((service) => locateServices(opened, service)))).flat()
}

/** @throws FairwayError USAGE */
function referencesOf(
  service: string,
  all: readonly string[],
  { project }: OpenedSource,
  { tags, push }: ImageWish,
): ImageReference[] {
  const texts = tags.length === 0 ? [`${project.name}/{{service}}:latest`] : tags
  return texts.map((text) => {
    if (all.length > 1 && !text.includes('{{service}}')) {
      throw new FairwayError('USAGE', `--tag: ${all.join(' and ')} cannot both be ${text}`, {
        hint: `Write {{service}} where the name belongs, or name one: fairway image ${all[0] ?? 'web'} --tag ${text}`,
      })
    }
    const reference = parseReference(text.replaceAll('{{service}}', service))
    if (push && reference.registry === undefined) {
      throw new FairwayError('USAGE', `--tag: ${text} names no registry to push to`, {
        hint: `For example registry.example.com/${text}; one of this machine: localhost:5000/${text}`,
      })
    }
    return reference
  })
}

/** Where each service's image is written to: '-' is the standard output. @throws FairwayError USAGE */
function nameFiles(
  services: readonly string[],
  { output }: ImageWish,
  { cwd, options, stdout }: CommandContext,
): ReadonlyMap<string, string> {
  if (output === '-') {
    const refuse = (why: string, hint?: string) => new FairwayError('USAGE', `--output -: ${why}`, { hint })
    if (services.length > 1)
      throw refuse('several images in one stream would be none', `Name one: ${services.join(', ')}`)
    if (options.json === true) throw refuse('the standard output is taken by --json')
    if (stdout.isTTY) throw refuse('the standard output is a terminal', 'fairway image --output - | docker load')
    return new Map(services.map((service) => [service, '-']))
  }
  if (output !== undefined && services.length > 1 && !output.includes('{{service}}')) {
    throw new FairwayError('USAGE', `--output: ${services.join(' and ')} cannot both be ${output}`, {
      hint: 'Write {{service}} where the name belongs: --output images/{{service}}.tar',
    })
  }
  const name = output ?? '{{service}}.tar'
  return new Map(services.map((service) => [service, resolve(cwd, name.replaceAll('{{service}}', service))]))
}

async function write(
  { service, image }: ServiceImage,
  references: readonly ImageReference[],
  file: string,
  {
    host,
    context,
    reporter,
    signal,
  }: { host: string; context: CommandContext; reporter: Reporter; signal: AbortSignal },
): Promise<void> {
  const begin = performance.now()
  const files = archiveFiles(image, references, host)
  const bytes =
    file === '-' ? await streamArchive(context.stdout, files, { signal }) : await writeArchive(file, files, { signal })
  reporter.event({
    kind: 'image-written',
    service,
    file,
    digest: image.root.digest,
    bytes,
    tookMs: performance.now() - begin,
  })
}

/** registry → digest → a repository of it that has that layer by now. */
type Mountable = Map<string, Map<string, string>>

interface Pushed {
  readonly isChanged: boolean
  readonly sentBytes: number
  readonly plan?: readonly {
    readonly repository: string
    readonly missingBytes: number
    readonly heldBytes: number
    readonly tags: readonly { tag: string; now: string | null }[]
  }[]
}

async function push(
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
      plan.push({ repository: name, ...(await planPush(client, order, { signal })) })
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

interface ImageResult {
  readonly service: string
  readonly digest: string
  readonly mediaType: string
  readonly references: readonly string[]
  readonly platforms: readonly object[]
  readonly file?: string
  readonly pushed?: Pushed
}

function describe(
  { service, image }: ServiceImage,
  references: readonly ImageReference[],
  file: string | undefined,
  pushed: Pushed | undefined,
): ImageResult {
  return {
    service,
    digest: image.root.digest,
    mediaType: image.root.mediaType,
    references: references.map(referenceText),
    platforms: image.platforms.map(describePlatform),
    ...(file === undefined ? {} : { file }),
    ...(pushed === undefined ? {} : { pushed }),
  }
}

function describePlatform({ platform, manifest, config, layers }: Image['platforms'][number]): object {
  return {
    platform: platformName(platform),
    digest: manifest.descriptor.digest,
    config: config.descriptor.digest,
    bytes: layers.reduce((sum, { size }) => sum + size, 0),
    layers: layers.map(({ holds, digest, size, diffId }) => ({
      holds,
      digest: `sha256:${digest}`,
      bytes: size,
      diffId: `sha256:${diffId}`,
    })),
  }
}

function print(
  images: readonly ImageResult[],
  { push, plan }: ImageWish,
  { options, stdout, stderr }: CommandContext,
  reporter: Reporter,
): void {
  const outcome = push && !plan && images.every(({ pushed }) => pushed?.isChanged === false) ? 'unchanged' : 'done'
  if (options.json === true) return reporter.result({ kind: 'result', outcome, data: { images } })
  // The standard output may be the image itself.
  const out = images.some(({ file }) => file === '-') ? stderr : stdout
  for (const { digest, references, pushed } of images) {
    const [first = ''] = references
    out.write(push && !plan ? `${first.replace(/:[^:/]*$/, '')}@${digest}\n` : `${first}  ${digest}\n`)
    for (const { repository, missingBytes, heldBytes, tags } of pushed?.plan ?? []) {
      out.write(
        `  ${repository}: ${formatBytes(missingBytes)} would be sent, ${formatBytes(heldBytes)} is there already\n`,
      )
      for (const { tag, now } of tags)
        out.write(`  ${tag}: ${now === digest ? 'stands so already' : now === null ? 'is new' : `is ${now} now`}\n`)
    }
  }
}
