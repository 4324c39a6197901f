import { stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import type { Abortable } from '../base/bounds.ts'
import { errnoOf, FairwayError } from '../base/error.ts'
import { hashFile, makeArtifact } from '../artifact/index.ts'
import { checkProject, type Project } from '../config/index.ts'
import { collectFiles, findToolchain, type ProcessEnvironment, readBuildInfo, type Toolchain } from '../go/index.ts'
import type { BuiltBinary, ImageService, ImageSource } from './images.ts'

export interface PrebuiltOptions extends Abortable {
  readonly folder: string
  readonly environment: string
  readonly processEnvironment: ProcessEnvironment
  readonly service: string | undefined
  /** An executable that Go made, here or elsewhere. */
  readonly binary: string
}

/** A binary somebody else built, with what the project says of its service: nothing is compiled, and no Go is needed. */
export interface Prebuilt {
  readonly opened: ImageSource
  readonly service: ImageService
  readonly built: BuiltBinary
}

/** @throws FairwayError USAGE for what is no such binary; SERVICE_UNKNOWN, CONFIG_INVALID */
export async function readPrebuilt(options: PrebuiltOptions): Promise<Prebuilt> {
  const { folder, environment, processEnvironment, binary, signal } = options
  const info = await readBuildInfo(binary).catch((error: unknown) => {
    if (errnoOf(error) === undefined) throw error
    throw refuse(binary, `it cannot be read (${errnoOf(error)})`)
  })
  if (info === undefined) throw refuse(binary, 'it is no Linux executable that Go 1.18 or newer made')
  const project = await checkProject({
    folder,
    environment,
    processEnvironment,
    signal,
    detectServices: () => Promise.resolve([serviceName(info.path, binary)]),
  })
  const service = chooseOne(project, options.service)
  const name = service.specification.service
  const digest = await hashFile(binary)
  if (digest === undefined) throw refuse(binary, 'it is gone')
  const collected = await collectFiles(project.folder, service.files)
  const files = collected.map(({ path, digest, size, executable }) => ({ path, digest, size, executable }))
  const artifact = makeArtifact({
    files: [...files, { path: name, digest, size: (await stat(binary)).size, executable: true }],
    binary: name,
  })
  const toolchain = await findToolchain({ environment: processEnvironment, signal }).catch(withoutGo)
  return {
    opened: { project, toolchain },
    service: { ...service, moduleFolder: project.folder },
    built: {
      service: name,
      artifact,
      sources: new Map([
        [name, resolve(binary)],
        ...collected.map(({ path, source }): [string, string] => [path, source]),
      ]),
      // Nobody knows whether the sources here are those of the binary: no commit is claimed.
      recipe: {
        goos: info.settings.get('GOOS') ?? '',
        goarch: info.settings.get('GOARCH') ?? '',
        module: info.main?.path ?? '',
      },
    },
  }
}

function withoutGo(error: unknown): Toolchain | undefined {
  if (error instanceof FairwayError && error.code === 'GO_MISSING') return undefined
  throw error
}

function chooseOne(project: Project, wanted: string | undefined) {
  const names = project.services.map(({ specification }) => specification.service)
  const [only, ...more] = project.services.filter(
    ({ specification }) => (wanted ?? specification.service) === specification.service,
  )
  if (only === undefined) {
    throw new FairwayError('SERVICE_UNKNOWN', `${project.name} has no service ${JSON.stringify(wanted)}`, {
      hint: `Known: ${names.join(', ')}.`,
    })
  }
  if (more.length === 0) return only
  throw new FairwayError('USAGE', `--binary: which service is it? There are ${names.join(', ')}`, {
    hint: `fairway image ${names[0] ?? 'web'} --binary FILE`,
  })
}

/** Where fairway.yaml names none. */
function serviceName(mainPackage: string, binary: string): string {
  const word = (text: string) =>
    text
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replaceAll(/^[^a-z]+|-+$/g, '')
      .slice(0, 32)
  const last = basename(mainPackage.replace(/\/v\d+$/, ''))
  return word(last) || word(basename(binary)) || 'service'
}

function refuse(binary: string, why: string): FairwayError {
  return new FairwayError('USAGE', `--binary: ${binary} is no binary for an image: ${why}`, {
    hint: 'Name the executable of the service: CGO_ENABLED=0 GOOS=linux go build -trimpath -ldflags=-w -o web ./cmd/web',
  })
}
