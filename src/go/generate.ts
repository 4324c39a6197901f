import { createHash } from 'node:crypto'
import { access, constants, readdir, stat } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { writeFileAtomic } from '../base/atomic-file.ts'
import type { Abortable } from '../base/bounds.ts'
import { errnoOf, FairwayError } from '../base/error.ts'
import type { Report } from '../base/event.ts'
import { exec, type ExecResult, lastLines } from '../base/exec.ts'
import { withFileLock } from '../base/file-lock.ts'
import { readText } from '../base/read-file.ts'
import type { GenerateStep } from '../config/index.ts'
import { fulfils } from './semver-range.ts'
import type { ProcessEnvironment, Toolchain } from './toolchain.ts'

export interface GenerateOrder {
  readonly service: string
  /** The project's; absolute. */
  readonly folder: string
  readonly steps: readonly GenerateStep[]
  /** Why they run, in words. */
  readonly why: string
  /** What a package.json asks of Node: '>=22'. */
  readonly node?: string | undefined
  /** Also where nothing changed since they last ran, unless that was after this; ms since 1970. */
  readonly since?: number
}

export interface GenerateContext extends Abortable {
  readonly toolchain: Toolchain
  /** Of this project alone: when the steps ran last is noted there. */
  readonly noteFolder: string
  readonly environment: ProcessEnvironment
  readonly report: Report
  readonly now: () => number
}

/**
 * Runs the steps in order, unless nothing in their folders changed since they ran last. It is the user's own tool, run in
 * the user's own folder and environment as by hand; safe to be killed: what is not noted as done is done again.
 * @returns whether they ran
 * @throws FairwayError BUILD_FAILED naming the tool that is missing or the step that failed, with its last lines
 */
export async function generate(order: GenerateOrder, context: GenerateContext): Promise<boolean> {
  const { folder, steps, since } = order
  if (steps.length === 0) return false
  const key = createHash('sha256').update(JSON.stringify(steps)).digest('hex').slice(0, 16)
  const note = join(context.noteFolder, `generate-${key}`)
  const folders = [...new Set(steps.map((step) => step.in))]
  const isCurrent = async () => {
    const last = await readNote(note)
    if (last === undefined || (since !== undefined && last.at < since)) return false
    return last.text === (await stampOf(folder, folders))
  }
  if (await isCurrent()) return false
  // Two installs in one folder would tear each other's node_modules apart.
  return withFileLock(
    join(context.noteFolder, 'generate.lock'),
    async () => {
      if (await isCurrent()) return false // another build did it while we waited
      for (const step of steps) await runStep(step, order, context)
      await writeFileAtomic(note, await stampOf(folder, folders))
      return true
    },
    {
      signal: context.signal,
      onWait: () =>
        context.report({
          kind: 'waiting',
          message: `${order.service}: another build of this folder runs ${order.why}`,
        }),
    },
  )
}

async function runStep(step: GenerateStep, order: GenerateOrder, context: GenerateContext): Promise<void> {
  const { service, folder, why } = order
  const { environment, report, now, signal } = context
  const [program = '', ...args] = step.run
  const cwd = join(folder, step.in)
  if (!(await isFolder(cwd))) {
    throw new FairwayError('BUILD_FAILED', `go.generate: ${step.in} is no folder of the project`, {
      hint: '`in` begins at the project’s folder: generate: [{ in: web, run: [npm, run, build] }]',
    })
  }
  if (program !== 'go' && !program.includes('/') && !(await isOnPath(program, environment))) {
    throw new FairwayError(
      'BUILD_FAILED',
      `${service}: \`${step.run.join(' ')}\` is to run in ${step.in}, and there is no ${program} here`,
      {
        hint:
          installHints[program] ??
          `Install ${program}, or name it by its path; go: { generate: [] } in fairway.yaml runs nothing.`,
        details: [`it runs because ${why}`],
      },
    )
  }
  const tooOld = await explainNode(program, order, environment)
  report({ kind: 'generate-begun', service, in: step.in, command: step.run, why })
  const begin = now()
  const say = lineSplitter((line) => report({ kind: 'generate-output', service, line }))
  let result: ExecResult
  if (program === 'go') result = await context.toolchain.run(args, { cwd, signal })
  else {
    const env = Object.fromEntries(
      Object.entries(environment).filter(
        (entry): entry is [string, string] => entry[1] !== undefined && !entry[0].startsWith('FAIRWAY_'),
      ),
    )
    const onData = (chunk: Buffer) => say(chunk.toString('utf8'))
    result = await exec([program, ...args], {
      cwd,
      env,
      signal,
      onStdout: onData,
      onStderr: onData,
      maxOutputBytes: 256 * 1024,
    })
  }
  say('\n')
  if (result.exitCode !== 0) {
    const how = result.signal === null ? `exit status ${result.exitCode}` : `signal ${result.signal}`
    throw new FairwayError('BUILD_FAILED', `${service}: \`${step.run.join(' ')}\` in ${step.in} ended with ${how}`, {
      hint: tooOld ?? `Run it by hand: cd ${step.in} && ${step.run.join(' ')}`,
      details: lastLines(`${result.stdout}${result.stderr}`.trimEnd(), 20),
    })
  }
  report({ kind: 'generate-done', service, in: step.in, command: step.run, tookMs: now() - begin })
}

const nodeHint =
  'Install Node with npm (https://nodejs.org/en/download; Debian, Ubuntu: sudo apt-get install -y nodejs npm).'
const installHints: Readonly<Record<string, string>> = {
  npm: nodeHint,
  pnpm: 'Install it: corepack enable pnpm, or npm install --global pnpm',
  yarn: 'Install it: corepack enable yarn, or npm install --global yarn',
  bun: 'Install it: npm install --global bun',
  templ: 'Install it: go install github.com/a-h/templ/cmd/templ@latest',
  sqlc: 'Install it: go install github.com/sqlc-dev/sqlc/cmd/sqlc@latest',
  buf: 'Install it: go install github.com/bufbuild/buf/cmd/buf@latest',
  protoc: 'Install it: sudo apt-get install -y protobuf-compiler',
}

/** Said before and after: npm itself goes on with a Node that is too old, and fails later in words of its own. */
async function explainNode(
  program: string,
  { service, node }: GenerateOrder,
  environment: ProcessEnvironment,
): Promise<string | undefined> {
  if (node === undefined || !/^(?:npm|pnpm|yarn)$/.test(program)) return undefined
  try {
    const { stdout } = await exec(['node', '--version'], {
      env: { PATH: environment['PATH'] ?? '' },
      deadlineMs: 10_000,
    })
    const version = stdout.trim()
    if (fulfils(version, node) !== false) return undefined
    return `The front-end of ${service} asks for Node ${node}, and this machine has ${version}: install a newer one (https://nodejs.org/en/download).`
  } catch (error) {
    if (error instanceof FairwayError) return undefined // no `node`: a package manager may bring its own
    throw error
  }
}

function lineSplitter(take: (line: string) => void): (text: string) => void {
  let held = ''
  return (text) => {
    const lines = (held + text).split(/\r?\n/)
    held = (lines.pop() ?? '').slice(-4096)
    for (const line of lines) if (line.trim() !== '') take(line.slice(0, 4096))
  }
}

async function isOnPath(program: string, { PATH = '' }: ProcessEnvironment): Promise<boolean> {
  for (const folder of PATH.split(delimiter)) {
    try {
      await access(join(folder, program), constants.X_OK)
      return true
    } catch {
      // the next one
    }
  }
  return false
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch {
    return false
  }
}

async function readNote(path: string): Promise<{ text: string; at: number } | undefined> {
  try {
    return { text: await readText(path), at: (await stat(path)).mtimeMs }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

const maxEntries = 100_000

/** Of names, sizes and times, what was installed left out: about 1 ms for 100 files. */
async function stampOf(folder: string, below: readonly string[]): Promise<string> {
  const hash = createHash('sha256')
  let entries = 0
  const walk = async (path: string): Promise<void> => {
    const children = await readdir(path, { withFileTypes: true })
    for (const child of children.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (child.name === 'node_modules' || child.name === '.git') continue
      const place = join(path, child.name)
      entries += 1
      if (entries > maxEntries) return
      if (child.isDirectory()) await walk(place)
      else if (child.isFile()) {
        const entry = await stat(place).catch(() => undefined) // gone meanwhile
        hash.update(`${place}\0${entry?.size}\0${entry?.mtimeMs}\0`)
      }
    }
  }
  for (const each of below) await walk(join(folder, each)).catch((error: unknown) => hash.update(errnoOf(error) ?? ''))
  return hash.digest('hex')
}
