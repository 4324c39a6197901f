import { readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Abortable } from '../base/bounds.ts'
import { errnoOf, FairwayError } from '../base/error.ts'
import { nearestWord } from '../base/nearest.ts'
import { readText } from '../base/read-file.ts'
import { type Choice, chooseMain, demandMain, type MainCandidate } from './choose.ts'
import { findMains } from './mains.ts'
import { findSource, type Module, relativePackage, type Source, within } from './source.ts'
import type { Toolchain } from './toolchain.ts'
import { compareGoVersions } from './version.ts'

/** The main package a service is built from. */
export interface ServiceSource {
  readonly service: string
  /** './cmd/web' */
  readonly package: string
  readonly mainFolder: string
  readonly moduleFolder: string
  /** Why this one, in words. */
  readonly why: string
}

/** A project's Go code; packages are listed once, and only when something must be detected. */
export class ProjectSource {
  readonly source: Source
  readonly #toolchain: Toolchain
  readonly #options: Abortable
  #choice: Promise<Choice> | undefined

  private constructor(source: Source, toolchain: Toolchain, options: Abortable) {
    this.source = source
    this.#toolchain = toolchain
    this.#options = options
  }

  /** @throws FairwayError SOURCE_NOT_GO, GO_MISSING */
  static async open(folder: string, toolchain: Toolchain, options: Abortable = {}): Promise<ProjectSource> {
    return ProjectSource.of(await findSource(folder), toolchain, options)
  }

  /** A source that was read before, since it says which toolchain it wants. @throws FairwayError GO_MISSING for one too old */
  static of(source: Source, toolchain: Toolchain, options: Abortable = {}): ProjectSource {
    const unmet = source.wanted.find(
      ({ version, line }) => line === 'go' && compareGoVersions(toolchain.version, version) < 0,
    )
    if (unmet === undefined) return new ProjectSource(source, toolchain, options)
    throw new FairwayError(
      'GO_MISSING',
      `${unmet.place} asks for Go ${unmet.version}, this one is ${toolchain.version}`,
      { hint: '`fairway build --explain` says which Go is taken and why; `fairway toolchain list`, which there are.' },
    )
  }

  /** All main packages, the choice among them and its reasons. @throws FairwayError BUILD_FAILED */
  choice(): Promise<Choice> {
    this.#choice ??= findMains(this.source, this.#toolchain, this.#options).then(chooseMain)
    return this.#choice
  }

  /**
   * The one service of a project that names none; where some are asked for, those that main packages are named like.
   * @throws FairwayError MAIN_NOT_FOUND, MAIN_AMBIGUOUS
   */
  async detectServices(named: readonly string[] = []): Promise<string[]> {
    const choice = await this.choice()
    const isMain = (name: string) =>
      choice.candidates.some(({ candidate: { service, decoy } }) => service === name && decoy === undefined)
    return named.length > 0 && named.every(isMain) ? [...named] : [demandMain(choice).service]
  }

  /**
   * @param build as fairway.yaml names it: './cmd/web'
   * @param alone whether the project has no other service
   * @throws FairwayError MAIN_NOT_FOUND, MAIN_AMBIGUOUS, BUILD_FAILED
   */
  async locate(
    service: string,
    { build, alone }: { build?: string | undefined; alone: boolean },
  ): Promise<ServiceSource> {
    if (build !== undefined) return this.#named(service, build)
    const choice = await this.choice()
    const namesake = choice.candidates.filter(({ candidate }) => candidate.service === service)
    const [match] = namesake
    // Alone, it is the one that is chosen anyway; unless another bears its name, and is no decoy.
    const isOther = match?.candidate !== choice.chosen && match?.candidate.decoy === undefined
    if (namesake.length === 1 && match !== undefined && (!alone || isOther)) {
      return toSource(service, match.candidate, 'it is named like the service')
    }
    // Several services of one program differ by their arguments; of several programs, a choice can mean only one service.
    const decided = alone || choice.candidates.length === 1
    const main = demandMain(
      decided
        ? choice
        : { ...choice, chosen: undefined, why: `${service} could be built from any of several main packages` },
      service,
    )
    return toSource(service, main, choice.why)
  }

  async #named(service: string, build: string): Promise<ServiceSource> {
    const { folder } = this.source
    const mainFolder = resolve(folder, build)
    const name = await packageName(mainFolder)
    // The nearest go.mod, also one that no detection looked for; else the module the project lies in.
    const module = (await nestedModule(mainFolder, folder)) ?? moduleOf(mainFolder, this.source.modules)
    if (name === 'main' && module !== undefined) {
      return {
        service,
        package: relativePackage(folder, mainFolder),
        mainFolder,
        moduleFolder: module.folder,
        why: 'it was named, in fairway.yaml or by the command',
      }
    }
    const found =
      name === undefined
        ? 'holds no Go files'
        : name === 'main'
          ? 'belongs to no module'
          : `is \`package ${name}\`, not \`package main\``
    const candidates = (await this.choice()).candidates.map(({ candidate }) => candidate.package)
    const near = nearestWord(relativePackage(folder, mainFolder), candidates)
    throw new FairwayError('MAIN_NOT_FOUND', `services.${service}.build: ${build} ${found}`, {
      hint:
        near === undefined
          ? candidates.length > 0
            ? `Main packages here: ${candidates.join(', ')}`
            : undefined
          : `Did you mean ${near}?`,
    })
  }
}

function toSource(service: string, { package: path, folder, moduleFolder }: MainCandidate, why: string): ServiceSource {
  return { service, package: path, mainFolder: folder, moduleFolder, why }
}

/** The innermost module a folder lies in. */
function moduleOf(folder: string, modules: readonly Module[]): Module | undefined {
  return modules.filter((module) => within(folder, module.folder)).sort((a, b) => b.folder.length - a.folder.length)[0]
}

/** A module between the project's folder and the package that no detection looked for. */
async function nestedModule(mainFolder: string, folder: string): Promise<Module | undefined> {
  for (let current = mainFolder; within(current, folder); current = resolve(current, '..')) {
    try {
      if ((await stat(join(current, 'go.mod'))).isFile()) return { folder: current, path: '' }
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error
    }
  }
  return undefined
}

/** The package clause of the folder's first Go file that is neither a test nor ignored; undefined when there is none. */
async function packageName(folder: string): Promise<string | undefined> {
  let names: string[]
  try {
    names = await readdir(folder)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined
    throw error
  }
  for (const name of names.filter((each) => each.endsWith('.go') && !each.endsWith('_test.go')).sort()) {
    const text = await readText(join(folder, name))
    // Generators lie beside libraries, each a `package main` that go leaves out.
    if (/^\/\/(?:go:build|\s*\+build)\s+ignore\b/m.test(text)) continue
    const clause = /^package\s+(\w+)/m.exec(text.replaceAll(/\/\*[\s\S]*?\*\//g, ''))?.[1]
    if (clause !== undefined && clause !== 'documentation') return clause
  }
  return undefined
}
