import { z } from 'zod'
import type { Abortable } from '../base/bounds.ts'
import { explainGoFailure, parseJsonStream, type Toolchain } from '../go/index.ts'

/** @see `go help list`, Module */
const moduleSchema = z.object({
  Path: z.string(),
  Version: z.string().optional(),
  Time: z.string().optional(),
  Main: z.boolean().optional(),
  Indirect: z.boolean().optional(),
  Dir: z.string().optional(),
  Update: z.object({ Path: z.string(), Version: z.string().optional(), Time: z.string().optional() }).optional(),
  Replace: z.object({ Path: z.string(), Version: z.string().optional(), Dir: z.string().optional() }).optional(),
  Retracted: z.array(z.string()).optional(),
  Deprecated: z.string().optional(),
  Error: z.object({ Err: z.string() }).optional(),
})
export type ListedModule = z.output<typeof moduleSchema>

const packageSchema = z.object({
  ImportPath: z.string(),
  Name: z.string().optional(),
  Standard: z.boolean().optional(),
  Imports: z.array(z.string()).optional(),
  Module: moduleSchema.optional(),
})
export type ListedPackage = z.output<typeof packageSchema>

export interface ModuleContext extends Abortable {
  readonly toolchain: Toolchain
  /** Where places are said from; by default the folder that is asked about. */
  readonly projectFolder?: string
}

/** @throws FairwayError BUILD_FAILED for a file that cannot be read, COMMAND_FAILED for all else, with go's own words */
export async function askGo(
  words: readonly string[],
  cwd: string,
  { toolchain, signal, projectFolder = cwd }: ModuleContext,
): Promise<string> {
  const result = await toolchain.run(words, { cwd, signal, deadlineMs: 600_000 })
  if (result.exitCode === 0) return result.stdout
  throw explainGoFailure(result.stderr, { failed: `\`go ${words[0] ?? ''}\` cannot say`, cwd, projectFolder })
}

/** The module graph; what the proxy does not give for one is that one's `Error`. */
export async function listModules(
  words: readonly string[],
  cwd: string,
  context: ModuleContext,
): Promise<ListedModule[]> {
  // With a vendor folder go would read that alone, and it knows no graph.
  const stdout = await askGo(['list', '-m', '-e', '-mod=readonly', '-json', ...words], cwd, context)
  return parseJsonStream(stdout).flatMap((value) => moduleSchema.safeParse(value).data ?? [])
}

/** What is imported, from the given packages down. */
export async function listPackages(
  words: readonly string[],
  cwd: string,
  context: ModuleContext,
): Promise<ListedPackage[]> {
  const stdout = await askGo(
    ['list', '-e', '-deps', '-json=ImportPath,Name,Standard,Imports,Module', ...words],
    cwd,
    context,
  )
  return parseJsonStream(stdout).flatMap((value) => packageSchema.safeParse(value).data ?? [])
}
