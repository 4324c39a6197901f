import { access, constants, stat } from 'node:fs/promises'
import { delimiter, join, resolve } from 'node:path'
import type { Abortable, Bounded } from '../base/bounds.ts'
import { errnoOf, FairwayError } from '../base/error.ts'
import { exec, type ExecOptions, type ExecResult } from '../base/exec.ts'
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
}

/** One Go, wherever it came from. What it is run with is told here and inherited from nowhere. */
export interface Toolchain {
  /** '1.26.8' */
  readonly version: string
  readonly goos: string
  readonly goarch: string
  /** Whether go may fetch a newer one by itself, as the user's GOTOOLCHAIN allows. */
  readonly mayUpgrade: boolean
  /** Any exit status is a result. @throws FairwayError COMMAND_TIMEOUT; the signal's reason when aborted */
  run(args: readonly string[], options: RunOptions): Promise<ExecResult>
}

/** The first with the field list of `go list -json`. */
const oldestGo = '1.19'

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
  const program = await findGo(environment)
  await requireTemporaryFolder(environment)
  const given = Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
  // Asked away from any module: there its go.mod could already make go refuse, or fetch another.
  const asked = await exec([program, 'env', '-json'], {
    cwd: '/',
    env: { ...given, GOTOOLCHAIN: 'local' },
    signal,
    deadlineMs: 30_000,
  })
  const go = parseGoEnv(asked)
  const version = (go['GOVERSION'] ?? '').replace(/^go/, '')
  if (compareGoVersions(version, oldestGo) < 0) {
    throw new FairwayError('GO_MISSING', `Go ${version} is too old: ${oldestGo} or newer is needed`, {
      hint: installHint,
    })
  }
  const goroot = go['GOROOT'] ?? ''
  const passed = Object.fromEntries(passedOn.flatMap((key) => (given[key] === undefined ? [] : [[key, given[key]]])))
  const fromGo = Object.fromEntries(askedOfGo.flatMap((key) => (go[key] === undefined ? [] : [[key, go[key]]])))
  const toolchain = given['GOTOOLCHAIN'] ?? 'local'
  const base: Readonly<Record<string, string>> = {
    ...passed,
    ...fromGo,
    PATH: [join(goroot, 'bin'), given['PATH'] ?? ''].join(delimiter),
    LC_ALL: 'C',
    GOENV: 'off',
    GOFLAGS: '',
    GOTOOLCHAIN: toolchain,
    GOTELEMETRY: 'off',
    GO111MODULE: 'on',
  }
  return {
    version,
    goos: go['GOHOSTOS'] ?? 'linux',
    goarch: go['GOHOSTARCH'] ?? 'amd64',
    mayUpgrade: toolchain !== 'local',
    run: (args, { cgo, temporaryFolder, environment: more, ...options }) =>
      exec([program, ...args], {
        ...options,
        env: {
          ...base,
          ...(cgo === undefined ? {} : { CGO_ENABLED: cgo ? '1' : '0' }),
          ...(temporaryFolder === undefined ? {} : { GOTMPDIR: temporaryFolder }),
          ...more,
        },
        maxOutputBytes: 64 * 1024 * 1024,
      }),
  }
}

const installHint =
  'Install Go (https://go.dev/doc/install) and have `go version` answer in this shell: it is looked for on the PATH and in GOROOT.'

async function findGo({ GOROOT = '', PATH = '' }: ProcessEnvironment): Promise<string> {
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
  throw new FairwayError('GO_MISSING', 'There is no `go` on the PATH', { hint: installHint })
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

function parseGoEnv({ exitCode, stdout, stderr }: ExecResult): Readonly<Record<string, string>> {
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
  const [line = 'it says nothing'] = stderr.trim().split('\n')
  throw new FairwayError('GO_MISSING', `The \`go\` on the PATH does not work: ${line}`, { hint: installHint })
}
