import { posix } from 'node:path'
import { dataWorkdir, fillArguments, listenArguments, listenVariables, type RunSpecification } from '../config/index.ts'
import { appFolder, dataFolder, type ImageConfig, type Platform } from '../image/index.ts'
import type { BuildInfo } from '../go/index.ts'
import type { Recipe } from '../artifact/index.ts'

/** How a service starts in a container: there it has an address of its own, so every copy can have the same port. */
export function containerRun(
  run: RunSpecification,
  port: number,
): Pick<ImageConfig, 'args' | 'environment' | 'ports' | 'volumes' | 'workingFolder'> {
  const { listen, workdir } = run
  const place = { host: '0.0.0.0', port }
  return {
    args: [...fillArguments(run.args, run.data ? `/${dataFolder}` : null), ...listenArguments(listen, place)],
    environment: {
      ...listenVariables(listen, place),
      ...(run.data ? { STATE_DIRECTORY: `/${dataFolder}` } : {}),
    },
    ports: [...(listen.kind === 'none' ? [] : [listen.kind === 'port' ? listen.port : port]), ...(run.ports ?? [])],
    volumes: run.data ? [`/${dataFolder}`] : [],
    workingFolder: workdir === dataWorkdir ? `/${dataFolder}` : `/${posix.join(appFolder, workdir ?? '.')}`,
  }
}

/** What the linker says a binary runs on. Images name the variant of arm always, of amd64 where it is not the first. */
export function platformOf({ settings }: BuildInfo, { goos, goarch }: Pick<Recipe, 'goos' | 'goarch'>): Platform {
  const os = settings.get('GOOS') ?? goos
  const architecture = settings.get('GOARCH') ?? goarch
  const variant = variantOf(architecture, settings)
  return { os, architecture, ...(variant === undefined ? {} : { variant }) }
}

function variantOf(architecture: string, settings: BuildInfo['settings']): string | undefined {
  if (architecture === 'arm') return `v${settings.get('GOARM')?.split(',')[0] ?? '7'}`
  if (architecture === 'arm64') return (settings.get('GOARM64') ?? 'v8.0').split(',')[0]?.replace(/\.0$/, '')
  const level = architecture === 'amd64' ? settings.get('GOAMD64') : undefined
  return level === 'v1' ? undefined : level
}

/** @see OCI Image Format Specification 1.1, "Pre-Defined Annotation Keys" */
export function imageLabels({
  project,
  service,
  version,
  module,
  commit,
  created,
}: {
  readonly project: string
  readonly service: string
  readonly version: string
  readonly module: string
  /** None where the work tree differed from it. */
  readonly commit: string | undefined
  readonly created: string
}): Readonly<Record<string, string>> {
  // A module's path is where its source is found, but for the number of its major version.
  const [host = ''] = module.split('/')
  const source = host.includes('.') ? `https://${module.replace(/\/v\d+$/, '')}` : undefined
  return {
    'org.opencontainers.image.created': created,
    ...(commit === undefined ? {} : { 'org.opencontainers.image.revision': commit }),
    ...(source === undefined ? {} : { 'org.opencontainers.image.source': source }),
    'org.opencontainers.image.title': `${project}/${service}`,
    'org.opencontainers.image.version': version,
  }
}
