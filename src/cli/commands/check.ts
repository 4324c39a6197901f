import { realpath } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { type CheckOrder, type CheckReport, checkSource, junitXml } from '../../check/index.ts'
import { counted } from '../../base/counted.ts'
import { errorCatalogue, FairwayError } from '../../base/error.ts'
import type { Report, ResultEvent } from '../../base/event.ts'
import { writeOutput } from '../../base/output-file.ts'
import { type CheckFile, readCheckSettings } from '../../config/index.ts'
import { buildServices, locateServices, openGoSource, openSource } from '../../pipeline/index.ts'
import type { CommandInput, CommandModule } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { interruptible } from '../interrupt.ts'
import { checkSummary } from '../report/check-summary.ts'
import { failureText } from '../report/failure.ts'
import { openReporter } from '../report/open-reporter.ts'
import { sourceOptions } from '../source-options.ts'
import { wholeNumber } from './change.ts'

/** All evidence about a source that needs no running program. */
export const run: CommandModule['run'] = async (input, context) => {
  const settings = await readCheckSettings(context.folder)
  const order = await makeOrder(input, settings, context)
  const reporter = await openReporter(context)
  return interruptible(reporter, 'aborted', async (signal) => {
    // Kept until the check is over: a binary is looked at while it is there.
    await using built = new AsyncDisposableStack()
    const { environment, home } = context
    const { source, toolchain } = await openGoSource({
      folder: context.folder,
      home,
      processEnvironment: environment,
      report: reporter.event,
      signal,
      isNestedWanted: true,
    })
    const { folder } = source
    const report = await checkSource(
      {
        ...order,
        source,
        cacheFolder: join(home, 'cache'),
        toolsFolder: join(home, 'tools'),
        binaries: () => buildBinaries(context, built, { signal, report: reporter.event }),
      },
      { toolchain, folder, environment, report: reporter.event, signal },
    )
    const file = input.options['junit']
    if (typeof file === 'string')
      await writeOutput(resolve(context.cwd, file), (handle) =>
        handle.writeFile(junitXml(report.packages, report.findings)),
      )
    reporter.close()
    return printResult(report, context)
  })
}

async function makeOrder(
  { positionals, options }: CommandInput,
  settings: CheckFile,
  context: CommandContext,
): Promise<Omit<CheckOrder, 'source' | 'cacheFolder' | 'toolsFolder' | 'binaries'>> {
  // Of some packages alone, neither the project's coverage nor its vulnerabilities are what was asked for.
  const isWhole = positionals.length === 0
  const min = percent(options['coverageMin']) ?? (isWhole ? settings.coverageMin : undefined)
  const location = databaseUrl(options['vulnDb']) ?? settings.vulnerabilityDatabase
  const isInstallWanted = options['installGovulncheck'] === true
  const when = whenVulnerable(options['vuln'])
  if (when === 'off' && isInstallWanted) {
    throw new FairwayError('USAGE', '--vuln off and --install-govulncheck contradict each other', {
      hint: 'fairway check --install-govulncheck',
    })
  }
  // Whoever names the scanner or its database wants them asked, of some packages too.
  const isAskedFor = isInstallWanted || options['vulnDb'] !== undefined
  const usual = isWhole ? (settings.vulnerabilities ?? 'wanted') : 'off'
  return {
    words: positionals,
    cwd: await realpath(context.options.project === undefined ? context.cwd : context.folder),
    tests: {
      race: options['race'] === true || settings.race === true,
      retries: typeof options['retries'] === 'string' ? wholeNumber(options['retries'], '--retries N', { from: 0, to: 10 }) : (settings.retries ?? 1), // prettier-ignore
      timeoutMs: duration(options['timeout']) ?? settings.timeout ?? 600_000,
    },
    ...(min === undefined ? {} : { coverageMin: min }),
    vulnerabilities: when ?? (usual === 'off' && isAskedFor ? 'wanted' : usual),
    ...(location === undefined ? {} : { location }),
    waivers: settings.waivers ?? [],
    today: new Date().toISOString().slice(0, 10),
    isInstallWanted,
  }
}

type Given = string | boolean | undefined

function percent(text: Given): number | undefined {
  if (typeof text !== 'string') return undefined
  const value = Number(text.replace(/%$/, ''))
  if (/^[0-9.]+%?$/.test(text) && value >= 0 && value <= 100) return value
  throw new FairwayError('USAGE', `--coverage-min: expected a percentage from 0 to 100, found ${JSON.stringify(text)}`)
}

function duration(text: Given): number | undefined {
  if (typeof text !== 'string') return undefined
  const [whole, count = '', unit = ''] = /^([0-9]{1,6})(ms|s|m|h)$/.exec(text) ?? []
  const ms = Number(count) * ({ ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit] ?? 0)
  if (whole !== undefined && ms > 0) return ms
  throw new FairwayError('USAGE', `--timeout: expected a duration like 90s or 10m, found ${JSON.stringify(text)}`)
}

function databaseUrl(text: Given): string | undefined {
  if (typeof text !== 'string') return undefined
  if (/^(?:https?|file):\/\/\S+$/.test(text)) return text
  throw new FairwayError('USAGE', `--vuln-db: expected file:///FOLDER or http://…, found ${JSON.stringify(text)}`)
}

function whenVulnerable(text: Given): CheckOrder['vulnerabilities'] | undefined {
  if (text === undefined || text === 'required' || text === 'wanted' || text === 'off') return text
  throw new FairwayError('USAGE', `--vuln: expected required, wanted or off, found ${JSON.stringify(text)}`)
}

/** None where no service is known, or what is there does not build: that is the tests' to say. */
async function buildBinaries(
  context: CommandContext,
  built: AsyncDisposableStack,
  { signal, report }: { signal: AbortSignal; report: Report },
): Promise<{ name: string; path: string }[]> {
  try {
    const opened = await openSource({
      ...sourceOptions(undefined, context, report),
      signal,
    })
    const services = await buildServices(opened, await locateServices(opened, undefined), {
      cacheFolder: join(context.home, 'cache'),
      processEnvironment: context.environment,
      report,
      now: Date.now,
      processors: availableParallelism(),
      signal,
    })
    return services.flatMap((one) => {
      built.use(one)
      const path = one.sources.get(one.artifact.binary)
      return path === undefined ? [] : [{ name: one.service, path }]
    })
  } catch (error) {
    if (error instanceof FairwayError && sourceErrors.has(error.code)) return []
    throw error
  }
}

const sourceErrors = new Set<string>(['MAIN_NOT_FOUND', 'MAIN_AMBIGUOUS', 'BUILD_FAILED', 'SOURCE_NOT_GO'])

function printResult(report: CheckReport, { options, stdout, stderr }: CommandContext): number {
  const error = verdict(report)
  if (options.json === true) {
    const data = dataOf(report)
    const result: ResultEvent =
      error === undefined
        ? { kind: 'result', outcome: 'done', data }
        : { kind: 'result', outcome: 'refused', data, error }
    stdout.write(`${JSON.stringify(result)}\n`)
  } else {
    stdout.write(checkSummary(report))
    if (error !== undefined) stderr.write(failureText(error))
  }
  return error === undefined ? 0 : errorCatalogue[error.code].exit
}

function verdict({ findings, missing }: CheckReport) {
  const blocking = findings.filter(({ severity }) => severity === 'block')
  const details = blocking.slice(0, 20).map(({ place, what, message }) => `${place === undefined ? '' : `${place}: `}${what}: ${message}`) // prettier-ignore
  if (blocking.length > 20) details.push(`and ${blocking.length - 20} more`)
  if (blocking.length > 0) {
    const kinds = new Map<string, number>()
    for (const { check } of blocking) kinds.set(check, (kinds.get(check) ?? 0) + 1)
    const counts = [...kinds].map(([kind, count]) => `${counted(count, 'finding')} by ${kindWords[kind] ?? kind}`)
    const message = `The check failed: ${counts.join(', ')}`
    return { code: 'CHECK_FAILED' as const, message, details }
  }
  const [first] = missing
  if (first === undefined) return undefined
  return {
    code: 'CHECK_INCOMPLETE' as const,
    message: `Not enough evidence: ${first}`,
    hint: 'It was asked for by name, so it is not passed over: make it possible, or do not ask for it.',
    details: [...missing],
  }
}

const kindWords: Readonly<Record<string, string>> = { test: 'tests', vulnerability: 'vulnerabilities' }

/** Tests that passed are counted; what failed or was flaky is named. */
function dataOf({ packages, ...report }: CheckReport): object {
  return {
    ...report,
    packages: packages.map(({ package: name, outcome, result, flaky, failed, notRetried }) => ({
      package: name,
      outcome,
      tookMs: result.tookMs,
      isCached: result.isCached,
      tests: result.tests.map((test) => ({ test: test.test, outcome: test.outcome, tookMs: test.tookMs })),
      flaky,
      failed: failed.map(({ test }) => test),
      ...(notRetried === undefined ? {} : { notRetried }),
    })),
  }
}
