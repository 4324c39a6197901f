import { access, constants, stat } from 'node:fs/promises'
import { delimiter, join, resolve } from 'node:path'
import type { Abortable, Bounded } from '../base/bounds.ts'
import { errnoOf, FairwayError } from '../base/error.ts'
import { type Argv, exec, type ExecOptions, type ExecResult } from '../base/exec.ts'
import { storeFirst } from '../module/index.ts'
import { compareGoVersions } from './version.ts'

export type ProcessEnvironment = Readonly<Record<string, string | undefined>>

interface RunOptions extends Bounded {
  readonly cwd: string
  readonly cgo?: boolean
  /** Where go puts what it needs meanwhile. */
  readonly temporaryFolder?: string
  /** Over what the toolchain itself tells: the target, a C compiler, a cache. */
  readonly environment?: Readonly<Record<string, string>>
  /** As root: on whose behalf. */
  readonly user?: ExecOptions['user']
  /** For the programs that go starts: tests read the caller's. What go itself is told stands above it. */
  readonly inherited?: ProcessEnvironment
  /** Called with each chunk as it arrives. */
  readonly onStdout?: (chunk: Buffer) => void
}

/** One Go, wherever it came from. What it is run with is told here and inherited from nowhere. */
export interface Toolchain {
  /** '1.26.8' */
  readonly version: string
  readonly goos: string
  readonly goarch: string
  /** Its GOROOT. */
  readonly folder: string
  /** What its `go env` says, of the variables that count here. */
  readonly variables: Readonly<Record<string, string>>
  /**
   * Any exit status is a result.
   * @throws FairwayError COMMAND_TIMEOUT; NewerGoNeeded when a module asks for a newer Go; the signal's reason when aborted
   */
  run(args: readonly string[], options: RunOptions): Promise<ExecResult>
  /** Another program that itself asks go, told the same. */
  runTool(argv: Argv, options: RunOptions): Promise<ExecResult>
}

/** A dependency asks for a newer Go than the one that was chosen by the files that could be read before. */
export class NewerGoNeeded extends FairwayError {
  readonly version: string
  readonly place: string

  constructor({ version, place, running }: { version: string; place: string; running: string }) {
    super('GO_MISSING', `${place} asks for Go ${version}, and ${running} is used`, {
      hint: 'Say in go.mod which Go the whole build needs: go get go@' + version,
    })
    this.version = version
    this.place = place
  }
}

/** The first with the field list of `go list -json`. */
export const oldestGo = '1.19'

/** From the user's own `go env`: where modules and caches lie and how they are reached, and the C compiler. */
const askedOfGo = [
  'GOCACHE', 'GOMODCACHE', 'GOPATH', 'GOPROXY', 'GOSUMDB', 'GOPRIVATE', 'GONOPROXY', 'GONOSUMDB', 'GOINSECURE', 'GOAUTH', 'GOVCS',
  'CC', 'CXX', 'AR', 'PKG_CONFIG', 'CGO_CFLAGS', 'CGO_CPPFLAGS', 'CGO_CXXFLAGS', 'CGO_LDFLAGS',
] // prettier-ignore

/** How the network and private repositories are reached; none of it changes what is built. */
const passedOn = [
  'HOME', 'USER', 'TMPDIR', 'XDG_CONFIG_HOME', 'SSH_AUTH_SOCK', 'GIT_SSH_COMMAND', 'GIT_CONFIG_GLOBAL', 'NETRC', 'GOWORK',
  'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy', 'SSL_CERT_FILE', 'SSL_CERT_DIR',
] // prettier-ignore

/**
 * The Go on this machine: GOROOT's where one is given, else the PATH's.
 * @throws FairwayError GO_MISSING when there is none, or one older than 1.19; MACHINE_UNFIT when it could not work here
 */
export async function findToolchain({
  environment,
  signal,
}: Abortable & { environment: ProcessEnvironment }): Promise<Toolchain> {
  const toolchain = await findMachineGo({ environment, signal })
  if (toolchain === undefined)
    throw new FairwayError('GO_MISSING', 'There is no `go` on the PATH', { hint: installHint })
  if (compareGoVersions(toolchain.version, oldestGo) >= 0) return toolchain
  throw new FairwayError('GO_MISSING', `Go ${toolchain.version} is too old: ${oldestGo} or newer is needed`, {
    hint: installHint,
  })
}

/** As `findToolchain`; undefined where there is none, and of whatever age. */
export async function findMachineGo({
  environment,
  home,
  signal,
}: Abortable & { environment: ProcessEnvironment; home?: string }): Promise<Toolchain | undefined> {
  const program = await findGo(environment)
  return program === undefined ? undefined : openGo(program, { environment, home, signal })
}

/**
 * Makes a Go ready to be run.
 * @param program its `go`
 * @param home whose modules are taken before any are fetched
 * @throws FairwayError GO_MISSING when it does not work, MACHINE_UNFIT when it could not work here
 */
export async function openGo(
  program: string,
  { environment, home, signal }: Abortable & { environment: ProcessEnvironment; home?: string | undefined },
): Promise<Toolchain> {
  await requireTemporaryFolder(environment)
  const given = Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
  const asking = { ...ownCaches(given, home), ...askedWith(given) }
  // Asked away from any module: there its go.mod could already make go refuse, or fetch another.
  const asked = await exec([program, 'env', '-json'], {
    cwd: '/',
    env: { ...asking, GOTOOLCHAIN: 'local' },
    signal,
    deadlineMs: 30_000,
  })
  const go = parseGoEnv(asked, program, asking)
  const version = (go['GOVERSION'] ?? '').replace(/^go/, '')
  const goroot = go['GOROOT'] ?? ''
  const passed = Object.fromEntries(passedOn.flatMap((key) => (given[key] === undefined ? [] : [[key, given[key]]])))
  const variables = Object.fromEntries(askedOfGo.flatMap((key) => (go[key] === undefined ? [] : [[key, go[key]]])))
  const base: Readonly<Record<string, string>> = {
    ...passed,
    ...variables,
    GOPROXY: storeFirst(home, variables['GOPROXY'] ?? ''),
    PATH: [join(goroot, 'bin'), given['PATH'] ?? ''].join(delimiter),
    LC_ALL: 'C',
    GOENV: 'off',
    GOFLAGS: '',
    GOTOOLCHAIN: 'local', // which one is ours to say
    GOTELEMETRY: 'off',
    GO111MODULE: 'on',
  }
  const runTool: Toolchain['runTool'] = (
    argv,
    { cgo, temporaryFolder, environment: more, inherited = {}, ...options },
  ) =>
    exec(argv, {
      ...options,
      env: {
        ...runtimeEnvironment(inherited),
        ...base,
        ...(cgo === undefined ? {} : { CGO_ENABLED: cgo ? '1' : '0' }),
        ...(temporaryFolder === undefined ? {} : { GOTMPDIR: temporaryFolder }),
        ...more,
      },
      maxOutputBytes: 64 * 1024 * 1024,
    })
  return {
    version,
    goos: go['GOHOSTOS'] ?? 'linux',
    goarch: go['GOHOSTARCH'] ?? 'amd64',
    folder: goroot,
    variables,
    async run(args, options) {
      const result = await runTool([program, ...args], options)
      const needed = result.exitCode === 0 ? undefined : findNeeded(result.stderr)
      if (needed === undefined) return result
      throw new NewerGoNeeded({ ...needed, running: `Go ${version}` })
    },
    runTool,
  }
}

/** 'go: example.com/x@v1.0.0 requires go >= 1.99 (running go 1.26.8; GOTOOLCHAIN=local)' */
function findNeeded(text: string): { readonly version: string; readonly place: string } | undefined {
  const [, place = '', version] = /^(?:go: )?(\S+)[^\n]* requires go >= ([0-9][\w.]*) \(running go /m.exec(text) ?? []
  return version === undefined ? undefined : { place, version }
}

/** Without what would change the build, and could already make go refuse to answer: GOEXPERIMENT, GOARCH. */
function askedWith(environment: Readonly<Record<string, string>>): Record<string, string> {
  const kept = new Set([...askedOfGo, 'GOENV', 'GOROOT'])
  return Object.fromEntries(Object.entries(environment).filter(([key]) => kept.has(key) || !ofTheBuild.test(key)))
}

/** Who has no home folder (a service of the system, a container's user) has its caches below Fairway's. */
function ownCaches(environment: Readonly<Record<string, string>>, home: string | undefined): Record<string, string> {
  const { HOME = '', XDG_CACHE_HOME = '' } = environment
  if (home === undefined || HOME !== '') return {}
  const isCached = XDG_CACHE_HOME !== ''
  return { GOPATH: join(home, 'cache/go'), ...(isCached ? {} : { GOCACHE: join(home, 'cache/go-build') }) }
}

const ofTheBuild = /^(?:GO(?!DEBUG$|RACE$|TRACEBACK$|MAXPROCS$|MEMLIMIT$|GC$)[A-Z0-9]+|CGO_ENABLED)$/

/** Without what would change the build; what Go's runtime reads (GODEBUG, GORACE, GOMAXPROCS …) is the program's business. */
function runtimeEnvironment(environment: ProcessEnvironment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && !ofTheBuild.test(entry[0]),
    ),
  )
}

const installHint =
  'Install Go (https://go.dev/doc/install) and have `go version` answer in this shell, or let Fairway fetch it: fairway toolchain install latest'

async function findGo({ GOROOT = '', PATH = '' }: ProcessEnvironment): Promise<string | undefined> {
  const folders = [
    ...(GOROOT === '' ? [] : [join(GOROOT, 'bin')]),
    ...PATH.split(delimiter).filter((folder) => folder.startsWith('/')),
  ]
  for (const folder of folders) {
    const path = join(folder, 'go')
    try {
      await access(path, constants.X_OK)
      return path
    } catch {
      // the next one
    }
  }
  return undefined
}

/** Without it go says no word about itself, as if it were broken. */
async function requireTemporaryFolder({ TMPDIR = '' }: ProcessEnvironment): Promise<void> {
  const folder = resolve('/', TMPDIR === '' ? 'tmp' : TMPDIR) // relative to where go is asked
  let why: string | undefined
  try {
    if (!(await stat(folder)).isDirectory()) why = 'is not a folder'
    else await access(folder, constants.W_OK | constants.X_OK)
  } catch (error) {
    why = errnoOf(error) === 'ENOENT' ? 'does not exist' : `cannot be written (${errnoOf(error)})`
  }
  if (why === undefined) return
  throw new FairwayError('MACHINE_UNFIT', `The folder for temporary files, ${folder}, ${why}`, {
    hint:
      TMPDIR === ''
        ? 'Make it (mode 1777), or name another by TMPDIR: Go works there.'
        : 'TMPDIR names it: let it name a folder that this user may write, or unset it. Go works there.',
  })
}

function parseGoEnv(
  { exitCode, stdout, stderr }: ExecResult,
  program: string,
  environment: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  try {
    const parsed: unknown = JSON.parse(stdout)
    if (exitCode === 0 && typeof parsed === 'object' && parsed !== null) {
      return Object.fromEntries(
        Object.entries(parsed).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
      )
    }
  } catch {
    // said below
  }
  const line = stderr.trim().split('\n')[0] ?? ''
  const variable = findBlamed(line, environment)
  if (variable !== undefined) {
    const value = environment[variable] ?? ''
    throw new FairwayError('MACHINE_UNFIT', `Go refuses to work with this environment: ${line}`, {
      hint:
        value === ''
          ? `${variable} is not set there: set it; or where a file of go’s own says it: go env -u ${variable}`
          : `${variable} is ${JSON.stringify(value)} there: mend it or unset it, and try again.`,
    })
  }
  throw new FairwayError('GO_MISSING', `${program} does not work: ${line === '' ? 'it says nothing' : line}`, {
    hint: installHint,
  })
}

/** The variable that go complains about: it names it, or quotes what it holds. */
export function findBlamed(line: string, environment: Readonly<Record<string, string>>): string | undefined {
  const named = /\b(?:GO[A-Z0-9]+|TMPDIR|HOME|XDG_[A-Z]+_HOME)\b/.exec(line)?.[0]
  if (named !== undefined) return named
  const places = ['GOCACHE', 'GOMODCACHE', 'GOPATH', 'GOENV', 'GOROOT', 'TMPDIR', 'XDG_CACHE_HOME', 'HOME'] as const
  return places
    .filter((key) => (environment[key] ?? '').length > 1 && line.includes(environment[key] ?? ''))
    .sort((a, b) => (environment[b] ?? '').length - (environment[a] ?? '').length)[0]
}
