import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '../../base/atomic-file.ts'
import { errnoOf, explainOutputError, FairwayError } from '../../base/error.ts'
import { addToProjectFile, showDifference } from '../../config/index.ts'
import {
  explainServices,
  explainStart,
  linesOf,
  linesOfStart,
  locateServices,
  openSource,
} from '../../pipeline/index.ts'
import type { CommandInput } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { interruptible } from '../interrupt.ts'
import { openReporter } from '../report/open-reporter.ts'
import type { Reporter } from '../report/reporter.ts'
import { visibleText } from '../report/visible.ts'
import { sourceOptions } from '../source-options.ts'
import { storedKeys } from '../stored-keys.ts'
import { tryStarts } from '../try-starts.ts'

/** Writes down in fairway.yaml what a build detects, and what trying the programs out finds; nothing that stands there is changed. */
export async function detect({ positionals, options }: CommandInput, context: CommandContext): Promise<number> {
  const reporter = await openReporter(context)
  for (const name of ['module', 'worker']) {
    if (options[name] === undefined) continue
    throw new FairwayError('USAGE', `--${name} is for a new service, and --detect is about what is there`, {
      hint: 'Of some services only: fairway init --detect --service NAME',
    })
  }
  const services =
    typeof options['service'] === 'string' ? options['service'].split(',').map((each) => each.trim()) : []
  return interruptible(reporter, 'aborted; nothing was written', async (signal) => {
    const { folder, lines: found } = await findLines(positionals[0], services, { context, reporter, signal })
    reporter.close()
    const { before, text, added, kept } = await addToProjectFile(folder, found)
    const path = join(folder, 'fairway.yaml')
    const isPlan = options['plan'] === true
    if (!isPlan && added.length > 0) await writeDown(path, text)
    const outcome = added.length === 0 ? 'unchanged' : 'done'
    if (context.options.json === true) {
      context.stdout.write(
        `${JSON.stringify({ kind: 'result', outcome, data: { file: path, written: !isPlan, added, kept, text } })}\n`,
      )
      return 0
    }
    const lines = await showDifference(before, text)
    for (const { path: key, value, written } of kept) {
      lines.push(`kept: ${key.join('.')} is ${JSON.stringify(written)}; detected was ${JSON.stringify(value)}`)
    }
    lines.push(
      added.length === 0
        ? 'unchanged: everything stands there already'
        : isPlan
          ? 'nothing was written'
          : `written to ${path}`,
    )
    context.stdout.write(`${visibleText(lines.join('\n'))}\n`)
    return 0
  })
}

/** What a build detects by reading; how the programs start by trying them out, which is nearer to the truth. */
async function findLines(
  from: string | undefined,
  services: readonly string[],
  {
    context,
    reporter,
    signal,
  }: { readonly context: CommandContext; readonly reporter: Reporter; readonly signal: AbortSignal },
): Promise<{ folder: string; lines: { path: string[]; value: unknown }[] }> {
  const opened = await openSource({
    ...sourceOptions(from, context, reporter.event),
    named: services,
    stored: (project, environment) => storedKeys(context, project, environment),
    signal,
  })
  const located = await locateServices(opened, services)
  const explained = await explainServices(opened, located, { processEnvironment: context.environment })
  const tried: { path: string[]; value: unknown }[] = []
  for (const start of await tryStarts(opened, located, { context, reporter, signal })) {
    const { missing } = await explainStart(start, opened.project)
    for (const message of missing) reporter.event({ kind: 'warning', message })
    tried.push(...(await linesOfStart(start)))
  }
  const places = new Set(tried.map(({ path }) => path.join('.')))
  const read = linesOf(explained).filter(({ path }) => !places.has(path.join('.')))
  return { folder: opened.project.folder, lines: [...read, ...tried] }
}

async function writeDown(path: string, text: string): Promise<void> {
  try {
    await writeFileAtomic(path, text, { mode: await modeOf(path) })
  } catch (error) {
    throw explainOutputError(error, path)
  }
}

async function modeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).mode & 0o777
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 0o644
    throw error
  }
}
