import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Abortable } from '../base/bounds.ts'
import { errnoOf, FairwayError } from '../base/error.ts'
import type { Report } from '../base/event.ts'
import { readElf, type Recipe } from '../artifact/index.ts'
import type { Project, ProjectService } from '../config/index.ts'
import {
  type BuildInfo,
  cyclonedxText,
  findLicences,
  makeBill,
  readBuildInfo,
  readCommitTime,
  spdxText,
  type Toolchain,
} from '../go/index.ts'
import {
  type Image,
  isoTime,
  joinPlatforms,
  LayerCache,
  type Library,
  makeImage,
  type PlatformImage,
} from '../image/index.ts'
import { containerRun, imageLabels, platformOf } from './container.ts'
import type { BuiltService } from './deliver.ts'

export const sbomFormats = {
  cyclonedx: { mediaType: 'application/vnd.cyclonedx+json', extension: 'cdx.json', text: cyclonedxText },
  spdx: { mediaType: 'application/spdx+json', extension: 'spdx.json', text: spdxText },
} as const

export type SbomFormat = keyof typeof sbomFormats

/** What an image needs to know of where it comes from. */
export interface ImageSource {
  readonly project: Project
  /** None: the image has no time zones. */
  readonly toolchain: Pick<Toolchain, 'version' | 'folder' | 'variables'> | undefined
}

/** A service with where its module lies: its licence, and vendored ones. */
export interface ImageService extends Pick<ProjectService, 'specification'> {
  readonly moduleFolder: string
}

/** What was built, here or elsewhere. */
export interface BuiltBinary extends Pick<BuiltService, 'service' | 'artifact' | 'sources'> {
  readonly recipe: Pick<Recipe, 'goos' | 'goarch' | 'module' | 'commit' | 'dirty'>
}

/** A service's image, of all the platforms it was built for. */
export interface ServiceImage {
  readonly service: string
  readonly image: Image
  readonly createdAt: number
  /** Each format's text, by the platform's manifest. */
  readonly sboms: ReadonlyMap<PlatformImage, Readonly<Record<SbomFormat, string>>>
}

export interface ImageOptions extends Abortable {
  readonly cacheFolder: string
  readonly processEnvironment: Readonly<Record<string, string | undefined>>
  readonly report: Report
  readonly now: () => number
  /** Fairway's own, for what it writes. */
  readonly toolVersion: string
  /** What the service listens on in a container. */
  readonly port: number
  readonly withSboms: boolean
}

/**
 * Puts what was built into images, one for each service, all its platforms together.
 * @throws FairwayError IMAGE_IMPOSSIBLE, ARTIFACT_CORRUPT, DISK_FULL, HOME_UNUSABLE; the signal's reason
 */
export async function makeImages(
  opened: ImageSource,
  services: readonly ImageService[],
  built: readonly BuiltBinary[],
  options: ImageOptions,
): Promise<ServiceImage[]> {
  const { cacheFolder, now, report } = options
  const cache = await LayerCache.open(cacheFolder, { now: now() })
  const timeZones = opened.toolchain === undefined ? undefined : await readTimeZones(opened.toolchain.folder)
  if (timeZones === undefined) {
    report({
      kind: 'warning',
      message: `the image has no time zones: ${opened.toolchain === undefined ? 'there is no Go here that has them' : `this Go (${opened.toolchain.version}) brings no lib/time/zoneinfo.zip along`}`,
      hint: 'Where the service needs them: import _ "time/tzdata"',
    })
  }
  const createdAt = await creationTime(opened.project.folder, built, options)
  const images: ServiceImage[] = []
  for (const located of services) {
    const { service } = located.specification
    const made = []
    for (const one of built.filter((each) => each.service === service)) {
      const info = await binaryInfo(one)
      const labels = labelsOf(opened, one, info, createdAt)
      const { image, libraries } = await makeImage(
        {
          ...containerRun(located.specification.run, options.port),
          artifact: one.artifact,
          sources: one.sources,
          platform: platformOf(info, one.recipe),
          labels,
          createdAt,
          ...(timeZones === undefined ? {} : { timeZones }),
        },
        cache,
        { signal: options.signal },
      )
      const sbom = options.withSboms
        ? await describeBuilt(opened, located, one, { ...options, createdAt, libraries })
        : undefined
      made.push({ image, sbom })
    }
    images.push({
      service,
      createdAt,
      image: joinPlatforms(made.map(({ image }) => image)),
      sboms: new Map(made.flatMap(({ image, sbom }) => (sbom === undefined ? [] : [[image, sbom] as const]))),
    })
  }
  return images
}

/**
 * The bill of materials of one built service, in both formats.
 * @throws the signal's reason when aborted
 */
export async function describeBuilt(
  { toolchain }: ImageSource,
  { moduleFolder }: Pick<ImageService, 'moduleFolder'>,
  built: BuiltBinary,
  options: Pick<ImageOptions, 'signal' | 'toolVersion'> & { createdAt: number; libraries?: readonly Library[] },
): Promise<Readonly<Record<SbomFormat, string>>> {
  const { artifact, sources, service } = built
  const { createdAt, toolVersion, signal, libraries = [] } = options
  const info = await binaryInfo(built)
  const elf = await readElf(binaryPath(built))
  const digests = new Map(libraries.map(({ name, digest }) => [name, digest]))
  const names = [...new Set([...(elf?.libraries ?? []), ...digests.keys()])].toSorted()
  const licences = await findLicences([info.main ?? { path: info.path, version: '' }, ...info.dependencies], {
    cache: toolchain?.variables['GOMODCACHE'] ?? '',
    main: moduleFolder,
  })
  const bill = await makeBill(
    {
      artifact,
      sources,
      info,
      licences,
      libraries: names.map((name) => {
        const digest = digests.get(name)
        return { name, ...(digest === undefined ? {} : { digest }) }
      }),
      service,
      version: versionOf(built, info),
      createdAt,
      toolVersion,
    },
    { signal },
  )
  return { cyclonedx: cyclonedxText(bill), spdx: spdxText(bill) }
}

/**
 * When what is made says it was made: SOURCE_DATE_EPOCH, else the commit's time, else 0; never now, which no second run would
 * give again.
 * @throws FairwayError USAGE for a SOURCE_DATE_EPOCH that is no number
 * @see reproducible-builds.org, SOURCE_DATE_EPOCH
 */
export async function creationTime(
  folder: string,
  [first]: readonly BuiltBinary[],
  { processEnvironment, signal }: Pick<ImageOptions, 'processEnvironment' | 'signal'>,
): Promise<number> {
  const asked = processEnvironment['SOURCE_DATE_EPOCH'] ?? ''
  if (asked !== '') {
    if (/^\d{1,11}$/.test(asked)) return Number(asked)
    throw new FairwayError(
      'USAGE',
      `SOURCE_DATE_EPOCH: seconds since 1970 were expected, found ${JSON.stringify(asked)}`,
      {
        hint: 'For example: export SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)',
      },
    )
  }
  const commit = first === undefined ? undefined : cleanCommit(first)
  if (commit === undefined) return 0
  return (await readCommitTime(folder, commit, { environment: processEnvironment, signal })) ?? 0
}

function labelsOf(
  { project }: ImageSource,
  built: BuiltBinary,
  info: BuildInfo,
  createdAt: number,
): Readonly<Record<string, string>> {
  return imageLabels({
    project: project.name,
    service: built.service,
    version: versionOf(built, info),
    module: built.recipe.module,
    commit: cleanCommit(built),
    created: isoTime(createdAt),
  })
}

/** The module's own where it has one, the commit, or the artifact itself. */
function versionOf(built: BuiltBinary, info: BuildInfo): string {
  const version = info.main?.version ?? ''
  if (version !== '' && version !== '(devel)') return version
  return cleanCommit(built)?.slice(0, 12) ?? built.artifact.digest.slice(0, 12)
}

/** The commit, where it is all that was built. */
function cleanCommit({ recipe }: BuiltBinary): string | undefined {
  return recipe.dirty === false ? recipe.commit : undefined
}

function binaryPath({ artifact, sources }: BuiltBinary): string {
  const path = sources.get(artifact.binary)
  if (path === undefined) throw new TypeError('a build without its binary')
  return path
}

async function binaryInfo(built: BuiltBinary): Promise<BuildInfo> {
  const info = await readBuildInfo(binaryPath(built))
  if (info !== undefined) return info
  throw new FairwayError(
    'IMAGE_IMPOSSIBLE',
    `No image can be made of ${built.service}: it says nothing about how it was built`,
    {
      hint: 'Is it built for Linux, by Go 1.18 or newer?',
    },
  )
}

async function readTimeZones(goroot: string): Promise<Buffer | undefined> {
  try {
    return await readFile(join(goroot, 'lib/time/zoneinfo.zip'))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined
    throw error
  }
}
