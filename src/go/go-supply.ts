import { delimiter, join } from 'node:path'
import type { Abortable } from '../base/bounds.ts'
import type { Clock } from '../base/clock.ts'
import { FairwayError } from '../base/error.ts'
import type { Report } from '../base/event.ts'
import { makeFolder } from '../base/make-folder.ts'
import { type ModuleAccess, openModuleAccess } from '../module/index.ts'
import {
  chooseGo,
  describeHere,
  type GoChoice,
  type GoQuestion,
  isUnsupported,
  newestLine,
  readGoToolchain,
  supportedLines,
} from './choose-go.ts'
import { readModuleVariables } from './module-variables.ts'
import type { WantedGo } from './source.ts'
import { findMachineGo, NewerGoNeeded, oldestGo, openGo, type ProcessEnvironment, type Toolchain } from './toolchain.ts'
import { type InstalledToolchain, ToolchainStore } from './toolchain-store.ts'
import { compareGoVersions, languageLine } from './version.ts'

/** They say enough by themselves, and another toolchain instead would hide them. */
const notOfTheSource: ReadonlySet<string> = new Set([
  'DISK_FULL',
  'HOME_UNUSABLE',
  'MODULE_UNVERIFIED',
  'MODULE_INVALID',
  'USAGE',
])

export interface GoSupplyOptions extends Abortable {
  readonly home: string
  readonly environment: ProcessEnvironment
  readonly clock: Pick<Clock, 'now' | 'sleep'>
  readonly report: Report
  /** `modules.proxy` of the home. */
  readonly proxy: () => Promise<string | undefined>
  readonly silentMs?: number
}

export interface GoWish {
  readonly wanted: readonly WantedGo[]
  /** fairway.yaml's. */
  readonly pin?: string | undefined
  /** A module from elsewhere: its go.mod is not the user's to change. */
  readonly isForeign?: boolean
}

/** A toolchain with the reason for it. When a dependency asks for a newer one, it becomes that. */
export interface ChosenToolchain extends Toolchain {
  readonly why: string
}

/** Every way to a Go: this machine's, those fetched before, the module source. Each is looked for when it is needed first. */
export class GoSupply {
  readonly store: ToolchainStore
  readonly #options: GoSupplyOptions
  #machine: Promise<Toolchain | undefined> | undefined
  #access: Promise<ModuleAccess> | undefined

  constructor(options: GoSupplyOptions) {
    const { home, clock, report } = options
    this.#options = options
    this.store = new ToolchainStore({ home, clock, report, access: () => this.access() })
  }

  /** The Go on the PATH or in GOROOT; undefined where there is none that works. */
  machine(): Promise<Toolchain | undefined> {
    this.#machine ??= findMachineGo(this.#options)
    return this.#machine
  }

  /** @throws FairwayError GO_MISSING when no source is known, USAGE for variables that cannot be read */
  access(): Promise<ModuleAccess> {
    this.#access ??= this.#openAccess()
    return this.#access
  }

  async #openAccess(): Promise<ModuleAccess> {
    const { home, environment, clock, proxy, silentMs } = this.#options
    const [machine, installed] = [await this.machine(), await this.store.list()]
    const goroots = installed.map(({ folder }) => folder)
    const variables = await readModuleVariables({ environment, proxy: await proxy(), machine, goroots })
    const { GOPATH = '', HOME = '' } = { ...environment, ...machine?.variables }
    const goPath = GOPATH !== '' ? GOPATH.split(delimiter)[0] : HOME === '' ? undefined : join(HOME, 'go')
    return openModuleAccess({ home, environment, clock, variables, goPath, silentMs })
  }

  /** @throws FairwayError GO_MISSING with what was asked for, by which line, and what there is; as `install` */
  async choose({ wanted, pin, isForeign = false }: GoWish): Promise<ChosenToolchain> {
    const first = await this.#open(wanted, pin, isForeign)
    const needed = [...wanted]
    let current = first
    let raising: Promise<void> | undefined
    const raise = async ({ version, place }: NewerGoNeeded) => {
      needed.push({ version, place, line: 'go' })
      current = await this.#open(needed, pin, isForeign)
    }
    return {
      get version() { return current.version },
      get goos() { return current.goos },
      get goarch() { return current.goarch },
      get folder() { return current.folder },
      get variables() { return current.variables },
      get why() { return current.why },
      runTool: (argv, options) => current.runTool(argv, options),
      async run(args, options) {
        for (;;) {
          const used = current
          try {
            return await used.run(args, options)
          } catch (error) {
            if (!(error instanceof NewerGoNeeded) || compareGoVersions(used.version, error.version) >= 0) throw error
            if (used === current) await (raising ??= raise(error).finally(() => (raising = undefined)))
            if (used === current) throw error
          }
        }
      },
    } // prettier-ignore
  }

  async #open(wanted: readonly WantedGo[], pin: string | undefined, isForeign: boolean): Promise<ChosenToolchain> {
    const { environment, report } = this.#options
    const [found, installed, preferred, known] = await Promise.all([
      this.machine(),
      this.store.list(),
      this.store.preferred(),
      this.store.known(),
    ])
    const machine = found !== undefined && compareGoVersions(found.version, oldestGo) >= 0 ? found : undefined
    const said = environment['GOTOOLCHAIN'] ?? ''
    const rule = said === '' ? { mayFetch: true } : readGoToolchain(said)
    if (rule === undefined) {
      throw new FairwayError('GO_MISSING', `GOTOOLCHAIN=${said} of the environment is not understood`, {
        hint: 'Expected `auto`, `local` or a version like `go1.26.8`; or unset it.',
      })
    }
    const versions = installed.map(({ version }) => version)
    const pinned =
      pin !== undefined
        ? { version: pin, by: 'fairway.yaml' }
        : rule.pin !== undefined
          ? { version: rule.pin, by: 'GOTOOLCHAIN' }
          : undefined
    const floor = rule.floor === undefined ? [] : [{ version: rule.floor, line: 'go' as const, place: 'GOTOOLCHAIN' }]
    const seen = [...known, ...versions, ...(machine === undefined ? [] : [machine.version])]
    const oldestSupported = supportedLines(seen).at(-1)
    const question: GoQuestion = {
      wanted: [...wanted, ...floor],
      installed: versions,
      ...(pinned === undefined ? {} : { pin: pinned }),
      ...(preferred === undefined ? {} : { preferred }),
      ...(machine === undefined ? {} : { machine: machine.version }),
      ...(found === undefined || machine !== undefined
        ? {}
        : { unfit: `this machine’s Go ${found.version} is too old: ${oldestGo} or newer is needed` }),
      ...(rule.mayFetch ? {} : { mayNotFetch: `GOTOOLCHAIN=${said}` }),
      ...(oldestSupported === undefined ? {} : { oldestSupported }),
    }
    const choice = chooseGo(question)
    if (choice.kind === 'none') {
      throw new FairwayError('GO_MISSING', choice.message, {
        hint: rule.mayFetch
          ? 'Name one in its place that is new enough (`go: { version: … }` in fairway.yaml, or GOTOOLCHAIN), or none: then the right one is taken.'
          : 'Unset GOTOOLCHAIN, and the right one is fetched; or `fairway toolchain install VERSION` first.',
      })
    }
    if (choice.kind === 'installed' && choice.isInstead === true) {
      report({
        kind: 'warning',
        message: `${choice.why}: Go ${choice.version} is used`,
        hint: 'to have another, name it: GOTOOLCHAIN=goVERSION, or `go: { version: VERSION }` in fairway.yaml',
      })
    }
    if (choice.kind === 'machine' && machine !== undefined) {
      await this.#warnOfAge(machine.version, isForeign)
      return { ...machine, why: choice.why }
    }
    const taken = await this.#obtain(choice, installed, describeHere(question))
    if (taken === 'machine') {
      if (machine === undefined) throw new Error('the machine’s Go was chosen and is not there')
      await this.#warnOfAge(machine.version, isForeign)
      return { ...machine, why: choice.why }
    }
    await this.store.markUsed(taken.version)
    await this.#warnOfAge(taken.version, isForeign)
    const why = choice.kind === 'fetch-newest' ? explainFetched(choice, taken.version, question) : choice.why
    return { ...(await this.#openInstalled(taken, found)), why }
  }

  async #obtain(
    choice: Exclude<GoChoice, { kind: 'none' | 'machine' }> | { kind: 'machine'; version: string; why: string },
    installed: readonly InstalledToolchain[],
    here: string,
  ): Promise<InstalledToolchain | 'machine'> {
    const { report, signal } = this.#options
    const find = (version: string) => installed.find((each) => each.version === version)
    try {
      if (choice.kind === 'fetch') return await this.store.installExactly(choice.version, { signal })
      if (choice.kind === 'fetch-newest')
        return await this.store.installNewest(choice.line, choice.floor, choice.why, { signal })
      const found = find(choice.version)
      if (found !== undefined) return found
    } catch (error) {
      signal?.throwIfAborted()
      if (!(error instanceof FairwayError) || notOfTheSource.has(error.code)) throw error
      const named = choice.kind === 'fetch-newest' ? choice.instead : undefined
      const instead = named?.kind === 'machine' ? named.kind : find(named?.version ?? '')
      if (named === undefined || instead === undefined) {
        throw new FairwayError('GO_MISSING', `${choice.why}; ${here}, and none can be fetched: ${error.message}`, {
          hint: error.hint,
          details: error.details,
          cause: error,
        })
      }
      const message = `${choice.why}; none can be fetched (${error.message}), so Go ${named.version} is used`
      report({ kind: 'warning', message })
      return instead
    }
    throw new Error(`${choice.version} was chosen and is not there`)
  }

  /** Caches are those of the machine's own Go where it has one; where not, below the home. */
  async #openInstalled({ folder }: InstalledToolchain, machine: Toolchain | undefined): Promise<Toolchain> {
    const { home, environment, signal } = this.#options
    const { GOROOT: _ofAnother, ...given } = environment
    const caches: Record<string, string> = {}
    if (machine === undefined) {
      const own = { GOCACHE: 'go-build', GOMODCACHE: 'mod', GOPATH: 'go' }
      for (const [key, name] of Object.entries(own))
        if ((given[key] ?? '') === '') caches[key] = join(home, 'cache', name)
      await makeFolder(join(home, 'cache'), 0o755)
    }
    const variables = await this.#knownVariables()
    return openGo(join(folder, 'bin/go'), { environment: { ...given, ...caches, ...variables }, home, signal })
  }

  /** The source that was set for Fairway is go's too. Where none is known, go has its own default. */
  async #knownVariables(): Promise<Record<string, string>> {
    const proxy = await this.#options.proxy()
    return (this.#options.environment['GOPROXY'] ?? '') !== '' || proxy === undefined ? {} : { GOPROXY: proxy }
  }

  async #warnOfAge(version: string, isForeign: boolean): Promise<void> {
    const supported = supportedLines(await this.store.known())
    const [newest = ''] = supported
    if (!isUnsupported(version, supported.at(-1))) return
    this.#options.report({
      kind: 'warning',
      message: `Go ${languageLine(version) ?? version} gets no security fixes any more; ${supported.join(' and ')} do`,
      hint: isForeign
        ? `a newer Go compiles it too: fairway toolchain use ${newest}`
        : `raise the go line of go.mod: go get go@${newest}`,
    })
  }
}

/** 'shop/go.mod:3 asks for Go 1.26; this machine has Go 1.24.1, and 1.26.5 is the newest 1.26 that the module source has' */
function explainFetched(
  { why, line, instead }: Extract<GoChoice, { kind: 'fetch-newest' }>,
  taken: string,
  { installed, ...question }: GoQuestion,
): string {
  const own = describeHere({ ...question, installed: [] })
  if (taken === instead?.version && installed.includes(taken))
    return `${why}; ${own}, and ${taken} was fetched before (of the line that is asked for, none can be fetched)`
  return `${why}; ${own}, and ${taken} is the newest ${line === newestLine ? 'Go' : line} that the module source has`
}
