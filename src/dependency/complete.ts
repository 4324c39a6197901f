import { rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf, FairwayError } from '../base/error.ts'
import type { ExecResult } from '../base/exec.ts'
import { readText } from '../base/read-file.ts'
import type { ModuleContext } from './listed-module.ts'

export interface Addition {
  /** './cmd/web': new ones, whose imports go.mod may not know. */
  readonly packages: readonly string[]
  /** The version to begin with of each module that go.mod does not name yet. */
  readonly modules: readonly { readonly path: string; readonly version: string }[]
}

/**
 * Has go.mod and go.sum name what new packages import; where they do already, nothing is touched.
 * @param folder the module's
 * @returns the files that were changed, from there
 * @throws FairwayError COMMAND_FAILED with go's own words; go.mod and go.sum are then as they were
 */
export async function completeModule(
  folder: string,
  { packages, modules }: Addition,
  { toolchain, signal }: ModuleContext,
): Promise<string[]> {
  const options = { cwd: folder, signal, deadlineMs: 600_000 }
  const go = (words: readonly string[]) => toolchain.run(words, options)
  const isComplete = async () => (await go(['list', '-mod=readonly', '-deps', '-test', ...packages])).exitCode === 0
  if (await isComplete()) return []
  const before = await readFiles(folder)
  const goMod = before.get('go.mod') ?? ''
  const absent = modules.filter(({ path }) => !goMod.split(/\s+/).includes(path))
  if (absent.length > 0) await go(['mod', 'edit', ...absent.map(({ path, version }) => `-require=${path}@${version}`)])
  const tidied = await go(['mod', 'tidy'])
  // It also asks for what the tests of others import; a source that lacks that may have all that is needed here.
  if (tidied.exitCode !== 0) await go(['mod', 'tidy', '-e'])
  if (tidied.exitCode !== 0 && !(await isComplete())) {
    await putBack(folder, before)
    throw refused(tidied)
  }
  const isVendored = (await stat(join(folder, 'vendor/modules.txt')).catch(() => undefined)) !== undefined
  if (isVendored) await go(['mod', 'vendor']) // the build says what is wrong with it
  const after = await readFiles(folder)
  const changed = [...after].flatMap(([name, text]) => (before.get(name) === text ? [] : [name]))
  return isVendored ? [...changed, 'vendor'] : changed
}

function refused({ stderr, exitCode }: ExecResult): FairwayError {
  // What it says of one import goes on in lines that are set in.
  const lines = stderr.replaceAll(/\n\t+/g, ' ').split('\n')
  const said = lines.filter((line) => line !== '' && !/^go: (?:downloading|finding) /.test(line))
  return new FairwayError('COMMAND_FAILED', `go mod tidy: ${said[0] ?? `exit status ${exitCode}`}`, {
    details: said.slice(1, 20),
  })
}

const files = ['go.mod', 'go.sum']

async function readFiles(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const name of files) {
    try {
      found.set(name, await readText(join(folder, name)))
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error
    }
  }
  return found
}

async function putBack(folder: string, before: ReadonlyMap<string, string>): Promise<void> {
  for (const name of files) {
    const text = before.get(name)
    if (text === undefined) await rm(join(folder, name), { force: true })
    else await writeFile(join(folder, name), text)
  }
}
