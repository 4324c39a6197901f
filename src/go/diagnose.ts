import { FairwayError } from '../base/error.ts'
import type { GoSettings } from '../config/index.ts'
import type { BuildFinding } from './compiler-output.ts'
import type { UnmetEmbed } from './embed.ts'
import { findGenerators } from './generators.ts'
import { describeUnmet, explainFrontEnd, findFrontEnds, notRunHint } from './prepare.ts'
import { explainPrivateModule } from './private-module.ts'
import type { ProcessEnvironment, Toolchain } from './toolchain.ts'

export interface FailedBuild {
  readonly findings: readonly BuildFinding[]
  readonly folder: string
  readonly moduleFolder: string
  readonly unmet: readonly UnmetEmbed[]
  readonly toolchain: Toolchain
  readonly environment: ProcessEnvironment
  readonly isForeign: boolean
  readonly settings: GoSettings
}

/** A failure with a better hint, where the folder says more than the compiler does. */
export async function diagnose(error: FairwayError, failed: FailedBuild): Promise<FairwayError> {
  if (error.code !== 'BUILD_FAILED') return error
  const explained =
    (await explainEmbeds(failed)) ??
    (await explainPrivateModule(failed)) ??
    (await explainGeneratedCode(failed)) ??
    explainForeign(failed)
  if (explained === undefined) return error
  return new FairwayError(error.code, error.message, {
    hint: explained.hint,
    details: [...error.details, ...explained.details],
    cause: error.cause,
  })
}

export interface Explanation {
  readonly hint: string
  readonly details: readonly string[]
}

/** Nobody here can mend its go.mod. */
function explainForeign({ findings, isForeign }: FailedBuild): Explanation | undefined {
  const isUntidy = findings.some(({ message }) =>
    /missing go\.sum entry|updates to go\.mod needed|no required module provides package/.test(message),
  )
  if (!isForeign || !isUntidy) return undefined
  const hint =
    'It was published so, or what it needs is not to be had from GOPROXY any more. Check out its repository, mend it there (go mod tidy), and: fairway up FOLDER'
  return { hint, details: [] }
}

async function explainEmbeds({
  unmet,
  folder,
  findings,
  isForeign,
  settings,
}: FailedBuild): Promise<Explanation | undefined> {
  if (!findings.some(({ message }) => /^pattern .*: (?:no matching files found|cannot embed)/.test(message)))
    return undefined
  const missing = unmet.filter(({ placeholder }) => placeholder === undefined)
  const [frontEnd] = await findFrontEnds(folder, missing)
  if (frontEnd === undefined) return undefined
  const details = missing.map((one) => describeUnmet(one, folder))
  return { hint: explainFrontEnd(frontEnd, { isForeign, settings }), details }
}

async function explainGeneratedCode({
  findings,
  moduleFolder,
  folder,
  isForeign,
}: FailedBuild): Promise<Explanation | undefined> {
  const missing = findings.filter(({ message }) =>
    /^undefined: |is not in std|no required module provides package|does not contain package|undefined \(type /.test(
      message,
    ),
  )
  if (missing.length === 0) return undefined
  const generators = await findGenerators(moduleFolder, folder, missing)
  const [first] = generators
  if (first === undefined) return undefined
  const words = first.command.join(', ')
  const where = first.in === '.' ? `[${words}]` : `{ in: ${first.in}, run: [${words}] }`
  const tool = `Code is missing that a tool makes: ${first.command.join(' ')}${first.in === '.' ? '' : ` (in ${first.in})`}`
  return {
    hint: isForeign
      ? `${tool}; ${notRunHint}`
      : `${tool}. To have it run before each build, in fairway.yaml: go: { generate: [${where}] }`,
    details: generators.map(({ why }) => why),
  }
}
