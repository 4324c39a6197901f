import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import {
  archiveFiles,
  HttpClient,
  type Image,
  type ImageReference,
  platformName,
  referenceText,
  streamArchive,
  writeArchive,
} from '../../image/index.ts'
import { buildServices, locateServices, openSource } from '../../pipeline/index.ts'
import {
  type BuiltBinary,
  type ImageService,
  type ImageSource,
  makeImages,
  type ServiceImage,
} from '../../pipeline/images.ts'
import { readPrebuilt } from '../../pipeline/prebuilt.ts'
import { version } from '../../server/api.ts'
import type { CommandModule } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { type Mountable, push, type Pushed } from '../image/push.ts'
import { type ImageWish, nameFiles, readWish, referencesOf } from '../image/wish.ts'
import { interruptible } from '../interrupt.ts'
import { formatBytes } from '../report/describe.ts'
import { sourceOptions } from '../source-options.ts'
import { openReporter } from '../report/open-reporter.ts'
import type { Reporter } from '../report/reporter.ts'

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
  const { opened, services, build } = await openBinaries(wish, context, reporter, signal)
  const names = services.map(({ specification }) => specification.service)
  // Every name is known to be right before the first minute of work.
  const references = new Map(names.map((service) => [service, referencesOf(service, names, opened.project.name, wish)]))
  const files = wish.push && wish.output === undefined ? undefined : nameFiles(names, wish, context)
  await using built = await build([...(files?.values() ?? [])].filter((file) => file !== '-'))
  const images = await makeImages(opened, services, built.binaries, {
    cacheFolder: `${context.home}/cache`,
    processEnvironment: context.environment,
    report: reporter.event,
    now: Date.now,
    toolVersion: version,
    port: wish.port,
    withSboms: wish.push && wish.withSbom,
    signal,
  })
  using http = new HttpClient({ environment: context.environment })
  const mountable: Mountable = new Map()
  const results: ImageResult[] = []
  for (const one of images) {
    const wanted = references.get(one.service) ?? []
    const file = files?.get(one.service)
    if (file !== undefined) await write(one, wanted, file, { context, reporter, signal })
    const pushed = wish.push
      ? await push(one, wanted, { wish, context, http, report: reporter.event, mountable, signal })
      : undefined
    results.push(describe(one, wanted, file, pushed))
  }
  return results
}

/** What is put into images: looked at at once, built when it is asked for. */
interface Binaries {
  readonly opened: ImageSource
  readonly services: readonly ImageService[]
  /** @param outputs as of BuildContext */
  readonly build: (
    outputs: readonly string[],
  ) => Promise<AsyncDisposable & { readonly binaries: readonly BuiltBinary[] }>
}

async function openBinaries(
  wish: ImageWish,
  context: CommandContext,
  reporter: Reporter,
  signal: AbortSignal,
): Promise<Binaries> {
  const { folder, cwd, home, environment, options } = context
  if (wish.binary !== undefined) {
    const [service] = wish.services
    const prebuilt = await readPrebuilt({
      folder,
      environment: options.env,
      processEnvironment: environment,
      signal,
      service,
      binary: resolve(cwd, wish.binary),
    })
    const binaries = { binaries: [prebuilt.built], [Symbol.asyncDispose]: () => Promise.resolve() }
    return { opened: prebuilt.opened, services: [prebuilt.service], build: () => Promise.resolve(binaries) }
  }
  const opened = await openSource({ ...sourceOptions(undefined, context, reporter.event), signal })
  const located = await chooseServices(opened, wish)
  return {
    opened,
    services: located.map((each) => ({ ...each, moduleFolder: each.main.moduleFolder })),
    async build(outputs) {
      const built = await buildServices(opened, located, {
        cacheFolder: `${home}/cache`,
        processEnvironment: environment,
        report: reporter.event,
        now: Date.now,
        targets: wish.targets,
        processors: availableParallelism(),
        outputs,
        signal,
      })
      return {
        binaries: built,
        async [Symbol.asyncDispose]() {
          for (const one of built) await one[Symbol.asyncDispose]()
        },
      }
    },
  }
}

/** As Docker calls this machine. */
const hostPlatform = `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`

async function chooseServices(opened: Parameters<typeof locateServices>[0], { services }: ImageWish) {
  if (services.length === 0) return locateServices(opened, undefined)
  return (await Promise.all(services.map((service) => locateServices(opened, service)))).flat()
}

async function write(
  { service, image }: ServiceImage,
  references: readonly ImageReference[],
  file: string,
  { context, reporter, signal }: { context: CommandContext; reporter: Reporter; signal: AbortSignal },
): Promise<void> {
  const begin = performance.now()
  const files = archiveFiles(image, references, hostPlatform)
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
