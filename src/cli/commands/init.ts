import { readFile } from 'node:fs/promises'
import { basename, join, relative, resolve } from 'node:path'
import { errnoOf, FairwayError } from '../../base/error.ts'
import { exec } from '../../base/exec.ts'
import { makeFolder } from '../../base/make-folder.ts'
import { findProjectName } from '../../config/project-name.ts'
import { moduleName, namePattern, nameRule, validName } from '../../config/scope.ts'
import { parseGoMod } from '../../go/index.ts'
import { type NewService, prepareScaffold, type ScaffoldFile, writeScaffold } from '../../scaffold/index.ts'
import type { CommandInput, CommandModule } from '../command.ts'
import type { CommandContext } from '../context.ts'

/** A project that builds, serves and is tested from its first minute; or one more service in a project. */
export const run: CommandModule['run'] = async (input, context) => {
  if (input.options['detect'] === true) return (await import('./detect.ts')).detect(input, context)
  const folder = resolve(context.cwd, input.positionals[0] ?? context.options.project ?? '.')
  const services = newServices(input)
  const existing = await readModule(folder)
  const module = existing ?? (await chooseModule(folder, input, context))
  const project = (await findProjectName(folder)) ?? validName(moduleName(module)) ?? 'shop'
  const files = await prepareScaffold(folder, { project, module, services })
  if (input.options['plan'] !== true) {
    await makeFolder(folder, 0o755)
    await writeScaffold(folder, files)
  }
  report(
    { folder, module, project, files, isPlan: input.options['plan'] === true, isNew: existing === undefined },
    context,
  )
  return 0
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
  return services.length > 0 ? services : [{ name: 'web', kind: 'web' }]
}

async function readModule(folder: string): Promise<string | undefined> {
  const text = await readFile(join(folder, 'go.mod'), 'utf8').catch((error: unknown) => {
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
async function chooseModule(folder: string, { options }: CommandInput, context: CommandContext): Promise<string> {
  const asked = options['module']
  if (typeof asked === 'string') {
    if (modulePattern.test(asked)) return asked
    throw new FairwayError('USAGE', `${JSON.stringify(asked)} is no module path`, {
      hint: 'A module is named like where it lies: --module github.com/acme/shop',
    })
  }
  return (await moduleOfOrigin(folder, context)) ?? `example.com/${validName(basename(folder)) ?? 'shop'}`
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
  readonly isPlan: boolean
  readonly isNew: boolean
}

function report(
  { folder, module, project, files, isPlan, isNew }: Written,
  { options, stdout, cwd }: CommandContext,
): void {
  if (options.json === true) {
    const data = {
      folder,
      module,
      project,
      files: files.map(({ path, isChange }) => ({ path, isChange: isChange === true })),
    }
    stdout.write(`${JSON.stringify({ kind: 'result', outcome: 'done', data })}\n`)
    return
  }
  for (const { path, isChange } of files) {
    const [begin, done] = isChange === true ? ['would change', 'changed'] : ['would write', 'wrote']
    stdout.write(`${isPlan ? begin : done} ${path}\n`)
  }
  if (isPlan) return
  stdout.write(`\nModule ${module}, project ${project}.\n`)
  const place = relative(cwd, folder)
  const steps = [
    ...(place === '' ? [] : [`cd ${place}`]),
    // What the new files import has to stand in the go.mod that was there before.
    ...(isNew ? [] : ['go mod tidy']),
    'fairway up',
  ]
  stdout.write(`Next: ${steps.join(' && ')}\n`)
}
