import { copyFile, rename, rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { parseTarget, type Target, targetName } from '../../artifact/index.ts'
import { explainOutputError } from '../../base/error.ts'
import { makeFolder } from '../../base/make-folder.ts'
import { type BuiltService, buildServices, locateServices, openSource } from '../../pipeline/index.ts'
import type { CommandModule } from '../command.ts'
import { interruptible } from '../interrupt.ts'
import { formatBytes } from '../report/describe.ts'
import { openReporter } from '../report/open-reporter.ts'
import { sourceOptions } from '../source-options.ts'

/** Builds without releasing; with --explain it says what would be built, and why. */
export const run: CommandModule['run'] = async (input, context) => {
  const { positionals, options } = input
  if (options['explain'] === true) {
    const { explain } = await import('./explain.ts')
    return explain(input, context)
  }
  const targets = parseTargets(options['target'])
  const output = typeof options['output'] === 'string' ? resolve(context.cwd, options['output']) : undefined
  const reporter = await openReporter(context)
  return interruptible(reporter, 'aborted; nothing was released', async (signal) => {
    const opened = await openSource({
      ...sourceOptions(positionals[0], context, reporter.event),
      signal,
    })
    const located = await locateServices(opened, typeof options['only'] === 'string' ? options['only'] : undefined)
    const built = await buildServices(opened, located, {
      cacheFolder: `${context.home}/cache`,
      processEnvironment: context.environment,
      report: reporter.event,
      now: Date.now,
      targets,
      processors: availableParallelism(),
      signal,
    })
    try {
      const files = output === undefined ? undefined : await writeBinaries(built, output)
      const data = built.map(({ service, target, artifact, recipe }, index) => ({
        service,
        ...(target === undefined ? {} : { target: targetName(target) }),
        artifact,
        recipe,
        ...(files === undefined ? {} : { file: files[index] }),
      }))
      if (context.options.json === true) reporter.result({ kind: 'result', outcome: 'done', data })
      else {
        const rows = data.map(({ service, target, artifact, file }) => [
          service,
          ...(targets === undefined ? [] : [target ?? '']),
          artifact.digest,
          formatBytes(artifact.files.reduce((sum, { size }) => sum + size, 0)),
          ...(file === undefined ? [] : [file]),
        ])
        context.stdout.write(`${rows.map((row) => row.join('  ')).join('\n')}\n`)
      }
    } finally {
      for (const one of built) await one[Symbol.asyncDispose]()
    }
    return 0
  })
}

/** 'linux/arm64,linux/arm/v7'; each once. @throws FairwayError USAGE */
export function parseTargets(text: string | boolean | undefined): Target[] | undefined {
  if (typeof text !== 'string') return undefined
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  if (names.length === 0) return [parseTarget(text)] // which says what was expected
  return [...new Set(names)].map(parseTarget)
}

/** SERVICE-OS-ARCH[-VARIANT], `.exe` behind it for Windows: whole or not there, and the same name again replaces it. */
async function writeBinaries(built: readonly BuiltService[], folder: string): Promise<string[]> {
  await makeFolder(folder, 0o755).catch((error: unknown) => {
    throw explainOutputError(error, folder)
  })
  const paths: string[] = []
  for (const { service, recipe, artifact, sources } of built) {
    const { goos, goarch, variant } = recipe
    const words = [service, goos, goarch, ...(variant === undefined ? [] : [variant])]
    const path = join(folder, `${words.join('-')}${goos === 'windows' ? '.exe' : ''}`)
    const temporary = `${path}.new`
    try {
      await copyFile(sources.get(artifact.binary) ?? '', temporary)
      await rename(temporary, path)
    } catch (error) {
      await rm(temporary, { force: true })
      throw explainOutputError(error, path)
    }
    paths.push(path)
  }
  return paths
}
