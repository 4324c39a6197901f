import { basename, join, relative, resolve } from 'node:path'
import { errnoOf, explainOutputError, FairwayError } from '../../base/error.ts'
import { exec } from '../../base/exec.ts'
import { makeFolder } from '../../base/make-folder.ts'
import { findProjectName } from '../../config/project-name.ts'
import { moduleName, namePattern, nameRule, validName } from '../../config/scope.ts'
import { parseGoMod } from '../../go/index.ts'
import type { FairwayEventBody } from '../../base/event.ts'
import { readText } from '../../base/read-file.ts'
import {
  findInhabitant,
  type FormerService,
  hasServices,
  importsOf,
  type NewService,
  prepareScaffold,
  type ScaffoldFile,
  writeScaffold,
} from '../../scaffold/index.ts'
import type { CommandInput, CommandModule } from '../command.ts'
import type { CommandContext } from '../context.ts'

/** A project that builds, serves and is tested from its first minute; or one more service in a project. */
export const run: CommandModule['run'] = async (input, context) => {
  if (input.options['detect'] === true) return (await import('./detect.ts')).detect(input, context)
  const folder = resolve(context.cwd, input.positionals[0] ?? context.options.project ?? '.')
  const named = newServices(input)
  if (named.length === 0) await refuseInhabited(folder)
  const services: NewService[] = named.length > 0 ? named : [{ name: 'web', kind: 'web' }]
  const existing = await readModule(folder)
  const { path: module, from } =
    existing === undefined
      ? await chooseModule(folder, input, context)
      : ({ path: existing, from: 'go.mod' } satisfies ChosenModule)
  const project = (await findProjectName(folder)) ?? validName(moduleName(module)) ?? 'shop'
  const isDetected = existing !== undefined && !(await hasServices(folder))
  const former: Former = isDetected ? await findFormer(folder, context) : { services: [] }
  const files = await prepareScaffold(folder, { project, module, services, former: former.services })
  const isPlan = input.options['plan'] === true
  let completed: Completed = { changed: [] }
  if (!isPlan) {
    await makeFolder(folder, 0o755).catch((error: unknown) => {
      throw explainOutputError(error, folder)
    })
    await writeScaffold(folder, files)
    if (existing !== undefined) completed = await complete(folder, services, context)
  }
  report({ folder, module, from, project, files, former, isPlan, completed }, context)
  return 0
}

/** @throws FairwayError USAGE: a service in a project that is there is asked for by its name */
async function refuseInhabited(folder: string): Promise<void> {
  const inhabitant = await findInhabitant(folder)
  if (inhabitant === undefined) return
  throw new FairwayError('USAGE', `${folder} is a project already: ${inhabitant}`, {
    hint: 'Add a service to it: fairway init --service NAME. Or write down what is detected of what is there: fairway init --detect',
  })
}

interface Former {
  readonly services: readonly FormerService[]
  /** Why they are not known. */
  readonly failure?: Completed['failure']
}

/** What a build would detect as it is: with services of its own in fairway.yaml, nothing is detected any more. */
async function findFormer(folder: string, { home, environment, options, stderr }: CommandContext): Promise<Former> {
  const [{ openGoSource }, { ProjectSource }] = await Promise.all([
    import('../../pipeline/index.ts'),
    import('../../go/index.ts'),
  ])
  const tell = await teller({ options, stderr })
  try {
    const opened = await openGoSource({ folder, home, processEnvironment: environment, report: tell })
    const source = ProjectSource.of(opened.source, opened.toolchain)
    const services: FormerService[] = []
    for (const name of await source.detectServices()) {
      services.push({ name, build: (await source.locate(name, { alone: true })).package })
    }
    return { services }
  } catch (error) {
    if (!(error instanceof FairwayError)) throw error
    if (error.code === 'MAIN_NOT_FOUND') return { services: [] }
    return { services: [], failure: { message: error.message, hint: error.hint } }
  }
}

/** That a toolchain is fetched takes a while. */
async function teller({
  options,
  stderr,
}: Pick<CommandContext, 'options' | 'stderr'>): Promise<(event: FairwayEventBody) => void> {
  const { describeEvent } = await import('../report/describe.ts')
  return (event) => {
    const text = options.json === true ? undefined : describeEvent(event)
    if (text !== undefined) stderr.write(`${text}\n`)
  }
}

interface Completed {
  /** 'go.mod', 'go.sum' */
  readonly changed: readonly string[]
  /** Why they could not be, and what to do. */
  readonly failure?: { readonly message: string; readonly hint?: string | undefined }
}

/** What the new files import comes to stand in the go.mod that was there before, by the Go that it asks for. */
async function complete(
  folder: string,
  services: readonly NewService[],
  { home, environment, options, stderr }: CommandContext,
): Promise<Completed> {
  const imports = await importsOf(services)
  if (imports.modules.length === 0) return { changed: [] }
  const [{ openGoSource }, { completeModule }] = await Promise.all([
    import('../../pipeline/index.ts'),
    import('../../dependency/index.ts'),
  ])
  const tell = await teller({ options, stderr })
  try {
    const { toolchain } = await openGoSource({ folder, home, processEnvironment: environment, report: tell })
    return { changed: await completeModule(folder, imports, { toolchain }) }
  } catch (error) {
    if (!(error instanceof FairwayError)) throw error
    return { changed: [], failure: { message: error.message, hint: error.hint } } // the files are written, and good
  }
}

function newServices({ options }: CommandInput): NewService[] {
  const named = (kind: NewService['kind'], text: string | boolean | undefined) =>
    typeof text === 'string' ? text.split(',').map((name) => ({ name: name.trim(), kind })) : []
  const services = [...named('web', options['service']), ...named('worker', options['worker'])]
  for (const { name } of services) {
    if (!namePattern.test(name)) {
      throw new FairwayError('USAGE', `${JSON.stringify(name)} is no name for a service`, { hint: `${nameRule}.` })
    }
    if (services.filter((each) => each.name === name).length > 1) {
      throw new FairwayError('USAGE', `${name} is named twice`, { hint: 'Each service has a name of its own.' })
    }
  }
  return services
}

async function readModule(folder: string): Promise<string | undefined> {
  const text = await readText(join(folder, 'go.mod')).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined
    throw error
  })
  if (text === undefined) return undefined
  const { module } = parseGoMod(text)
  if (module !== undefined) return module
  throw new FairwayError(
    'SOURCE_NOT_GO',
    `${join(folder, 'go.mod')} names no module: a line \`module PATH\` was expected`,
    {
      hint: 'Write it, or remove the file and name the module: fairway init --module example.com/shop',
    },
  )
}

/** What was asked for, else where git says the repository is, else a path that can be changed as long as nobody imports it. */
async function chooseModule(folder: string, { options }: CommandInput, context: CommandContext): Promise<ChosenModule> {
  const asked = options['module']
  if (typeof asked === 'string') {
    if (modulePattern.test(asked)) return { path: asked, from: '--module' }
    throw new FairwayError('USAGE', `${JSON.stringify(asked)} is no module path`, {
      hint: 'A module is named like where it lies: --module github.com/acme/shop',
    })
  }
  const origin = await moduleOfOrigin(folder, context)
  if (origin !== undefined) return { path: origin, from: 'git' }
  return { path: `example.com/${validName(basename(folder)) ?? 'shop'}`, from: 'nothing' }
}

interface ChosenModule {
  readonly path: string
  /** `nothing`: it is a stand-in. */
  readonly from: 'go.mod' | '--module' | 'git' | 'nothing'
}

/** A host with a dot, then elements of letters, digits and `-._~`, none of which begins or ends with a dot. */
const modulePattern = /^[a-z0-9-]+(?:\.[a-z0-9-]+)+(?:\/(?!\.)[A-Za-z0-9._~-]*[A-Za-z0-9_~-])*$/

/** 'git@github.com:acme/shop.git' and 'https://github.com/acme/shop' → 'github.com/acme/shop' */
async function moduleOfOrigin(folder: string, { environment }: CommandContext): Promise<string | undefined> {
  const { PATH = '', HOME = '' } = environment
  try {
    const words = ['git', '-C', folder, 'config', '--get', 'remote.origin.url'] as const
    const { exitCode, stdout } = await exec(words, { env: { PATH, HOME, LC_ALL: 'C' }, deadlineMs: 5000 })
    if (exitCode !== 0) return undefined
    const [, host = '', path = ''] =
      /^(?:[a-z+]+:\/\/)?(?:[^@/\s]+@)?([a-z0-9.-]+)(?::[0-9]+)?[:/]\/?(.+?)(?:\.git)?\/?\s*$/i.exec(stdout) ?? []
    const module = `${host.toLowerCase()}/${path}`
    return modulePattern.test(module) ? module : undefined
  } catch (error) {
    if (error instanceof FairwayError) return undefined // no git, or no folder yet
    throw error
  }
}

interface Written {
  readonly folder: string
  readonly module: string
  readonly project: string
  readonly files: readonly ScaffoldFile[]
  readonly former: Former
  readonly from: ChosenModule['from']
  readonly isPlan: boolean
  readonly completed: Completed
}

function report(
  { folder, module, from, project, files, former, isPlan, completed: { changed, failure } }: Written,
  { options, stdout, stderr, cwd }: CommandContext,
): void {
  if (options.json === true) {
    const data = {
      folder,
      module,
      moduleFrom: from,
      project,
      files: [
        ...files.map(({ path, isChange }) => ({ path, isChange: isChange === true })),
        ...changed.map((path) => ({ path, isChange: true })),
      ],
      ...(former.services.length === 0 ? {} : { former: former.services }),
      ...(former.failure === undefined ? {} : { formerUnknown: former.failure }),
      ...(failure === undefined ? {} : { notCompleted: failure }),
    }
    stdout.write(`${JSON.stringify({ kind: 'result', outcome: 'done', data })}\n`)
    return
  }
  for (const { path, isChange } of files) {
    const [begin, done] = isChange === true ? ['would change', 'changed'] : ['would write', 'wrote']
    stdout.write(`${isPlan ? begin : done} ${path}\n`)
  }
  for (const { name, build } of former.services) {
    const [begin, done] = ['would be written down', 'was written down']
    stdout.write(
      `${name} (${build}), which was detected until now, ${isPlan ? begin : done} in fairway.yaml: it stays a service\n`,
    )
  }
  if (changed.length > 0) stdout.write(`changed ${changed.join(', ')} (go mod tidy)\n`)
  const standIn =
    from === 'nothing' ? ', a stand-in, since no git remote says where it lies (--module HOST/PATH names it)' : ''
  stdout.write(`\nModule ${module}${standIn}, project ${project}.\n`)
  const warn = (what: string, { message, hint }: NonNullable<Completed['failure']>) =>
    stderr.write(`warning: ${what}: ${message}${hint === undefined ? '' : ` → ${hint}`}\n`)
  if (former.failure !== undefined)
    warn(
      'programs that were there are services only once fairway.yaml names them, and which one is meant is not known',
      former.failure,
    )
  if (isPlan) return
  if (failure !== undefined) warn('what the new files import is not in go.mod yet', failure)
  const place = relative(cwd, folder)
  const steps = [
    ...(place === '' ? [] : [`cd ${shellWord(place)}`]),
    ...(failure === undefined ? [] : ['go mod tidy']),
    'fairway up',
  ]
  stdout.write(`Next: ${steps.join(' && ')}\n`)
}

/** As it can be pasted into a shell. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) && !text.startsWith('-') ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
