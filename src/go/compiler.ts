import { createHash } from 'node:crypto'
import { access, constants, realpath, stat } from 'node:fs/promises'
import { delimiter, isAbsolute, join } from 'node:path'
import { type CompilerRecord, hashFile, type Target, targetName } from '../artifact/index.ts'
import type { Abortable } from '../base/bounds.ts'
import { FairwayError } from '../base/error.ts'
import { exec } from '../base/exec.ts'
import type { ProcessEnvironment, Toolchain } from './toolchain.ts'

/** A C compiler for one target. */
export interface Compiler {
  /** For go: CC, CXX and AR of another target; nothing for the machine's own. */
  readonly environment: Readonly<Record<string, string>>
  /** Absolute. */
  readonly path: string
  /** As go is told. */
  readonly name: string
}

/** What the compilers of Debian are called by: `aarch64-linux-gnu-gcc`, from which packages. */
const triples: Readonly<Record<string, readonly [triple: string, libc: string]>> = {
  'linux/amd64': ['x86_64-linux-gnu', 'libc6-dev-amd64-cross'],
  'linux/386': ['i686-linux-gnu', 'libc6-dev-i386-cross'],
  'linux/arm64': ['aarch64-linux-gnu', 'libc6-dev-arm64-cross'],
  'linux/arm': ['arm-linux-gnueabihf', 'libc6-dev-armhf-cross'],
  'linux/arm/v6': ['arm-linux-gnueabi', 'libc6-dev-armel-cross'],
  'linux/arm/v5': ['arm-linux-gnueabi', 'libc6-dev-armel-cross'],
  'linux/loong64': ['loongarch64-linux-gnu', 'libc6-dev-loong64-cross'],
  'linux/mips64le': ['mips64el-linux-gnuabi64', 'libc6-dev-mips64el-cross'],
  'linux/mipsle': ['mipsel-linux-gnu', 'libc6-dev-mipsel-cross'],
  'linux/ppc64le': ['powerpc64le-linux-gnu', 'libc6-dev-ppc64el-cross'],
  'linux/riscv64': ['riscv64-linux-gnu', 'libc6-dev-riscv64-cross'],
  'linux/s390x': ['s390x-linux-gnu', 'libc6-dev-s390x-cross'],
  'windows/amd64': ['x86_64-w64-mingw32', ''],
  'windows/386': ['i686-w64-mingw32', ''],
}

export interface CompilerQuestion extends Abortable {
  /** undefined is the machine's own. */
  readonly target: Target | undefined
  readonly toolchain: Toolchain
  readonly environment: ProcessEnvironment
}

/** @returns what is missing, as a failure to be thrown where there is no other way */
export async function findCompiler(question: CompilerQuestion): Promise<Compiler | FairwayError> {
  const { target, toolchain, environment, signal } = question
  if (target === undefined || (target.os === toolchain.goos && target.arch === toolchain.goarch)) {
    const { stdout } = await toolchain.run(['env', 'CC'], { cwd: '/', signal })
    const name = stdout.trim()
    const path = await findProgram(name.split(' ')[0] ?? '', environment)
    if (path !== undefined) return { environment: {}, path, name }
    return new FairwayError('BUILD_FAILED', `A package needs cgo, and cgo a C compiler: there is no ${name || 'gcc'}`, {
      hint: `${install('gcc libc6-dev')}, or where the program works without C: go: { cgo: false } in fairway.yaml`,
    })
  }
  const [triple, libc] = triples[targetName(target)] ?? triples[`${target.os}/${target.arch}`] ?? []
  if (triple === undefined || libc === undefined) {
    return new FairwayError('BUILD_FAILED', `No C compiler for ${targetName(target)} is known here`, {
      hint: 'Build on such a machine, or, where the program works without C: go: { cgo: false } in fairway.yaml',
    })
  }
  const path = await findProgram(`${triple}-gcc`, environment)
  if (path === undefined) {
    const suffix = target.os === 'windows' ? `mingw-w64-${target.arch === '386' ? 'i686' : 'x86-64'}` : debian(triple)
    return new FairwayError(
      'BUILD_FAILED',
      `A package needs cgo, and cgo a C compiler for ${targetName(target)}: there is no ${triple}-gcc`,
      {
        hint: `${install(`gcc-${suffix}${libc === '' ? '' : ` ${libc}`}`)}, or where the program works without C: go: { cgo: false } in fairway.yaml`,
      },
    )
  }
  const tools = { CC: `${triple}-gcc`, CXX: `${triple}-g++`, AR: `${triple}-ar` }
  return { environment: tools, path, name: tools.CC }
}

const install = (packages: string) => `sudo apt-get install -y ${packages}`
const debian = (triple: string) => triple.replaceAll('_', '-')

async function findProgram(name: string, { PATH = '' }: ProcessEnvironment): Promise<string | undefined> {
  const places = isAbsolute(name) ? [name] : PATH.split(delimiter).map((folder) => join(folder, name))
  for (const path of places) {
    if (!isAbsolute(path) || name === '') continue
    try {
      await access(path, constants.X_OK)
      if ((await stat(path)).isFile()) return path
    } catch {
      // the next one
    }
  }
  return undefined
}

/** A compiler's record, and by what to see that it is still the one. */
export interface KnownCompiler {
  readonly key: string
  readonly record: CompilerRecord
}

/**
 * The driver, with the programs that do the work: those change with an update, the driver hardly.
 * @param known from the last build; hashing 30 MB for each would be felt
 */
export async function recordCompiler(
  { path, name }: Compiler,
  known: KnownCompiler | undefined,
  { environment, signal }: Abortable & { environment: ProcessEnvironment },
): Promise<KnownCompiler> {
  const env = { PATH: environment['PATH'] ?? '', LC_ALL: 'C' }
  const programs = [await realpath(path)]
  for (const part of ['cc1', 'as', 'ld']) {
    const { stdout } = await exec([path, `-print-prog-name=${part}`], { env, signal, deadlineMs: 10_000 })
    const program = await findProgram(stdout.trim(), environment)
    if (program !== undefined) programs.push(await realpath(program))
  }
  const keys: string[] = []
  for (const program of programs) {
    const { size, mtimeMs, ino } = await stat(program)
    keys.push(`${program}:${ino}:${size}:${mtimeMs}`)
  }
  const key = keys.join('\n')
  if (known?.key === key && known.record.name === name) return known
  const { stdout } = await exec([path, '--version'], { env, signal, deadlineMs: 10_000 })
  const hash = createHash('sha256')
  for (const program of programs) hash.update((await hashFile(program)) ?? '')
  return { key, record: { name, version: stdout.split('\n')[0] ?? '', digest: hash.digest('hex') } }
}
